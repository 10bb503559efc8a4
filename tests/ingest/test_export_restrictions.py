"""Who alone may view a page by an export: what it tells, and that damage closes."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from index.principals import Principal, group, user
from index.records import ContentType
from ingest.sources.export import ExportSource
from ingest.sources.export_access import NOBODY
from ingest.sources.refusals import NotVisible
from tests.ingest.export_readers import CLOSED, OPS, PEOPLE, STAFF, asked_for, told
from tests.ingest.exports import (
    SITE,
    allowed,
    collection,
    content,
    page,
    reference,
    restriction,
    space,
    user_subject,
    write_folder,
    write_large,
)

pytestmark = pytest.mark.anyio

LEADS = allowed("1", "50", groupName="leads")


async def limited_to(tmp_path: Path, *objects: str) -> frozenset[Principal] | None:
    """Who alone may view the page 11 by these objects."""
    answer = await told(tmp_path, OPS, STAFF, PEOPLE, page("11", "Runbook"), *objects)
    return answer.restrictions["11"]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (allowed("1", "50", groupName="Leads"), group("leads")),
        (allowed("1", "50", user_subject("key-ada")), user("key-ada")),
        (allowed("1", "50", user_subject("key-ada"), userName="bob"), user("key-ada")),
        (allowed("1", "50", userName="BOB"), user("key-bob")),
    ],
)
@pytest.mark.parametrize("listed", [(), ("1",)])
async def test_each_way_to_name_who_may_view_a_page_is_understood(
    tmp_path: Path, part: str, expected: Principal, listed: Sequence[str]
) -> None:
    assert await limited_to(tmp_path, restriction("50", "11", part, listed=listed)) == {expected}


async def test_a_restriction_is_any_of_its_users_and_groups(tmp_path: Path) -> None:
    parts = [
        allowed("1", "50", user_subject("key-ada")),
        allowed("2", "50", user_subject("key-bob")),
        allowed("3", "50", groupName="leads"),
        allowed("4", "50", userName="left-long-ago"),
    ]

    limit = await limited_to(tmp_path, *parts, restriction("50", "11"))

    assert limit == {user("key-ada"), user("key-bob"), group("leads")}


async def test_a_page_without_restriction_is_told_to_have_none(tmp_path: Path) -> None:
    assert await limited_to(tmp_path) == frozenset()


@pytest.mark.parametrize("kind", ["Edit", "Share"])
async def test_who_may_edit_does_not_limit_who_may_view(tmp_path: Path, kind: str) -> None:
    part = allowed("1", "50", groupName="editors", type=kind)
    limit = restriction("50", "11", part, type=kind, listed=["1", "lost"])

    assert await limited_to(tmp_path, limit) == frozenset()


async def test_a_restriction_to_edit_stands_beside_one_to_view(tmp_path: Path) -> None:
    view = restriction("50", "11", allowed("1", "50", groupName="leads"))
    edit = restriction("51", "11", allowed("2", "51", groupName="x", type="Edit"), type="Edit")

    assert await limited_to(tmp_path, view, edit) == {group("leads")}


async def test_a_restriction_of_which_nobody_is_known_is_not_taken_for_none(
    tmp_path: Path,
) -> None:
    limit = restriction("50", "11", allowed("1", "50", userName="left-long-ago"))

    assert await limited_to(tmp_path, limit) == {NOBODY}


async def test_blog_posts_are_restricted_as_pages_are(tmp_path: Path) -> None:
    post = content("41", "We moved", class_name="BlogPost")
    limit = restriction("50", "41", allowed("1", "50", groupName="leads"))

    answer = await told(tmp_path, OPS, STAFF, post, limit)

    assert answer.restrictions == {"41": {group("leads")}}


async def test_only_the_page_itself_is_restricted_by_its_restriction(tmp_path: Path) -> None:
    pages = [page("11", "Plans"), content("12", "Pay", reference("parent", "Page", "11"))]
    limit = restriction("50", "11", allowed("1", "50", groupName="leads"))

    answer = await told(tmp_path, OPS, STAFF, *pages, limit)

    assert answer.restrictions == {"11": {group("leads")}, "12": frozenset()}


async def test_parts_that_only_their_restriction_lists_are_found(tmp_path: Path) -> None:
    limit = restriction("50", "11", allowed("1", None, groupName="leads"), listed=["1"])

    assert await limited_to(tmp_path, limit) == {group("leads")}


@pytest.mark.parametrize("owner", [None, "11", "12"])
async def test_a_restriction_holds_for_the_page_that_lists_it_and_the_one_that_it_names(
    tmp_path: Path, owner: str | None
) -> None:
    pages = [
        content("11", "Pay", collection("contentPermissionSets", "ContentPermissionSet", "50")),
        content("12", "Plans"),
    ]
    limit = restriction("50", owner, allowed("1", "50", groupName="leads"))

    answer = await told(tmp_path, OPS, STAFF, *pages, limit)

    assert answer.restrictions["11"] == {group("leads")}
    assert answer.restrictions["12"] == ({group("leads")} if owner == "12" else frozenset())


@pytest.mark.parametrize(
    "damaged",
    [
        restriction("50", "11"),
        restriction("50", "11", LEADS, type=""),
        restriction("50", "11", LEADS, type="Perhaps"),
        restriction("50", "11", LEADS, type="Edit"),
        restriction("", "11", allowed("1", "", groupName="leads")),
        restriction("50", "11", LEADS, allowed("2", "50")),
        restriction("50", "11", LEADS, allowed("2", "50", user_subject(""))),
        restriction("50", "11", LEADS, allowed("2", "50", groupName=" ")),
        restriction("50", "11", allowed("1", "50", user_subject("key-ada"), groupName="leads")),
        restriction("50", "11", LEADS, allowed("2", "50", allUsersSubject="anonymous-users")),
        restriction("50", "11", LEADS, allowed("2", "50", userName="ada", type="Edit")),
        restriction("50", "11", LEADS, allowed("2", "50", userName="ada", type="")),
        restriction("50", "11", LEADS, listed=["1", "2"]),
        restriction("50", "11", listed=["1", "2"]),
        restriction("50", "11", LEADS, restriction("51", "11", allowed("2", "51", userName="b"))),
        restriction("50", "11", LEADS) + restriction("50", "11"),
    ],
)
async def test_a_damaged_restriction_closes_its_page(tmp_path: Path, damaged: str) -> None:
    assert await limited_to(tmp_path, damaged) is CLOSED


async def test_a_damaged_restriction_closes_no_other_page(tmp_path: Path) -> None:
    pages = [page("11", "Pay"), page("12", "Plans"), page("13", "Menu")]
    limits = [restriction("50", "11"), restriction("51", "12", allowed("1", "51", groupName="x"))]

    answer = await told(tmp_path, OPS, STAFF, *pages, *limits)

    assert answer.restrictions == {"11": CLOSED, "12": {group("x")}, "13": frozenset()}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ("", CLOSED),
        (
            restriction("51", "11", allowed("2", "51", groupName="x", type="Edit"), type="Edit"),
            None,
        ),
        (restriction("51", "11", allowed("2", "51", groupName="leads")), {group("leads")}),
    ],
)
async def test_a_page_whose_restriction_is_not_there_is_closed_unless_it_has_one_to_view(
    tmp_path: Path, others: str, expected: set[Principal] | None
) -> None:
    listing = collection("contentPermissionSets", "ContentPermissionSet", "50", "51")
    pages = content("11", "Pay", listing if others else listing.replace("51", "50"))

    answer = await told(tmp_path, OPS, STAFF, pages, others)

    assert answer.restrictions == {"11": expected}


@pytest.mark.parametrize(
    "lost",
    [
        restriction("50", None, LEADS),
        restriction("50", "", LEADS),
        restriction("50", None, type="Perhaps"),
        LEADS,
        allowed("1", None, userName="ada"),
        allowed("1", "", userName="ada"),
        restriction("50", None, LEADS, type="Edit"),
    ],
)
async def test_a_restriction_that_may_be_of_any_page_closes_all(tmp_path: Path, lost: str) -> None:
    pages = [page("11", "Pay"), page("12", "Plans")]

    answer = await told(tmp_path, OPS, STAFF, *pages, lost)

    assert answer.restrictions == {"11": CLOSED, "12": CLOSED}


async def test_a_lost_restriction_closes_the_pages_of_its_export_alone(tmp_path: Path) -> None:
    write_folder(tmp_path / "ops", OPS, STAFF, page("11", "Pay"), restriction("50", None, LEADS))
    write_folder(tmp_path / "hr", space("7", "HR", "People"), page("21", "Leave"))

    async with ExportSource(tmp_path, SITE) as source:
        answers = {page_id: await asked_for(source, page_id) for page_id in ("11", "21")}

    assert answers == {"11": CLOSED, "21": frozenset()}


@pytest.mark.parametrize(
    "harmless",
    [
        restriction("50", None, allowed("1", "50", groupName="x", type="Edit"), type="Edit"),
        content("14", "Idea", contentStatus="draft") + restriction("50", "14", LEADS),
        content(
            "14",
            "Idea",
            collection("contentPermissionSets", "ContentPermissionSet", "50"),
            contentStatus="draft",
        )
        + restriction("50", None, LEADS),
    ],
)
async def test_what_restricts_no_page_of_the_index_closes_none(
    tmp_path: Path, harmless: str
) -> None:
    assert await limited_to(tmp_path, harmless) == frozenset()


async def test_what_is_not_in_the_export_is_not_told(tmp_path: Path) -> None:
    async with ExportSource(write_folder(tmp_path, OPS, STAFF), SITE) as source:
        with pytest.raises(NotVisible):
            await source.access.restriction("99", ContentType.PAGE)


async def test_restrictions_of_a_large_space_are_told_whole(tmp_path: Path) -> None:
    objects = [OPS, STAFF]
    for number in range(1_203):
        objects.append(page(str(number), f"Page {number}"))
        if number % 2:
            part = allowed(f"p{number}", f"s{number}", groupName=f"team {number % 7}")
            objects.append(restriction(f"s{number}", str(number), part))
    path = write_large(tmp_path / "export.zip", objects)

    async with ExportSource(path, SITE) as source:
        (ops,) = await source.spaces()
        listed = {page_id: who async for page_id, who in source.access.restrictions(ops)}

    assert listed == {
        str(number): {group(f"team {number % 7}")} if number % 2 else frozenset()
        for number in range(1_203)
    }
