"""Reading the index as somebody: what a transaction shows is what its asker may read."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from index.connection_pool import Statement
from index.database import Database
from index.language import clean
from index.traces import query_span


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks. `name` is for the audit trail and for limits, never shown to others.

    `accounts` are the index's own numbers of the person's accounts, one for each site at most;
    none of them: only what an operator made public. None stands for the crawler itself, to which
    everything is shown that it could read.
    """

    name: str
    accounts: tuple[int, ...] | None

    @property
    def is_limited(self) -> bool:
        """Whether less may be shown than the index holds."""
        return self.accounts is not None


CRAWLER = Asker("crawler", None)

AS_ASKER: LiteralString = """
SELECT set_config('confluence_mcp.asker', %(asker)s, true),
       set_config('plan_cache_mode', %(planning)s, true)
"""
# Asked for whatever is read then: how long an answer takes must not tell a page that is hidden from
# one that does not exist, for which a statement would not come to ask.
WHAT_IS_OPEN: LiteralString = """
SELECT (SELECT count(*) FROM open_spaces()), (SELECT count(*) FROM open_audiences())
"""
# An address that two active accounts of a site share says nothing. Upper and lower case are alike
# in ASCII alone: elsewhere letters of other alphabets turn into these, and somebody into another.
BY_EMAIL = """
SELECT min(id) FROM account
WHERE lower(email COLLATE "C") = lower(%(email)s COLLATE "C") AND is_active
GROUP BY site_id HAVING count(*) = 1
"""
BY_ACCOUNT_ID = """
SELECT min(id) FROM account
WHERE is_active AND (account_id = %(account_id)s
                     OR lower(username COLLATE "C") = lower(%(account_id)s COLLATE "C"))
GROUP BY site_id HAVING count(*) = 1
"""


@asynccontextmanager
async def read_as(
    database: Database,
    asker: Asker,
    *,
    planned_once: bool = False,
    summary: str = "SELECT shown_page",
) -> AsyncGenerator[AsyncConnection[TupleRow]]:
    """A transaction whose views (`shown_page`, `open_space`) show what the asker may read.

    Prepared statements in one that is `planned_once` keep the plan that they were first run with,
    whatever the values: for those that are written for it. `summary` is its name in a trace.
    """
    setting = (
        "everything" if asker.accounts is None else f"{{{','.join(map(str, asker.accounts))}}}"
    )
    planning = "force_generic_plan" if planned_once else "force_custom_plan"
    first = [Statement(AS_ASKER, {"asker": setting, "planning": planning})]
    if asker.is_limited:
        first.append(Statement(WHAT_IS_OPEN))
    with query_span(summary):
        async with database.pool.connection(first=first) as connection:
            yield connection


class Askers:
    """Finds the accounts that people have on the sites of the index."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_email(self, email: str, name: str) -> Asker:
        """The active accounts with that address, upper and lower case alike; none if unknown."""
        return await self._found(BY_EMAIL, {"email": clean(email)}, name)

    async def by_account_id(self, account_id: str, name: str) -> Asker:
        """The active account of that id, user key or user name; none if unknown."""
        return await self._found(BY_ACCOUNT_ID, {"account_id": clean(account_id)}, name)

    async def named(self, account: str, name: str) -> Asker:
        """By account id, user key or user name, else by e-mail."""
        found = await self.by_account_id(account, name)
        return found if found.accounts else await self.by_email(account, name)

    async def _found(self, query: LiteralString, values: Mapping[str, str], name: str) -> Asker:
        async with self._database.pool.connection() as connection:
            rows = await connection.execute(query, values)
            return Asker(name, tuple([row[0] async for row in rows]))
