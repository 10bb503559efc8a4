"""Work that goes on beside other work."""

import asyncio

import pytest

from index.background import beside, ended

pytestmark = pytest.mark.anyio


async def test_work_ends_with_what_it_goes_on_beside() -> None:
    is_running = asyncio.Event()

    async def work() -> None:
        is_running.set()
        try:
            await asyncio.Event().wait()
        finally:
            is_running.clear()

    async with beside(work()):
        await is_running.wait()

    assert not is_running.is_set()


async def test_a_task_that_loses_its_cancellation_is_told_again() -> None:
    told = 0

    async def deaf() -> None:
        nonlocal told
        while told < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told += 1

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)

    await ended(task, again=0.01)

    assert (task.done(), told) == (True, 3)


async def test_what_work_failed_with_is_raised_at_the_end() -> None:
    async def work() -> None:
        raise ValueError("not so")

    with pytest.raises(ValueError, match="not so"):
        async with beside(work()):
            await asyncio.sleep(0)
