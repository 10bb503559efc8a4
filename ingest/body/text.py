"""Plain text to Markdown text: whitespace, invisible characters, escapes, links and fences."""

import re
from urllib.parse import quote, unquote_plus

# Stands between two inline pieces that the page shows apart; a space where words would touch.
SEAM = "\x1f"
LINE_BREAK = "  \n"

# Soft hyphens, zero-width and direction marks, and the tag characters that smuggle hidden text.
# Joiners stay where scripts from Arabic to Sinhala, or an emoji, need them.
_INVISIBLE = re.compile(
    "[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
    "|(?<![\u0600-\u0dff])\u200c|\u200c(?![\u0600-\u0dff])"
    "|(?<![\u0600-\u0dff])\u200d(?![\u2600-\u27bf\U0001f000-\U0001faff])"
)
_MAYBE_INVISIBLE = re.compile(
    "[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e01ef]"
)
_SPECIAL = re.compile(r"[\\`*_<&\[~]")
_SPECIAL_ALONE = re.compile(r"[\\`<&\[]")
_STAR_OPENS = re.compile(r"\*(?=[^\s*])")
_STAR_CLOSES = re.compile(r"(?<=[^\s*])\*")
_LINE_OPENS = re.compile(r"(?<!\w)_+(?=[^\s_])")
_LINE_CLOSES = re.compile(r"(?<=[^\s_])_+(?!\w)")
_ALWAYS = r"\\(?=[`*_\[\]<>#&|~])|`|<(?=[A-Za-z/!?])|&(?=#?\w+;)|\[(?=[^\[\]]{0,300}\]\()"
_STARS = r"|\*"
_LINES = r"|(?<!\w)_+|(?<=[^\W_])_++(?![^\W_])"
_TILDES = r"|~~"
# Addresses come first, and stay as they are.
_ESCAPES = {
    (stars, lines, tildes): re.compile(
        rf"https?://[^\s<>`*]+|({_ALWAYS}{_STARS * stars}{_LINES * lines}{_TILDES * tildes})"
    )
    for stars in (False, True)
    for lines in (False, True)
    for tildes in (False, True)
}
_BLOCK_STARTS = frozenset("#-+*_>=~[0123456789")
_BLOCK_START = re.compile(
    r"(?:#{1,6}|[-+*])(?=\s|$)|>|~~~|=+\s*$|[-*_](?:\s*[-*_]){2,}\s*$"
    r"|\[[ xX]\](?=\s|$)|\[[^\[\]]*\]:"
)
_NUMBER_START = re.compile(r"(\d{1,9})([.)])(?=\s|$)")
_SEAM_BETWEEN_WORDS = re.compile(r"\x1f(?<=[\w\])>`*~:;,.!?]\x1f)\x1f*(?=[\w\[(<`*~!@$])")
_BACKTICKS = re.compile(r"`+")
_UNSAFE_SCHEME = re.compile(r"(?:javascript|vbscript|livescript|data|blob):", re.IGNORECASE)
_PLAIN_SCHEMES = ("https://", "http://", "mailto:", "#", "/")
_NOT_IN_SCHEME = re.compile(r"[\s\x00-\x20\x7f-\xa0]+")
_NOT_IN_DESTINATION = re.compile(r"[\s()<>|\\\"`]")
_PAGE_TITLE = re.compile(r"/pages/\d+/([^/?#]+)")
_PLAIN = re.compile(
    r"\\([!-/:-@\[-`{-~])"
    r"|(?<!`)(`+)(?!`)(.+?)(?<!`)\2(?!`)"
    r"|!?\[((?:[^\[\]\\]|\\.|\[[^\[\]]*\])*)\]\([^()\s]*\)"
    r"|(\*{1,3}|~~)(?=\S)((?:\\.|[^*~\\])+?)(?<=\S)\5"
    r"|</?su[bp]>"
)


def prose(text: str) -> str:
    """A text node as inline Markdown that reads the same; a newline in it is a space."""
    if "\n" in text:
        if text.isspace():
            return " "
        text = text.replace("\n", " ")
    if not text.isascii() and _MAYBE_INVISIBLE.search(text):
        text = _INVISIBLE.sub("", text)
    return escaped(text) if _SPECIAL.search(text) else text


