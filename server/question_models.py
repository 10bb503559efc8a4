"""The embedding models of a server: opened as the index asks for them, the bundled ones early."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from index.background import beside
from index.database import Database
from index.embedder_choice import RECORDED_NAMES, open_embedder
from index.embeddings import Embedder
from index.language import likely_languages
from index.models import active_model
from index.query_embeddings import RememberingEmbedder
from index.settings import IndexSettings

logger = logging.getLogger(__name__)

BUNDLED = frozenset(RECORDED_NAMES.values())


class QuestionModels:
    """Embedders for questions, which remember the last ones; a bundled model is loaded once."""

    def __init__(self, settings: IndexSettings) -> None:
        self._settings = settings
        self._opened: list[Embedder] = []
        self._bundled: dict[str, Embedder] = {}

    async def choose(self, recorded: str) -> Embedder:
        """The embedder for an index that was filled by a model."""
        embedder = RememberingEmbedder(await open_embedder(self._settings, recorded))
        if embedder.model in self._bundled:
            return self._bundled[embedder.model]
        self._opened.append(embedder)
        if embedder.model in BUNDLED:
            self._bundled[embedder.model] = embedder
        return embedder

    async def close(self) -> None:
        """Closes all of them."""
        for embedder in self._opened:
            await embedder.close()

    @asynccontextmanager
    async def warming_up(self, database: Database) -> AsyncGenerator[None]:
        """Loads meanwhile what the first question would have to wait for."""
        async with beside(self._warm_up(database)):
            yield

    async def _warm_up(self, database: Database) -> None:
        try:
            await asyncio.to_thread(likely_languages, "which language is this?")
            async with database.pool.connection() as connection:
                model = await active_model(connection)
            if model is None:
                return
            embedder = await self.choose(model.name)
            if embedder.model in BUNDLED:
                await embedder.embed_query("warm")
        except Exception:
            # Whatever it is, the first question meets it too and tells who asked.
            logger.debug("not warmed up", exc_info=True)
