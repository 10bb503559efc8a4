"""A process that reads a site at the pace shared through Postgres; started by tests.

`python -m tests.ingest.pace_worker BASE_URL REQUESTS LEASE_S`, with POSTGRES_URL. With 0 requests
it takes every slot, says so, and holds them until it is killed.
"""

import asyncio
import sys
from contextlib import AsyncExitStack

import httpx

from index.database import Database
from index.settings import IndexSettings
from ingest.shared_pace import SharedPace
from ingest.sources.http import SiteClient, WireModel
from ingest.sources.pace import FIRST_CONCURRENCY


async def main(base_url: str, requests: int, lease_s: float) -> None:
    """Reads, or holds what it can get."""
    async with Database.open(IndexSettings.load(), application_name="worker") as database:
        pace = SharedPace(database, base_url, lease_s=lease_s)
        if not requests:
            await _hold(pace)
        async with httpx.AsyncClient(trust_env=False) as http:
            client = SiteClient(http, base_url, auth=None, pace=pace)
            await asyncio.gather(*(client.get("/page", WireModel) for _ in range(requests)))


async def _hold(pace: SharedPace) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(FIRST_CONCURRENCY):
            await stack.enter_async_context(pace.turn())
        print("holds all", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
