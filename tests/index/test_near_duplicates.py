"""Copies among the pages of a result: what is one, which of them is shown, and paging over them."""

import zlib
from datetime import UTC, datetime

import pytest

from index.access import CRAWLER
from index.database import Database
from index.near_duplicates import PageText, collapsed, look_alikes, title_key
from index.principals import AUTHENTICATED, user
from index.records import State
from index.results import Hit
from index.search import BLOCK
from tests.index.guarded_wiki import GuardedWiki
from tests.index.similar_pages import LEAVE, MINUTES, RUNBOOK, hit
from tests.index.small_wiki import SmallWiki, page

pytestmark = pytest.mark.anyio


def said(text: str) -> PageText:
    terms = frozenset(zlib.crc32(word.encode()) for word in text.lower().split())
    return PageText(text, len(text), terms)


def shown(hits: list[Hit], query: str = "") -> list[tuple[str, ...]]:
    """The pages of each hit, the one that stands for the others first."""
    numbered = {int(one.page.page_id): one for one in hits}
    texts = {ref: said(numbered[ref].passages[0].body) for ref in look_alikes(numbered)}
    return [
        (one.page.page_id, *(copy.page_id for copy in one.copies))
        for one in collapsed(numbered, texts, query)
    ]


@pytest.mark.parametrize(
    "edited",
    [
        LEAVE,
        LEAVE.replace("five days", "three days"),
        LEAVE.replace("March", "June").replace("two weeks", "ten days"),
        LEAVE.replace("Half days are possible on Christmas Eve\nand on New Year's Eve only. ", ""),
        LEAVE + " Ask Ada if anything is unclear.",
    ],
)
@pytest.mark.parametrize(
    "title", ["Vacation", "Copy of Vacation", "VACATION (old)", "Vacation 2023"]
)
def test_an_edited_copy_stands_behind_the_newer_page(title: str, edited: str) -> None:
    hits = [hit("1", title, edited, "2023-01-01"), hit("2", "Vacation", LEAVE, "2025-01-01")]

    assert shown(hits) == [("2", "1")]


def test_a_live_page_comes_before_a_newer_archived_one() -> None:
    hits = [
        hit("1", "Vacation", LEAVE, "2025-01-01", state=State.ARCHIVED),
        hit("2", "Vacation", LEAVE, "2024-01-01", state=State.ARCHIVED),
        hit("3", "Vacation", LEAVE, "2023-01-01"),
        hit("4", "Vacation", LEAVE, "2022-01-01"),
    ]

    assert shown(hits) == [("3", "4", "1", "2")]


def test_the_current_copy_takes_the_best_rank_and_score_but_says_its_own_words() -> None:
    old, new = hit("1", "Vacation", LEAVE), hit("3", "Vacation", LEAVE + " So.", "2025-06-01")
    hits = {1: old, 2: hit("2", "Parking", RUNBOOK), 3: new}

    first, second = collapsed(hits, {1: said(LEAVE), 3: said(LEAVE + " So.")}, "vacation")

    assert (first.page, first.score, first.passages) == (new.page, old.score, new.passages)
    assert second.page.title == "Parking"


def test_pages_of_one_template_stay_apart() -> None:
    names = ["billing", "payments-api", "search"]
    runbooks = [
        hit(str(n), f"Runbook: {name}", RUNBOOK.format(name=name))
        for n, name in enumerate(names, start=1)
    ]
    minutes = [
        hit(
            str(n),
            f"Team meeting 2025-03-{n:02}",
            MINUTES.format(names=who, said=what, decided=then),
        )
        for n, who, what, then in [
            (4, "Ada, Bob", "The certificate of the proxy is renewed.", "We keep Tuesdays free."),
            (5, "Ada, Cyd", "Two builds broke on Friday.", "Cyd asks the landlord for keys."),
        ]
    ]

    assert shown(runbooks + minutes) == [("1",), ("2",), ("3",), ("4",), ("5",)]


def test_pages_that_share_a_passage_only_stay_apart() -> None:
    hits = {1: hit("1", "Billing", LEAVE), 2: hit("2", "Search", LEAVE)}
    texts = {1: said(LEAVE + RUNBOOK.format(name="billing")), 2: said(LEAVE + MINUTES)}

    assert look_alikes(hits) == [1, 2]
    assert [one.copies for one in collapsed(hits, texts, "vacation")] == [(), ()]


def test_the_same_text_under_another_title_is_a_copy() -> None:
    assert shown([hit("1", "Vacation", LEAVE), hit("2", "Time off", LEAVE)]) == [("1", "2")]


def test_short_pages_are_told_apart_by_their_titles() -> None:
    hits = [hit("1", "Billing", "To be written."), hit("2", "Search", "To be written.")]

    assert shown(hits) == [("1",), ("2",)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("how many days carry over", [("2", "1")]),
        ("do three days carry over", [("1",), ("2",)]),
        ("vacation 2023", [("1",), ("2",)]),
    ],
)
def test_a_word_of_the_question_keeps_pages_apart_that_differ_in_it(
    query: str, expected: list[tuple[str, ...]]
) -> None:
    old = LEAVE.replace("five days", "three days").replace("within three", "within four")
    new = LEAVE.replace("within three", "within four")
    hits = [hit("1", "Vacation 2023", old, "2023-01-01"), hit("2", "Vacation 2024", new)]

    assert shown(hits, query) == expected


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Copy of VPN", "vpn"),
        ("VPN (old)", "vpn"),
        ("[ARCHIVED] VPN - 2021", "vpn"),
        ("Kopie von VPN", "vpn"),
        ("Meeting 2024-01-05", "meeting 2024-01-05"),
        ("Release 4.2", "release 4.2"),
        ("2024", "2024"),
        ("Copy of", "copy of"),
        ("有給休暇", "有給休暇"),
        ("", ""),
    ],
)
def test_a_title_is_known_without_what_marks_a_copy(title: str, key: str) -> None:
    assert title_key(title) == key


