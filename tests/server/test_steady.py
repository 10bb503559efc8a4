"""Work for callers that may leave at any time."""

import asyncio
import gc

import pytest

from server.steady import cancelled_once

pytestmark = pytest.mark.anyio


async def test_work_that_fails_after_its_caller_has_left_is_no_error_of_the_program() -> None:
    begun, told = asyncio.Event(), list[str]()
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context["message"]))

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError("too many calls") from None

    async def leave() -> bool:
        caller = asyncio.create_task(cancelled_once(work()))
        await begun.wait()
        caller.cancel()
        await asyncio.wait([caller])
        return caller.cancelled()

    has_left = await leave()
    gc.collect()
    loop.set_exception_handler(before)

    assert has_left
    assert told == []
