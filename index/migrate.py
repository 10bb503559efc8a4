"""Brings the schema of a database up to date with the numbered files in `index/migrations`."""

import hashlib
import logging
from dataclasses import dataclass
from importlib.resources import files

import psycopg

from index.errors import DatabaseError

logger = logging.getLogger(__name__)

# Any number will do, so long as every version of this program takes the same.
_LOCK = "SELECT pg_advisory_xact_lock(7_265_308_114_001)"
_MAKE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migration (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_HAS_TABLE = "SELECT to_regclass('schema_migration') IS NOT NULL"
_APPLIED = "SELECT name, checksum FROM schema_migration"
_REMEMBER = "INSERT INTO schema_migration (name, checksum) VALUES (%(name)s, %(checksum)s)"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file; its checksum does not depend on the kind of line ends."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """The files that this program brings, in the order in which they are applied."""
    folder = files("index") / "migrations"
    found = (file for file in folder.iterdir() if file.name.endswith(".sql"))
    texts = (Migration(file.name, file.read_text(encoding="utf-8")) for file in found)
    return tuple(sorted(texts, key=lambda migration: migration.name))


async def pending(
    connection: psycopg.AsyncConnection, known: tuple[Migration, ...]
) -> tuple[Migration, ...]:
    """Those of `known` that the database lacks.

    Raises DatabaseError when it holds one that is not known, or that was another text.
    """
    found = await (await connection.execute(_HAS_TABLE)).fetchone()
    if found != (True,):
        return known
    applied: dict[str, str] = dict(await (await connection.execute(_APPLIED)).fetchall())
    _refuse_strangers(applied, known)
    return tuple(migration for migration in known if migration.name not in applied)


def _refuse_strangers(applied: dict[str, str], known: tuple[Migration, ...]) -> None:
    checksums = {migration.name: migration.checksum for migration in known}
    if newer := sorted(applied.keys() - checksums.keys()):
        raise DatabaseError(
            f"The index was made by a newer confluence-mcp: this one does not know {newer[-1]}.\n"
            "Upgrade confluence-mcp, or set POSTGRES_URL to another database."
        )
    if changed := sorted(name for name, text in applied.items() if checksums[name] != text):
        raise DatabaseError(
            f"The migration {changed[0]} is not the one that this database was made with.\n"
            "Install a released confluence-mcp, or ingest into a new database."
        )


async def migrate(
    connection: psycopg.AsyncConnection, known: tuple[Migration, ...]
) -> tuple[Migration, ...]:
    """Applies what is pending, each file in its own transaction; gives what it applied.

    Safe when several processes start at once: one applies a file, the others find it applied.
    `connection` must be in autocommit mode.
    """
    applied: list[Migration] = []
    for migration in await pending(connection, known):
        async with connection.transaction():
            await connection.execute(_LOCK)
            await connection.execute(_MAKE_TABLE)
            if migration not in await pending(connection, known):
                continue
            await connection.execute(migration.sql.encode())
            await connection.execute(
                _REMEMBER, {"name": migration.name, "checksum": migration.checksum}
            )
        applied.append(migration)
        logger.info("schema migrated name=%s", migration.name)
    return tuple(applied)