def test_fifty_copies_are_one_hit() -> None:
    hits = [hit(str(n), f"Vacation {2000 + n}", f"{LEAVE} {n}") for n in range(1, 51)]

    (one,) = shown(hits, "how many days carry over")

    assert one == ("1", *map(str, range(2, 51)))


async def put(wiki: SmallWiki, page_id: str, title: str, text: str, **changes: object) -> None:
    await wiki.put(page(page_id, title, markdown=text, **changes), text)


async def parts(wiki: SmallWiki, query: str, limit: int) -> list[Hit]:
    """All hits of a search, part by part."""
    hits: list[Hit] = []
    offset: int | None = 0
    while offset is not None:
        found = await wiki.searcher.search(CRAWLER, query, limit=limit, offset=offset)
        assert len(found.hits) == limit or found.following is None
        hits += found.hits
        offset = found.following
    return hits


async def test_copies_in_the_index_are_one_hit(database: Database) -> None:
    wiki = await SmallWiki.open(database)
    edited = LEAVE.replace("five days", "three days")
    old = datetime(2021, 5, 1, tzinfo=UTC)
    await put(wiki, "1", "Vacation", edited, space_key="OLD", updated_at=old)
    await put(wiki, "2", "Vacation", LEAVE)
    await put(wiki, "3", "Vacation (old)", LEAVE, state=State.ARCHIVED)
    await put(wiki, "4", "Runbook: billing", RUNBOOK.format(name="billing"))
    await put(wiki, "5", "Runbook: search", RUNBOOK.format(name="search"))

    found = await wiki.searcher.search(CRAWLER, "how many vacation days carry over")

    first, *others = found.hits
    assert first.page.page_id == "2"
    assert [(one.page_id, one.space_key, one.state) for one in first.copies] == [
        ("1", "OLD", State.LIVE),
        ("3", "ENG", State.ARCHIVED),
    ]
    assert {one.page.page_id for one in others} == {"4", "5"}
    assert (found.total, found.following) == (5, None)


async def test_long_pages_of_one_title_and_passage_stay_apart(database: Database) -> None:
    wiki = await SmallWiki.open(database)
    for n, rest in enumerate((RUNBOOK, MINUTES), start=1):
        of_page = page(str(n), "Overview", markdown=LEAVE + rest, space_key=f"S{n}")
        await wiki.put(of_page, LEAVE, rest)

    found = await wiki.searcher.search(CRAWLER, "vacation days")

    assert [one.copies for one in found.hits] == [(), ()]


async def test_no_part_repeats_or_skips_a_page(database: Database) -> None:
    wiki = await SmallWiki.open(database)
    total = BLOCK + 20
    for n in range(total):  # every third page is a copy, the originals are anywhere in the ranking
        topic = f"topic{n // 3 if n % 3 == 0 else n}"
        extra = " vacation" * (n * 7 % 11)
        await put(wiki, str(n), f"Vacation {topic}", f"{LEAVE} {topic}{extra}", space_key=f"S{n}")

    whole = (await wiki.searcher.search(CRAWLER, "vacation", limit=total)).hits

    listed = [info.page_id for one in whole for info in (one.page, *one.copies)]
    assert sorted(map(int, listed)) == list(range(total))
    assert any(one.copies for one in whole)
    for limit in (1, 7, BLOCK - 1, BLOCK, total):
        assert [one.page for one in await parts(wiki, "vacation", limit)] == [
            one.page for one in whole
        ]


async def test_a_wiki_full_of_copies_still_fills_a_part(database: Database) -> None:
    wiki = await SmallWiki.open(database)
    for n in range(BLOCK + 3):
        await put(wiki, str(n), "Vacation", LEAVE, space_key=f"S{n}")
    for n in range(100, 106):
        await put(wiki, str(n), f"Carry {n}", "One carries over little.")

    found = await wiki.searcher.search(CRAWLER, "vacation days carry over", limit=5)

    assert [len(one.copies) for one in found.hits][:2] == [BLOCK - 1, 2]
    assert len(found.hits) == 5
    assert found.total == BLOCK + 9
    assert len(await parts(wiki, "vacation days carry over", 5)) == 8


async def test_a_copy_that_the_asker_may_not_read_is_not_named(database: Database) -> None:
    guarded = await GuardedWiki.open(database)
    wiki = guarded.wiki
    await guarded.open_space("ENG", AUTHENTICATED)
    ada, bob = await guarded.person("ada"), await guarded.person("bob")
    for page_id, only in (("1", ()), ("2", (user("ada"),))):
        await guarded.put(page_id, only=only)
    old = datetime(2021, 5, 1, tzinfo=UTC)
    await put(wiki, "1", "Vacation", LEAVE, updated_at=old)
    await put(wiki, "2", "Vacation", LEAVE)
    await guarded.work_list.place()

    by_ada = await wiki.searcher.search(ada, "vacation days")
    by_bob = await wiki.searcher.search(bob, "vacation days")

    assert [(one.page.page_id, len(one.copies)) for one in by_ada.hits] == [("2", 1)]
    assert [(one.page.page_id, len(one.copies)) for one in by_bob.hits] == [("1", 0)]
    assert (by_ada.total, by_bob.total) == (2, 1)
