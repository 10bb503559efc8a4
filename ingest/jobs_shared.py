"""What the jobs of one worker share: the index, the queue, the model, and the site."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from index.database import Database
from index.embeddings import Embedder
from index.errors import ConfluenceMcpError
from index.models import EmbeddingModel, active_model, require_model
from index.queue import Queue
from index.store import Store
from ingest.attachments.reading import AttachmentReader
from ingest.pipeline import Target
from ingest.run import target_of
from ingest.settings import IngestSettings
from ingest.sources.source import Source


@dataclass(slots=True)
class RunSource:
    """The site as the jobs of one run see it."""

    source: Source
    opened: AsyncExitStack
    users: int = 0
    _told: int = 0

    def new_requests(self) -> int:
        """How many requests went to the site since this was last asked."""
        before, self._told = self._told, self.source.requests
        return self._told - before


class Sources:
    """One source for all jobs of a run: what it remembers saves requests, and is no older."""

    def __init__(self, open_source: Callable[[], AbstractAsyncContextManager[Source]]) -> None:
        self._open_source = open_source
        self._of: dict[int, RunSource] = {}
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for one in self._of.values():
            await one.opened.aclose()

    @asynccontextmanager
    async def of(self, run_id: int) -> AsyncGenerator[RunSource]:
        """The source for jobs of a run; it stays open until a later run has one."""
        async with self._turn:
            one = self._of.get(run_id) or await self._open(run_id)
            one.users += 1
        try:
            yield one
        finally:
            one.users -= 1
            async with self._turn:
                await self._close_old()

    async def _open(self, run_id: int) -> RunSource:
        stack = AsyncExitStack()
        source = await stack.enter_async_context(self._open_source())
        self._of[run_id] = RunSource(source, stack)
        return self._of[run_id]

    async def _close_old(self) -> None:
        newest = max(self._of)
        for run_id in [one for one in self._of if one < newest and not self._of[one].users]:
            await self._of.pop(run_id).opened.aclose()


@dataclass(slots=True)
class Shared:
    """What each job works with. `fail` ends the worker with an error."""

    settings: IngestSettings
    site_url: str
    database: Database
    queue: Queue
    embedder: Embedder
    reader: AttachmentReader
    open_source: Callable[[], AbstractAsyncContextManager[Source]]
    sources: Sources
    stop: Callable[[], None] = lambda: None
    error: ConfluenceMcpError | None = field(default=None, init=False)

    def fail(self, error: ConfluenceMcpError) -> None:
        """Ends the worker, once its other jobs in hand are done."""
        self.error = error
        self.stop()

    async def is_overtaken(self) -> bool:
        """Whether the index has another model by now than these jobs."""
        async with self.database.pool.connection() as connection:
            model = await active_model(connection)
        return model is not None and model.name != self.embedder.model

    async def target(self) -> Target | None:
        """The index of the site as the last look left it; None before the first.

        Raises ModelMismatchError when the index has another model by now.
        """
        async with self.database.pool.connection() as connection:
            model = await active_model(connection)
        if model is None:
            return None
        require_model(model, self.embedder)
        return await self.target_for(model)

    async def target_for(self, model: EmbeddingModel) -> Target:
        """The index of the site."""
        store = await Store.open(self.database, self.site_url, model)
        return target_of(self.database, store)
