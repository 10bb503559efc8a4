"""Page properties: the table in a `details` macro, as lines of `key: value`."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from ingest.body.blocks import Block
from ingest.body.grid import EMPTY, Row
from ingest.body.macros import Macro
from ingest.body.names import Element
from ingest.body.tables import grid_of
from ingest.body.text import LINE_BREAK
from ingest.body.walk import Flow, Walk


def page_properties(walk: Walk, macro: Macro, flow: Flow) -> None:
    """Properties as `key: value` lines; hidden ones are not shown."""
    if macro.get("hidden").lower() == "true":
        return
    for body in macro.rich:
        flow.flush()
        _read(walk, body, flow)
        flow.flush()


def _read(walk: Walk, body: Element, flow: Flow) -> None:
    for child in body:
        if child.tag != "table":
            walk.child(child, flow)
            continue
        lines = list(_pairs(grid_of(walk, child, flow)))
        if lines:
            flow.add(Block("text", LINE_BREAK.join(lines)))


def _pairs(rows: Sequence[Row]) -> Iterator[str]:
    """Keys stand in a header row above the values, or in the first column."""
    if len(rows) > 1 and all(cell.is_header for cell in rows[0]) and not rows[1][0].is_header:
        for row in rows[1:]:
            for name, cell in zip_longest(rows[0], row, fillvalue=EMPTY):
                yield _pair(name.text, cell.text)
        return
    for row in rows:
        values = dict.fromkeys(cell.text for cell in row[1:] if cell.text)
        yield _pair(row[0].text, ", ".join(values))


def _pair(key: str, value: str) -> str:
    key = key.replace("**", "").rstrip(":")
    value = value.removeprefix("- ").replace("<br>- ", ", ").replace("<br>", ", ")
    value = value.replace("\\|", "|")
    return f"{key}: {value}" if key and value else (f"{key}:" if key else value)
