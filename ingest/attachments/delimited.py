"""Files of comma-separated values to tables; the separator is found out."""

import csv
import re
from collections.abc import Iterator

from ingest.attachments.encoded import decoded
from ingest.attachments.grid import Row, tables_of
from ingest.attachments.pieces import Pieces

_SEPARATORS = ",;\t|"
_SAMPLE_LINES = 30
_TOLD = re.compile(r"sep=(.)\n")
_NUMBER = re.compile(r"[-+(]?[$€£]?\s?\d[\d.,'\s]*%?\)?")
_WIDEST_FIELD = 10_000_000


def read_csv(data: bytes) -> Pieces:
    """Every row of a file of separated values, as a table."""
    text = decoded(data)
    told = _TOLD.match(text)
    separator = told[1] if told else separator_of(text)
    csv.field_size_limit(_WIDEST_FIELD)
    lines = (line + "\n" for line in text[told.end() if told else 0 :].split("\n"))
    yield from tables_of(_rows(lines, separator))


def separator_of(text: str) -> str:
    """The separator that cuts the first lines into the most fields, equally many in most lines."""
    sample = [line for line in text[:50_000].split("\n") if line.strip()][:_SAMPLE_LINES]
    return max(_SEPARATORS, key=lambda separator: _fitness(sample, separator))


def _fitness(sample: list[str], separator: str) -> tuple[int, int]:
    """How many lines agree on a number of fields above one, and on how many."""
    counts = [len(row) for row in csv.reader(sample, delimiter=separator) if len(row) > 1]
    if not counts:
        return 0, 0
    common = max(set(counts), key=lambda count: (counts.count(count), count))
    return counts.count(common), common


def _rows(lines: Iterator[str], separator: str) -> Iterator[Row]:
    for fields in csv.reader(lines, delimiter=separator):
        stripped = ((column, value.strip()) for column, value in enumerate(fields))
        cells = {column: value for column, value in stripped if value}
        yield Row(cells, any(_NUMBER.fullmatch(value) for value in cells.values()))
