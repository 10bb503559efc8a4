"""Transactions on one Postgres: pooled connections that are set up as each begins."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import LiteralString, Protocol, Self

import psycopg
from pgvector.psycopg import register_vector_async
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

Connection = psycopg.AsyncConnection[TupleRow]
Conninfo = Callable[[], Awaitable[str]]

PREPARED_AFTER = 5  # executions of a statement on one connection
PREPARED_MOST = 20  # on one connection: the plan of a search takes a megabyte
PAUSE = 0.1  # seconds between attempts, once there were more than connections

SET = """
SELECT set_config(name, value, %(is_local)s)
  FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value)
"""
# Whether there is the role that reads for askers, and it may be taken.
MAY_BE_READER = "SELECT may_be_reader()"
READER = {"role": "confluence_mcp_reader"}


class NoneFree(PoolTimeout):
    """All connections of a pool are in use, and none came back in time."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One that a transaction begins with; what it gives is not looked at."""

    query: LiteralString
    values: Mapping[str, object] | None = None


class Pool(Protocol):
    """Where transactions begin; `timeout` is how long one waits for a connection, in seconds."""

    timeout: float

    @property
    def is_exhausted(self) -> bool:
        """Whether the next transaction has to wait for the end of another."""
        ...

    def connection(
        self, timeout: float | None = None, *, first: Sequence[Statement] = ()
    ) -> AbstractAsyncContextManager[Connection]:
        """A transaction, committed at the end of the `with`, of which `first` begins.

        Raises PoolTimeout when there is no connection, and NoneFree when others use them all.
        """
        ...

    async def close(self) -> None:
        """Ends all connections."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """What holds in every transaction of a pool.

    With `is_local` it is said as each begins and forgotten as it ends: then it matters to nobody
    whose connection to Postgres it is, as behind a pooler. Else it is said once, to each
    connection. A statement is prepared unless the pooler between cannot do that.
    """

    settings: Mapping[str, str]
    as_reader: bool = False
    is_local: bool = False
    prepares: bool = True


class OpenPools:
    """The pools of this process, for whoever wants to know how they are."""

    def __init__(self) -> None:
        self._pools: list[tuple[str, AsyncConnectionPool[Connection]]] = []

    @contextmanager
    def holding(self, name: str, pool: AsyncConnectionPool[Connection]) -> Generator[None]:
        """Has one of them told of for the length of a `with`."""
        one = (name, pool)
        self._pools.append(one)
        try:
            yield
        finally:
            self._pools.remove(one)

    def stats(self) -> list[tuple[str, dict[str, int]]]:
        """What psycopg_pool counts, by the names of the pools, which need not differ."""
        return [(name, pool.get_stats()) for name, pool in self._pools]


OPEN_POOLS = OpenPools()


class PostgresPool:
    """The connections to one server, checked as a transaction begins: a restart costs no error."""

    def __init__(
        self, conninfo: Conninfo, session: Session, *, name: str, size: int, wait_s: float
    ) -> None:
        self.timeout = wait_s
        self._session = session
        self._size = size
        self._used = 0
        self._is_reader = False
        self._connections = AsyncConnectionPool[Connection](
            conninfo,
            # Where a transaction is set up, BEGIN travels with that: psycopg's own is a trip more.
            kwargs={
                "autocommit": session.is_local,
                "prepare_threshold": PREPARED_AFTER if session.prepares else None,
            },
            min_size=1,
            max_size=size,
            name=name,
            configure=self._configure,
            # The pause between two attempts doubles each time: after an outage of minutes the next
            # one would be minutes away. Given up early, it begins anew with whoever comes.
            reconnect_timeout=wait_s,
            open=False,
        )

    @classmethod
    @asynccontextmanager
    async def open(
        cls, conninfo: Conninfo, session: Session, *, name: str, size: int, wait_s: float
    ) -> AsyncGenerator[Self]:
        """The pool for the length of a `with`; nobody waits for its first connection."""
        pool = cls(conninfo, session, name=name, size=size, wait_s=wait_s)
        async with pool._connections:
            with OPEN_POOLS.holding(name, pool._connections):
                yield pool

    @property
    def is_exhausted(self) -> bool:
        """Whether all connections are in use."""
        return self._used >= self._size

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as the pool of psycopg_pool calls it
        *,
        first: Sequence[Statement] = (),
    ) -> AsyncGenerator[Connection]:
        """A transaction; the set-up and `first` travel together and prove the connection."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        attempt = 0
        while True:
            async with self._lent(deadline) as connection:
                if await _lives(self._begin(connection, first), connection):
                    yield connection
                    return
            attempt += 1
            if attempt > self._size:
                await asyncio.sleep(PAUSE)

    async def close(self) -> None:
        """Ends all connections."""
        await self._connections.close()

    @asynccontextmanager
    async def _lent(self, deadline: float) -> AsyncGenerator[Connection]:
        try:
            connection = await self._connections.getconn(max(0.0, deadline - time.monotonic()))
        except PoolTimeout as error:
            if not self.is_exhausted:
                raise
            raise NoneFree(f"all {self._size} connections to Postgres are in use") from error
        self._used += 1
        try:
            async with connection:
                yield connection
        finally:
            self._used -= 1
            await self._connections.putconn(connection)

    async def _begin(self, connection: Connection, first: Sequence[Statement]) -> None:
        statements = [*self._local(), *first]
        if not statements:
            await AsyncConnectionPool.check_connection(connection)
            return
        async with connection.pipeline():
            for statement in statements:
                await connection.execute(statement.query, statement.values)

    def _local(self) -> Sequence[Statement]:
        if not self._session.is_local:
            return ()
        # The role last: of a setting, it may not be said who may make it.
        settings = {**self._session.settings, **(READER if self._is_reader else {})}
        return (Statement("BEGIN"), _set(settings, is_local=True))

    async def _configure(self, connection: Connection) -> None:
        session = self._session
        connection.prepared_max = PREPARED_MOST
        await register_vector_async(connection)
        if session.as_reader:
            row = await (await connection.execute(MAY_BE_READER)).fetchone()
            self._is_reader = row == (True,)
        if not session.is_local:
            settings = {**session.settings, **(READER if self._is_reader else {})}
            one = _set(settings, is_local=False)
            await connection.execute(one.query, one.values)
        await connection.commit()


def _set(settings: Mapping[str, str], *, is_local: bool) -> Statement:
    names, values = list(settings), list(settings.values())
    return Statement(SET, {"names": names, "values": values, "is_local": is_local})


async def _lives(beginning: Awaitable[None], connection: Connection) -> bool:
    """Whether a transaction has begun; not so on a connection that broke before."""
    try:
        await beginning
    except psycopg.OperationalError:
        if connection.closed:
            return False
        raise
    return True
