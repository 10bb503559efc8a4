"""What the doctor says of one thing, and how long it waits for that."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

import psycopg
from mcp import MCPError

from index.errors import ConfluenceMcpError

KNOWN = (ConfluenceMcpError, psycopg.Error, MCPError)
SHOWN = 10  # names in a line


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: fine, or what is wrong and what to do."""

    about: str
    is_fine: bool
    text: str


async def bounded(about: str, seconds: float, work: Awaitable[list[Finding]]) -> list[Finding]:
    """What was found; one finding that is wrong where it failed or took too long."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        text = f"no end within {seconds:.0f} s: something on the way is slow or silent"
        return [Finding(about, False, text)]
    except KNOWN as error:
        return [Finding(about, False, str(error).strip())]
    except ExceptionGroup as group:  # of the tasks of an MCP session
        if (known := group.subgroup(KNOWN)) is None:
            raise
        return [Finding(about, False, str(_first(known)).strip())]


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def ahead(told: float, before: float, after: float) -> float:
    """By how many seconds this clock is ahead of one that told its time between two looks at it.

    0 where the wait for the answer explains it.
    """
    return max(0.0, before - told) - max(0.0, told - after)


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
