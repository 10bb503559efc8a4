"""Body, comments and attachments of a page: written together or apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import TupleRow

from index.access import CRAWLER
from index.database import Database
from index.errors import NotFound
from index.page_write import PageUpdate
from index.records import Attachment, Chunk, ChunkKind, Comment
from index.results import Filters
from index.store import forget_site
from tests.index.small_wiki import SITE, SmallWiki, attachment, chunks_of, comment, page, update

pytestmark = pytest.mark.anyio

CHUNKS = """
SELECT chunk.kind, item_id, chunk.position, body, chunk_id, chunk_term.xmin::text,
       chunk_vector_1.xmin::text
FROM chunk JOIN chunk_term USING (chunk_id) JOIN chunk_vector_1 USING (chunk_id)
     JOIN chunk_bits_1 USING (chunk_id)
ORDER BY chunk.kind, item_id, chunk.position
"""
COUNTS = "SELECT chunk_count, comment_chunks, attachment_chunks FROM page"
ITEMS = """
SELECT 'comment', comment_id, markdown, version FROM comment
UNION ALL SELECT 'attachment', attachment_id, markdown, version FROM attachment ORDER BY 1, 2
"""
TALK, REPLY, PLAN = comment("7", "talk"), comment("70", "reply", parent_id="7"), attachment("8")


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


@pytest.fixture
async def wiki(database: Database) -> SmallWiki:
    return await SmallWiki.open(database)


async def bodies(wiki: SmallWiki) -> list[tuple[str, str]]:
    return [(row[0], row[3]) for row in await wiki.rows(CHUNKS)]


def whole() -> PageUpdate:
    """A page of one chunk, a thread of two and a file of two."""
    return update(
        page=page(),
        comments=[TALK, REPLY],
        attachments=[PLAN],
        chunks=[
            Chunk(0, (), "", "body"),
            *chunks_of(TALK, "talk", "reply"),
            *chunks_of(PLAN, "first sheet", "second sheet"),
        ],
    )


async def test_all_parts_of_a_page_are_written_and_counted_at_once(wiki: SmallWiki) -> None:
    await wiki.write(whole())

    assert await bodies(wiki) == [
        *(("attachment", "first sheet"), ("attachment", "second sheet")),
        *(("body", "body"), ("comment", "talk"), ("comment", "reply")),
    ]
    assert await wiki.rows(COUNTS) == [(5, 2, 2)]
    assert [row[:2] for row in await wiki.rows(ITEMS)] == [
        *(("attachment", "8"), ("comment", "7"), ("comment", "70")),
    ]


THREAD, SHEETS = {"talk", "reply"}, {"first sheet", "second sheet"}
NO_IDS: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        (update(), {"body"} | THREAD | SHEETS),
        (update(page=page(version=2)), THREAD | SHEETS),
        (update(comments=[]), {"body"} | SHEETS),
        (update(comments=[TALK], chunks=chunks_of(TALK)), {"body", "talk"} | SHEETS),
        (update(kept_attachments=NO_IDS), {"body"} | THREAD),
        (update(kept_attachments=frozenset("8")), {"body"} | THREAD | SHEETS),
        (update(attachments=[PLAN], chunks=chunks_of(PLAN, "third")), {"body", "third"} | THREAD),
    ],
    ids=["nothing", "body", "comments", "one comment", "no file", "kept file", "file"],
)
async def test_parts_that_are_not_given_stay_untouched(
    wiki: SmallWiki, changes: PageUpdate, left: set[str]
) -> None:
    await wiki.write(whole())
    before = {row[3]: row for row in await wiki.rows(CHUNKS)}

    await wiki.write(changes)

    after = {row[3]: row for row in await wiki.rows(CHUNKS)}
    assert after.keys() == left
    assert all(after[body] == before[body] for body in left & before.keys())
    (counts,) = await wiki.rows(COUNTS)
    assert counts[0] == len(left)


async def test_the_same_text_in_another_part_is_another_chunk(wiki: SmallWiki) -> None:
    await wiki.write(update(page=page(), chunks=[Chunk(0, (), "", "same")]))
    (before,) = await wiki.rows(CHUNKS)

    await wiki.write(update(comments=[TALK], chunks=chunks_of(TALK, "same")))
    await wiki.write(
        update(attachments=[PLAN, attachment("9")], chunks=[
            *chunks_of(PLAN, "same"), *chunks_of(attachment("9"), "same"),
        ])
    )  # fmt: skip
    await wiki.write(update(page=page()))

    rows = await wiki.rows(CHUNKS)
    assert [row[:2] for row in rows] == [("attachment", "8"), ("attachment", "9"), ("comment", "7")]
    assert before[4] not in [row[4] for row in rows]


async def test_an_edited_reply_leaves_the_rest_of_its_thread(wiki: SmallWiki) -> None:
    await wiki.write(whole())
    before = {row[3]: row for row in await wiki.rows(CHUNKS)}
    edited = replace(REPLY, markdown="better", version=2)

    await wiki.write(update(comments=[TALK, edited], chunks=chunks_of(TALK, "talk", "better")))

    after = {row[3]: row for row in await wiki.rows(CHUNKS)}
    assert after["talk"] == before["talk"]
    assert await wiki.rows(COUNTS) == [(5, 2, 2)]
    assert ("comment", "70", "better", 2) in await wiki.rows(ITEMS)


async def test_an_attachment_of_a_new_name_keeps_its_chunks_and_gets_a_new_link(
    wiki: SmallWiki,
) -> None:
    await wiki.write(whole())
    before = [row[4:] for row in await wiki.rows(CHUNKS)]
    renamed = replace(PLAN, filename="plan.txt", url=f"{SITE}/plan.txt")

    await wiki.write(
        update(attachments=[renamed], chunks=chunks_of(renamed, "first sheet", "second sheet"))
    )

    (hit,) = (await wiki.searcher.search(CRAWLER, "second sheet")).hits
    assert [row[4:] for row in await wiki.rows(CHUNKS)] == before
    assert (hit.passages[0].attachment, hit.passages[0].url) == ("plan.txt", f"{SITE}/plan.txt")


async def test_a_page_moved_to_another_space_takes_comments_and_files_along(
    wiki: SmallWiki,
) -> None:
    await wiki.write(whole())

    await wiki.put(page(space_key="OPS"), "body")
    await wiki.write(update(comments=[TALK], chunks=chunks_of(TALK, "talk", "late")))

    (found,) = (
        await wiki.searcher.search(CRAWLER, "late", Filters(spaces=("OPS",)), passages=9)
    ).hits
    assert {passage.kind for passage in found.passages} == set(ChunkKind)


async def test_comments_of_a_page_that_is_not_there_are_refused(wiki: SmallWiki) -> None:
    with pytest.raises(NotFound, match="No page 1"):
        await wiki.write(update(comments=[TALK], chunks=chunks_of(TALK)))

    assert await wiki.rows("SELECT FROM comment") == []


@pytest.mark.parametrize(
    "chunk",
    [Chunk(0, (), "", "x"), *chunks_of(TALK), *chunks_of(PLAN)],
    ids=["body", "comment", "attachment"],
)
def test_chunks_of_parts_that_are_not_given_are_refused(chunk: Chunk) -> None:
    with pytest.raises(ValueError, match="not given"):
        update(chunks=[chunk], kept_attachments=frozenset("9"))


async def test_items_that_a_listing_names_twice_are_stored_once(wiki: SmallWiki) -> None:
    await wiki.write(
        update(page=page(), comments=[TALK, TALK, REPLY], attachments=[PLAN, replace(PLAN, size=9)])
    )

    assert [row[1] for row in await wiki.rows(ITEMS)] == ["8", "7", "70"]


async def test_what_postgres_cannot_store_is_left_out_of_comments_and_files(
    wiki: SmallWiki,
) -> None:
    odd = "a\x00b\ud800c"
    talk = comment("7", odd, author=odd, selection=odd, resolution=odd, url=odd)
    plan = attachment("8", odd, filename=odd, media_type=odd, unreadable=odd, url=odd)
    given = update(page=page(), comments=[talk], attachments=[plan])

    await wiki.write(replace(given, chunks=[*chunks_of(talk), *chunks_of(plan)]))

    assert [row[2] for row in await wiki.rows(ITEMS)] == ["a b c", "a b c"]
    assert await bodies(wiki) == [("attachment", "a b c"), ("comment", "a b c")]


GERMAN = "Bitte den Abschnitt über die Zertifikate noch einmal überarbeiten."


async def test_comments_and_files_are_read_in_their_own_language(wiki: SmallWiki) -> None:
    talk, short, plan = comment("7", GERMAN), comment("70", "Passt so"), attachment("8", GERMAN)
    given = update(page=page(language="en"), comments=[talk, short], attachments=[plan])

    await wiki.write(replace(given, chunks=[*chunks_of(talk), *chunks_of(short), *chunks_of(plan)]))

    rows = await wiki.rows(
        "SELECT item_id, term_id('german', 'zertifikat') = ANY(term_ids),"
        " term_id('english', 'pass') = ANY(term_ids) OR term_id('english', 'passt') = ANY(term_ids)"
        " FROM chunk JOIN chunk_term USING (chunk_id) ORDER BY item_id"
    )
    assert rows == [("7", True, False), ("70", False, True), ("8", True, False)]
    assert await wiki.rows("SELECT name FROM search_configuration ORDER BY name") == [
        ("english",),
        ("german",),
    ]


async def test_a_page_in_a_language_of_its_own_lends_it_to_short_comments(wiki: SmallWiki) -> None:
    talk = comment("7", "Zertifikate!")

    await wiki.write(update(page=page(language="de"), comments=[talk], chunks=chunks_of(talk)))

    assert await wiki.rows("SELECT name FROM search_configuration") == [("german",)]


@dataclass(slots=True)
class Scene:
    """What a page should hold: texts of the body, of threads and of files by id."""

    title: str = "Page"
    body: Sequence[str] = ()
    threads: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    files: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def update(self, *, body: bool, comments: bool, files: frozenset[str]) -> PageUpdate:
        """The update that brings the given parts about."""
        talk = self.comments() if comments else []
        read = [one for one in self.attachments() if one.attachment_id in files]
        texts = [Chunk(at, (), "", text) for at, text in enumerate(self.body)] if body else []
        return update(
            title=self.title,
            page=page(title=self.title, markdown="\n".join(self.body)) if body else None,
            comments=talk if comments else None,
            attachments=read,
            kept_attachments=frozenset(self.files) - files,
            chunks=[
                *texts,
                *(chunk for one in talk for chunk in chunks_of(one, *self.threads[one.comment_id])),
                *(
                    chunk
                    for one in read
                    for chunk in chunks_of(one, *self.files[one.attachment_id])
                ),
            ],
        )

    def comments(self) -> list[Comment]:
        """One for each thread."""
        return [comment(one, "\n".join(texts)) for one, texts in self.threads.items()]

    def attachments(self) -> list[Attachment]:
        """One for each file."""
        return [attachment(one, "\n".join(texts)) for one, texts in self.files.items()]


# Surely English, alone and together: in which language a chunk was read stays with the chunk.
SENTENCES = ["We deploy on Tuesday.", "Ask the team before you start.", "This is the new office."]
TEXTS = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=3)
SCENES = st.builds(
    Scene,
    title=st.sampled_from(["Page", "Page", "Page", "Other"]),
    body=TEXTS,
    threads=st.dictionaries(st.sampled_from(["c1", "c2"]), TEXTS),
    files=st.dictionaries(st.sampled_from(["a1", "a2", "a3"]), TEXTS),
)
STATE = """
SELECT 'page', title || markdown, '', chunk_count, comment_chunks || ' ' || attachment_chunks, ''
FROM page
UNION ALL
SELECT concat(chunk.kind, chunk_term.kind, chunk_vector_1.kind, chunk_bits_1.kind), item_id || url,
       body, chunk.position, concat(weights, term_ids), concat(embedding, bits)
