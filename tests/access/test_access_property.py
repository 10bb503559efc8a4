"""However people, groups, permissions and pages change: each asker is shown just what is theirs."""

import os
from collections import Counter
from collections.abc import Generator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.sources.source import Deployment
from tests.access.asked_wiki import LOOK, AskedWiki, Doors, asked_wiki
from tests.access.model_people import CHANGES, HINTED, Company, Step
from tests.confluence.content import User
from tests.confluence.datacenter.edition import Edition
from tests.confluence.site import Site

pytestmark = pytest.mark.anyio

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
SETTLED = timedelta(minutes=20)
STRANGER = User("712020:nobody", "Nobody", "nobody@example.com")

numbers = st.integers(0, 999)
changes = st.builds(Step, st.sampled_from(CHANGES), numbers)
hinted_changes = st.builds(Step, st.sampled_from(sorted(HINTED)), numbers)
# What has happened before the first ingest, and then between one ingest and the next.
foundings = st.lists(changes, min_size=6, max_size=24 if IS_LONG else 12)
rounds = st.lists(
    st.lists(changes, min_size=1, max_size=3) | st.lists(hinted_changes, min_size=1, max_size=2),
    min_size=2,
    max_size=3 if IS_LONG else 2,
)


@pytest.fixture(scope="module")
def compared() -> Generator[Counter[str]]:
    """How many pairs of an asker and a page were compared, and how they came out."""
    counts: Counter[str] = Counter()
    yield counts
    print("\nPairs of an asker and a page compared:", dict(counts))


@pytest.mark.parametrize("deployment", Deployment)
@settings(
    max_examples=150 if IS_LONG else 2,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(founding=foundings, rounds=rounds, flattens_groups=st.booleans())
async def test_askers_are_shown_what_they_may_view_and_nothing_else(
    deployment: Deployment,
    open_doors: Doors,
    compared: Counter[str],
    founding: Sequence[Step],
    rounds: Sequence[Sequence[Step]],
    flattens_groups: bool,
) -> None:
    site = Site()
    company = Company(site, deployment)
    edition = Edition(flattens_groups=flattens_groups)
    async with asked_wiki(site, open_doors, deployment, edition) as wiki:
        untouched: Sequence[Step] = ()
        for steps in (founding, *rounds, untouched):
            for step in steps:
                company.do(step)
            is_complete = await _take_in(wiki, company, steps)

            await _compare(wiki, compared, is_complete=is_complete)


async def _take_in(wiki: AskedWiki, company: Company, steps: Sequence[Step]) -> bool:
    """One ingest as a schedule has it: a quick one for hints, a look for what nobody hints at.

    Tells whether it was the latter.
    """
    is_quick = bool(steps) and all(step.name in HINTED for step in steps)
    plan = replace(LOOK, quick=True, hinted=frozenset(company.hints)) if is_quick else LOOK
    company.hints.clear()
    if not is_quick:
        wiki.site.clock.advance(SETTLED)
    report = await wiki.run(plan)
    assert report.problems == []
    assert report.failed == 0
    return not is_quick


async def _compare(wiki: AskedWiki, compared: Counter[str], *, is_complete: bool) -> None:
    """Every pair of a person and a page, as the person is shown it and as the site has it.

    What has come into view may wait for a complete look; what is closed must not.
    """
    for number, person in enumerate([*wiki.site.users.values(), STRANGER]):
        by_email = number % 2 == 0 and wiki.deployment is Deployment.CLOUD
        is_known = person is not STRANGER and not (by_email and not person.email)
        view = await wiki.view(await wiki.client(person, by_email=by_email))
        may, must = _expected(wiki, person) if is_known else (set[str](), set[str]())
        hidden = len(wiki.site.contents) - len(may)
        compared.update(allowed=len(may), hidden=hidden, untold=len(may - must))
        shown = view.read.keys()
        assert shown - may == set(), f"{person.name} is shown what is closed"
        assert view.found == shown, f"a search of {person.name} finds other pages than can be read"
        assert view.named <= shown, f"{person.name} is told of pages around what is open"
        if is_complete:
            assert must - shown == set(), f"{person.name} is not shown what is open"
            assert view.below() == _below(wiki, shown), f"{person.name} is told of other children"


def _expected(wiki: AskedWiki, person: User) -> tuple[set[str], set[str]]:
    """Ids of the pages that somebody may be shown, and of those that they must be shown."""
    verdicts, contents = wiki.verdicts(), wiki.site.contents.values()
    may = {content.id for content in contents if verdicts.may_read(person, content)}
    must = {content.id for content in contents if verdicts.must_read(person, content)}
    return may, must


def _below(wiki: AskedWiki, shown: AbstractSet[str]) -> dict[str, set[str]]:
    """The children of each page that is shown, as far as they are shown too."""
    site = wiki.site
    return {
        page_id: {child.id for child in site.children(page_id) if child.id in shown}
        for page_id in shown
    }
