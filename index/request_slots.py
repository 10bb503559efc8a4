"""The budget of requests to a site that all processes share: slots under a lease, and pauses."""

from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from index.database import Database


@dataclass(frozen=True, slots=True)
class Slot:
    """The answer to one who wants to send a request.

    `sent_at` is the database's time in seconds, or None when there is no slot; then none will be
    before `pause` seconds are over, and with a pause of 0 when another request ends.
    """

    sent_at: float | None
    pause: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What answers have told: how many were good, when a refused one was sent, how long to wait."""

    answers: int = 0
    refused_at: float = 0.0
    pause: float = 0.0

    def merged(self, later: "Outcome") -> "Outcome":
        """Both as one."""
        return Outcome(
            self.answers + later.answers,
            max(self.refused_at, later.refused_at),
            max(self.pause, later.pause),
        )


ADD_BUDGET = """
INSERT INTO request_budget (site_url, allowed) VALUES (%(site_url)s, %(first)s)
ON CONFLICT (site_url) DO NOTHING
"""


async def add_budget(database: Database, site_url: str, *, first: int) -> None:
    """Makes the budget of a site, with so many requests at once, unless it has one."""
    async with database.pool.connection() as connection:
        await connection.execute(ADD_BUDGET, {"site_url": site_url, "first": first})


# The lock comes in a statement of its own, so that the next one counts what was committed by all
# who had it before.
LOCK_BUDGET = """
SELECT NULL::float8 AS sent_at,
       greatest(0, extract(epoch FROM paused_until - clock_timestamp()))::float8 AS pause
FROM request_budget WHERE site_url = %(site_url)s
FOR UPDATE
"""
# Slots of dead holders go; who gives one back at this moment is not waited for.
TAKE_SLOT = """
WITH dead AS (
    DELETE FROM request_slot
    WHERE holder IN (
        SELECT holder FROM request_slot
        WHERE site_url = %(site_url)s AND leased_until < clock_timestamp()
        FOR UPDATE SKIP LOCKED)
)
INSERT INTO request_slot (holder, site_url, leased_until)
SELECT %(holder)s, site_url, clock_timestamp() + make_interval(secs => %(lease_s)s)
FROM request_budget
WHERE site_url = %(site_url)s AND paused_until <= clock_timestamp()
  AND least(allowed, %(most)s) > (
      SELECT count(*) FROM request_slot
      WHERE site_url = %(site_url)s AND leased_until >= clock_timestamp())
RETURNING extract(epoch FROM clock_timestamp())::float8 AS sent_at, 0::float8 AS pause
"""


async def take_slot(
    database: Database, site_url: str, holder: UUID, *, most: int, lease_s: float
) -> Slot | None:
    """A slot for `lease_s` seconds, or why there is none; None when the site has no budget.

    Never more than `most` have one, nor more than the budget allows.
    """
    values = {"site_url": site_url, "holder": holder, "most": most, "lease_s": lease_s}
    async with database.pool.connection() as connection, connection.pipeline():
        cursors = [connection.cursor(row_factory=class_row(Slot)) for _ in range(2)]
        await cursors[0].execute(LOCK_BUDGET, values)
        await cursors[1].execute(TAKE_SLOT, values)
        budget, slot = await cursors[0].fetchone(), await cursors[1].fetchone()
    return slot or budget


RENEW_SLOT = """
UPDATE request_slot SET leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE holder = %(holder)s
"""


async def renew_slot(database: Database, holder: UUID, *, lease_s: float) -> None:
    """Holds a slot for `lease_s` seconds from now."""
    async with database.pool.connection() as connection:
        await connection.execute(RENEW_SLOT, {"holder": holder, "lease_s": lease_s})


# A refusal halves, one time for all requests sent before the last halving.
GIVE_BACK = """
WITH freed AS (
    DELETE FROM request_slot WHERE holder = %(holder)s
)
UPDATE request_budget
SET allowed = CASE WHEN to_timestamp(%(refused_at)s) > slowed_at THEN greatest(1, allowed / 2)
                   WHEN answers + %(answers)s >= %(answers_to_grow)s
                   THEN least(allowed + 1, greatest(allowed, %(most)s))
                   ELSE allowed END,
    answers = CASE WHEN to_timestamp(%(refused_at)s) > slowed_at THEN 0
                   WHEN answers + %(answers)s >= %(answers_to_grow)s
                   THEN answers + %(answers)s - %(answers_to_grow)s
                   ELSE answers + %(answers)s END,
    slowed_at = CASE WHEN to_timestamp(%(refused_at)s) > slowed_at THEN clock_timestamp()
                     ELSE slowed_at END,
    paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => %(pause)s))
WHERE site_url = %(site_url)s
"""


async def give_back(
    database: Database,
    site_url: str,
    holder: UUID,
    outcome: Outcome,
    *,
    most: int,
    answers_to_grow: int,
) -> None:
    """Ends a request; what its answer and others have told holds for all from that moment."""
    values = {
        "site_url": site_url,
        "holder": holder,
        "answers": outcome.answers,
        "refused_at": outcome.refused_at,
        "pause": outcome.pause,
        "most": most,
        "answers_to_grow": answers_to_grow,
    }
    async with database.pool.connection() as connection:
        await connection.execute(GIVE_BACK, values)
