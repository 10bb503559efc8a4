"""The door to the database: a pool of prepared connections, embedded or at POSTGRES_URL."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import psycopg
from pgvector.psycopg import register_vector_async
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from index.database_checks import prepare
from index.database_connection import connect, with_defaults
from index.errors import ConfigurationError
from index.settings import IndexSettings

Pool = AsyncConnectionPool[psycopg.AsyncConnection[TupleRow]]
Conninfo = Callable[[], Awaitable[str]]

# Why these values: a filtered search must not come back short, and a cached generic plan picks
# the wrong index for a permitted set of another size.
_SESSION: Mapping[str, str] = {
    "hnsw.ef_search": "200",
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": "40000",
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    "work_mem": "64MB",
}
_KEEPALIVE = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
# The role that reads for askers, where it exists and may be taken.
_AS_READER = "SELECT set_config('role', 'confluence_mcp_reader', false) WHERE may_be_reader()"
_SET = """
SELECT set_config(name, value, false)
  FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value)
"""


@dataclass(frozen=True, slots=True)
class Database:
    """An index that can be used: its schema is current. Safe to share between tasks.

    Connections of `pool` are not in autocommit mode: `async with pool.connection()` is one
    transaction. They know the types of pgvector, and are checked before each use, so that a
    restarted server costs a moment and no error.
    """

    pool: Pool
    conninfo: Conninfo

    async def connect(self) -> psycopg.AsyncConnection:
        """A connection outside the pool, in autocommit mode, to listen on; raises DatabaseError.

        One whose network went silent fails within a minute.
        """
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
    ) -> AsyncGenerator[Self]:
        """The database of `settings`, for the length of a `with`.

        `migrate` makes or updates the schema where needed, also for a reader; a current schema
        needs no such right. `read_only` is for readers: rights to write are not asked for, and
        sessions refuse to write. One that is open `for_askers` only reads, and pages only through
        the views that show each asker what is theirs, where the database has the role for that;
        who may read what is believed for `access_max_age_s`. A `statement_timeout_s` of 0 sets no
        limit. Raises
        DatabaseError or ConfigurationError of two lines: what is wrong, and what to do.
        """
        session = {**_SESSION, "statement_timeout": f"{round(statement_timeout_s * 1000)}ms"}
        if access_max_age_s is not None:
            session["confluence_mcp.access_max_age"] = f"{round(access_max_age_s)}s"
        if read_only or for_askers:
            session["default_transaction_read_only"] = "on"
        async with _source(settings) as source:
            async with await connect(await source()) as connection:
                await prepare(
                    connection, migrate=migrate, read_only=read_only, for_askers=for_askers
                )
            conninfo = _named(source, application_name)
            pool = _pool(
                conninfo,
                session,
                name=application_name,
                size=max_connections,
                as_reader=for_askers,
            )
            async with pool:
                yield cls(pool, conninfo)


@asynccontextmanager
async def _source(settings: IndexSettings) -> AsyncGenerator[Conninfo]:
    """How to connect; asked again for each connection, since an embedded server may restart."""
    if settings.postgres_url is not None:
        url = settings.postgres_url.get_secret_value()

        async def given() -> str:
            return url

        yield given
        return
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
    async with EmbeddedPostgres.open(settings.confluence_mcp_home) as embedded:
        yield embedded.conninfo


def _named(source: Conninfo, application_name: str) -> Conninfo:
    async def conninfo() -> str:
        return make_conninfo(with_defaults(await source()), application_name=application_name)

    return conninfo


def _pool(
    conninfo: Conninfo, session: Mapping[str, str], *, name: str, size: int, as_reader: bool
) -> Pool:
    async def configure(connection: psycopg.AsyncConnection) -> None:
        await register_vector_async(connection)
        await connection.execute(_SET, {"names": list(session), "values": list(session.values())})
        if as_reader:
            await connection.execute(_AS_READER)
        await connection.commit()

    return AsyncConnectionPool(
        conninfo,
        min_size=1,
        max_size=size,
        name=name,
        configure=configure,
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
