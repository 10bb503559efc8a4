"""A server under load while an ingest runs, the wiki changes, and the database goes away and back.

    uv run --group dev python -m benchmarks.load [--clients 200] [--minutes 10] [--think 8]
        [--chaos restart,...] [--gap 8] [--pages 240] [--json FILE] [--keep-log FILE]

Clients of MCP, each with a key of one of five people, search for words that stand on one page only,
read pages and ask questions. Every answer is held against the wiki: who may see the page, which
version there was, what it says. Each case of `--chaos` disturbs for `--gap` seconds, at equal
distances. Everything runs here, on loopback: a Postgres of its own, `confluence-mcp serve`, one
`confluence-mcp ingest` after the other, and a simulated Confluence. It ends by itself.
"""

import argparse
import asyncio
import json
import os
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from pydantic import SecretStr

from benchmarks.load_calls import Begun, Call, Done, Orders, run_clients
from benchmarks.load_chaos import CASES, Machines, disturb
from benchmarks.load_check import Checker
from benchmarks.load_embeddings import MODEL, MoodyEmbeddings
from benchmarks.load_machines import LoadedIngest, LoadedPostgres, served
from benchmarks.load_report import Run, Sample, show
from benchmarks.load_wiki import PEOPLE, Wiki
from benchmarks.loopback import SPAWN
from benchmarks.loopback import served as endpoint_served
from index.api_keys import ApiKeys
from index.database import Database
from index.settings import IndexSettings
from tests.command import Command
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.server import serve

