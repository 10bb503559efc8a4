"""Failures in words that help a model, or its person, to go on."""

import logging
import traceback

import psycopg
import psycopg_pool

from index.database_connection import first_line
from index.errors import ConfluenceMcpError

logger = logging.getLogger(__name__)

UNREACHABLE = (
    "The index cannot be reached right now: try again in a moment; if it lasts, ask the person who "
    "runs the server to look at its log."
)


def explained(error: Exception) -> str:
    """What a client is told of a failure; what it is not told goes to the log.

    The log has no text of an error that may repeat what was asked or what a page says.
    """
    match error:
        case ConfluenceMcpError():
            return str(error)
        case psycopg.errors.QueryCanceled():
            logger.warning("a statement was stopped: %s", error.diag.message_primary)
            return (
                "The index took too long to answer and the call was stopped: ask for less, with "
                "fewer words or with filters such as spaces, or try again later."
            )
        case psycopg.OperationalError() | psycopg_pool.PoolTimeout():
            logger.error("the index cannot be reached: %s", first_line(error))
            return UNREACHABLE
        case _:
            logger.error("a call failed\n%s", _way_to(error))
            return (
                "The server failed at this call: try other arguments; if it lasts, ask the person "
                "who runs the server to look at its log."
            )


def _way_to(error: BaseException) -> str:
    """A traceback that names the kinds of the errors only, the first of them first."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = "" if cause is None else _way_to(cause)
    frames = "".join(traceback.format_tb(error.__traceback__))
    kind = type(error)
    return f"{before}{frames}{kind.__module__}.{kind.__qualname__}\n"
