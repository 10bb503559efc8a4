"""Blocks of Markdown cut to a number of tokens, each piece still good Markdown by itself."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ingest.body.blocks import Block
from ingest.body.cells import cells_of
from ingest.body.markdown_blocks import blocks_of, fence_of, is_item
from ingest.body.text import LINE_BREAK

_MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?: \[[ xX]\])? +")
_FENCE_LINE = re.compile(r"[\s>]*(?:(?:[-*+]|\d+[.)]) +(?:\[.\] +)?[\s>]*)*(?:`{3,}|~{3,})")
_PANEL = re.compile(r"\[!\w+\]")
# Where text may be cut, best places first.
_CUTS = (
    re.compile(re.escape(LINE_BREAK)),
    re.compile(r"(?<=[.!?…])[\"'”’»)\]*_]*\s+|(?<=[。！？])[」』”’）]*"),
    re.compile(r"\s+"),
)
# Deeper lists and quotes are cut like text.
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts tokens, each text once; `of` leaves out the tokens that frame every text."""

    count: Callable[[str], int]
    _known: dict[str, int] = field(default_factory=dict[str, int])

    def of(self, text: str) -> int:
        """Tokens that a text adds to another."""
        if text not in self._known:
            self._known[text] = self.count(text)
        if "" not in self._known:
            self._known[""] = self.count("")
        return max(0, self._known[text] - self._known[""])


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Cuts to `room` tokens, at a depth of lists and quotes."""

    room: int
    counter: Counter
    depth: int = 0

    def fits(self, text: str) -> bool:
        return self.counter.of(text) <= self.room

    def inside(self, room: int) -> "_Cutter":
        return _Cutter(max(1, room), self.counter, self.depth + 1)


def pieces_of(blocks: Sequence[Block], room: int, counter: Counter) -> list[str]:
    """The blocks, in order, in as few pieces of at most `room` tokens as a greedy packer makes."""
    return _pieces(blocks, _Cutter(max(1, room), counter))


def _pieces(blocks: Iterable[Block], cutter: _Cutter) -> list[str]:
    return _pack((unit for block in blocks for unit in _cut_block(block, cutter)), "\n\n", cutter)


def _pack(units: Iterable[str], separator: str, cutter: _Cutter) -> list[str]:
    pieces: list[str] = []
    current: list[str] = []
    used = 0
    between = cutter.counter.of(separator)
    for unit in units:
        tokens = cutter.counter.of(unit)
        if current and used + between + tokens > cutter.room:
            pieces.append(separator.join(current))
            current, used = [], 0
        used += tokens + (between if current else 0)
        current.append(unit)
    if current:
        pieces.append(separator.join(current))
    return [piece for piece in pieces if piece.strip()]


def _cut_block(block: Block, cutter: _Cutter) -> list[str]:
    if cutter.fits(block.markdown):
        return [block.markdown]
    if cutter.depth < _DEEPEST:
        match block.kind:
            case "code":
                return _cut_code(block.markdown, cutter)
            case "table":
                return _cut_table(block.markdown, cutter)
            case "list":
                return _cut_list(block.markdown, cutter)
            case "quote":
                return _cut_quote(block.markdown, cutter)
            case _:
                pass
    return _cut_anyhow(block.markdown, cutter)


def _cut_anyhow(markdown: str, cutter: _Cutter) -> list[str]:
    """Pieces of a block where there is no room for its markup; half a fence would hide the rest."""
    lines = (line for line in markdown.split("\n") if not _FENCE_LINE.match(line))
    return _cut_text("\n".join(lines), cutter)


def _cut_text(text: str, cutter: _Cutter, level: int = 0) -> list[str]:
    """Pieces cut after line breaks, else sentences, else words, else anywhere."""
    if level == len(_CUTS):
        return _cut_anywhere(text, cutter)
    units: list[str] = []
    start = 0
    for match in (*_CUTS[level].finditer(text), None):
        end = match.end() if match else len(text)
        unit = text[start:end]
        units += [unit] if cutter.fits(unit) else _cut_text(unit, cutter, level + 1)
        start = end
    return [piece.strip() for piece in _pack(units, "", cutter)]


def _cut_anywhere(text: str, cutter: _Cutter) -> list[str]:
    if len(text) < 2 or cutter.fits(text):
        return [text] if text else []
    share = cutter.room / max(1, cutter.counter.of(text))
    size = min(max(1, int(len(text) * share * 0.9)), len(text) // 2 + 1)
    starts = range(0, len(text), size)
    return [
        piece for start in starts for piece in _cut_anywhere(text[start : start + size], cutter)
    ]


def _cut_code(markdown: str, cutter: _Cutter) -> list[str]:
    opening, *lines = markdown.split("\n")
    fence = fence_of(opening)
    if lines and lines[-1].strip() == fence:
        lines.pop()
    if cutter.counter.of(opening) > cutter.room // 2:
        opening = fence
    frame = cutter.counter.of(f"{opening}\n\n{fence}")
    if frame >= cutter.room:
        return _cut_text("\n".join(lines), cutter)
    inner = cutter.inside(cutter.room - frame)
    units = [unit for line in lines for unit in _cut_line(line, inner)]
    return [f"{opening}\n{piece}\n{fence}" for piece in _pack(units, "\n", inner)]


def _cut_line(line: str, cutter: _Cutter) -> list[str]:
    """A line of code, whole unless it alone is too long."""
    if cutter.fits(line):
        return [line]
    return _cut_text(line, cutter, len(_CUTS) - 1)


def _cut_table(markdown: str, cutter: _Cutter) -> list[str]:
    header, *lines = markdown.split("\n")
    rule, rows = "".join(lines[:1]), lines[1:]
    head = f"{header}\n{rule}\n"
    inner = cutter.inside(cutter.room - cutter.counter.of(head))
    pieces: list[str] = []
    fitting: list[str] = []
    for row in rows:
        if cutter.counter.of(head) <= cutter.room // 2 and inner.fits(row):
            fitting.append(row)
            continue
        pieces += (head + piece for piece in _pack(fitting, "\n", inner))
        fitting = []
        pieces += _cut_text(_row_as_text(header, row), cutter)
    pieces += (head + piece for piece in _pack(fitting, "\n", inner))
    return pieces or _cut_text(_row_as_text(header, ""), cutter)


def _row_as_text(header: str, row: str) -> str:
    """A row too long for any table, as `column: value` lines."""
    names, values = cells_of(header), cells_of(row) if row else []
    if not values:
        return LINE_BREAK.join(name for name in names if name)
    names += [""] * (len(values) - len(names))
    pairs = (pair for pair in zip(names, values, strict=False) if any(pair))
    lines = (f"{name}: {value}".rstrip() if name else value for name, value in pairs)
    return LINE_BREAK.join(lines).replace("<br>", LINE_BREAK)


def _cut_list(markdown: str, cutter: _Cutter) -> list[str]:
    units = [
        unit
        for item in _items(markdown)
        for unit in ([item] if cutter.fits(item) else _cut_item(item, cutter))
    ]
    return _pack(units, "\n", cutter)


def _items(markdown: str) -> list[str]:
    items: list[list[str]] = []
    for line in markdown.split("\n"):
        if not items or (is_item(line) and not line[0].isspace()):
            items.append([])
        items[-1].append(line)
    return ["\n".join(item) for item in items]


def _cut_item(item: str, cutter: _Cutter) -> list[str]:
    """An item in pieces; only the first of them has its marker."""
    match = _MARKER.match(item)
    if match is None:
        return _cut_text(item, cutter)
    marker = match.group()
    first, *rest = item[len(marker) :].split("\n")
    indents = (len(line) - len(line.lstrip()) for line in rest if line.strip())
    indent = min((*indents, len(marker)))
    content = "\n".join((first, *(line[indent:] for line in rest)))
    inner = cutter.inside(cutter.room - cutter.counter.of(marker))
    pieces = _pieces(blocks_of(content), inner)
    if not pieces:
        return [marker.rstrip()]
    is_plain = len(pieces[0].split("\n")) == 1 or LINE_BREAK in pieces[0]
    indented = pieces[0].replace("\n", "\n" + " " * indent) if is_plain else pieces[0]
    return [marker + indented, *pieces[1:]]


def _cut_quote(markdown: str, cutter: _Cutter) -> list[str]:
    """A quote or a panel in pieces; each says what kind of panel it is from."""
    lines = [line.removeprefix(">").removeprefix(" ") for line in markdown.split("\n")]
    head = lines[0] if _PANEL.match(lines[0]) else ""
    if cutter.counter.of(head) > cutter.room // 3:
        head = ""
    blocks = blocks_of("\n".join(lines[1:] if head else lines))
    room = cutter.room - cutter.counter.of(head)
    margin = Counter(lambda text: cutter.counter.count(_quoted("", text)))
    inner = replace(cutter.inside(room), counter=margin)
    return [_quoted(head, piece) for piece in _pieces(blocks, inner)]


def _quoted(head: str, piece: str) -> str:
    lines = (head, *piece.split("\n")) if head else piece.split("\n")
    return "\n".join(f"> {line}" if line else ">" for line in lines)
