"""Servers over the small wiki whose caller the test chooses, and rights that change under them."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from mcp import Client
from mcp.server import MCPServer

from index.access import CRAWLER, Asker, Askers
from index.database import Database
from server.app import create_server, open_deps
from server.audit import Audit
from server.deps import Deps
from server.settings import ServerSettings
from tests.server.asking import Variables

ADA, BOB, GUS, NOBODY = "acc-ada", "acc-bob", "acc-gus", "acc-nobody"

LEAVE = "DELETE FROM membership WHERE account_id = %(account_id)s"
CLOSE = """
DELETE FROM guard_principal USING guard
WHERE guard.id = guard_id AND kind = 'space' AND external_id = %(key)s
"""


class Who:
    """Whose call it is now: an account, or None for the crawler."""

    def __init__(self, database: Database) -> None:
        self.account: str | None = ADA
        self._askers = Askers(database)

    async def __call__(self) -> Asker:
        """Looks the account up."""
        if self.account is None:
            return CRAWLER
        return await self._askers.named(self.account, f"sub:{self.account}")


@dataclass(frozen=True, slots=True)
class Served:
    """A server in this process, of which anybody may be the caller."""

    server: MCPServer[Deps]
    who: Who
    trail: Path
    url: str

    def lines(self) -> list[dict[str, Any]]:
        """The audit trail."""
        return [json.loads(line) for line in self.trail.read_text().splitlines()]

    def leave_groups(self, account_id: str) -> None:
        """Takes somebody out of all groups."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(LEAVE, {"account_id": account_id})

    def close_space(self, key: str) -> None:
        """Lets nobody into a space any more."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(CLOSE, {"key": key})


@asynccontextmanager
async def served(variables: Variables, folder: Path, **more: object) -> AsyncGenerator[Served]:
    """A server with these settings; it is opened with each client."""
    settings = ServerSettings.model_validate(variables.as_fields() | more)
    trail = folder / "audit.jsonl"
    audit = Audit.at(str(trail), has_questions=settings.audit_questions)
    async with Database.open(settings, application_name="tests", for_askers=True) as database:
        who = Who(database)
        server = create_server(
            lambda: open_deps(settings, who=who, audit=audit), shows_everything=False
        )
        yield Served(server, who, trail, variables.postgres_url)


@asynccontextmanager
async def called(
    variables: Variables, folder: Path, mode: str = "auto", **more: object
) -> AsyncGenerator[tuple[Client, Served]]:
    """One client of such a server."""
    async with (
        served(variables, folder, **more) as here,
        Client(here.server, mode=mode) as client,
    ):
        yield client, here
