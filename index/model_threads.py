"""The threads of one in-process model: blocking work off the event loop, never on more cores."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def spare_cores() -> int:
    """Half of the cores, at most four: the database and the ingest need the others."""
    return max(1, min(4, (os.cpu_count() or 2) // 2))


class ModelThreads:
    """A fixed number of threads; work waits its turn in the order in which it came."""

    def __init__(self, name: str, count: int) -> None:
        self.count = count
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, work: Callable[[], Result]) -> Result:
        """What the work gives, done on one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def close(self) -> None:
        """Ends the threads once the work under way is done; what waits is dropped."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
