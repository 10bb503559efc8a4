"""Whatever happens to a site and to runs over it: nothing live is lost, and the end is right."""

import os
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from index.database import Database
from index.settings import IndexSettings
from index.store import forget_site
from ingest.sources.source import Deployment
from tests.confluence.samples import filled_site
from tests.ingest.model_steps import (
    CHANGES,
    CRASHES,
    FAULTS,
    PLACES,
    RUNS,
    People,
    Runs,
    Step,
    fault,
)
from tests.ingest.model_wiki import ModelWiki, model_wiki
from tests.ingest.wiki import RETRY_NOW

pytestmark = pytest.mark.anyio

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
AGED = (
    "UPDATE page SET hidden_at = now() - interval '8 days' WHERE hidden_at IS NOT NULL RETURNING 1"
)
NUMBERS = st.integers(0, 60)
Happening = tuple[str, Step, str | None, str | None]

changes = st.builds(Step, st.sampled_from(CHANGES), NUMBERS)
# A run, the request and the change that go with its disturbance, and what goes wrong at the site.
runs = st.tuples(
    st.sampled_from(RUNS),
    changes,
    st.none() | st.sampled_from(CRASHES),
    st.none()
    | st.sampled_from([f"{kind} {place}" for kind in FAULTS for place in PLACES[Deployment.CLOUD]]),
)
happenings = st.lists(st.one_of(changes, changes, changes, runs), min_size=4, max_size=24)
LEAVES_WHAT_IS_LOOKED_AT: Sequence[Step | Happening] = (
    Step("leave", 1),
    Step("comment", 1),
    ("partial", Step("wait", 0), None, None),
    ("quick", Step("wait", 0), None, None),
    Step("leave", 0),
    ("partial", Step("wait", 0), None, None),
    Step("trash", 1),
    ("hinted", Step("leave", 0), "meanwhile", None),
)


@pytest.mark.parametrize("deployment", Deployment)
@settings(
    max_examples=200 if IS_LONG else 4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(happenings=happenings)
@example(happenings=LEAVES_WHAT_IS_LOOKED_AT)
async def test_the_index_is_right_whatever_happens(
    deployment: Deployment,
    index_settings: IndexSettings,
    database: Database,
    happenings: Sequence[Step | Happening],
) -> None:
    await forget_site(database, None)
    site = filled_site({"ENG": 4, "HR": 3})
    async with model_wiki(site, deployment, index_settings, database) as wiki:
        people = People(site, deployment)
        await wiki.run()
        for happening in happenings:
            if isinstance(happening, Step):
                people.do(happening)
            else:
                await _run(wiki, people, happening)

        await _is_right_in_the_end(wiki)


async def _run(wiki: ModelWiki, people: People, happening: Happening) -> None:
    """One run with what disturbs it; nothing that is live before and after it is lost."""
    name, change, disturbance, trouble = happening
    shown, live = await wiki.shown(), wiki.live()
    if trouble is not None:
        kind, place = trouble.split()
        path = PLACES[wiki.deployment].get(place)
        struck = path and fault(place, kind, wiki.deployment)
        if path and struck:
            wiki.faults.add(struck, path, times=None if change.number % 2 else 2)

    await Runs(wiki, people).go(name, change.number, disturbance, change)

    wiki.faults.clear()
    lost = (shown & live.keys() & wiki.live().keys()) - await wiki.shown()
    assert not lost
    assert [flaw for flaw in await wiki.flaws() if "of another title" not in flaw] == []


async def _is_right_in_the_end(wiki: ModelWiki) -> None:
    wiki.site.clock.advance(timedelta(hours=6))
    await wiki.rows(RETRY_NOW)
    await wiki.rows(AGED)

    report = await wiki.run()

    assert report.problems == []
    assert report.failed == 0
    assert await wiki.held() == wiki.expected()
    assert await wiki.flaws() == []
    assert not await wiki.miscounted_terms()
    again = await wiki.run()
    assert (again.stored, again.moved, again.hidden, again.embedded) == (0, 0, 0, 0)
