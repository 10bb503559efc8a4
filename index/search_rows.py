"""Rows of the search statement, one for each passage, as hits. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from index.page_rows import PageRow
from index.records import ChunkKind
from index.results import Hit, Passage


@dataclass(frozen=True, slots=True)
class SearchRow(PageRow):
    """A passage with its page, as the statement's columns name it."""

    total: int
    page_ref: int
    page_score: float
    chunk_id: int
    kind: str
    heading_path: list[str]
    anchor: str
    item_url: str
    body: str
    score: float
    attachment: str | None
    way: str


def hits_by_page(rows: Iterable[SearchRow]) -> dict[int, Hit]:
    """Hits by number of the page, in the order of the rows, in which pages stand together."""
    pages = groupby(rows, key=lambda row: row.page_ref)
    return {page_ref: _hit(list(of_page)) for page_ref, of_page in pages}


def _hit(rows: list[SearchRow]) -> Hit:
    first = rows[0]
    return Hit(first.info, first.page_score, tuple(_passage(row) for row in rows))


def _passage(row: SearchRow) -> Passage:
    of_page = f"{row.url}#{row.anchor}" if row.anchor else row.url
    return Passage(
        chunk_id=row.chunk_id,
        heading_path=tuple(row.heading_path),
        url=row.item_url or of_page,
        body=row.body,
        score=row.score,
        kind=ChunkKind(row.kind),
        attachment=row.attachment,
    )
