"""The door to the database: a pool of prepared connections, embedded or at POSTGRES_URL."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psycopg
from psycopg.conninfo import make_conninfo

from index.connection_pool import Conninfo, Pool, PostgresPool, Session
from index.database_checks import prepare
from index.database_connection import connect, with_defaults
from index.errors import ConfigurationError, DatabaseError
from index.replica import Replica, ReplicatedPool
from index.settings import IndexSettings

if TYPE_CHECKING:
    from index.embedded_postgres import EmbeddedPostgres

# Why these values: a filtered search must not come back short, a walk that looks around less goes
# astray (of 100,000 chunks it finds 91 % of the best ten with 200, 99 % with 1,000), and a cached
# generic plan picks the wrong index for a number of rows of another size.
_SESSION: Mapping[str, str] = {
    "hnsw.ef_search": "1000",
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": "40000",
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    "work_mem": "64MB",
}
# A question looks up few rows of large tables, and how many is a guess to the planner: a wrong one
# would have it read them whole.
_FOR_QUESTIONS: Mapping[str, str] = {"enable_seqscan": "off"}
_KEEPALIVE = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
_POOLED = (
    "POSTGRES_POOLER is set, but only what answers questions can use a pooler of transactions.\n"
    "For this command leave it out, and set POSTGRES_URL to Postgres itself."
)


@dataclass(frozen=True, slots=True)
class Database:
    """An index that can be used: its schema is current. Safe to share between tasks.

    `async with pool.connection()` is one transaction. Connections know the types of pgvector, and
    are checked before each use, so that a restarted server costs a moment and no error. `replica`
    is asked in place of the primary where there is one that keeps up.
    """

    pool: Pool
    conninfo: Conninfo
    is_pooled: bool = False
    replica: Replica | None = None

    async def connect(self) -> psycopg.AsyncConnection:
        """A connection to the primary outside the pool, in autocommit mode, to listen on.

        One whose network went silent fails within a minute. Raises DatabaseError, also where only
        a pooler of transactions can be reached, through which nothing is heard.
        """
        if self.is_pooled:
            raise DatabaseError(_POOLED)
        return await connect(make_conninfo(await self.conninfo(), **_KEEPALIVE))

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: IndexSettings,
        *,
        application_name: str,
        migrate: bool = True,
        read_only: bool = False,
        for_askers: bool = False,
        access_max_age_s: float | None = None,
        statement_timeout_s: float = 0,
        max_connections: int = 8,
        wait_s: float = 30,
        may_be_pooled: bool = False,
        replica: Replica | None = None,
    ) -> AsyncGenerator[Self]:
        """The database of `settings`, for the length of a `with`.

        `migrate` makes or updates the schema where needed, also for a reader; a current schema
        needs no such right. `read_only` is for readers: rights to write are not asked for, and
        sessions refuse to write. One that is open `for_askers` only reads, and pages only through
        the views that show each asker what is theirs, where the database has the role for that;
        who may read what is believed for `access_max_age_s`; while `replica` keeps up, that one is
        read. A `statement_timeout_s` of 0 sets no limit; a transaction waits `wait_s` for one of
        the `max_connections`. Raises DatabaseError or ConfigurationError of two lines: what is
        wrong, and what to do; the latter for a pooler of transactions unless it `may_be_pooled`.
        """
        is_pooled = settings.postgres_pooler is not None
        if is_pooled and not may_be_pooled:
            raise ConfigurationError(_POOLED)
        is_local = for_askers or is_pooled
        told = {**_SESSION, "statement_timeout": f"{round(statement_timeout_s * 1000)}ms"}
        if access_max_age_s is not None:
            told["confluence_mcp.access_max_age"] = f"{round(access_max_age_s)}s"
        if for_askers:
            told |= _FOR_QUESTIONS
        if read_only or for_askers:
            told["transaction_read_only" if is_local else "default_transaction_read_only"] = "on"
        session = Session(told, as_reader=for_askers, is_local=is_local, prepares=not is_pooled)
        async with _source(settings) as source:
            async with await connect(await source()) as connection:
                await prepare(
                    connection,
                    migrate=migrate,
                    read_only=read_only,
                    for_askers=for_askers,
                    is_pooled=is_pooled,
                )
            conninfo = _named(source, application_name)
            async with PostgresPool.open(
                conninfo, session, name=application_name, size=max_connections, wait_s=wait_s
            ) as pool:
                if replica is None:
                    yield cls(pool, conninfo, is_pooled)
                    return
                there = _named(replica.source, application_name)
                async with (
                    PostgresPool.open(
                        there, session, name="replica", size=max_connections, wait_s=wait_s
                    ) as second,
                    replica.watched(source),
                ):
                    yield cls(ReplicatedPool(pool, second, replica), conninfo, is_pooled, replica)


@asynccontextmanager
async def _source(settings: IndexSettings) -> AsyncGenerator[Conninfo]:
    """How to connect; asked again for each connection, since an embedded server may restart."""
    if settings.postgres_url is not None:
        url = settings.postgres_url.get_secret_value()

        async def given() -> str:
            return url

        yield given
        return
    async with embedded_postgres(settings.confluence_mcp_home) as embedded:
        yield embedded.conninfo


def embedded_postgres(home: Path) -> "AbstractAsyncContextManager[EmbeddedPostgres]":
    """A share in the embedded Postgres; raises ConfigurationError where it does not run."""
    try:
        # Imported here for the sake of Windows, which lacks the locks and sockets it stands on.
        from index.embedded_postgres import EmbeddedPostgres
    except ModuleNotFoundError as error:
        if error.name not in {"fcntl", "pwd"}:
            raise
        raise ConfigurationError(
            "The embedded Postgres runs on Linux and macOS only.\n"
            "Set POSTGRES_URL to a Postgres 15 or newer with pgvector 0.8 or newer."
        ) from error
    return EmbeddedPostgres.open(home)


def _named(source: Conninfo, application_name: str) -> Conninfo:
    async def conninfo() -> str:
        return make_conninfo(with_defaults(await source()), application_name=application_name)

    return conninfo
