"""A simulated site on its way into a real index: runs of the ingest, and what they leave there."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import LiteralString

from psycopg.rows import TupleRow
from pydantic import SecretStr

from index.access import CRAWLER
from index.database import Database
from index.embedder_choice import open_embedder
from index.embeddings import Embedder
from index.errors import NotFound
from index.pages import Pages
from index.results import StoredPage
from index.search import Searcher
from index.settings import IndexSettings
from ingest.report import Report
from ingest.run import ingest_once
from ingest.schedule import utc_now
from ingest.settings import IngestSettings
from ingest.sources.source import Source
from ingest.sync import EVERY_SPACE, Plan
from tests.command import Command
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.faults import Faults
from tests.confluence.site import Site
from tests.ingest.cloud_sites import Scene, scene
from tests.openai_endpoint import OpenAIEndpoint, openai_endpoint

LISTINGS = ("*/spaces", "*/spaces/*/pages", "*/spaces/*/blogposts")
CHUNKS = "SELECT text_hash, chunk_id FROM chunk JOIN page USING (page_ref) WHERE page_id = %(id)s"
FAILURES = "SELECT page_id, title, error, attempts FROM page_failure ORDER BY page_id"
RETRY_NOW = "UPDATE page_failure SET retry_at = now() RETURNING page_id"
# Every row of the index that a page is made of, with the transaction that wrote it.
WRITTEN = """
SELECT 'page', page_ref, xmin::text FROM page UNION ALL
SELECT 'chunk', chunk_id, xmin::text FROM chunk UNION ALL
SELECT 'term', term_id, xmin::text FROM term UNION ALL
SELECT 'words', chunk_id, xmin::text FROM chunk_term
"""
RUNS = "SELECT succeeded, report FROM sync_run WHERE finished_at IS NOT NULL ORDER BY id"


@dataclass(frozen=True, slots=True)
class Wiki:
    """A site, the index that it goes into, and the endpoint that embeds its texts."""

    scene: Scene
    endpoint: OpenAIEndpoint
    settings: IndexSettings
    database: Database

    @property
    def site(self) -> Site:
        """The site, to be changed between runs."""
        return self.scene.site

    @property
    def faults(self) -> Faults:
        """What goes wrong at the site."""
        return self.scene.faults

    async def run(
        self,
        spaces: str = "",
        *,
        full: bool = False,
        only: bool = False,
        quick: bool = False,
        hinted: frozenset[str] = frozenset(),
    ) -> Report:
        """One ingest by the site's clock; `spaces` as CONFLUENCE_SPACES, with `only` as --space."""
        async with self.scene.source() as source:
            return await take_in(
                self.settings,
                source,
                spaces,
                full=full,
                only=only,
                quick=quick,
                hinted=hinted,
                now=lambda: self.site.clock.now,
            )

    def command(self, folder: Path) -> Command:
        """The command line, set up for the wiki."""
        return command_line(self.settings, self.scene.base_url, self.endpoint, folder)

    def embedded_texts(self) -> list[str]:
        """The passages that were sent to the endpoint so far; forgets them."""
        texts = [
            text
            for request in self.endpoint.requests
            for text in request.body["input"]
            if text != "dimension"
        ]
        self.endpoint.requests.clear()
        return texts

    async def rows(self, query: LiteralString, **values: object) -> list[TupleRow]:
        """What a query gives."""
        async with self.database.pool.connection() as connection:
            return await (await connection.execute(query, values)).fetchall()

    async def chunk_ids(self, page_id: str) -> dict[bytes, int]:
        """The chunks of a page, by text hash."""
        return dict(await self.rows(CHUNKS, id=page_id))

    async def page(self, page_id: str) -> StoredPage:
        """A page as readers get it."""
        return await Pages(self.database).page(CRAWLER, page_id)

    async def shows(self, page_id: str) -> bool:
        """Whether readers get a page."""
        try:
            await self.page(page_id)
        except NotFound:
            return False
        return True

    async def found(self, query: str) -> list[str]:
        """Titles of what a search finds, best first."""

        async def choose(recorded: str) -> Embedder:
            embedders.append(await open_embedder(self.settings, recorded))
            return embedders[-1]

        embedders: list[Embedder] = []
        try:
            result = await Searcher(self.database, choose).search(CRAWLER, query, limit=50)
        finally:
            for embedder in embedders:
                await embedder.close()
        return [hit.page.title for hit in result.hits]


def command_line(
    settings: IndexSettings, base_url: str, endpoint: OpenAIEndpoint, folder: Path
) -> Command:
    """The command line, set up for a Cloud site and an index."""
    assert settings.postgres_url is not None
    return Command(
        folder,
        {
            "POSTGRES_URL": settings.postgres_url.get_secret_value(),
            "CONFLUENCE_URL": base_url,
            "CONFLUENCE_USERNAME": EMAIL,
            "CONFLUENCE_API_TOKEN": TOKEN,
            "OPENAI_BASE_URL": endpoint.url,
            "OPENAI_API_KEY": "test-key",
            "EMBEDDING_MODEL": "words",
        },
    )


async def take_in(
    settings: IndexSettings,
    source: Source,
    spaces: str = "",
    *,
    full: bool = False,
    only: bool = False,
    quick: bool = False,
    hinted: frozenset[str] = frozenset(),
    now: Callable[[], datetime] = utc_now,
) -> Report:
    """One ingest of a source."""
    space_filter = IngestSettings.model_validate({"confluence_spaces": spaces}).space_filter
    plan = Plan(
        space_filter=EVERY_SPACE if only else space_filter,
        only=space_filter.included if only else frozenset(),
        full=full,
        quick=quick,
        hinted=hinted,
    )
    return await ingest_once(settings, source, plan, now=now)


def with_endpoint(settings: IndexSettings, endpoint: OpenAIEndpoint) -> IndexSettings:
    """The settings, with the endpoint's fast model `words`."""
    return settings.model_copy(
        update={
            "openai_base_url": endpoint.url,
            "openai_api_key": SecretStr("test-key"),
            "embedding_model": "words",
        }
    )


@asynccontextmanager
async def wiki_of(site: Site, settings: IndexSettings, database: Database) -> AsyncGenerator[Wiki]:
    """The site, served on a loopback port, and an index that is still empty."""
    with scene(site) as served, openai_endpoint() as endpoint:
        yield Wiki(served, endpoint, with_endpoint(settings, endpoint), database)
