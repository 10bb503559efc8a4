"""The event loop that everything runs in: one in which Postgres can be asked."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import TypeVar

Result = TypeVar("Result")


def run(work: Coroutine[object, object, Result]) -> Result:
    """Runs to the end, as `asyncio.run` does; on Windows not in its loop, which psycopg refuses."""
    factory = asyncio.SelectorEventLoop if sys.platform == "win32" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)
