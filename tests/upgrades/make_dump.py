"""Writes the dump of this version's index, at each release and never again.

    uv run --group dev python -m tests.upgrades.make_dump

It makes dumps/VERSION.sql, plain SQL that the owner of an empty database runs.
"""

import asyncio
import subprocess
import tempfile
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from index.api_keys import ApiKeys
from index.database import Database
from index.embedded_postgres import EmbeddedPostgres
from index.postgres_files import Layout, installation
from index.queue_schema import make_queue
from tests.server.wiki import take_in
from tests.upgrades.sample import KEYS, settings_for, small_vectors, wiki

DUMPS = Path(__file__).parent / "dumps"
# Statements that psycopg can run: rows as INSERT, and nothing that only psql knows.
OPTIONS = ("--no-owner", "--no-comments", "--inserts", "--rows-per-insert=200")
OF_PSQL = ("\\restrict", "\\unrestrict")


async def dump_text(home: Path) -> str:
    """The dump of a new index of the sample, made by the embedded Postgres in a folder."""
    async with EmbeddedPostgres.open(home) as postgres:
        conninfo = await postgres.conninfo()
        with ExitStack() as stack:
            settings = settings_for(conninfo, stack.enter_context(small_vectors()))
            await take_in(settings, wiki())
            async with Database.open(settings, application_name="dump") as database:
                await make_queue(database)
                for name, account in KEYS.items():
                    await ApiKeys(database).create(name, account)
        return await asyncio.to_thread(_dumped, conninfo)


def _dumped(conninfo: str) -> str:
    programs = installation(Layout(Path()), None)
    done = subprocess.run(
        [programs / "pg_dump", *OPTIONS, conninfo], capture_output=True, text=True, check=True
    )
    return "".join(
        line for line in done.stdout.splitlines(keepends=True) if not line.startswith(OF_PSQL)
    )


def main() -> None:
    """Writes the file, unless this version has one."""
    file = DUMPS / f"{version('confluence-mcp')}.sql"
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        text = asyncio.run(dump_text(Path(name)))
    with file.open("x", encoding="utf-8") as opened:
        opened.write(text)
    print(f"{file}: {len(text):,} characters")


if __name__ == "__main__":
    main()