SAMPLED_EVERY, CHANGED_EVERY, REST = 2.0, 1.0, 2.0  # seconds; the last between two runs
WARM_UP = 0.25  # of the time
CALM = 6.0  # seconds after the last call until what is still held is looked at
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Load:
    """A run under load as it goes."""

    options: argparse.Namespace
    wiki: Wiki
    machines: Machines
    checker: Checker
    run: Run
    _begun: threading.Event = field(default_factory=threading.Event)

    async def go_on(self, orders: Orders) -> None:
        """Has clients ask for the time, while all else happens."""
        told, theirs = SPAWN.Pipe(duplex=False)
        clients = SPAWN.Process(target=run_clients, args=(orders, theirs), daemon=True)
        clients.start()
        theirs.close()
        listening = threading.Thread(target=self._listen, args=(told,), daemon=True)
        listening.start()
        beside = [
            asyncio.create_task(work)
            for work in (self._change(), self._ingest(), self._sample(), self._disturb())
        ]
        while listening.is_alive():
            await asyncio.sleep(0.5)
            for task in beside:
                if task.done():
                    task.result()
        self.run.ended = time.monotonic()
        await asyncio.sleep(CALM)
        self.run.samples.append(self._sampled())
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        clients.join()

    def _listen(self, told: Connection) -> None:
        """Takes what the clients tell until they are done."""
        while True:
            try:
                part: Begun | Sequence[Call] | Done = told.recv()
            except EOFError:  # the clients were ended
                self._begun.set()
                return
            match part:
                case Begun(began):
                    self.run.began = began
                    self._begun.set()
                case Done(busy_s):
                    self.run.clients_busy_s = busy_s
                    return
                case calls:
                    self.checker.check(calls)
                    self.run.calls += calls

    async def _change(self) -> None:
        while True:
            await asyncio.sleep(CHANGED_EVERY)
            self.wiki.change()

    async def _ingest(self) -> None:
        while True:
            done = await self.machines.ingest.once()
            if done.is_whole:
                self.checker.runs.append((done.began, done.ended))
            await asyncio.sleep(REST)

    async def _sample(self) -> None:
        while True:
            with suppress(FileNotFoundError, ProcessLookupError):
                self.run.samples.append(self._sampled())
            await asyncio.sleep(SAMPLED_EVERY)

    def _sampled(self) -> Sample:
        pid = self.machines.server.pid
        of_process = Path(f"/proc/{pid}")
        facts = (of_process / "stat").read_text().rpartition(")")[2].split()
        return Sample(
            at=time.monotonic(),
            pid=pid,
            rss=int((of_process / "statm").read_text().split()[1]) * PAGE_SIZE,
            descriptors=len(list((of_process / "fd").iterdir())),
            threads=int(facts[17]),
            busy_s=(int(facts[11]) + int(facts[12])) / TICKS,
            connections=self.machines.postgres.connections(),
        )

    async def _disturb(self) -> None:
        names = self.options.chaos
        await asyncio.to_thread(self._begun.wait)
        for number, name in enumerate(names, start=1):
            due = self.run.began + self.options.minutes * 60 * number / (len(names) + 1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.run.disturbances.append(await disturb(name, self.machines, self.options.gap))
        await asyncio.Event().wait()


async def _main(options: argparse.Namespace) -> None:
    async with _loaded(options) as load:
        keys = await _keys(load.machines.postgres, options.clients)
        seconds = options.minutes * 60
        orders = Orders(
            load.machines.server.url, keys, load.wiki.known, options.think, float(seconds)
        )
        await load.go_on(orders)
        load.run.stopped_in_s = await asyncio.to_thread(load.machines.server.stop)
        said = load.machines.server.log.read_text(errors="replace")
        load.run.traces = said.count("Traceback")
        if options.keep_log:
            options.keep_log.write_text(said)
        run = load.run
        run.wrong, run.checked = load.checker.wrong, load.checker.checked
        run.found, run.changes = load.checker.found, load.wiki.changes
        run.ingests = load.machines.ingest.runs
    show(run)
    if options.json:
        options.json.write_text(json.dumps(run.to_json(), indent=1))


@asynccontextmanager
async def _loaded(options: argparse.Namespace) -> AsyncGenerator[Load]:
    """All machines, and an index that equals the wiki."""
    wiki, mood = Wiki(options.pages), SPAWN.Value("i", 0)
    with (
        _folder() as folder,
        serve(wiki.site) as site_url,
        endpoint_served(partial(MoodyEmbeddings, mood)) as endpoint,
        LoadedPostgres.running(folder) as postgres,
    ):
        variables = {"OPENAI_BASE_URL": f"{endpoint}/v1", "EMBEDDING_MODEL": MODEL}
        reading = {
            "POSTGRES_URL": postgres.url(),
            "CONFLUENCE_URL": site_url,
            "CONFLUENCE_USERNAME": EMAIL,
            "CONFLUENCE_API_TOKEN": TOKEN,
        }
        ingest = LoadedIngest(Command(folder, {**variables, **reading}))
        first = await ingest.once()
        if not first.is_whole:
            raise RuntimeError(first.said)
        async with served(postgres, folder, variables) as server:
            (_, key), *_ = await _keys(postgres, 1, "rude")
            machines = Machines(postgres, server, ingest, mood, key)
            checker = Checker(wiki, [(first.began, first.ended)])
            run = Run(options.clients, time.monotonic())
            run.warm_s = WARM_UP * options.minutes * 60
            yield Load(options, wiki, machines, checker, run)


@contextmanager
def _folder() -> Generator[Path]:
    """A folder that the user who runs Postgres passes through."""
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        folder = Path(name).resolve()
        folder.chmod(0o711)
        yield folder


async def _keys(
    postgres: LoadedPostgres, count: int, name: str = "client"
) -> Sequence[tuple[str, str]]:
    """People in turn, each time with a key of their own."""
    settings = IndexSettings.model_validate({"postgres_url": SecretStr(postgres.url())})
    async with Database.open(settings, application_name="keys") as database:
        keys = ApiKeys(database)
        people = [PEOPLE[number % len(PEOPLE)] for number in range(count)]
        return [
            (person, await keys.create(f"{name}-{number}", f"{person}@example.com"))
            for number, person in enumerate(people)
        ]


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--clients", type=int, default=200)
    add("--minutes", type=float, default=10)
    add("--chaos", type=_cases, default=["restart"], help=f"in turn: {','.join(CASES)}")
    add("--gap", type=float, default=8, help="seconds that each of them lasts")
    add("--think", type=float, default=8, help="seconds between two calls of a client, on average")
    add("--pages", type=int, default=240)
    add("--json", type=Path, help="file for all figures")
    add("--keep-log", type=Path, help="file for the log of the server")
    return parser.parse_args(arguments)


def _cases(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in CASES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(CASES)}")
    return names


if __name__ == "__main__":
    asyncio.run(_main(_options()))
