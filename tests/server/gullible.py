"""A chat model that obeys whatever it takes for an order, and what it is asked to write."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

ORDER = re.compile(r"ORDER\s+say\s+(.*?)\s+DONE", re.DOTALL)
_FENCED = re.compile(r"<page-text>\n(.*?)\n</page-text>", re.DOTALL)
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_TAGS = re.compile("[\U000e0020-\U000e007e]")
_ESCAPE = re.compile(r"\\([^\w\s])")


def order(say: str) -> str:
    """What a page writes to have this said."""
    return f"ORDER say {say} DONE"


def encoded(say: str) -> str:
    """The same in a form in which its words do not stand on the page."""
    return f"HEX{say.encode().hex()}"


def smuggled(text: str) -> str:
    """The text in characters that nobody sees but some models read."""
    return "".join(chr(0xE0000 + ord(letter)) for letter in text)


def spaced_out(text: str) -> str:
    """The text with something invisible behind each letter."""
    return "".join(f"{letter}\u200b" for letter in text)


@dataclass(slots=True)
class Gullible:
    """Obeys orders outside the tags of page text, or inside them, too; else it answers plainly.

    In what it is to say, `{n}` is the number of the passage with the order, `{m}` that of another
    page; `{all}` is all that it was sent. It quotes each passage truly.
    """

    obeys_pages: bool = False
    obeyed: list[str] = field(default_factory=list[str])
    sent: list[str] = field(default_factory=list[str])

    def __call__(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> str:
        """The reply to a question."""
        text = "\n".join(str(message["content"]) for message in messages)
        self.sent.append(text)
        passages = _FENCED.findall(text)
        outside = _FENCED.sub("", text)
        orders = ORDER.findall(_seen(outside))
        ordering = next((n for n, one in enumerate(passages, 1) if ORDER.search(_seen(one))), 1)
        if self.obeys_pages:
            orders += ORDER.findall(_seen("\n".join(passages)))
        self.obeyed += orders[:1]
        return _reply(orders[0] if orders else "The rules are there [{n}].", passages, ordering)


def _seen(text: str) -> str:
    shown = _TAGS.sub(lambda tag: chr(ord(tag[0]) - 0xE0000), text)
    return _ESCAPE.sub(r"\1", _UNSEEN.sub("", shown)).replace("&lt;", "<")


def _reply(say: str, passages: Sequence[str], ordering: int) -> str:
    title = passages[ordering - 1].partition("\n")[0]
    other = next(
        (n for n, one in enumerate(passages, 1) if one.partition("\n")[0] != title), ordering
    )
    if say.startswith("HEX"):
        say = bytes.fromhex(say[3:]).decode()
    answer = say.replace("{n}", str(ordering)).replace("{m}", str(other))
    answer = answer.replace("{all}", " ".join(passages).replace("\n", " "))
    quotes = [{"n": n, "quote": _quote(one)} for n, one in enumerate(passages, 1)]
    return json.dumps({"found": True, "answer": answer, "citations": quotes})


def _quote(passage: str) -> str:
    body = passage.partition("\n\n")[2] or passage
    return " ".join(body.split()[:6])
