"""Failures in words that help a model, or its person, to go on."""

import logging

import psycopg
import psycopg_pool

from index.errors import ConfluenceMcpError

logger = logging.getLogger(__name__)


def explained(error: Exception) -> str:
    """What a client is told of a failure; what it is not told goes to the log."""
    match error:
        case ConfluenceMcpError():
            return str(error)
        case psycopg.errors.QueryCanceled():
            logger.warning("a statement was stopped: %s", error)
            return (
                "The index took too long to answer and the call was stopped: ask for less, with "
                "fewer words or with filters such as spaces, or try again later."
            )
        case psycopg.OperationalError() | psycopg_pool.PoolTimeout():
            logger.error("the index cannot be reached", exc_info=error)
            return (
                "The index cannot be reached right now: try again in a moment; if it lasts, ask "
                "the person who runs the server to look at its log."
            )
        case _:
            logger.error("a call failed", exc_info=error)
            return (
                "The server failed at this call: try other arguments; if it lasts, ask the person "
                "who runs the server to look at its log."
            )
