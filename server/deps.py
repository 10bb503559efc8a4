"""What the calls of clients work with, built once for a process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from index.access import CRAWLER, Asker, Askers
from index.catalogue import Catalogue
from index.database import Database
from index.pages import Pages
from index.search import Searcher
from server.answering import Answerer
from server.audit import Audit
from server.limits import Limits
from server.page_feed import Connect
from server.room import Room

WhoAsks = Callable[[], Awaitable[Asker]]


@dataclass(frozen=True, slots=True)
class Deps:
    """What the tools work with, built once for a process.

    `asker` tells whose call is under way; it is asked at each call and nothing of it is kept.
    `stranger` is what somebody is told of whom the index knows no account. `database` is looked at
    to tell how the server is.
    """

    searcher: Searcher
    pages: Pages
    answerer: Answerer
    connect: Connect
    asker: WhoAsks
    catalogue: Catalogue
    stranger: str = ""
    room: Room = field(default_factory=Room)
    limits: Limits = field(default_factory=Limits)
    audit: Audit = field(default_factory=Audit)
    database: Database | None = None


def always(account: str | None, askers: Askers) -> WhoAsks:
    """Whoever calls asks as this account, looked up at each call; as the crawler for None."""
    name = account and account.strip()

    async def asker() -> Asker:
        return CRAWLER if name is None else await askers.named(name, name)

    return asker
