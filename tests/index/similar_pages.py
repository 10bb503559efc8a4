"""Texts that are copied, and texts of which many pages are made; and hits that say them."""

from dataclasses import replace
from datetime import UTC, datetime

from index.records import ContentType, State
from index.results import Hit, PageInfo, Passage
from tests.index.small_wiki import SITE

LEAVE = """Everybody has thirty days of vacation in a year. Up to five days carry over until the end
of March of the year after; what is left then is lost. Ask your team lead two weeks before, in the
calendar that the office shares, and tell your projects. Half days are possible on Christmas Eve
and on New Year's Eve only. Who falls ill on vacation gets the days back with a certificate of a
doctor, which the office needs within three days."""
RUNBOOK = """When {name} does not answer, look at its dashboard and at the queue before it. Restart
one instance of {name} after the other and wait until each takes requests again. If the queue still
grows, scale {name} up to eight instances and call whoever is on duty for the database. Write down
in the incident channel what you did, when, and what changed. Never clear the queue by hand: orders
are in it that exist nowhere else. Afterwards make a ticket for the team that owns {name}."""
MINUTES = """Present: {names}. We went through the board from right to left. {said} Whoever has the
oldest ticket begins the next time. We looked at the numbers of the week and at what customers
wrote. {decided} The room is booked until the end of the year; those who are not in the office join
by video. The next meeting is on Monday at ten, and is moved by a day when that is a holiday."""


def hit(page_id: str, title: str, text: str, day: str = "2025-01-01", **changes: State) -> Hit:
    """A hit whose only passage is the text; of a lower number it scores higher."""
    info = PageInfo(
        page_id=page_id,
        title=title,
        url=f"{SITE}/pages/{page_id}",
        space_key="ENG",
        content_type=ContentType.PAGE,
        version=1,
        state=State.LIVE,
        author=None,
        updated_at=datetime.fromisoformat(day).replace(tzinfo=UTC),
    )
    passage = Passage(int(page_id), (), info.url, text, 1.0)
    return Hit(replace(info, **changes), 1 / int(page_id), (passage,))
