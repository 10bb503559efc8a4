"""Search as clients see it: the server in a process of its own, asked over MCP and HTTP."""

import asyncio
import json
import subprocess
import time
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import httpx
from mcp import Client

from benchmarks.asked import ask
from benchmarks.guarded_index import Scene, Someone
from benchmarks.loopback import Answer, Asked, served
from benchmarks.search_floor import Floor
from benchmarks.search_scene import AGE_S
from benchmarks.search_times import Summary, Times
from index.access import CRAWLER
from index.database import Database
from index.embedder_choice import open_embedder
from index.embeddings import Embedder
from index.search_statement import search_statement
from index.settings import IndexSettings
from tests.index.generated_index import Question
from tests.server.processes import SERVE, environment, http_options

CALLERS = (1, 8, 32)
SECONDS = 6.0  # for each number of callers
WARM_UP = 5

AskOnce = Callable[[Question], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class QuestionVectors:
    """Answers POST /v1/embeddings at once, with the vectors that questions were made with."""

    rendered: Mapping[str, str]

    def __call__(self, asked: Asked) -> Answer:
        """One question at a time, as the server asks."""
        (text,) = json.loads(asked.body)["input"]
        data = f'{{"object":"embedding","index":0,"embedding":{self.rendered[text]}}}'
        usage = '{"prompt_tokens":5,"total_tokens":5}'
        answer = f'{{"object":"list","model":"generated","data":[{data}],"usage":{usage}}}'
        return Answer(answer.encode(), 0)


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that answers as somebody, and an embedder as it has one."""

    url: str
    pid: int
    embedder: Embedder

    @asynccontextmanager
    async def caller(self) -> AsyncGenerator[AskOnce]:
        """Asks over a connection of its own; False where the server refuses."""
        async with Client(f"{self.url}/mcp") as client:

            async def once(question: Question) -> bool:
                arguments = {"query": question.words}
                return not (await client.call_tool("search_confluence", arguments)).is_error

            yield once


@asynccontextmanager
async def serving(
    home: Path, someone: Someone, questions: Sequence[Question]
) -> AsyncGenerator[Serving]:
    """The server over an index, which can embed these questions."""
    rendered = {question.words: json.dumps(question.vector.tolist()) for question in questions}
    with served(partial(QuestionVectors, rendered)) as endpoint:
        variables = {
            "CONFLUENCE_MCP_HOME": str(home),
            "OPENAI_BASE_URL": f"{endpoint}/v1",
            "OPENAI_API_KEY": "unused",
            "EMBEDDING_MODEL": "generated",
            "ACCESS_MAX_AGE_HOURS": str(AGE_S / 3600),
            "CONFLUENCE_MCP_USER": someone.name if someone.asker.is_limited else "",
        }
        with _process(variables) as (url, pid):
            await _ready(url)
            yield Serving(url, pid, await _embedder(variables))


@contextmanager
def _process(variables: Mapping[str, str]) -> Generator[tuple[str, int]]:
    """A server that starts on a free port, ended with the block."""
    options = http_options()
    with subprocess.Popen(
        [*SERVE, *options], env=environment(variables), stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield f"http://127.0.0.1:{options[-1]}", process.pid
        finally:
            process.terminate()


async def measure_calls(
    reader: Database, scene: Scene, floor: Floor, server: Serving, questions: Sequence[Question]
) -> dict[str, Summary]:
    """The floor, the statement, a whole call and an embedding in turn, each with its own question.

    Whatever asked a question first would fetch what the others find in memory.
    """
    statement = search_statement(scene.index.model)
    times = {name: Times() for name in ("floor", "statement", "call", "embedding")}
    count = len(questions) // len(times)
    async with server.caller() as call:
        for number in range(count):
            ours = questions[number::count]
            answer = await ask(reader, CRAWLER, statement, ours[1])
            found = {
                "floor": await floor.ask(reader, ours[0]),
                "statement": (answer.ms, answer.cpu_ms),
                "call": await _timed(call, ours[2]),
                "embedding": await _timed(partial(_embed, server.embedder), ours[3]),
            }
            if number >= WARM_UP:
                for name, (ms, cpu_ms) in found.items():
                    times[name].add(ms, cpu_ms)
    return {name: of_name.summary() for name, of_name in times.items()}


async def measure_rates(
    reader: Database, scene: Scene, server: Serving, questions: Sequence[Question]
) -> dict[str, Summary]:
    """Answers a second and how long they take, by SQL and by calls, for so many callers at once."""
    rates: dict[str, Summary] = {}
    statement = search_statement(scene.index.model)
    supply = cycle(questions)

    @asynccontextmanager
    async def by_sql() -> AsyncGenerator[AskOnce]:
        async def once(question: Question) -> bool:
            await ask(reader, CRAWLER, statement, question)
            return True

        yield once

    for callers in CALLERS:
        rates[f"SQL, {callers}"] = await _rate(by_sql, callers, supply)
        rates[f"MCP, {callers}"] = await _rate(server.caller, callers, supply)
    return rates


async def _rate(
    caller: Callable[[], AbstractAsyncContextManager[AskOnce]],
    callers: int,
    supply: Iterator[Question],
) -> Summary:
    times, refused = Times(), Times()
    connected = asyncio.Barrier(callers)

    async def ask_on() -> float:
        async with caller() as once:
            await connected.wait()
            began = started = time.perf_counter()
            while started < began + SECONDS:
                is_answered = await once(next(supply))
                ended = time.perf_counter()
                (times if is_answered else refused).add((ended - started) * 1000, 0)
                started = ended
            return started - began

    seconds = max(await asyncio.gather(*[ask_on() for _ in range(callers)]))
    told = {"per_second": len(times.ms) / seconds, "refused": len(refused.ms) / seconds}
    return told | times.summary()


async def _timed(
    once: Callable[[Question], Awaitable[object]], question: Question
) -> tuple[float, float]:
    started = time.perf_counter()
    assert await once(question)
    return (time.perf_counter() - started) * 1000, 0


async def _embed(embedder: Embedder, question: Question) -> bool:
    return len(await embedder.embed_query(question.words)) > 0


async def _embedder(variables: Mapping[str, str]) -> Embedder:
    settings = IndexSettings.model_validate(
        {name.lower(): value for name, value in variables.items() if value}
    )
    return await open_embedder(settings, "generated")


async def _ready(url: str) -> None:
    async with httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
