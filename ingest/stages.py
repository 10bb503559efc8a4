"""Stages that all work at once, with little room between them: none runs far ahead of the next."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final, TypeVar

from index.background import ended

Item = TypeVar("Item")
Result = TypeVar("Result")


class _End:
    """Stands behind the last result."""


_END: Final = _End()


async def flowing(
    items: AsyncGenerator[Item],
    work: Callable[[Item], Awaitable[Result]],
    *,
    workers: int,
    room: int,
) -> AsyncGenerator[Result]:
    """What `work` makes of the items, as it is done, `workers` at a time.

    At most `room` results wait to be taken. When `items` fail, what came before is worked through
    before the error is raised; an error of `work` ends all at once. Closing the generator stops the
    work and closes `items`.
    """
    results: asyncio.Queue[Result | _End] = asyncio.Queue(room)
    turn = asyncio.Lock()
    failures: list[BaseException] = []

    async def work_through() -> None:
        while True:
            async with turn:
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
                except Exception as error:  # raised again, after what came before it
                    failures.append(error)
                    return
            await results.put(await work(item))

    async def work_through_all() -> None:
        async with aclosing(items):
            tasks = [asyncio.create_task(work_through()) for _ in range(workers)]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            finally:
                await ended(*tasks)
        failures[:0] = [
            error for task in done if not task.cancelled() and (error := task.exception())
        ]
        await results.put(_END)

    working = asyncio.create_task(work_through_all())
    try:
        while not isinstance(result := await results.get(), _End):
            yield result
        await working
        if failures:
            raise failures[0] from failures[0].__cause__
    finally:
        await ended(working)


async def batches(
    items: AsyncGenerator[Item], size: Callable[[Item], int], *, most: int, largest: int
) -> AsyncGenerator[Sequence[Item]]:
    """The items in batches of at most `most`, cut earlier when `size` adds up to `largest`.

    When `items` fail, what came before is given before the error is raised.
    """
    batch: list[Item] = []
    total = 0
    failure: Exception | None = None
    async with aclosing(items):
        try:
            async for item in items:
                batch.append(item)
                total += size(item)
                if len(batch) == most or total >= largest:
                    yield batch
                    batch, total = [], 0
        except Exception as error:  # raised again, after what came before it
            failure = error
    if batch:
        yield batch
    if failure:
        raise failure
