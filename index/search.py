"""Reading the index by meaning and by words."""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from pgvector import HalfVector
from psycopg import sql
from psycopg.errors import UndefinedTable
from psycopg.rows import class_row

from index.access import Asker, read_as
from index.database import Database
from index.embeddings import Embedder
from index.errors import BadRequest
from index.language import clean, configuration_of, likely_languages, searchable
from index.models import EmbeddingModel, active_model, require_dimension, require_model
from index.records import ChunkKind, ContentType, State
from index.results import Filters, Hit, PageInfo, Passage, SearchResult
from index.search_statement import search_statement

MAX_QUERY = 20_000  # characters
# Share of the vector leg in the fused score, and what is left of it when the question is in a
# language that the embedding model does not understand.
DENSE_SHARE, FOREIGN_SHARE = 0.5, 0.1
REFRESH = 60.0  # seconds after which the model and the languages of the index are read again

EMPTY_INDEX = "The index is empty: run `confluence-mcp ingest` to fill it."
NOTHING_SHOWN = "There is nothing here that you may read."

MISSING_SPACES = """
SELECT given FROM unnest(%(spaces)s::text[]) AS given
WHERE NOT EXISTS (SELECT FROM open_space WHERE lower(key) = lower(given))
"""
KNOWN_SPACES = "SELECT DISTINCT key FROM open_space ORDER BY key LIMIT 30"
HAS_PAGES = "SELECT EXISTS (SELECT FROM shown_page)"
LANGUAGES = "SELECT language FROM common_language"


@dataclass(frozen=True, slots=True)
class _Row:
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


@dataclass(frozen=True, slots=True)
class _Ready:
    model: EmbeddingModel
    embedder: Embedder
    statement: sql.Composed
    languages: frozenset[str]
    until: float


class Searcher:
    """Answers questions about the index. Safe to share between concurrent requests.

    `choose` gives the embedder for the model that filled the index; it is asked at the first
    search, so that a server can start before the first ingest.
    """

    def __init__(self, database: Database, choose: Callable[[str], Awaitable[Embedder]]) -> None:
        self._database = database
        self._choose = choose
        self._ready: _Ready | None = None

    async def search(
        self,
        asker: Asker,
        query: str,
        filters: Filters | None = None,
        *,
        limit: int = 8,
        offset: int = 0,
        passages: int = 1,
        dense_share: float | None = None,
    ) -> SearchResult:
        """The pages that answer `query` best of those that the asker may read.

        Each with up to `passages` passages.

        `dense_share` sets the vector leg's part of the score: 1 asks that leg alone, 0 the lexical
        one; by itself it follows the language of the query.

        Raises BadRequest for an empty or oversized query, EmbeddingError when the query cannot be
        embedded.
        """
        text = clean(query).strip()
        if not text:
            raise BadRequest("The query is empty: give a question or a few words.")
        if len(text) > MAX_QUERY:
            raise BadRequest(f"The query is longer than {MAX_QUERY:,} characters: shorten it.")
        filters = filters or Filters()
        values = _values(text, filters) | {
            "limit": limit,
            "offset": offset,
            "passages": passages,
            "dense_share": dense_share,
        }
        rows = await self._rows(asker, text, values)
        if rows is None:
            return SearchResult((), 0, (_nothing(asker),))
        if rows:
            return SearchResult(_hits(rows), rows[0].total, ())
        first = await self._first(asker, text, values) if offset else None
        if first:
            return SearchResult((), first[0].total, ())
        return SearchResult((), 0, await self._notes(asker, filters))

    async def _first(self, asker: Asker, text: str, values: dict[str, object]) -> list[_Row] | None:
        return await self._rows(asker, text, values | {"offset": 0, "limit": 1})

    async def _rows(self, asker: Asker, text: str, values: dict[str, object]) -> list[_Row] | None:
        try:
            return await self._asked(asker, text, values)
        except UndefinedTable:  # the index was filled anew by another model
            self._ready = None
            return await self._asked(asker, text, values)

    async def _asked(self, asker: Asker, text: str, values: dict[str, object]) -> list[_Row] | None:
        ready = await self._prepared()
        if ready is None:
            return None
        vector = await ready.embedder.embed_query(text)
        require_dimension(ready.model, ready.embedder, vector)
        values = values | {"vector": HalfVector(vector)}
        if values["dense_share"] is None:
            values["dense_share"] = _dense_share(text, ready)
        async with (
            read_as(self._database, asker) as connection,
            connection.cursor(row_factory=class_row(_Row)) as cursor,
        ):
            await cursor.execute(ready.statement, values)
            return await cursor.fetchall()

    async def _prepared(self) -> _Ready | None:
        known = self._ready
        if known and time.monotonic() < known.until:
            return known
        async with self._database.pool.connection() as connection:
            model = await active_model(connection)
            languages = [row[0] async for row in await connection.execute(LANGUAGES)]
        if model is None:
            return None
        same = known if known and known.model == model else None
        embedder = same.embedder if same else await self._choose(model.name)
        require_model(model, embedder)
        until = time.monotonic() + REFRESH
        self._ready = _Ready(model, embedder, search_statement(model), frozenset(languages), until)
        return self._ready

    async def _notes(self, asker: Asker, filters: Filters) -> tuple[str, ...]:
        async with read_as(self._database, asker) as connection:
            row = await (await connection.execute(HAS_PAGES)).fetchone()
            if not (row and row[0]):
                return (_nothing(asker),)
            parameters = {"spaces": [clean(key).strip() for key in filters.spaces]}
            missing = [key async for (key,) in await connection.execute(MISSING_SPACES, parameters)]
            known = [key async for (key,) in await connection.execute(KNOWN_SPACES)]
        if missing:
            return (f"No space {', '.join(missing)} here. Spaces: {', '.join(known)}.",)
        return ("Nothing matches these filters: leave some out.",)


def _nothing(asker: Asker) -> str:
    return NOTHING_SHOWN if asker.is_limited else EMPTY_INDEX


def _values(text: str, filters: Filters) -> dict[str, object]:
    configurations = {configuration_of(language) for language in likely_languages(text)}
    return {
        "query": searchable(text),
        "configurations": sorted(configurations),
        "spaces": _names(filters.spaces) or None,
        "labels": _names(filters.labels) or None,
        "content_types": list(filters.content_types) or None,
        "kinds": list(filters.kinds) or None,
        "author": clean(filters.author) if filters.author else None,
        "ancestor": clean(filters.ancestor) if filters.ancestor else None,
        "updated_after": filters.updated_after,
    }


def _names(given: Iterable[str]) -> list[str]:
    return [clean(name).strip().lower() for name in given]


def _dense_share(text: str, ready: _Ready) -> float:
    """The vector leg's part, small for a question that the model certainly does not understand."""
    understood = ready.embedder.languages
    if understood is None or understood & likely_languages(text, ready.languages | understood):
        return DENSE_SHARE
    return FOREIGN_SHARE


def _hits(rows: Iterable[_Row]) -> tuple[Hit, ...]:
    pages = groupby(rows, key=lambda row: row.page_ref)
    return tuple(_hit(list(of_page)) for _, of_page in pages)


def _hit(rows: list[_Row]) -> Hit:
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


def _passage(row: _Row) -> Passage:
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
