"""A standby of Postgres that is read in place of the primary, as long as it keeps up."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass

import psycopg
from psycopg.rows import class_row
from psycopg_pool import PoolTimeout

from index.background import beside
from index.connection_pool import Connection, Conninfo, NoneFree, Pool, Statement
from index.database_connection import connect, problem
from index.errors import ConfluenceMcpError

logger = logging.getLogger(__name__)

INTERVAL = 1.0  # seconds between two looks, or a quarter of the lag that is allowed
PATIENCE = 5.0  # seconds for a look
MOST_MARKS = 1_000
REPLICA_WAIT = 2.0  # seconds for a connection to a replica, before the primary is asked

# Set where the replica has broken off a transaction that is tried once more.
primary_only: ContextVar[bool] = ContextVar("primary_only", default=False)

WRITTEN = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
REPLAYED = """
SELECT pg_is_in_recovery() AS is_standby,
       coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), 0)::bigint AS position,
       coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0)::float8 AS age_s
"""
IDENTITY = "SELECT system_identifier, current_database()::text FROM pg_control_system()"


@dataclass(frozen=True, slots=True)
class Replayed:
    """How far a standby has come, and how old the last transaction is that it replayed."""

    is_standby: bool
    position: int
    age_s: float


class Replica:
    """Whether a replica may be asked: only one that surely lacks nothing older than `max_lag_s`.

    Access changes travel with the pages, so that what lags shows what was closed since. Hence the
    primary is asked how far it has written, and the replica how far it has come; one of which
    either is not known counts as lagging.
    """

    def __init__(
        self, url: str, max_lag_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.max_lag_s = max_lag_s
        self._url = url
        self._clock = clock
        self._marks: deque[tuple[int, float]] = deque(maxlen=MOST_MARKS)
        self._has_all_until = -math.inf
        self._is_said_to_lag: bool | None = None

    async def source(self) -> str:
        """How to connect to it."""
        return self._url

    @property
    def lag_s(self) -> float:
        """The age, in seconds, of the oldest change that it may lack; infinite when not known."""
        return self._clock() - self._has_all_until

    @property
    def is_current(self) -> bool:
        """Whether it may be asked."""
        return self.lag_s <= self.max_lag_s

    def mistrust(self) -> None:
        """Has it not be asked before the next look."""
        self._has_all_until = -math.inf

    @asynccontextmanager
    async def watched(self, primary: Conninfo) -> AsyncGenerator[None]:
        """Looks at both for the length of a `with`."""
        async with beside(self._watch(primary)):
            yield

    async def _watch(self, primary: Conninfo) -> None:
        pause = min(INTERVAL, self.max_lag_s / 4)
        while True:
            reason = ""
            try:
                async with await _connected(primary) as here, await _connected(self.source) as it:
                    await _check_kinship(here, it)
                    while True:
                        async with asyncio.timeout(PATIENCE):
                            await self._look(here, it)
                        self._say("")
                        await asyncio.sleep(pause)
            except TimeoutError:
                reason = f"no answer within {PATIENCE:.0f} s"
            except (psycopg.Error, ConfluenceMcpError) as error:
                reason = str(error).strip().partition("\n")[0]
            self._marks.clear()
            self._say(reason)
            await asyncio.sleep(pause)

    async def _look(self, primary: psycopg.AsyncConnection, it: psycopg.AsyncConnection) -> None:
        asked_at = self._clock()
        written = await _written(primary)
        replayed = await _replayed(it)
        if self._marks and self._marks[-1][0] == written:
            self._marks.pop()
        self._marks.append((written, asked_at))
        while self._marks and self._marks[0][0] <= replayed.position:
            self._has_all_until = self._marks.popleft()[1]

    def _say(self, reason: str) -> None:
        if self._is_said_to_lag is (not self.is_current):
            return
        self._is_said_to_lag = not self.is_current
        if self.is_current:
            logger.info("the replica is asked lag_s=%.1f", self.lag_s)
        else:
            reason = reason or f"it lags by more than {self.max_lag_s:.0f} s"
            logger.warning("the replica is not asked, but the primary: %s", reason)


class ReplicatedPool:
    """Transactions on the replica while it may be asked, else on the primary."""

    def __init__(self, primary: Pool, second: Pool, replica: Replica) -> None:
        self._primary = primary
        self._second = second
        self._replica = replica
        self.timeout = primary.timeout

    @property
    def is_exhausted(self) -> bool:
        """Whether all connections to the server that is asked now are in use."""
        return (self._second if self._replica.is_current else self._primary).is_exhausted

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as the pool of psycopg_pool calls it
        *,
        first: Sequence[Statement] = (),
    ) -> AsyncGenerator[Connection]:
        """A transaction that only reads."""
        limit = self.timeout if timeout is None else timeout
        async with AsyncExitStack() as stack:
            yield await self._entered(stack, limit, first)

    async def close(self) -> None:
        """Ends all connections."""
        await self._second.close()
        await self._primary.close()

    async def _entered(
        self, stack: AsyncExitStack, limit: float, first: Sequence[Statement]
    ) -> Connection:
        if self._replica.is_current and not primary_only.get():
            patience = min(limit, REPLICA_WAIT)
            try:
                return await stack.enter_async_context(
                    self._second.connection(patience, first=first)
                )
            except NoneFree:
                raise
            except PoolTimeout:
                self._replica.mistrust()
            except psycopg.OperationalError as error:
                logger.info("the replica broke a transaction off: %s", type(error).__name__)
        return await stack.enter_async_context(self._primary.connection(limit, first=first))


async def _connected(source: Conninfo) -> psycopg.AsyncConnection:
    async with asyncio.timeout(PATIENCE):
        return await connect(await source())


async def _check_kinship(
    primary: psycopg.AsyncConnection, replica: psycopg.AsyncConnection
) -> None:
    ours = await (await primary.execute(IDENTITY)).fetchone()
    theirs = await (await replica.execute(IDENTITY)).fetchone()
    if ours != theirs:
        raise problem(
            "POSTGRES_REPLICA_URL leads to another database than the one of POSTGRES_URL.",
            "Set it to a streaming standby of that Postgres, and to the same database.",
        )


async def _written(primary: psycopg.AsyncConnection) -> int:
    row = await (await primary.execute(WRITTEN)).fetchone()
    return int(row[0]) if row else 0


async def _replayed(replica: psycopg.AsyncConnection) -> Replayed:
    async with replica.cursor(row_factory=class_row(Replayed)) as cursor:
        (found,) = await (await cursor.execute(REPLAYED)).fetchall()
    if not found.is_standby:
        raise problem(
            "POSTGRES_REPLICA_URL leads to a Postgres that is no standby (any more).",
            "Set it to a streaming standby of the Postgres of POSTGRES_URL.",
        )
    return found


@dataclass(frozen=True, slots=True)
class ReplicaLag:
    """How far a replica is behind now; `problem` is why that cannot be told."""

    problem: str | None
    bytes: int = 0
    seconds: float = 0.0

    def summary(self) -> str:
        """One line for a terminal."""
        if self.problem is not None:
            return f"Replica: {self.problem}"
        if not self.bytes:
            return "Replica: has all that is written"
        return f"Replica: {self.bytes:,} bytes behind, about {self.seconds:,.0f} s"

    def to_json(self) -> dict[str, str | float | None]:
        """The same for a program."""
        return asdict(self)


async def read_lag(primary: Conninfo, replica: Replica) -> ReplicaLag:
    """Compares the two once."""
    try:
        async with await _connected(primary) as here, await _connected(replica.source) as there:
            await _check_kinship(here, there)
            written = await _written(here)
            replayed = await _replayed(there)
    except TimeoutError:
        return ReplicaLag(f"no answer within {PATIENCE:.0f} s")
    except (psycopg.Error, ConfluenceMcpError) as error:
        return ReplicaLag(str(error).strip().partition("\n")[0])
    behind = max(0, written - replayed.position)
    return ReplicaLag(None, behind, replayed.age_s if behind else 0.0)
