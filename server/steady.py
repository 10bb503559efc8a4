"""Reading that outlives what breaks under it: what was cut off is asked once more."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import wraps
from types import CoroutineType
from typing import ParamSpec, TypeVar

import anyio
import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from index.catalogue import Catalogue
from index.pages import Pages
from index.replica import primary_only
from index.search import Searcher

logger = logging.getLogger(__name__)

P = ParamSpec("P")
Result = TypeVar("Result")

# A restart of Postgres; on a replica, what the primary did to rows that were being read.
_CUT_OFF = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.AdminShutdown,
    errors.CrashShutdown,
)


def asked_twice(
    read: Callable[P, Coroutine[object, object, Result]],
) -> "Callable[P, CoroutineType[object, object, Result]]":
    """The same, tried once more, on the primary, where the first try was cut off."""

    @wraps(read)
    async def steady(*args: P.args, **kwargs: P.kwargs) -> Result:
        try:
            return await read(*args, **kwargs)
        except psycopg.OperationalError as error:
            if not _was_cut_off(error):
                raise
            logger.info("asked once more after: %s", type(error).__name__)
        token = primary_only.set(True)
        try:
            return await read(*args, **kwargs)
        finally:
            primary_only.reset(token)

    return steady


def _was_cut_off(error: psycopg.OperationalError) -> bool:
    # A connection that ends without a word gives an error without a code.
    is_lost = error.sqlstate is None and not isinstance(error, PoolTimeout)
    return is_lost or isinstance(error, _CUT_OFF)


class SteadySearcher(Searcher):
    """Searches of a server."""

    search = asked_twice(Searcher.search)


class SteadyPages(Pages):
    """Pages of a server."""

    page = asked_twice(Pages.page)
    attachment = asked_twice(Pages.attachment)
    pages_of_title = asked_twice(Pages.pages_of_title)
    shown = asked_twice(Pages.shown)
    around = asked_twice(Pages.around)


class SteadyCatalogue(Catalogue):
    """Lists of a server."""

    spaces = asked_twice(Catalogue.spaces)
    spaces_of_text = asked_twice(Catalogue.spaces_of_text)
    space = asked_twice(Catalogue.space)
    contents = asked_twice(Catalogue.contents)
    changed = asked_twice(Catalogue.changed)
    titles = asked_twice(Catalogue.titles)


async def cancelled_once(work: Coroutine[object, object, Result]) -> Result:
    """What the work gives; a cancellation reaches it once, and its end is waited for.

    The cancel scopes of anyio cancel again and again, also whatever tidies up: a statement would
    then go on in Postgres, and its connection be lost.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody is left to be told; asyncio would log that nobody looked
        raise
