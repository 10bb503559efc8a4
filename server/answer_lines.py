"""An answer in Markdown cut into what is looked at by itself: lines, sentences, code. Pure.

Markers such as `[1, 3]` are first turned into signs that nobody writes, so that brackets of code
and of links are never taken for one.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

OPEN, CLOSE = "\ue000", "\ue001"
GROUP = re.compile(f"{OPEN}([\\d,]*){CLOSE}")
GROUPS = re.compile(f"(?:{OPEN}[\\d,]*{CLOSE}\\s*)*{OPEN}[\\d,]*{CLOSE}")
NUMBERS = r"\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*"
CODE = re.compile(r"(```.*?(?:```|\Z)|(?<!\\)`[^`\n]+`)", re.DOTALL)
FENCE = "```"

_MARKER = re.compile(rf"\s?(?:\[|【)({NUMBERS})(?:\]|】)")
_PREFIX = re.compile(r"\s*(?:>\s?)*(?:[-*+•]\s+|\d{1,3}[.)]\s+)?(?:\[[ xX]\]\s+)?")
_RULE = re.compile(r"\s*(?:[-*_]\s*){3,}$|\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-*:?\s*)*$")
_LEAD = re.compile(r"#{1,6}\s.*|.*[:：]\W*|\*\*[^*]+\*\*\W*", re.DOTALL)
# After the mark of a sentence with what closes it, where another one begins.
_SENTENCE = re.compile(
    rf"(?<!\b\w)[.!?…]+[\"'”’»)*_]*(?:\s?{GROUPS.pattern})?"
    rf"(?=\s+[^\W\d_a-zß-öø-ÿ]|\s+[*_\"“„«(`])\s+|[。！？]+[」』）]*(?:{GROUPS.pattern})?"
)
_ABBREVIATED = re.compile(
    r"\b(?:approx|bzw|ca|Dr|etc|evtl|ggf|incl|inkl|max|min|Mr|Mrs|Ms|Nr|No|St|usw|vgl|vs)\.\s+$"
)


class Kind(Enum):
    """What a line is."""

    TEXT = auto()
    ROW = auto()  # of a table
    LEAD = auto()  # a heading, the head of a table, a line that ends in a colon
    CODE = auto()
    SPACE = auto()


@dataclass(slots=True)
class Item:
    """A line, or the lines of a paragraph, of code or of the head of a table.

    `before` is what makes it an item of a list.
    """

    kind: Kind
    before: str
    text: str


def marked(answer: str) -> str:
    """The answer with its markers as groups of numbers."""

    def group(match: re.Match[str]) -> str:
        return as_group(_numbers(match[1]))

    def merged(match: re.Match[str]) -> str:
        return as_group(numbers_in(match[0]))

    answer = answer.replace(OPEN, "").replace(CLOSE, "")
    return "".join(
        part if at % 2 else GROUPS.sub(merged, _MARKER.sub(group, part))
        for at, part in enumerate(CODE.split(answer))
    )


def as_group(numbers: Sequence[int]) -> str:
    """Numbers of one place as a group."""
    return f"{OPEN}{','.join(map(str, dict.fromkeys(numbers)))}{CLOSE}"


def numbers_in(text: str) -> list[int]:
    """The numbers of all groups of a text."""
    return [int(n) for group in GROUP.findall(text) for n in group.split(",") if n]


def _numbers(text: str) -> list[int]:
    """The numbers of a marker such as `1, 3` or `2-4`."""
    numbers: list[int] = []
    for part in re.split(r"[,;]", text):
        first, *rest = (int(number) for number in re.findall(r"\d+", part))
        numbers.extend(range(first, min(max([first, *rest]), first + 20) + 1))
    return numbers


def items_of(answer: str) -> list[Item]:
    """The lines of an answer, those together that are one thing."""
    items: list[Item] = []
    is_open = False
    for line in answer.split("\n"):
        item = _item(line)
        if is_open:
            items[-1].text += f"\n{line}"
            is_open = not line.strip().startswith(FENCE)
        elif item.kind is Kind.CODE:
            items.append(item)
            is_open = True
        elif not (items and _is_continued(items[-1], item)):
            items.append(item)
    return items


def _is_continued(last: Item, item: Item) -> bool:
    """Takes a line to the one before it, where both are one thing."""
    is_text = last.kind is item.kind is Kind.TEXT and not item.before.strip()
    is_head = last.kind is Kind.ROW and item.kind is Kind.SPACE and "-" in item.text
    if is_head:
        last.kind = Kind.LEAD
    if is_text or is_head:
        last.text += f"\n{item.text}"
    return is_text or is_head


def _item(line: str) -> Item:
    if line.lstrip().startswith(FENCE) and line.count(FENCE) == 1:
        return Item(Kind.CODE, "", line)
    if not line.strip() or _RULE.fullmatch(line):
        return Item(Kind.SPACE, "", line)
    if line.lstrip().startswith("|"):
        return Item(Kind.ROW, "", line)
    match = _PREFIX.match(line)
    before = match[0] if match else ""
    text = line[len(before) :]
    is_lead = _LEAD.fullmatch(text) and not GROUP.search(text)
    return Item(Kind.LEAD if is_lead else Kind.TEXT, before, text)


def sentences_of(text: str) -> Iterator[str]:
    """The sentences of a paragraph, each with its markers and the space behind it."""
    start = 0
    for match in _SENTENCE.finditer(text):
        if not _ABBREVIATED.search(text, start, match.end()):
            yield text[start : match.end()]
            start = match.end()
    yield text[start:]
