"""Clients of MCP that ask a server over HTTP, in a process of their own, and tell what they got.

They are those of the official library, with its checks of results and its way to fail, since that
is what people have; the process tells what it costs.
"""

import asyncio
import hashlib
import random
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Literal

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from benchmarks.load_wiki import MARK, Known
from server.results import AnswerResult, PageContent, SearchResults

Outcome = Literal["ok", "refused", "error"]

PATIENCE = 60.0  # seconds until a call is taken to hang
TOLD_EVERY = 0.5  # seconds
SEARCH, READ, ANSWER = "search_confluence", "get_page", "answer_question"
CONNECT = "(connecting)"
TOOLS, SHARES = (SEARCH, READ, ANSWER), (60, 30, 10)
FULL = ("The server is busy", "Too many")  # how the refusals of a server begin
OLDER = 4  # each such client speaks the older protocol

_MARKS = re.compile(rf"\b{MARK}[a-z]{{10}}\b")
_SAID = re.compile(r"Error executing tool \w+: ")


@dataclass(frozen=True, slots=True)
class Shown:
    """A page that an answer shows: which version, and the words that are on one page only."""

    page_id: str
    version: int
    marks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Call:
    """A call as its client saw it; times are those of the machine's monotonic clock."""

    person: str
    tool: str
    wanted: Known
    began: float
    ended: float
    outcome: Outcome
    said: str = ""
    shown: tuple[Shown, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """When the clients begin."""

    at: float


@dataclass(frozen=True, slots=True)
class Done:
    """All calls have been told; the clients kept a processor busy for so many seconds."""

    busy_s: float


@dataclass(frozen=True, slots=True)
class Orders:
    """What the clients are to do: `keys` has the person and the key of each of them."""

    url: str
    keys: Sequence[tuple[str, str]]
    pages: Sequence[Known]
    think_s: float
    seconds: float


@dataclass(slots=True)
class _Got:
    """What came back of a call."""

    shown: list[Shown] = field(default_factory=list[Shown])
    digest: str = ""


class Refused(Exception):
    """A call that was answered with an error."""


def run_clients(orders: Orders, told: Connection) -> None:
    """Asks until the time is over; tells when it begins, then calls, then that it is done."""
    asyncio.run(_ask_all(orders, told))


async def _ask_all(orders: Orders, told: Connection) -> None:
    calls: list[Call] = []
    began = time.monotonic()
    ends = began + orders.seconds
    told.send(Begun(began))

    async def tell() -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY)
            told.send(calls[:])
            calls.clear()

    telling = asyncio.create_task(tell())
    await asyncio.gather(
        *(_ask_on(orders, number, ends, calls.append) for number in range(len(orders.keys)))
    )
    telling.cancel()
    told.send(calls)
    told.send(Done(time.process_time()))


async def _ask_on(orders: Orders, number: int, ends: float, note: Callable[[Call], None]) -> None:
    """One person at one client, who thinks in between; a client that broke is opened anew."""
    dice = random.Random(number)
    person, key = orders.keys[number]
    await asyncio.sleep(dice.random() * min(orders.think_s, orders.seconds / 4))
    while (began := time.monotonic()) < ends:
        try:
            async with _client(orders.url, key, is_older=number % OLDER == 0) as client:
                while (began := time.monotonic()) < ends:
                    tool, wanted = dice.choices(TOOLS, SHARES)[0], dice.choice(orders.pages)
                    note(call := await _one_call(client, person, tool, wanted))
                    if call.outcome == "error" and not call.said.startswith("The "):
                        break
                    await asyncio.sleep(dice.expovariate(1 / orders.think_s))
        except Exception as error:
            said, now = f"connecting: {_told(error)}", time.monotonic()
            note(Call(person, CONNECT, orders.pages[0], began, now, "error", said))
        await asyncio.sleep(dice.expovariate(1 / orders.think_s))


@asynccontextmanager
async def _client(url: str, key: str, *, is_older: bool) -> AsyncGenerator[Client]:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        mode = "legacy" if is_older else "auto"
        async with Client(transport, mode=mode, read_timeout_seconds=PATIENCE) as client:
            yield client


async def _one_call(client: Client, person: str, tool: str, wanted: Known) -> Call:
    ways: dict[str, Callable[[], Awaitable[_Got]]] = {
        SEARCH: lambda: _search(client, wanted),
        READ: lambda: _read(client, wanted),
        ANSWER: lambda: _answer(client, wanted),
    }
    got, outcome, said = _Got(), "ok", ""
    began = time.monotonic()
    try:
        got = await ways[tool]()
    except Refused as error:
        said = str(error)
        outcome = "refused" if said.startswith(FULL) else "error"
    except (MCPError, httpx2.HTTPError, OSError) as error:
        outcome, said = "error", _told(error)
    ended = time.monotonic()
    return Call(person, tool, wanted, began, ended, outcome, said, tuple(got.shown), got.digest)


async def _search(client: Client, wanted: Known) -> _Got:
    result = await _asked(client, SEARCH, query=f"the plan {wanted.word}")
    found = SearchResults.model_validate(result.structured_content)
    return _Got([_shown(hit.page_id, hit.version, hit.excerpt) for hit in found.results])


async def _read(client: Client, wanted: Known) -> _Got:
    result = await _asked(client, READ, page=wanted.page_id)
    page = PageContent.model_validate(result.structured_content)
    return _Got([_shown(page.page_id, page.version, page.markdown)], digest_of(page.markdown))


async def _answer(client: Client, wanted: Known) -> _Got:
    result = await _asked(client, ANSWER, question=f"When was the plan {wanted.word} agreed on?")
    answer = AnswerResult.model_validate(result.structured_content)
    return _Got([_shown(one.page_id, one.version, one.quote) for one in answer.citations])


async def _asked(client: Client, tool: str, **arguments: str) -> CallToolResult:
    result = await client.call_tool(tool, dict(arguments))
    if result.is_error:
        raise Refused(_SAID.sub("", " ".join(_texts(result))))
    return result


def _texts(result: CallToolResult) -> Iterable[str]:
    return (part.text for part in result.content if isinstance(part, TextContent))


def _shown(page_id: str, version: int, text: str) -> Shown:
    return Shown(page_id, version, frozenset(_MARKS.findall(text)))


def digest_of(markdown: str) -> str:
    """By which the text of a page is compared."""
    return hashlib.sha256(markdown.strip().encode()).hexdigest()


def _told(error: BaseException) -> str:
    """The first error of a group, in a line."""
    parts: Sequence[BaseException] = getattr(error, "exceptions", ())
    return _told(parts[0]) if parts else f"{type(error).__name__}: {str(error)[:200]}"
