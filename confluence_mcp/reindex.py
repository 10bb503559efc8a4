"""The index in shape: rebuilds what is bloated, and changes the embedding model."""

import argparse
import json
import logging
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from index.database import Database
from index.embedder_choice import embedder_of, recorded_name
from index.errors import BadRequest
from index.reindex import Way, abandon, switch_model
from index.reindex_build import Built, Progress
from index.settings import IndexSettings
from index.upkeep import Mended, Wish, find, mend
from index.upkeep_memory import bytes_of

logger = logging.getLogger(__name__)

LOG_EVERY = 10.0  # seconds


async def run_reindex(options: argparse.Namespace) -> int:
    """Does what the options say; 0 when it is done."""
    settings = IndexSettings.load()
    memory = bytes_of(options.memory) if options.memory else None
    async with Database.open(settings, application_name="confluence-mcp reindex") as database:
        if options.embedding_model is not None:
            way = Way(options.rate, options.concurrency, memory)
            await _switch(settings, database, options.embedding_model, way, options.json)
        elif options.abandon:
            await _abandon(database)
        else:
            await _mend(database, Wish(options.all, most_memory=memory), options)
    return 0


async def _switch(
    settings: IndexSettings, database: Database, given: str, way: Way, as_json: bool
) -> None:
    name = recorded_name(given.strip())
    if not name:
        raise BadRequest("--embedding-model names no model.")
    embedder = await embedder_of(settings, name)
    try:
        with _shown_progress() as progress:
            switched = await switch_model(database, embedder, way, progress=progress)
    finally:
        await embedder.close()
    if as_json:
        print(json.dumps(switched.to_json() if switched else {"new": name, "switched": False}))
    elif switched is None:
        print(f"{name} is the embedding model of the index already: there is nothing to do.")
    else:
        print(switched.summary())


async def _abandon(database: Database) -> None:
    dropped = await abandon(database)
    if dropped is None:
        print("No model is half built.")
    else:
        print(f"What was built of {dropped.name} is dropped.")


async def _mend(database: Database, wish: Wish, options: argparse.Namespace) -> None:
    if options.dry_run:
        findings = await find(database, wish)
        lines, items = [one.summary() for one in findings], [one.to_json() for one in findings]
    else:

        def show(mended: Mended) -> None:
            if not options.json:
                print(mended.summary(), flush=True)

        mended = await mend(database, wish, done=show)
        lines, items = [], [one.to_json() for one in mended]
    if options.json:
        print(json.dumps(items))
        return
    for line in lines:
        print(line)
    if not items:
        print("The index is in shape: there is nothing to do.")


@contextmanager
def _shown_progress() -> Generator[Progress]:
    """A bar on standard error where that is a terminal, else the log."""
    if sys.stderr.isatty():
        bar: tqdm[NoReturn] = tqdm(unit=" chunks", dynamic_ncols=True, desc="embedding")
        with logging_redirect_tqdm(), bar:
            yield lambda built: _draw(bar, built)
    else:
        yield _Log()


def _draw(bar: "tqdm[NoReturn]", built: Built) -> None:
    bar.total, bar.n = built.total, built.done
    bar.set_postfix_str(f"requests={built.requests} tokens={built.tokens}")


class _Log:
    """Logs how far it is, not more often than every few seconds."""

    def __init__(self) -> None:
        self._logged_at = float("-inf")

    def __call__(self, built: Built) -> None:
        is_end = built.done == built.total
        if not is_end and time.monotonic() - self._logged_at < LOG_EVERY:
            return
        self._logged_at = time.monotonic()
        logger.info(
            "chunks=%d of=%d embedded=%d requests=%d tokens=%d",
            *(built.done, built.total, built.embedded, built.requests, built.tokens),
        )