def escaped(text: str) -> str:
    """Text with a backslash before what would otherwise become markup, and nowhere else."""
    stars = _has_pair(text, "*", _STAR_OPENS, _STAR_CLOSES)
    lines = _has_pair(text, "_", _LINE_OPENS, _LINE_CLOSES)
    tildes = text.count("~~") > 1
    if not (stars or lines or tildes or _SPECIAL_ALONE.search(text)):
        return text
    return _ESCAPES[stars, lines, tildes].sub(_escape, text)


def _has_pair(text: str, mark: str, opens: re.Pattern[str], closes: re.Pattern[str]) -> bool:
    if text.count(mark) < 2:
        return False
    opening = opens.search(text)
    return opening is not None and closes.search(text, opening.end()) is not None


def _escape(match: re.Match[str]) -> str:
    special = match.group(1)
    if special is None:
        return match.group()
    return "".join("\\" + character for character in special)


def one_line(inline: str) -> str:
    """Inline Markdown on a single line, without outer or doubled spaces."""
    if SEAM in inline:
        inline = _joined_seams(inline)
    return " ".join(inline.split())


def paragraphs(inline: str, *, in_cell: bool = False) -> list[str]:
    """Inline Markdown with newlines for line breaks as paragraphs; an empty line separates two.

    In a table cell, no line can begin a block, so none is guarded against it.
    """
    if SEAM in inline:
        inline = _joined_seams(inline)
    lines = [" ".join(line.split()) for line in inline.split("\n")]
    result: list[str] = []
    current: list[str] = []
    for line in (*lines, ""):
        if line:
            current.append(line if in_cell else guarded(line))
        elif current:
            result.append(LINE_BREAK.join(current))
            current = []
    return result


def guarded(line: str) -> str:
    """A line of a paragraph that no reader takes for a heading, a list, a quote or a rule."""
    if line[0] not in _BLOCK_STARTS:
        return line
    if _BLOCK_START.match(line):
        return "\\" + line
    return _NUMBER_START.sub(r"\1\\\2", line) if _NUMBER_START.match(line) else line


def _joined_seams(inline: str) -> str:
    return _SEAM_BETWEEN_WORDS.sub(" ", inline).replace(SEAM, "")


def code_span(text: str) -> str:
    """Text as inline code, verbatim; its fence is longer than any run of backticks inside."""
    if not text.strip():
        return text
    fence = "`" * (_longest_run(text) + 1)
    padding = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def code_fence(body: str, info: str = "") -> str:
    """A code block whose body is byte for byte the given one."""
    fence = "`" * max(3, _longest_run(body) + 1)
    ending = "" if body.endswith("\n") else "\n"
    return f"{fence}{info.replace('`', chr(39))}\n{body}{ending}{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def link(label: str, url: str | None) -> str:
    """A Markdown link, or the label alone when there is no address that may be followed."""
    label = one_line(label)
    if not url or not is_safe(url):
        return label
    target = destination(url)
    if not label or label.replace("\\", "") in (url, target):
        return target
    if label.count("[") != label.count("]"):
        label = re.sub(r"(?<!\\)([\[\]])", r"\\\1", label)
    return f"[{label}]({target})"


def image(alt: str, url: str | None) -> str:
    """A Markdown image; the alternative text alone when there is no address."""
    alt = one_line(alt)
    if not url or not is_safe(url):
        return alt
    if alt.count("[") != alt.count("]"):
        alt = re.sub(r"(?<!\\)([\[\]])", r"\\\1", alt)
    return f"![{alt}]({destination(url)})"


def is_safe(url: str) -> bool:
    """Whether a link may be followed: neither a script nor data hides behind its scheme."""
    if url.startswith(_PLAIN_SCHEMES):
        return True
    return _UNSAFE_SCHEME.match(_NOT_IN_SCHEME.sub("", url[:200])) is None


def destination(url: str) -> str:
    """An address as it may stand between the parentheses of a Markdown link."""
    return _NOT_IN_DESTINATION.sub(lambda match: quote(match.group(), safe=""), url.strip())


def title_in_url(url: str) -> str:
    """The page title that a Confluence page address spells out, or nothing."""
    match = _PAGE_TITLE.search(url)
    return unquote_plus(match.group(1)) if match else ""


def plain(markdown: str) -> str:
    """Inline Markdown of ours without its markup."""
    if not _SPECIAL.search(markdown):
        return markdown
    return _PLAIN.sub(_plain, markdown)


def _plain(match: re.Match[str]) -> str:
    character, _, code, label, _, emphasised = match.groups()
    if character:
        return character
    if code:
        return code.strip() if "`" in code else code
    return plain(label or emphasised or "")
