"""Writing who may read what: guards with their principals, groups, accounts.

Readers see a change with the next question: rows of pages and chunks need none, but where a node
becomes restricted or free, which `WorkList.place` brings to the pages below it.
"""

from collections.abc import Collection, Mapping
from typing import LiteralString

from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from index.database import Database
from index.language import clean
from index.nodes import ITEM_KINDS
from index.principals import Account, Principal
from index.work import LOCK_PLACES

# Principals that are the same keep their rows. `readers` is NULL where nobody could tell.
RECORD = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(guards)s) AS given (external_id text, readers text[])
),
recorded AS (
    INSERT INTO guard (site_id, kind, external_id, checked_at)
    SELECT %(site_id)s, %(kind)s, external_id,
           CASE WHEN readers IS NOT NULL THEN %(checked_at)s::timestamptz END
    FROM given
    ON CONFLICT (site_id, kind, external_id) DO UPDATE SET checked_at = excluded.checked_at
    RETURNING id, external_id
),
wanted AS (
    SELECT id AS guard_id, principal FROM recorded JOIN given USING (external_id),
           unnest(readers) AS principal
),
gone AS (
    DELETE FROM guard_principal AS old USING recorded
    WHERE old.guard_id = recorded.id
      AND NOT EXISTS (SELECT FROM wanted
                      WHERE wanted.guard_id = old.guard_id AND wanted.principal = old.principal)
)
INSERT INTO guard_principal (guard_id, principal) SELECT guard_id, principal FROM wanted
ON CONFLICT DO NOTHING
"""
MARK_NODES = """
UPDATE node SET restricted = given.restricted, restrictions_run = %(run_id)s
FROM jsonb_to_recordset(%(nodes)s) AS given (node_id text, restricted boolean)
WHERE node.site_id = %(site_id)s AND node.node_id = given.node_id
"""
# Nodes that were closed, to all or to some of those who are let in now.
OPENED = """
SELECT node.node_id, node.space_id
FROM jsonb_to_recordset(%(restrictions)s) AS given (node_id text, readers text[])
JOIN node ON node.site_id = %(site_id)s AND node.node_id = given.node_id
LEFT JOIN guard ON guard.site_id = node.site_id AND guard.kind = 'node'
     AND guard.external_id = node.node_id
WHERE restrictions_run > 0 AND restricted IS NOT false AND given.readers IS NOT NULL
  AND (restricted IS NULL OR given.readers = '{}' OR EXISTS (
       SELECT unnest(given.readers)
       EXCEPT SELECT principal FROM guard_principal WHERE guard_id = guard.id))
"""
PLACES = """
SELECT node_id, parent_id FROM node
WHERE space_id = %(space_id)s AND content_type <> ALL(%(item_kinds)s::text[])
"""
UNREAD = """
SELECT node_id, content_type FROM node
WHERE site_id = %(site_id)s AND space_id = ANY(%(space_ids)s::int[])
  AND content_type <> ALL(%(item_kinds)s::text[])
  AND (restricted IS NULL OR restrictions_run < %(before)s OR node_id = ANY(%(again)s::text[]))
ORDER BY node_id
"""
CLOSE_OTHER_SPACES = """
UPDATE guard SET checked_at = NULL
WHERE site_id = %(site_id)s AND kind = 'space' AND external_id <> ALL(%(keys)s::text[])
"""
IS_LIVE = """
SELECT EXISTS (
    SELECT FROM guard
    WHERE site_id = %(site_id)s AND kind = 'site' AND checked_at IS DISTINCT FROM 'infinity')
"""
NEVER_READ = """
SELECT node_id, content_type FROM node
WHERE site_id = %(site_id)s AND space_id = ANY(%(space_ids)s::int[])
  AND content_type <> ALL(%(item_kinds)s::text[]) AND restricted IS NULL AND restrictions_run = 0
