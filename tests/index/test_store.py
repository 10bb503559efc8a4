"""Writing pages: what stays, what goes, what readers see meanwhile, and the counts of words."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.access import CRAWLER
from index.chunk_write import PageChangedMeanwhile
from index.database import Database
from index.errors import NotFound
from index.pages import Pages
from index.records import Chunk, Heading, Unreadable
from index.results import Filters
from index.store import HNSW_FROM, forget_site, other_sites
from tests.index.small_wiki import SITE, SmallWiki, page, with_body

pytestmark = pytest.mark.anyio

FUTURE = datetime(2100, 1, 1, tzinfo=UTC)

# One row for each chunk; xmin tells whether its words or its vector were written anew.
CHUNKS = """
SELECT body, chunk_id, chunk.position, chunk_term.xmin::text, chunk_vector_1.xmin::text
FROM chunk JOIN chunk_term USING (chunk_id) JOIN chunk_vector_1 USING (chunk_id)
     JOIN chunk_bits_1 USING (chunk_id)
ORDER BY chunk.position
"""


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


@pytest.fixture
async def wiki(database: Database) -> SmallWiki:
    return await SmallWiki.open(database)


async def bodies(wiki: SmallWiki) -> list[object]:
    return [row[0] for row in await wiki.rows(CHUNKS)]


async def test_unchanged_chunks_keep_their_ids_words_and_vectors(wiki: SmallWiki) -> None:
    await wiki.put(page(), "alpha", "beta", "gamma")
    before = {row[0]: row for row in await wiki.rows(CHUNKS)}

    await wiki.put(page(version=2), "alpha", "BETA", "gamma", "delta")

    after = {row[0]: row for row in await wiki.rows(CHUNKS)}
    assert list(after) == ["alpha", "BETA", "gamma", "delta"]
    assert after["alpha"] == before["alpha"]
    assert after["gamma"] == before["gamma"]


async def test_reordered_chunks_keep_all_but_their_places(wiki: SmallWiki) -> None:
    await wiki.put(page(), "alpha", "beta", "gamma")
    before = {row[0]: (row[1], *row[3:]) for row in await wiki.rows(CHUNKS)}

    await wiki.put(page(), "gamma", "alpha", "beta")

    rows = await wiki.rows(CHUNKS)
    assert [row[0] for row in rows] == ["gamma", "alpha", "beta"]
    assert {row[0]: (row[1], *row[3:]) for row in rows} == before


async def test_texts_that_stand_twice_on_a_page_are_counted_by_place(wiki: SmallWiki) -> None:
    await wiki.put(page(), "same", "same", "other")
    before = {row[1] for row in await wiki.rows(CHUNKS)}

    await wiki.put(page(), "same", "other", "same")
    reordered = await wiki.rows(CHUNKS)
    await wiki.put(page(), "same")
    one_left = await wiki.rows(CHUNKS)
    await wiki.put(page(), "same", "same", "same")

    assert {row[1] for row in reordered} == before
    assert [row[0] for row in one_left] == ["same"]
    assert one_left[0][1] in before
    assert await bodies(wiki) == ["same", "same", "same"]


async def test_stored_texts_need_no_vector_again(wiki: SmallWiki) -> None:
    await wiki.put(page(), "alpha", "beta")
    space_id = await wiki.space()
    chunks = [Chunk(0, (), "", "beta"), Chunk(1, (), "", "alpha")]
    wanted = await wiki.vectors("Page", chunks)

    stored = await wiki.store.stored_hashes(["1"])
    await wiki.store.write(space_id, with_body(page(), *chunks), {}, recipe=1)

    assert stored == {"1": wanted.keys()}
    assert await bodies(wiki) == ["beta", "alpha"]


async def test_a_new_title_or_heading_makes_the_text_new(wiki: SmallWiki) -> None:
    await wiki.put(page(title="Old"), Chunk(0, ("Setup",), "setup", "alpha"))
    before = await wiki.rows(CHUNKS)

    await wiki.put(page(title="New"), Chunk(0, ("Setup",), "setup", "alpha"))

    assert [row[1] for row in await wiki.rows(CHUNKS)] != [row[1] for row in before]
    assert await wiki.found("new") == ["1"]
    assert await wiki.found("old") == []


async def test_a_new_anchor_is_followed_without_new_vectors(wiki: SmallWiki) -> None:
    await wiki.put(page(), Chunk(0, ("Setup",), "setup", "alpha"))
    before = await wiki.rows(CHUNKS)

    await wiki.put(page(), Chunk(0, ("Setup",), "setup-1", "alpha"))

    assert await wiki.rows(CHUNKS) == before
    (hit,) = (await wiki.searcher.search(CRAWLER, "alpha")).hits
    assert hit.passages[0].url.endswith("#setup-1")


async def test_a_page_moved_to_another_space_takes_its_chunks_along(wiki: SmallWiki) -> None:
    await wiki.put(page(space_key="ENG"), "alpha", "beta")
    before = [row[1] for row in await wiki.rows(CHUNKS)]

    await wiki.put(page(space_key="OPS"), "alpha", "beta", "gamma")

    in_old = await wiki.searcher.search(CRAWLER, "alpha", Filters(spaces=("ENG",)))
    in_new = await wiki.searcher.search(CRAWLER, "alpha", Filters(spaces=("OPS",)))
    assert [row[1] for row in await wiki.rows(CHUNKS)][:2] == before
    assert (in_old.total, in_new.total) == (0, 1)


async def test_a_page_without_text_is_found_by_its_title(wiki: SmallWiki) -> None:
    await wiki.put(page(title="Holiday calendar"), "")

    assert await wiki.found("holiday") == ["1"]


async def test_a_page_written_meanwhile_is_to_be_embedded_anew(wiki: SmallWiki) -> None:
    await wiki.put(page(version=1), "alpha")
    stale = with_body(page(version=2), Chunk(0, (), "", "alpha"), Chunk(1, (), "", "beta"))
    vectors = await wiki.vectors("Page", stale.chunks[1:])
    await wiki.put(page(version=1), "gamma")

    with pytest.raises(PageChangedMeanwhile):
        await wiki.store.write(await wiki.space(), stale, vectors, recipe=1)

    assert await bodies(wiki) == ["gamma"]
    assert await wiki.rows("SELECT version FROM page") == [(1,)]


async def test_readers_never_see_half_a_page(wiki: SmallWiki) -> None:
    def version(number: int) -> list[str]:
        return [f"shared v{number} part {part}" for part in range(2 + number % 3)]

    async def write() -> None:
        for number in range(1, 25):
            await wiki.put(page(version=number, markdown=f"v{number}"), *version(number))

    async def read() -> None:
        (hit,) = (await wiki.searcher.search(CRAWLER, "shared", passages=10)).hits
        number = hit.page.version
        stored = await Pages(wiki.database).page(CRAWLER, "1")
        assert sorted(passage.body for passage in hit.passages) == sorted(version(number))
        assert stored.markdown == f"v{stored.info.version}"

    await wiki.put(page(version=0, markdown="v0"), *version(0))
    writing = asyncio.create_task(write())
    reads = 0
    while not writing.done():
        await read()
        reads += 1
    await writing

    assert reads > 3


async def test_two_writers_of_one_page_leave_one_whole_page(wiki: SmallWiki) -> None:
    versions = [[f"w{n}", "common", f"x{n}", "common"][: 2 + n % 3] for n in range(8)]

    await asyncio.gather(
        *(wiki.put(page(version=number), *texts) for number, texts in enumerate(versions))
    )
    await wiki.store.settle()

    ((version, chunk_count),) = await wiki.rows("SELECT version, chunk_count FROM page")
    texts = versions[int(version)]
    assert await bodies(wiki) == texts
    assert chunk_count == len(texts)
    assert await counted(wiki) == await stored_counts(wiki)


@pytest.mark.parametrize("wrong", [[float("nan")] * 64, [1.0] * 63, [1.0] * 65])
async def test_a_vector_that_is_no_vector_is_refused_and_the_page_stays(
    wiki: SmallWiki, wrong: list[float]
) -> None:
    await wiki.put(page(version=1), "alpha")

    def vector_of(_: str) -> list[float]:
        return wrong

    wiki.embedder.vector_of = vector_of

    with pytest.raises(psycopg.DataError):
        await wiki.put(page(version=2), "alpha", "beta")

    assert await bodies(wiki) == ["alpha"]
    assert await wiki.rows("SELECT version FROM page") == [(1,)]


async def test_what_postgres_cannot_store_is_left_out_of_every_text(wiki: SmallWiki) -> None:
    odd = "a\x00b\ud800c\x0bd"
    await wiki.put(
        page(
            title=odd,
            url=SITE + odd,
            labels=(odd,),
            author=odd,
            markdown=odd,
            outline=(Heading(1, odd, odd, 0),),
            unreadable=(Unreadable("macro", odd, odd),),
        ),
        Chunk(0, (odd,), odd, odd),
        Chunk(1, (odd,), odd, "kept"),
    )
    await wiki.put(page(title=odd), Chunk(0, (odd,), odd + "1", "kept"))

    stored = await Pages(wiki.database).page(CRAWLER, "1")
    assert stored.info.title == "a b c d"
    assert await bodies(wiki) == ["kept"]


async def test_a_site_leaves_the_index_alone(database: Database) -> None:
    here = await SmallWiki.open(database)
    there = await SmallWiki.open(database, site="https://other.example/wiki")
    await here.put(page(), "alpha common")
    await there.put(page(), "beta common")
    await here.store.settle()

    others = await other_sites(database, SITE)
    await forget_site(database, "https://other.example/wiki")

    assert others == ["https://other.example/wiki"]
    assert await other_sites(database, SITE) == []
    assert await bodies(here) == ["alpha common"]
    assert await counted(here) == await stored_counts(here)


async def test_every_site_leaves_nothing_behind(wiki: SmallWiki) -> None:
    await wiki.put(page(), "alpha")

    await forget_site(wiki.database, None)

    left = await wiki.rows(
        "SELECT FROM page UNION ALL SELECT FROM chunk UNION ALL SELECT FROM chunk_term"
        " UNION ALL SELECT FROM chunk_vector_1 UNION ALL SELECT FROM chunk_bits_1"
        " UNION ALL SELECT FROM term_change UNION ALL SELECT FROM term WHERE chunk_count <> 0"
    )
    assert left == []
    with pytest.raises(NotFound):
        await Pages(wiki.database).page(CRAWLER, "1")


async def test_a_large_index_gets_its_graph_once(wiki: SmallWiki) -> None:
    await wiki.put(page(), "alpha")
    await wiki.store.settle()
    small = await wiki.rows("SELECT has_hnsw FROM embedding_model")
    await wiki.rows("UPDATE page SET chunk_count = %(many)s RETURNING 1", many=HNSW_FROM)

    await wiki.store.settle()
    await wiki.store.settle()

    assert small == [(False,)]
    assert await wiki.rows("SELECT has_hnsw FROM embedding_model") == [(True,)]
    assert await wiki.rows("SELECT to_regclass('chunk_vector_hnsw_1') IS NOT NULL") == [(True,)]
    assert await wiki.found("alpha") == ["1"]


@dataclass(frozen=True, slots=True)
class Put:
    """A page is written."""

    number: int
    texts: list[str]
    language: str


@dataclass(frozen=True, slots=True)
class Hide:
    """A page is no longer seen."""

    number: int


@dataclass(frozen=True, slots=True)
class Purge:
    """Pages that are hidden are deleted."""


@dataclass(frozen=True, slots=True)
class Forget:
    """The site leaves the index, or all sites do."""

    site: str | None


@dataclass(frozen=True, slots=True)
class Settle:
    """What writers left for later is done."""


NUMBERS = st.integers(0, 3)
TEXTS = st.lists(st.sampled_from(["alpha", "beta", "gamma"]), min_size=1, max_size=4).map(" ".join)
PUTS = st.builds(
    Put, NUMBERS, st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from(["en", "de", ""])
)
STEPS = st.one_of(
    *(PUTS, PUTS, PUTS),
    st.builds(Hide, NUMBERS),
    st.builds(Forget, st.sampled_from([SITE, None])),
    st.just(Purge()),
    st.just(Settle()),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, max_size=12))
async def test_words_are_counted_right_whatever_happens(
    database: Database, steps: list[Put | Hide | Purge | Forget | Settle]
) -> None:
    await forget_site(database, None)
    wiki = await SmallWiki.open(database)
    for step in steps:
        match step:
            case Put(number, texts, language):
                await wiki.put(page(str(number), language=language), *texts)
            case Hide(number):
                await wiki.store.tombstone([str(number)])
            case Purge():
                await wiki.store.purge(FUTURE)
            case Forget(site):
                await forget_site(database, site)
                wiki = await SmallWiki.open(database)
            case Settle():
                await wiki.store.settle()

    await wiki.store.settle()

    assert await stored_counts(wiki) == await counted(wiki)


async def test_writers_and_folding_do_not_lose_counts(wiki: SmallWiki) -> None:
    async def edit(number: int) -> None:
        for text in ("alpha beta", "alpha", "beta gamma"):
            await wiki.put(page(str(number)), text, f"own{number}")
            await wiki.store.settle()

    await asyncio.gather(*(edit(number) for number in range(4)))

    assert await stored_counts(wiki) == await counted(wiki)


async def test_a_sweep_counts_the_words_of_its_space(wiki: SmallWiki) -> None:
    space_id = await wiki.space()
    await wiki.put(page(), "alpha beta")

    await wiki.store.mark_swept(space_id)

    assert await stored_counts(wiki) == await counted(wiki)


async def stored_counts(wiki: SmallWiki) -> Counter[int]:
    rows = await wiki.rows("SELECT term_id, chunk_count FROM term WHERE chunk_count <> 0")
    return Counter(dict(rows))


async def counted(wiki: SmallWiki) -> Counter[int]:
    """In how many chunks each term stands; term 0 stands in all."""
    counts: Counter[int] = Counter()
    for (terms,) in await wiki.rows("SELECT term_ids FROM chunk_term"):
        counts.update([0, *terms])
    return counts
