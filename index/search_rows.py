"""Rows of the search statement, one for each passage, as hits. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from index.records import ChunkKind, ContentType, State
from index.results import Hit, PageInfo, Passage


@dataclass(frozen=True, slots=True)
class SearchRow:
    """A passage with its page, as the statement's columns name it."""

    total: int
    page_ref: int
    page_id: str
    title: str
    url: str
    space_key: str
    content_type: str
    version: int
    state: str
    author: str | None
    updated_at: datetime
    page_score: float
    chunk_id: int
    kind: str
    heading_path: list[str]
    anchor: str
    item_url: str
    body: str
    score: float
    attachment: str | None


def hits_by_page(rows: Iterable[SearchRow]) -> dict[int, Hit]:
    """Hits by number of the page, in the order of the rows, in which pages stand together."""
    pages = groupby(rows, key=lambda row: row.page_ref)
    return {page_ref: _hit(list(of_page)) for page_ref, of_page in pages}


def _hit(rows: list[SearchRow]) -> Hit:
    first = rows[0]
    info = PageInfo(
        page_id=first.page_id,
        title=first.title,
        url=first.url,
        space_key=first.space_key,
        content_type=ContentType(first.content_type),
        version=first.version,
        state=State(first.state),
        author=first.author,
        updated_at=first.updated_at,
    )
    return Hit(info, first.page_score, tuple(_passage(row) for row in rows))


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
