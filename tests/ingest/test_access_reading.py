"""Permissions on their way from a site into the index: read when, and closed by what."""

from collections.abc import AsyncGenerator

import pytest

from index.access import Asker, Askers
from index.database import Database
from index.errors import NotFound
from index.pages import Pages
from index.settings import IndexSettings
from ingest.run import ingest_once
from ingest.sync import Plan
from tests.confluence.content import User
from tests.confluence.faults import failing
from tests.confluence.permissions import Grant
from tests.confluence.site import Site
from tests.ingest.cloud_sites import as_user
from tests.ingest.wiki import Wiki, wiki_of

pytestmark = pytest.mark.anyio

RESTRICTIONS = "*/rest/api/content/*/restriction/*"


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture
async def wiki(index_settings: IndexSettings, database: Database) -> AsyncGenerator[Wiki]:
    site = Site()
    site.add_space("ENG")
    pages = site.add_tree("ENG", {"Handbook": {"Pay": {"Bonus": {}}}, "News": {}})
    site.add_user("Eve", email="eve@example.com")
    site.add_user("Ada", email="ada@example.com")
    site.permissions.restrict(pages["Pay"], as_user(site.crawler), as_user(ada_of(site)))
    async with wiki_of(site, index_settings, database) as made:
        yield made


def ada_of(site: Site) -> User:
    return next(user for user in site.users.values() if user.name == "Ada")


async def person(wiki: Wiki, name: str) -> Asker:
    return await Askers(wiki.database).by_email(f"{name}@example.com", name)


async def titles(wiki: Wiki, name: str) -> set[str]:
    """Titles of the pages that a person is shown."""
    asker, pages = await person(wiki, name), Pages(wiki.database)
    shown: set[str] = set()
    for content in wiki.site.contents.values():
        try:
            shown.add((await pages.page(asker, content.id)).info.title)
        except NotFound:
            continue
    return shown


def page_id(wiki: Wiki, title: str) -> str:
    return next(page.id for page in wiki.site.contents.values() if page.title == title)


def to(wiki: Wiki, name: str) -> Grant:
    return as_user(next(user for user in wiki.site.users.values() if user.name == name))


ALL = {"Handbook", "Pay", "Bonus", "News"}


async def test_the_first_look_lets_everybody_see_what_is_theirs(wiki: Wiki) -> None:
    report = await wiki.run()

    assert report.warnings == []
    assert await titles(wiki, "ada") == ALL
    assert await titles(wiki, "eve") == {"Handbook", "News"}


async def test_a_restriction_bites_with_the_next_look_and_stores_no_page_anew(wiki: Wiki) -> None:
    await wiki.run()
    handbook = wiki.site.content(page_id(wiki, "Handbook"))

    wiki.site.permissions.restrict(handbook, as_user(wiki.site.crawler), to(wiki, "Eve"))
    report = await wiki.run()

    assert report.stored == 0
    assert await titles(wiki, "ada") == {"News"}
    assert await titles(wiki, "eve") == {"Handbook", "News"}


async def test_a_page_between_two_sweeps_is_shown_once_its_restrictions_are_known(
    wiki: Wiki,
) -> None:
    await wiki.run()
    wiki.site.add_page("ENG", "New", parent=page_id(wiki, "Handbook"))
    secret = wiki.site.add_page("ENG", "Secret", parent=page_id(wiki, "Handbook"))
    fresh = wiki.site.add_user("Zoe", email="zoe@example.com")
    group = wiki.site.permissions.add_group("Late", fresh, ada_of(wiki.site))
    wiki.site.permissions.restrict(secret, as_user(wiki.site.crawler), ("group", group.id))

    await wiki.run(quick=True)

    assert await titles(wiki, "ada") == ALL | {"New", "Secret"}
    assert await titles(wiki, "eve") == {"Handbook", "News", "New"}
    assert await titles(wiki, "zoe") == {"Handbook", "News", "New", "Secret"}


async def test_a_hint_of_a_changed_restriction_needs_no_sweep(wiki: Wiki) -> None:
    await wiki.run()
    handbook = wiki.site.content(page_id(wiki, "Handbook"))

    wiki.site.permissions.restrict(handbook, as_user(wiki.site.crawler))
    await wiki.run(quick=True, hinted=frozenset({handbook.id}))

    assert await titles(wiki, "eve") == {"News"}


async def test_a_site_that_refuses_to_tell_closes_what_it_does_not_tell(wiki: Wiki) -> None:
    await wiki.run()
    wiki.site.permissions.untold.add(wiki.site.space("ENG").id)

    report = await wiki.run()

    assert report.succeeded
    assert "the spaces ENG cannot be told" in " ".join(report.warnings)
    assert await titles(wiki, "ada") == set()
    assert await wiki.shows(page_id(wiki, "News"))


async def test_without_an_answer_what_was_known_holds(wiki: Wiki) -> None:
    await wiki.run()
    for path in ("*/spaces/*/permissions", "*/rest/api/group*", RESTRICTIONS):
        wiki.scene.spoil(failing(503), path)
    wiki.scene.spoil(failing(503), "*/content/search", "*expand=restrictions*")

    report = await wiki.run()

    assert report.warnings
    assert await titles(wiki, "ada") == ALL
    assert await titles(wiki, "eve") == {"Handbook", "News"}


async def test_one_node_whose_restriction_is_not_told_is_closed_with_all_below(wiki: Wiki) -> None:
    await wiki.run()
    wiki.site.permissions.untold.add(page_id(wiki, "Handbook"))

    report = await wiki.run()

    assert f"the pages {page_id(wiki, 'Handbook')} cannot be told" in " ".join(report.warnings)
    assert await titles(wiki, "ada") == {"News"}


async def test_nobody_but_the_crawler_is_shown_anything_without_permissions(wiki: Wiki) -> None:
    async with wiki.scene.source() as source:
        await ingest_once(wiki.settings, source, Plan(has_access=False))

    assert await titles(wiki, "ada") == set()
    assert await wiki.shows(page_id(wiki, "News"))


async def test_what_nothing_points_to_is_forgotten(wiki: Wiki) -> None:
    await wiki.run()
    pay = wiki.site.content(page_id(wiki, "Pay"))

    wiki.site.permissions.restrict(pay)
    await wiki.run()
    await wiki.run()

    assert await wiki.rows("SELECT count(*) FROM guard WHERE kind = 'node'") == [(0,)]
    assert await wiki.rows("SELECT count(*) FROM audience") == [(0,)]
    assert await titles(wiki, "eve") == ALL
