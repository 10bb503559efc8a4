"""A process that uses the embedded Postgres: says `ready`, then answers SQL from its stdin."""

import asyncio
import sys

import psycopg

from index.database import Database
from index.errors import ConfluenceMcpError
from index.settings import IndexSettings


async def main() -> None:
    """Ends when its stdin does; an error that keeps it from starting is its only output."""
    settings = IndexSettings.load()
    try:
        async with Database.open(settings, application_name="user") as database:
            print("ready", flush=True)
            while statement := await asyncio.to_thread(sys.stdin.readline):
                async with database.pool.connection() as connection:
                    answer = await _answer(connection, statement)
                print(answer, flush=True)
    except ConfluenceMcpError as error:
        print(f"{type(error).__name__}: {error}", flush=True)


async def _answer(connection: psycopg.AsyncConnection, statement: str) -> object:
    cursor = await connection.execute(statement.encode())
    row = await cursor.fetchone() if cursor.description else None
    return row[0] if row else None


if __name__ == "__main__":
    asyncio.run(main())
