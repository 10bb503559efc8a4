"""Work that goes on beside other work, and ends with it."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager

AGAIN = 5.0  # seconds that a task has to tidy up before it is told again


@asynccontextmanager
async def beside(work: Coroutine[object, object, None]) -> AsyncGenerator[None]:
    """Has work go on for the length of a `with`; raises what it failed with at the end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await ended(task)
        if not task.cancelled():
            task.result()


async def ended(*tasks: asyncio.Task[None], again: float = AGAIN) -> None:
    """Cancels tasks and waits until all have ended, whatever with.

    A task is told again after so many seconds: `asyncio.wait_for` of Python 3.11, with which the
    pool of psycopg waits, loses a cancellation that comes as its own wait ends
    (https://github.com/python/cpython/issues/86296), and a loop would go on for ever.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=again)