"""
# Pages that a run saw with text that is not stored yet, their own or of what hangs on them, and all
# above them: text must not be shown by older restrictions than it may have been written under.
DUE = """
WITH RECURSIVE due AS (
    SELECT coalesce(item.parent_id, node.node_id) AS node_id
    FROM node
    LEFT JOIN node AS item ON item.site_id = node.site_id AND item.node_id = node.node_id
         AND item.content_type = ANY(%(item_kinds)s::text[])
    LEFT JOIN page ON page.site_id = node.site_id
         AND page.page_id = coalesce(item.parent_id, node.node_id)
    LEFT JOIN comment ON comment.page_ref = page.page_ref AND comment.comment_id = item.node_id
    LEFT JOIN attachment
         ON attachment.page_ref = page.page_ref AND attachment.attachment_id = item.node_id
    WHERE node.site_id = %(site_id)s AND node.space_id = ANY(%(space_ids)s::int[])
      AND node.seen_run = %(run_id)s
      AND node.version IS DISTINCT FROM CASE WHEN item.node_id IS NULL THEN page.version
          ELSE coalesce(comment.version, attachment.version) END
    UNION
    SELECT node.parent_id FROM due JOIN node USING (node_id) WHERE site_id = %(site_id)s
)
SELECT node_id FROM due WHERE node_id IS NOT NULL
"""
# What was asked for since then in vain is closed: the site answers otherwise.
CLOSE_UNANSWERED = """
UPDATE node SET restricted = NULL
WHERE space_id = %(space_id)s AND restricted IS NOT NULL
  AND restrictions_run < (SELECT min(id) FROM sync_run WHERE started_at > now() - interval '1 day')
"""
MARK_SPACE = """
UPDATE space SET restrictions_at = %(checked_at)s
WHERE id = %(space_id)s AND NOT EXISTS (
    SELECT FROM node
    WHERE node.space_id = space.id AND content_type <> ALL(%(item_kinds)s::text[])
      AND restricted IS NOT NULL AND restrictions_run < %(run_id)s)
"""
GROUPS = """
SELECT DISTINCT substr(principal, 7) FROM guard_principal JOIN guard ON guard.id = guard_id
WHERE site_id = %(site_id)s AND principal LIKE 'group:%%'
ORDER BY 1
"""
RECORD_GROUP = """
INSERT INTO account_group (site_id, group_id, checked_at)
VALUES (%(site_id)s, %(group_id)s, %(checked_at)s)
ON CONFLICT (site_id, group_id) DO UPDATE SET checked_at = excluded.checked_at
"""
LEAVE_GROUP = """
DELETE FROM membership
WHERE site_id = %(site_id)s AND group_id = %(group_id)s
  AND account_id <> ALL(%(members)s::text[])
"""
JOIN_GROUP = """
INSERT INTO membership (site_id, group_id, account_id)
SELECT %(site_id)s, %(group_id)s, unnest(%(members)s::text[]) ON CONFLICT DO NOTHING
"""
FORGET_GROUPS = """
DELETE FROM account_group WHERE site_id = %(site_id)s AND group_id <> ALL(%(group_ids)s::text[])
"""
ACCOUNTS = """
SELECT account_id FROM membership WHERE site_id = %(site_id)s
UNION
SELECT substr(principal, 6) FROM guard_principal JOIN guard ON guard.id = guard_id
WHERE site_id = %(site_id)s AND principal LIKE 'user:%%'
ORDER BY 1
"""
HAS_STRANGERS = """
SELECT EXISTS (
    SELECT FROM guard_principal JOIN guard ON guard.id = guard_id
    WHERE site_id = %(site_id)s
      AND CASE
          WHEN principal LIKE 'group:%%' THEN NOT EXISTS (
              SELECT FROM account_group WHERE account_group.site_id = guard.site_id
              AND group_id = substr(principal, 7))
          WHEN principal LIKE 'user:%%' THEN NOT EXISTS (
              SELECT FROM account WHERE account.site_id = guard.site_id
              AND account_id = substr(principal, 6))
          END)
"""
RECORD_ACCOUNTS = """
INSERT INTO account (site_id, account_id, username, email, is_active, classes, checked_at)
SELECT %(site_id)s, account_id, username, email, is_active, classes, %(checked_at)s
FROM jsonb_to_recordset(%(accounts)s) AS given (
    account_id text, username text, email text, is_active boolean, classes text[])
