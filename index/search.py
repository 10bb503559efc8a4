"""Reading the index by meaning and by words."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pgvector import HalfVector
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.errors import UndefinedTable
from psycopg.rows import TupleRow, class_row

from index.access import Asker, read_as
from index.database import Database
from index.embeddings import Embedder, Vector
from index.errors import BadRequest, EmbeddingError, ModelMismatchError
from index.language import clean, configuration_of, likely_languages, searchable
from index.metrics import LEG_SECONDS, RERANKINGS, ROUTES, SEARCHES, STATEMENTS, timed
from index.models import EmbeddingModel, active_model, require_dimension, require_model
from index.near_duplicates import PageText, collapsed, look_alikes
from index.phrases import phrase_values
from index.reranking import Reranker, Reranking
from index.results import Filters, Hit, SearchResult
from index.search_rows import SearchRow, hits_by_page
from index.search_statement import SearchStatement, search_statement
from index.traces import span

logger = logging.getLogger(__name__)

MAX_QUERY = 20_000  # characters
# Share of the vector leg in the fused score, and what is left of it when the question is in a
# language that the embedding model does not understand.
DENSE_SHARE, FOREIGN_SHARE = 0.5, 0.1
# And where the model understands it, but the index has no page in its language: German questions on
# English pages have a nDCG@10 of .919 with it, .869 with a half, .908 by vectors alone. Of a few
# words no language is certain.
ACROSS_SHARE, ACROSS_FROM = 0.7, 6
# Pages that are ordered together: of these, copies are one hit. Parts of a result are cut from
# whole blocks, so that none of them shows a page once more or leaves one out.
BLOCK = 30
REFRESH = 60.0  # seconds after which the model and the languages of the index are read again
SILENCE = 15.0  # seconds for which an embedding model that failed is not asked

WORDS_ALONE = "The embedding model cannot be asked right now: this was found by words alone."
NOT_WORD_FOR_WORD = "Nothing has the quoted phrase word for word: these fit best without that."
WITHOUT_PHRASES: dict[str, object] = {"phrases": None, "phrase_words": None}
EMPTY_INDEX = "The index is empty: run `confluence-mcp ingest` to fill it."
NOTHING_SHOWN = "There is nothing here that you may read."

MISSING_SPACES = """
SELECT given FROM unnest(%(spaces)s::text[]) AS given
WHERE NOT EXISTS (SELECT FROM open_space WHERE lower(key) = lower(given))
"""
KNOWN_SPACES = "SELECT DISTINCT key FROM open_space ORDER BY key LIMIT 30"
HAS_PAGES = "SELECT EXISTS (SELECT FROM shown_page)"
LANGUAGES = "SELECT language FROM common_language"
# Of very long pages the first chunks are enough to tell.
PAGE_TEXTS = """
SELECT page_ref, md5(markdown), length(markdown), ARRAY(
    SELECT DISTINCT unnest(term_ids) FROM (
        SELECT term_ids FROM chunk_term
        WHERE chunk_term.page_ref = shown_page.page_ref AND kind = 'b'
        ORDER BY chunk_id LIMIT 20) AS first)
