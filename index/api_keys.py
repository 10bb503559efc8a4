"""Keys for machines: named, revocable, and known to the index by their hash alone."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import errors
from psycopg.rows import class_row

from index.database import Database
from index.errors import BadRequest, NotFound

PREFIX = "cmcp_"
RANDOM_BYTES = 32  # 43 characters

_SHAPE = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key. `account` is None for a service, which reads what the crawler reads.

    `account` is an account id, a user name or an e-mail address; which account that is, is looked
    up at each call.
    """

    id: int
    name: str
    account: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    is_valid: bool

    def summary(self) -> str:
        """One line for a terminal."""
        whose = "reads all that is indexed" if self.account is None else f"for {self.account}"
        if self.revoked_at is not None:
            state = f"revoked {self.revoked_at:%Y-%m-%d}"
        elif self.expires_at is not None:
            state = f"{'holds until' if self.is_valid else 'expired'} {self.expires_at:%Y-%m-%d}"
        else:
            state = "holds"
        return f"{self.name}: {whose}, made {self.created_at:%Y-%m-%d}, {state}"

    def to_json(self) -> dict[str, str | bool | None]:
        """Without its number, which means nothing outside."""
        return {
            "name": self.name,
            "account": self.account,
            "is_valid": self.is_valid,
            "created_at": self.created_at.isoformat(),
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
            "revoked_at": self.revoked_at.isoformat() if self.revoked_at else None,
        }


CREATE = """
INSERT INTO api_key (name, key_hash, account, expires_at)
VALUES (%(name)s, %(key_hash)s, %(account)s, now() + make_interval(days => %(days)s::int))
"""
REVOKE = "UPDATE api_key SET revoked_at = now() WHERE name = %(name)s AND revoked_at IS NULL"
EXISTS = "SELECT 1 FROM api_key WHERE name = %(name)s"
LIST = """
SELECT id, name, account, created_at, expires_at, revoked_at,
       revoked_at IS NULL AND coalesce(expires_at > now(), true) AS is_valid
FROM api_key ORDER BY name
"""
VALID = """
SELECT id, name, account, created_at, expires_at, revoked_at, true AS is_valid
FROM api_key
WHERE (key_hash = %(key_hash)s OR id = %(id)s)
  AND revoked_at IS NULL AND coalesce(expires_at > now(), true)
"""


class ApiKeys:
    """The keys of an index. Whoever only reads can find them, but neither make nor end them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str, account: str | None, *, days: int | None = None) -> str:
        """A new key, told this once. Raises BadRequest for a name that is taken or unfit."""
        if not _NAME.fullmatch(name):
            raise BadRequest(
                f"{name!r} cannot be the name of a key.\n"
                "Use up to 64 letters, digits, dots, hyphens and underscores."
            )
        key = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        values = {"name": name, "key_hash": _hash(key), "account": account, "days": days}
        try:
            async with self._database.pool.connection() as connection:
                await connection.execute(CREATE, values)
        except errors.UniqueViolation as error:
            raise BadRequest(
                f"There is a key named {name} already, or there was one: names are not used twice."
                "\nChoose another name; `confluence-mcp token list` shows those that are taken."
            ) from error
        return key

    async def list(self) -> Sequence[ApiKey]:
        """All keys by name, also those that no longer hold."""
        async with self._database.pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(ApiKey))
            return await (await cursor.execute(LIST)).fetchall()

    async def revoke(self, name: str) -> None:
        """Ends a key with the next call; one that ended before stays so. Raises NotFound."""
        async with self._database.pool.connection() as connection:
            await connection.execute(REVOKE, {"name": name})
            found = await (await connection.execute(EXISTS, {"name": name})).fetchone()
        if found is None:
            raise NotFound(
                f"There is no key named {name}.\n`confluence-mcp token list` shows all keys."
            )

    async def find(self, key: str) -> ApiKey | None:
        """What is known of a key; None unless it holds."""
        if not _SHAPE.fullmatch(key):
            return None
        return await self._valid({"key_hash": _hash(key), "id": None})

    async def still(self, key: ApiKey) -> ApiKey | None:
        """The same key as it is now; None when it no longer holds."""
        return await self._valid({"key_hash": None, "id": key.id})

    async def _valid(self, values: dict[str, bytes | int | None]) -> ApiKey | None:
        async with self._database.pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(ApiKey))
            return await (await cursor.execute(VALID, values)).fetchone()


def _hash(key: str) -> bytes:
    """The key is as random as its hash, so that nothing slower is needed."""
    return hashlib.sha256(key.encode()).digest()