FROM chunk JOIN chunk_term USING (chunk_id) JOIN chunk_vector_1 USING (chunk_id)
     JOIN chunk_bits_1 USING (chunk_id)
UNION ALL SELECT 'comment', comment_id, markdown, version, url, '' FROM comment
UNION ALL SELECT 'attachment', attachment_id, markdown, version, url, '' FROM attachment
UNION ALL SELECT 'term', '', '', term_id, chunk_count::text, '' FROM term WHERE chunk_count <> 0
ORDER BY 1, 2, 3, 4, 5
"""


async def state(wiki: SmallWiki) -> list[TupleRow]:
    await wiki.store.settle()
    return await wiki.rows(STATE)


def changed(old: Scene, new: Scene, at_least: tuple[bool, bool]) -> PageUpdate:
    """The update from one scene to the next, with some parts that stayed the same."""
    is_renamed = old.title != new.title
    body, comments = at_least
    return new.update(
        body=body or is_renamed or old.body != new.body,
        comments=comments or is_renamed or old.threads != new.threads,
        files=frozenset(
            one for one, texts in new.files.items() if is_renamed or old.files.get(one) != texts
        ),
    )


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    scenes=st.lists(
        st.tuples(SCENES, st.tuples(st.booleans(), st.booleans())), min_size=1, max_size=6
    )
)
async def test_any_way_to_a_page_ends_in_the_same_index(
    database: Database, scenes: list[tuple[Scene, tuple[bool, bool]]]
) -> None:
    await forget_site(database, None)
    wiki = await SmallWiki.open(database)
    before = Scene()
    await wiki.write(before.update(body=True, comments=True, files=frozenset()))
    for scene, at_least in scenes:
        await wiki.write(changed(before, scene, at_least))
        before = scene
    step_by_step = await state(wiki)

    await forget_site(database, None)
    wiki = await SmallWiki.open(database)
    await wiki.write(before.update(body=True, comments=True, files=frozenset(before.files)))

    assert step_by_step == await state(wiki)


def test_kinds_have_letters_of_their_own() -> None:
    assert len({kind[0] for kind in ChunkKind}) == len(ChunkKind)