FROM shown_page WHERE page_ref = ANY(%(page_refs)s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class _Ready:
    model: EmbeddingModel
    embedder: Embedder
    statement: SearchStatement
    languages: frozenset[str]
    until: float


@dataclass(frozen=True, slots=True)
class _Found:
    """Ranked pages by number, what is known of those that look alike, and how many there are."""

    hits: Mapping[int, Hit]
    texts: Mapping[int, PageText]
    total: int
    notes: tuple[str, ...] = ()


class Searcher:
    """Answers questions about the index. Safe to share between concurrent requests.

    `choose` gives the embedder for the model that filled the index; it is asked at the first
    search, so that a server can start before the first ingest. A `reranker` orders the first hits
    anew; whoever opened it closes it. With `words_alone` a model that fails is no error: for a
    while one search after the other tries it, and all else is found by words, with a note.
    """

    def __init__(
        self,
        database: Database,
        choose: Callable[[str], Awaitable[Embedder]],
        reranker: Reranker | None = None,
        *,
        words_alone: bool = False,
    ) -> None:
        self._database = database
        self._choose = choose
        self._reranking = Reranking(reranker) if reranker else None
        self._ready: _Ready | None = None
        self._words_alone = words_alone
        self._silent_until = 0.0

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

        Each with up to `passages` passages, and with its copies, which are no hits of their own.
        `offset` is 0 or `following` of the part before.

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
        values = _values(text, filters) | {"passages": passages, "dense_share": dense_share}
        result = await self._result(asker, text, values, offset, limit)
        SEARCHES.labels("some" if result and result.total else "none").inc()
        if result is None:
            return SearchResult((), 0, (_nothing(asker),))
        if not result.total and values["phrases"]:
            plain = await self._result(asker, text, values | WITHOUT_PHRASES, offset, limit)
            if plain and plain.total:
                return replace(plain, notes=(NOT_WORD_FOR_WORD, *plain.notes))
        if not result.total:
            notes = await self._notes(asker, filters)
            return SearchResult((), 0, (*result.notes, *notes))
        return result

    async def _result(
        self, asker: Asker, text: str, values: dict[str, object], offset: int, limit: int
    ) -> SearchResult | None:
        """The part of the ranked pages from an offset on; None for an index without a model."""
        begin = offset - offset % BLOCK
        end = offset + limit + BLOCK - 1
        found = await self._found(asker, text, values, begin, end - end % BLOCK)
        if found is None:
            return None
        result = await self._part(text, found, offset, limit)
        if len(result.hits) < limit and begin + len(found.hits) < found.total:  # full of copies
            found = await self._found(asker, text, values, begin, found.total) or found
            result = await self._part(text, found, offset, limit)
        return result

    async def _part(self, text: str, found: _Found, offset: int, limit: int) -> SearchResult:
        """The hits from an offset on: the blocks from the one of the offset on are there."""
        begin = offset - offset % BLOCK
        placed: dict[int, Hit] = {}
        notes = found.notes
        page_refs = list(found.hits)
        for start in range(0, len(page_refs), BLOCK):
            of_block = {ref: found.hits[ref] for ref in page_refs[start : start + BLOCK]}
            hits: Sequence[Hit] = collapsed(of_block, found.texts, text)
            if self._reranking and begin + start == 0:
                with timed(LEG_SECONDS, "reranking"), span("rerank"):
                    reordered = await self._reranking.reordered(text, hits)
                RERANKINGS.labels("skipped" if reordered.notes else "done").inc()
                hits, notes = reordered.hits, (*notes, *reordered.notes)
            placed.update(enumerate(hits, begin + start))
        places = [place for place in placed if place >= offset]
        end = begin + len(page_refs)
        following = next(iter(places[limit:]), end if end < found.total else None)
        shown = tuple(placed[place] for place in places[:limit])
        return SearchResult(shown, found.total, notes, following)

    async def _found(
        self, asker: Asker, text: str, values: dict[str, object], begin: int, end: int
    ) -> _Found | None:
        """The ranked pages from `begin` to `end`; None for an index without a model."""
        values = values | {"offset": begin, "limit": end - begin}
        try:
            found = await self._asked(asker, text, values)
        except UndefinedTable:  # the index was filled anew by another model
            self._ready = None
            found = await self._asked(asker, text, values)
        if found and found.notes:
            found = _of_words(found, begin)
        if found and begin and not found.total:  # beyond the end no row tells how many there are
            first = await self._found(asker, text, values, 0, 1)
            return first and _Found({}, {}, first.total)
        return found

    async def _asked(self, asker: Asker, text: str, values: dict[str, object]) -> _Found | None:
        ready = await self._prepared()
        if ready is None:
            return None
        vector = await self._vector(text, ready)
        if vector is None:
            axis = [1.0] + [0.0] * (ready.model.dimension - 1)  # any, for nothing depends on it
            values = values | {"vector": HalfVector(axis), "dense_share": 0.0}
        else:
            values = values | {"vector": HalfVector(vector)}
        if values["dense_share"] is None:
            values["dense_share"] = _dense_share(text, ready)
        with timed(LEG_SECONDS, "statement"):
            async with read_as(
                self._database, asker, planned_once=True, summary="SELECT search"
            ) as connection:
                cursor = AsyncRawCursor(connection, row_factory=class_row(SearchRow))
                await ready.statement.run(cursor, values)
                rows = await cursor.fetchall()
                hits = hits_by_page(rows)
                texts = await _page_texts(connection, look_alikes(hits))
        route = ROUTES[rows[0].way] if rows else "none"
        STATEMENTS.labels("words" if vector is None else route).inc()
        notes = (WORDS_ALONE,) if vector is None else ()
        return _Found(hits, texts, rows[0].total if rows else 0, notes)

    async def _vector(self, text: str, ready: _Ready) -> Vector | None:
        """The vector of a question; None where words have to do."""
        now = time.monotonic()
        if now < self._silent_until:
            return None
        if self._silent_until:  # it failed before: the others do not wait for this try
            self._silent_until = now + SILENCE
        try:
            with timed(LEG_SECONDS, "embedding"), span("embed question"):
                vector = await ready.embedder.embed_query(text)
        except EmbeddingError as error:
            if not self._words_alone or isinstance(error, ModelMismatchError):
                raise
            logger.warning("searched by words alone for %.0f s: %s", SILENCE, error)
            self._silent_until = time.monotonic() + SILENCE
            return None
        self._silent_until = 0.0
        require_dimension(ready.model, ready.embedder, vector)
        return vector

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


def _of_words(found: _Found, begin: int) -> _Found:
    """Without the pages behind those that have the words, which are near to no question."""
    hits = {ref: hit for ref, hit in found.hits.items() if hit.score > 0}
    total = found.total if len(hits) == len(found.hits) else begin + len(hits)
    return replace(found, hits=hits, total=total)


async def _page_texts(
    connection: AsyncConnection[TupleRow], page_refs: Sequence[int]
) -> dict[int, PageText]:
    """What whole pages say, by number."""
    if not page_refs:
        return {}
    rows = await connection.execute(PAGE_TEXTS, {"page_refs": page_refs}, binary=True)
    return {row[0]: PageText(row[1], row[2], frozenset(row[3])) async for row in rows}


def _nothing(asker: Asker) -> str:
    return NOTHING_SHOWN if asker.is_limited else EMPTY_INDEX


def _values(text: str, filters: Filters) -> dict[str, object]:
    configurations = {configuration_of(language) for language in likely_languages(text)}
    return {
        **phrase_values(text),
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
    """The vector leg's part: small for a question that the model certainly does not understand.

    Large where words can find little, since no page is in the language of the question.
    """
    understood = ready.embedder.languages
    if understood and not understood & likely_languages(text, ready.languages | understood):
        return FOREIGN_SHARE
    is_long = len(searchable(text).split()) >= ACROSS_FROM
    if is_long and ready.languages and not ready.languages & likely_languages(text):
        return ACROSS_SHARE
    return DENSE_SHARE