ON CONFLICT (site_id, account_id) DO UPDATE SET
    username = excluded.username, email = excluded.email, is_active = excluded.is_active,
    classes = excluded.classes, checked_at = excluded.checked_at
"""
FORGET_ACCOUNTS = """
DELETE FROM account
WHERE site_id = %(site_id)s AND account_id <> ALL(%(account_ids)s::text[])
"""
# Of nodes that are gone or free, and sets of guards that no page has any more.
FORGET_AUDIENCES = """
DELETE FROM audience
WHERE NOT EXISTS (SELECT FROM page WHERE page.audience_id = audience.id)
"""
FORGET_GUARDS = """
DELETE FROM guard
WHERE site_id = %(site_id)s
  AND CASE kind
      WHEN 'node' THEN NOT EXISTS (
          SELECT FROM node WHERE node.site_id = guard.site_id
          AND node_id = external_id AND restricted)
          AND NOT EXISTS (SELECT FROM audience_guard WHERE guard_id = guard.id)
      WHEN 'space' THEN NOT EXISTS (
          SELECT FROM space WHERE space.site_id = guard.site_id AND key = external_id)
      END
"""

Readers = frozenset[Principal] | None


class Guards:
    """Who may read what of one site. Readers of None could not be told: then nobody passes.

    What is recorded is believed until it is too old, or `for_ever`.
    """

    def __init__(self, database: Database, site_id: int, *, for_ever: bool = False) -> None:
        self._database = database
        self._site_id = site_id
        self._checked_at = "infinity" if for_ever else "now"

    def for_ever(self) -> "Guards":
        """The same for what does not change any more, as in an export."""
        return Guards(self._database, self._site_id, for_ever=True)

    async def record_site(self, readers: Readers) -> None:
        """Who may use the site at all."""
        await self._record("site", {"": readers})

    async def is_live(self) -> bool:
        """Whether the site was ever asked who may use it, other than by an export."""
        return (await self._rows(IS_LIVE))[0][0]

    async def record_space(self, space_key: str, readers: Readers) -> None:
        """Who may read a space."""
        await self._record("space", {space_key: readers})

    async def close_other_spaces(self, keys: Collection[str]) -> None:
        """Closes all spaces of the site but these, which are all that it shows."""
        await self._execute(CLOSE_OTHER_SPACES, keys=[clean(key) for key in keys])

    async def record_restrictions(self, run_id: int, restrictions: Mapping[str, Readers]) -> None:
        """Who alone may read nodes; nobody named: no restriction; None: not known, so closed."""
        await self._record("node", {key: who for key, who in restrictions.items() if who})
        nodes = [
            {"node_id": node_id, "restricted": None if readers is None else bool(readers)}
            for node_id, readers in restrictions.items()
        ]
        await self._execute(MARK_NODES, nodes=Jsonb(nodes), run_id=run_id)

    async def opened(self, restrictions: Mapping[str, Readers]) -> dict[str, int]:
        """Those of the nodes that these open to anybody to whom they were closed; by space."""
        rows = _texts("node_id", restrictions)
        found = await self._rows(OPENED, restrictions=Jsonb(rows))
        return {row[0]: row[1] for row in found}

    async def places(self, space_id: int) -> dict[str, str | None]:
        """What each node of a space hangs below."""
        return {row[0]: row[1] for row in await self._rows(PLACES, space_id=space_id)}

    async def unread(
        self, space_ids: Collection[int], *, before: int = 0, again: Collection[str] = ()
    ) -> dict[str, str]:
        """Nodes of these spaces whose restrictions are not known, or not since a run; by type.

        And the nodes named `again`.
        """
        rows = await self._rows(UNREAD, space_ids=list(space_ids), before=before, again=list(again))
        return {row[0]: row[1] for row in rows}

    async def never_read(self, space_ids: Collection[int]) -> dict[str, str]:
        """Nodes of these spaces of which no run told, at least not of what is stored; by type."""
        rows = await self._rows(NEVER_READ, space_ids=list(space_ids))
        return {row[0]: row[1] for row in rows}

    async def due(self, run_id: int, space_ids: Collection[int]) -> list[str]:
        """Pages that a run saw with new text, and all above them."""
        return [row[0] for row in await self._rows(DUE, space_ids=list(space_ids), run_id=run_id)]

    async def close_unanswered(self, space_id: int) -> None:
        """Closes nodes of a space whose restrictions no run could read for a day."""
        await self._execute(CLOSE_UNANSWERED, space_id=space_id)

    async def finish_space(self, run_id: int, space_id: int) -> None:
        """Records that a run has read the restrictions of all nodes of a space, if it has.

        Its pages must have been placed by them: until it is finished anew, a space is as old as it
        was. Nodes of which nothing is known do not count, for they are closed.
        """
        await self._execute(MARK_SPACE, space_id=space_id, run_id=run_id)

    async def has_strangers(self) -> bool:
        """Whether anything is granted to groups or accounts that were never asked for."""
        return (await self._rows(HAS_STRANGERS))[0][0]

    async def groups(self) -> list[str]:
        """The groups that anything is granted to."""
        return [row[0] for row in await self._rows(GROUPS)]

    async def record_group(self, group_id: str, members: Collection[str] | None) -> None:
        """Who is in a group; None where nobody could tell: then it lets nobody in."""
        values = {
            "site_id": self._site_id,
            "group_id": clean(group_id),
            "checked_at": None if members is None else self._checked_at,
            "members": [clean(member) for member in members or ()],
        }
        async with self._database.pool.connection() as connection, connection.pipeline():
            for query in (RECORD_GROUP, LEAVE_GROUP, JOIN_GROUP):
                await connection.execute(query, values)

    async def accounts(self) -> list[str]:
        """The accounts that anything is granted to, by themselves or in a group."""
        return [row[0] for row in await self._rows(ACCOUNTS)]

    async def record_accounts(self, accounts: Collection[Account]) -> None:
        """Brings accounts up to date."""
        rows = [
            {
                "account_id": clean(account.account_id),
                "username": account.username and clean(account.username),
                "email": account.email and clean(account.email),
                "is_active": account.is_active,
                "classes": sorted(account.classes),
            }
            for account in accounts
        ]
        await self._execute(RECORD_ACCOUNTS, accounts=Jsonb(rows))

    async def keep_groups(self, group_ids: Collection[str]) -> None:
        """Forgets all groups but these."""
        await self._execute(FORGET_GROUPS, group_ids=[clean(one) for one in group_ids])

    async def keep_accounts(self, account_ids: Collection[str]) -> None:
        """Forgets all accounts but these."""
        await self._execute(FORGET_ACCOUNTS, account_ids=[clean(one) for one in account_ids])

    async def tidy_up(self) -> None:
        """Forgets guards and audiences that nothing points to."""
        values = {"site_id": self._site_id}
        async with self._database.pool.connection() as connection:
            await connection.execute(LOCK_PLACES)
            await connection.execute(FORGET_AUDIENCES)
            await connection.execute(FORGET_GUARDS, values)

    async def _record(self, kind: str, guards: Mapping[str, Readers]) -> None:
        rows = _texts("external_id", guards)
        if rows:
            await self._execute(RECORD, kind=kind, guards=Jsonb(rows))

    async def _execute(self, query: LiteralString, **values: object) -> None:
        async with self._database.pool.connection() as connection:
            await connection.execute(query, self._of_site(values))

    async def _rows(self, query: LiteralString, **values: object) -> list[TupleRow]:
        async with self._database.pool.connection() as connection:
            return await (await connection.execute(query, self._of_site(values))).fetchall()

    def _of_site(self, values: Mapping[str, object]) -> Mapping[str, object]:
        return {
            "site_id": self._site_id,
            "checked_at": self._checked_at,
            "item_kinds": ITEM_KINDS,
            **values,
        }


def _texts(key: str, guards: Mapping[str, Readers]) -> list[dict[str, str | list[str] | None]]:
    """As SQL takes them: what is guarded, named `key`, and its `readers`."""
    return [
        {
            key: clean(name),
            "readers": None if readers is None else sorted(clean(str(one)) for one in readers),
        }
        for name, readers in guards.items()
    ]
