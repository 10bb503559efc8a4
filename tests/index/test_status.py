"""What the index says of itself."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from index.database import Database
from index.records import ContentType, State, Unreadable
from index.status import Failure, SpaceStatus, Status, read_status
from tests.index.small_wiki import SITE, SmallWiki, attachment, chunks_of, comment, page, update

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPACE = SpaceStatus(
    site_url=SITE,
    key="ENG",
    name="Engineering",
    swept_at=NOW - timedelta(minutes=4),
    pages=1_204,
    comments=312,
    attachments=88,
    chunks=5_310,
    unreadable=17,
    failures=2,
    hidden=0,
    embedded_tokens=1_234_567,
)
STATUS = Status(
    read_at=NOW, model="words", dimension=64, is_running=False, spaces=[], failures=[], runs=[]
)


@pytest.fixture
async def wiki(database: Database) -> SmallWiki:
    return await SmallWiki.open(database)


async def test_every_part_of_a_space_is_counted_where_it_is_shown(wiki: SmallWiki) -> None:
    talk, plan = comment("7", "talk"), attachment("8", "plan")
    picture = attachment("9", unreadable="a picture")
    unread = (Unreadable("macro", "jira", "needs Jira"),)
    shown, hidden = page("1", unreadable=unread), page("2", unreadable=unread)
    for one in (shown, hidden):
        chunks = [*chunks_of(talk), *chunks_of(plan)]
        given = update(one.page_id, comments=[talk], attachments=[plan, picture], chunks=chunks)
        await wiki.write(replace(given, page=one))
    await wiki.put(page("3", content_type=ContentType.FOLDER), "")
    await wiki.put(page("4", content_type=ContentType.BLOGPOST, state=State.ARCHIVED), "post")
    await wiki.store.tombstone(["2"])
    space_id = await wiki.space()
    await wiki.space("OLD")
    await wiki.store.record_failure(space_id, "5", "Broken", "no XML", 3)
    await wiki.store.add_embedded_tokens(space_id, 42)
    await wiki.store.mark_swept(space_id)

    status = await read_status(wiki.database)

    (space,) = status.spaces
    assert space.swept_at is not None
    assert replace(space, swept_at=None) == SpaceStatus(
        site_url=SITE,
        key="ENG",
        name="ENG",
        swept_at=None,
        pages=2,
        comments=1,
        attachments=2,
        chunks=4,
        unreadable=2,
        failures=1,
        hidden=1,
        embedded_tokens=42,
    )
    (failure,) = status.failures
    assert failure.retry_at - failure.failed_at == timedelta(minutes=5)
    assert status.read_at >= space.swept_at


def test_spaces_stand_in_a_table_for_each_site() -> None:
    other = replace(SPACE, key="LONG-KEY", pages=7, swept_at=None)
    elsewhere = replace(SPACE, site_url="https://other.example/wiki")

    lines = replace(STATUS, spaces=[SPACE, other, elsewhere]).summary().splitlines()

    assert lines == [
        "Embedding model: words (64 numbers)",
        "",
        SITE,
        "Space     Pages  Comments  Attachments  Chunks  Unreadable  Failures  Hidden     Tokens"
        "  Swept",
        "ENG       1,204       312           88   5,310          17         2       0  1,234,567"
        "  4 min ago",
        "LONG-KEY      7       312           88   5,310          17         2       0  1,234,567"
        "  never",
        "",
        "https://other.example/wiki",
        "Space  Pages  Comments  Attachments  Chunks  Unreadable  Failures  Hidden     Tokens"
        "  Swept",
        "ENG    1,204       312           88   5,310          17         2       0  1,234,567"
        "  4 min ago",
    ]


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=-1), "0 s ago"),
        (timedelta(seconds=119), "119 s ago"),
        (timedelta(minutes=2), "2 min ago"),
        (timedelta(hours=47), "47 h ago"),
        (timedelta(days=2), "2 days ago"),
    ],
)
def test_the_age_of_a_sweep_is_told_in_one_unit(age: timedelta, text: str) -> None:
    space = replace(SPACE, swept_at=NOW - age)

    assert replace(STATUS, spaces=[space]).summary().endswith(text)


def test_a_failure_tells_when_it_is_tried_again() -> None:
    failure = Failure("ENG", "5", "Broken", "no XML", 2, NOW, NOW + timedelta(minutes=10))

    summary = replace(STATUS, failures=[failure]).summary()

    assert (
        "Failed: ENG Broken (5), 2 times, not again before 2026-03-01 12:10 UTC: no XML" in summary
    )


async def test_the_whole_picture_is_plain_json(wiki: SmallWiki) -> None:
    await wiki.put(page("1"), "alpha")

    status = (await read_status(wiki.database)).to_json()

    assert json.loads(json.dumps(status)) == status
