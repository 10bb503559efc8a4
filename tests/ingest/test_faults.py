"""What each fault of a site at each place costs: never a page that is there, and nothing for long.

Outcomes: `mended` by another try or another way, a `problem` of the report, a `page` that is tried
again later, or a run that `ends` with an error. `-`: it is not looked for there.
"""

import os
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta

import pytest

from index.database import Database
from index.errors import SourceError
from index.settings import IndexSettings
from ingest.report import Report
from ingest.sources.source import Deployment
from ingest.sync import Plan
from tests.confluence.content import Content
from tests.confluence.samples import filled_site
from tests.ingest.model_steps import PLACES, fault
from tests.ingest.model_wiki import ModelWiki, model_wiki
from tests.ingest.wiki import FAILURES, RETRY_NOW

pytestmark = pytest.mark.anyio

PLACES_OF_CLOUD = PLACES[Deployment.CLOUD]
IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
# What comes of faults that last for a whole run; the feed is that of a quick run.
OUTCOMES = """
          identity spaces sweep   posts   feed   items   threads page comments download users
429       ends     ends   problem problem ends   problem problem page page     page     mended
500       ends     ends   problem problem ends   problem problem page page     page     mended
503       ends     ends   problem problem ends   problem problem page page     page     mended
403       ends     ends   problem problem ends   problem problem page page     -        mended
404       ends     ends   problem problem ends   problem problem page page     -        mended
reset     ends     ends   problem problem ends   problem problem page page     mended   mended
truncated ends     ends   problem problem ends   problem problem page page     mended   mended
clamped   -        mended mended  mended  mended mended  mended  -    -        -        -
repeated  -        mended mended  mended  mended mended  mended  -    -        -        -
endless   -        ends   problem mended  mended mended  mended  -    -        -        -
expired   -        ends   problem problem ends   problem problem -    -        -        -
reversed  -        mended mended  mended  mended mended  mended  -    -        -        -
"""
KINDS = [line.split()[0] for line in OUTCOMES.splitlines()[2:]]
SHORT = ("503", "404", "truncated", "endless")


@pytest.fixture
async def wiki(index_settings: IndexSettings, database: Database) -> AsyncGenerator[ModelWiki]:
    """Two spaces, and a page that everything happens to."""
    site = filled_site({"ENG": 5, "HR": 3})
    async with model_wiki(site, Deployment.CLOUD, index_settings, database) as wiki:
        yield wiki


@pytest.mark.parametrize("kind", KINDS if IS_LONG else SHORT)
async def test_a_fault_costs_no_page_and_is_named(wiki: ModelWiki, kind: str) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    await wiki.run()

    outcomes = {place: await outcome(wiki, page, kind, place) for place in PLACES_OF_CLOUD}

    assert outcomes == dict(zip(PLACES_OF_CLOUD, row_of(kind), strict=True))


def row_of(kind: str) -> Sequence[str]:
    """The line of a kind of fault in the table."""
    (row,) = (line.split()[1:] for line in OUTCOMES.splitlines() if line.startswith(f"{kind} "))
    return row


async def outcome(wiki: ModelWiki, page: Content, kind: str, place: str) -> str:
    """What a fault costs a run over a page that changed; asserts that it costs nothing for long."""
    struck = fault(place, kind, Deployment.CLOUD)
    if struck is None:
        return "-"
    change(wiki, page)
    shown = await wiki.shown()
    rule = wiki.faults.add(struck, PLACES_OF_CLOUD[place], times=None)

    report = await attempt(wiki, Plan(quick=place == "feed"))

    found = await named(wiki, report) if rule.hits else "-"
    assert shown <= await wiki.shown()
    wiki.faults.clear()
    wiki.site.clock.advance(timedelta(hours=6))
    await wiki.rows(RETRY_NOW)
    healed = await wiki.run()
    assert (healed.problems, healed.failed) == ([], 0)
    assert await wiki.held() == wiki.expected()
    assert await wiki.flaws() == []
    return found


def change(wiki: ModelWiki, page: Content) -> None:
    """Something new in every part of a page, by somebody new."""
    author = wiki.site.add_user("Ada Lovelace")
    new = wiki.site.add_page("HR", f"New {author.account_id}", "<p>Words.</p>", author=author)
    wiki.site.comment(new.id, "<p>Why?</p>", author=author)
    wiki.site.attach(new.id, "new.txt", media_type="text/plain", data=b"Text")
    wiki.site.edit(page.id, f"<p>Edited by {author.account_id[7:15]}.</p>")


async def attempt(wiki: ModelWiki, plan: Plan) -> Report | SourceError:
    """The report of a run, or the error that ended it."""
    try:
        return await wiki.run(plan)
    except SourceError as error:
        return error


async def named(wiki: ModelWiki, report: Report | SourceError) -> str:
    """How a run shows what went wrong."""
    if isinstance(report, SourceError):
        assert str(report)
        return "ends"
    if report.problems:
        return "problem"
    if report.failed:
        assert await wiki.rows(FAILURES)
        return "page"
    return "mended"
