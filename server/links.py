"""Text of a model without anything that a client might fetch, follow or hide. Pure.

What the reader can open are citations, and these are made by the index. An address that the
passages write stays readable, as code and without its scheme; any other one becomes `…`.
"""

import html
import re
from collections.abc import Callable

from server.answer_lines import CODE, NUMBERS
from server.texts import UNSEEN

GONE = "…"
ROUNDS = 4  # for what only becomes a link when another one is taken out

# Joiners belong into emoji and some scripts, not behind ASCII.
_HIDDEN = re.compile(rf"(?![\s\u200c\u200d\ufe0f])[{UNSEEN}]|(?<=[ -~])[\u200c\u200d\ufe0f]")
_ESCAPE = re.compile(r"\\([:/.@&#<>()\[\]!])")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)|<!\[CDATA\[|<[!?][a-z][^<>]*>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|applet|area|audio|base|body|button|details|embed|form|frame|frameset|head|html|i?frame"
    r"|image|img|input|link|math|meta|object|option|page-text|script|select|source|style|svg|textarea|title"
    r"|track|video)(?![\w-])[^<>]{0,4000}>|<[a-z][\w:-]*[\s/][^<>]{0,4000}=[^<>]{0,4000}>",
    re.IGNORECASE,
)
# Bounded, so that no reply takes long.
_LINK = re.compile(
    r"!?\[(?P<text>[^\[\]]{0,2000})\]\([^()]{0,2000}(?:\([^()]{0,500}\)[^()]{0,500})?\)"
)
_REFERENCE = re.compile(rf"!?\[(?P<text>[^\[\]]{{0,2000}})\]\[(?!{NUMBERS}\])[^\[\]]{{0,500}}\]")
_DEFINITION = re.compile(r"^([ \t>*+-]*)\[([^\[\]\n]{1,500})\]:[ \t]*", re.MULTILINE)
_AUTOLINK = re.compile(r"<[a-z][a-z0-9+.-]{1,31}:[^\s<>]*>", re.IGNORECASE)
_SCRIPT = re.compile(
    r"(?<![\w-])(?:about|blob|cid|data|file|intent|javascript|jar|livescript|magnet|mailto|ms-\w+"
    r"|sms|tel|vbscript|view-source|vscode|x-\w+)\s?:(?=\S)(?!\d)[^\s<>\"']*",
    re.IGNORECASE,
)
_END = r"[^\s<>()\[\]{}`\"'|*\ue000\ue001…。，、）」]"
_ADDRESS = re.compile(
    rf"<?(?:(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*+:)?[/\\]{{2}}{_END}+>?", re.IGNORECASE
)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_HOST = re.compile(
    r"(?<![\w@./\\-])(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:[a-z]{2,24}|xn--[a-z0-9-]{2,59})"
    rf"(?!-?\w)(?::\d{{1,5}})?(?:[/?#]{_END}*)?",
    re.IGNORECASE,
)
# What every reader of Markdown takes for code, and what may stand nowhere else.
_STRICT_CODE = re.compile(
    r"^```[\w+-]*\n(?:(?!```).*\n)*?```[ \t]*$|(?<![`\\])`[^`\n]+`(?!`)", re.MULTILINE
)
_LEFT = (re.compile(r"//\w|\]\(|<!--"), _TAG, _SCRIPT, _ADDRESS, _MAIL, _HOST)
_SCHEME = re.compile(r"^<?(?:[a-z][a-z0-9+.-]*:)?[/\\]*", re.IGNORECASE)


def unlinked(text: str, known: str) -> str:
    """The text without links, images, markup and unseen characters.

    `known` is what the passages say: an address in it is kept as code. Markers such as `[2]` stay.
    Where marks of code hide what could be followed, they are taken out, too; if that does not
    help, the text is.
    """
    for tried in (text, text.replace("`", "'")):
        cleaned = _cleaned(tried, known)
        if not any(pattern.search(_STRICT_CODE.sub(" ", cleaned)) for pattern in _LEFT):
            return cleaned
    return GONE


def _cleaned(text: str, known: str) -> str:
    for _ in range(ROUNDS):
        cleaned = _in_parts(_HIDDEN.sub("", text), _plain)
        if cleaned == text:
            break
        text = cleaned
    text = _in_parts(text, lambda part: _without_addresses(part, known), is_code=False)
    return _in_parts(text, lambda part: _without_schemes(part, known), is_code=True)


def _in_parts(text: str, change: Callable[[str], str], *, is_code: bool = False) -> str:
    """The text with its code, or what is none, changed."""
    return "".join(
        change(part) if (at % 2 == 1) == is_code else part
        for at, part in enumerate(CODE.split(text))
    )


def _plain(part: str) -> str:
    """Without markup; what escapes and entities hide is written out."""
    part = _COMMENT.sub("", html.unescape(_ESCAPE.sub(r"\1", part)))
    part = _TAG.sub("", part)
    part = _REFERENCE.sub(_text_of, _LINK.sub(_text_of, part))
    part = _DEFINITION.sub(r"\1[\2] ", part)
    return part.replace("](", "] (")


def _text_of(match: re.Match[str]) -> str:
    text = match["text"]
    return f"[{text}]" if re.fullmatch(NUMBERS, text) else text


def _without_addresses(part: str, known: str) -> str:
    def address(match: re.Match[str]) -> str:
        return _as_code(match[0], known)

    part = _SCRIPT.sub(GONE, _AUTOLINK.sub(address, part))
    part = _in_parts(_ADDRESS.sub(address, part), lambda rest: _MAIL.sub(address, rest))
    return _in_parts(part, lambda rest: _HOST.sub(address, rest))


def _as_code(address: str, known: str) -> str:
    """An address that is known, as code and without its scheme; `…` for any other."""
    bare = _SCHEME.sub("", address).rstrip(">.,:;!?_~")
    tail = address.rstrip(">")[len(address.rstrip(">").rstrip(".,:;!?_~")) :]
    return (f"`{bare}`" if bare and bare in known else GONE) + tail


def _without_schemes(code: str, known: str) -> str:
    def address(match: re.Match[str]) -> str:
        bare = _SCHEME.sub("", match[0])
        return bare if bare.strip("<>.,:;!?") in known else GONE

    return _SCRIPT.sub(GONE, _ADDRESS.sub(address, code))


def unlinked_quote(quote: str) -> str:
    """Words of a page without links: `…` for addresses, hosts and mail addresses as code."""
    text = _SCRIPT.sub(
        GONE, _AUTOLINK.sub(GONE, _REFERENCE.sub(r"\g<text>", _LINK.sub(r"\g<text>", quote)))
    )
    text = _COMMENT.sub("", _TAG.sub("", _ADDRESS.sub(GONE, text)))
    for bare in (_MAIL, _HOST):
        text = _in_parts(text, lambda part, bare=bare: bare.sub(_whole_as_code, part))
    return text.replace("](", "] (")


def _whole_as_code(match: re.Match[str]) -> str:
    return _as_code(match[0], match[0])
