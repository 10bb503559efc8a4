"""Pages that leave a space while only that one is looked at: they are kept, but closed."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from ingest.report import Report
from ingest.settings import SpaceFilter
from tests.access.asked_wiki import LOOK, everything_found
from tests.access.door import open_app
from tests.access.office import Office
from tests.confluence.content import Content
from tests.confluence.faults import failing

pytestmark = pytest.mark.anyio

ENG = replace(LOOK, only=frozenset({"eng"}))
ENG_ALONE = replace(ENG, space_filter=SpaceFilter(frozenset({"eng"}), frozenset()))
QUICK = replace(LOOK, quick=True)


@dataclass(frozen=True, slots=True)
class Removal:
    """A page with one below it in ENG, which is open to users; HR is open to `legal`.

    Of HR, what lies below `closed` is for Ada alone.
    """

    office: Office
    page: Content
    below: Content
    home: Content
    closed: Content

    async def shown(self) -> list[set[str]]:
        """Which of both Bob, Cem and Ada are shown: of users, of `legal`, and of those Ada."""
        office, both = self.office, {self.page.title, self.below.title}
        people = (office.bob, office.cem, office.ada)
        return [both.intersection(titles) for titles in await office.shown(*people)]

    async def is_kept(self) -> bool:
        """Whether the crawler finds both."""
        async with open_app(self.office.wiki.doors.settings) as client:
            return {self.page.id, self.below.id} <= await everything_found(client)

    async def leave_for(self, parent: Content) -> Report:
        """Moves the page below one of HR, and looks at ENG alone."""
        self.office.site.move(self.page.id, parent=parent.id)
        return await self.office.wiki.run(ENG)


BOTH, NONE = {"Page", "Below"}, set[str]()


@pytest.fixture
async def removal(any_office: Office) -> AsyncGenerator[Removal]:
    office = any_office
    office.add_space("HR", office.legal)
    home = office.page("Home", key="HR")
    closed = office.page("Closed", home, key="HR")
    office.restrict(closed, office.ada)
    page = office.page("Page")
    made = Removal(office, page, office.page("Below", page), home, closed)
    office.site.clock.advance(timedelta(hours=1))  # so that no feed names a page
    await office.wiki.run()
    assert await made.shown() == [BOTH, BOTH, BOTH]
    yield made


async def test_a_page_is_closed_until_its_new_space_is_looked_at(removal: Removal) -> None:
    report = await removal.leave_for(removal.closed)
    at_once, is_kept = await removal.shown(), await removal.is_kept()
    await removal.office.wiki.run(QUICK)
    without_sweep = await removal.shown()
    await removal.office.wiki.run()

    assert (report.succeeded, report.hidden, report.failed) == (True, 0, 0)
    assert report.warnings == [
        "2 pages have left space ENG for HR. They are kept, but closed to everybody until a run "
        "looks at that."
    ]
    assert is_kept
    assert at_once == without_sweep == [NONE, NONE, NONE]
    assert await removal.shown() == [NONE, NONE, BOTH]


async def test_a_hint_opens_a_page_that_was_found_to_have_left(removal: Removal) -> None:
    await removal.leave_for(removal.home)

    await removal.office.wiki.hinted(removal.page.id)

    assert await removal.shown() == [NONE, BOTH, BOTH]


async def test_a_page_that_comes_back_is_open_as_before(removal: Removal) -> None:
    await removal.leave_for(removal.home)

    removal.office.site.move(removal.page.id, space_key="ENG")
    await removal.office.wiki.run(ENG)

    assert await removal.shown() == [BOTH, BOTH, BOTH]


async def test_a_page_that_left_and_is_then_gone_is_hidden(removal: Removal) -> None:
    await removal.leave_for(removal.home)

    removal.office.site.trash(removal.page.id, children="along")
    report = await removal.office.wiki.run(ENG)

    assert (report.hidden, report.warnings) == (2, [])
    assert not await removal.is_kept()


async def test_a_page_that_left_for_a_space_that_is_not_taken_in_is_hidden(
    removal: Removal,
) -> None:
    removal.office.site.move(removal.page.id, space_key="HR")
    report = await removal.office.wiki.run(ENG_ALONE)

    assert (report.hidden, report.warnings) == (2, [])
    assert await removal.shown() == [NONE, NONE, NONE]


async def test_a_page_is_closed_when_its_new_space_cannot_be_listed(removal: Removal) -> None:
    office = removal.office
    office.site.move(removal.page.id, parent=removal.home.id)
    space = office.site.space("HR")

    for path, query in ((f"*/spaces/{space.id}/pages", "*"), ("*/content*", "*spaceKey=HR*")):
        office.wiki.faults.add(failing(403), path, query=query, times=None)
    report = await office.wiki.run()

    assert not report.succeeded
    assert report.hidden == 0
    assert await removal.shown() == [NONE, NONE, NONE]
