"""A site of either kind on its way into an index, and what the index must hold of it then."""

import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql
from psycopg.rows import TupleRow

from index.database import Database
from index.records import Chunk, chunk_hash
from index.settings import IndexSettings
from ingest.report import Report
from ingest.run import ingest_once
from ingest.sources.source import Deployment
from ingest.sync import Plan
from tests.confluence.content import Content
from tests.confluence.faults import Faults
from tests.confluence.site import Site
from tests.ingest import cloud_sites, datacenter_sites
from tests.ingest.wiki import with_endpoint
from tests.openai_endpoint import OpenAIEndpoint, openai_endpoint

EVERYTHING = Plan()
SOON = (0.1,)  # seconds
WORD = re.compile(r"\w+")

SHOWN = """
SELECT page_id, content_type, page.title, version, space.key, ancestors, labels, state, markdown
FROM page JOIN space ON space.id = space_id WHERE state <> 'tombstoned'
"""
COMMENTS = """
SELECT page_id, comment_id, parent_id, resolution, comment.markdown
FROM comment JOIN page USING (page_ref) WHERE state <> 'tombstoned'
"""
ATTACHMENTS = """
SELECT page_id, attachment_id, filename, attachment.version, attachment.unreadable,
       attachment.markdown
FROM attachment JOIN page USING (page_ref) WHERE state <> 'tombstoned'
"""
CHUNKS = """
SELECT page_id, title, chunk_id, kind, item_id, chunk.position, heading_path, anchor, body,
       text_hash
FROM chunk JOIN page USING (page_ref)
"""
MISCOUNTED = """
SELECT page_id FROM page
WHERE chunk_count <> (SELECT count(*) FROM chunk WHERE chunk.page_ref = page.page_ref)
   OR comment_chunks <> (
       SELECT count(*) FROM chunk WHERE chunk.page_ref = page.page_ref AND kind = 'comment')
   OR attachment_chunks <> (
       SELECT count(*) FROM chunk WHERE chunk.page_ref = page.page_ref AND kind = 'attachment')
"""
# By the way up from each page, which the ingest finds by the ways down from all roots.
MISPLACED = """
SELECT page_id FROM page
WHERE state <> 'tombstoned' AND audience_id IS DISTINCT FROM node_audience(site_id, page_id)
"""
WITHOUT_WORDS = """
SELECT chunk_id FROM chunk FULL JOIN chunk_term USING (chunk_id)
WHERE chunk.page_ref IS DISTINCT FROM chunk_term.page_ref
"""
WITHOUT_VECTORS = sql.SQL("""
SELECT chunk_id FROM chunk FULL JOIN {vector} AS vector USING (chunk_id)
FULL JOIN {bits} AS bits USING (chunk_id)
WHERE chunk.page_ref IS DISTINCT FROM vector.page_ref
   OR chunk.page_ref IS DISTINCT FROM bits.page_ref
""")

Truth = Mapping[str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class ModelWiki:
    """A site, the index that it goes into, and the endpoint that embeds its texts."""

    scene: cloud_sites.Scene | datacenter_sites.Scene
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

    @property
    def deployment(self) -> Deployment:
        """Which kind of Confluence it is."""
        is_cloud = isinstance(self.scene, cloud_sites.Scene)
        return Deployment.CLOUD if is_cloud else Deployment.DATACENTER

    async def run(self, plan: Plan = EVERYTHING) -> Report:
        """One ingest by the site's clock."""
        async with self.scene.source() as source:
            return await ingest_once(
                self.settings,
                source,
                plan,
                now=lambda: self.site.clock.now,
                try_again_after=SOON,
            )

    async def rows(self, query: LiteralString, **values: object) -> list[TupleRow]:
        """What a query gives."""
        async with self.database.pool.connection() as connection:
            return await (await connection.execute(query, values)).fetchall()

    def live(self) -> dict[str, Content]:
        """Everything in the tree that the account may see, by id."""
        states = {"current", "archived"} if self.deployment is Deployment.CLOUD else {"current"}
        site, crawler = self.site, self.site.crawler
        spaces = {
            space.id
            for space in site.spaces.values()
            if space.status == "current" and site.may_view(crawler, space)
        }
        return {
            content.id: content
            for content in site.contents.values()
            if content.space_id in spaces
            and content.status in states
            and site.may_view(crawler, content)
        }

    async def shown(self) -> set[str]:
        """Ids of what readers may find."""
        return {row[0] for row in await self.rows(SHOWN)}

    def expected(self) -> Truth:
        """What the index must hold of each page."""
        live = self.live()
        truth: dict[str, tuple[object, ...]] = {}
        for content in live.values():
            truth[content.id] = (
                content.kind,
                content.title,
                len(content.versions),
                self.site.spaces[content.space_id].key,
                _ancestors(content, live),
                sorted({one.name for one in content.labels if one.prefix == "global"}),
                "archived" if content.status == "archived" else "live",
                WORD.findall(re.sub("<[^>]*>", " ", content.body)),
                self._comments_of(content),
                self._attachments_of(content),
            )
        return truth

    def _comments_of(self, content: Content) -> list[tuple[object, ...]]:
        return sorted(
            (one.id, one.parent_id, one.resolution, WORD.findall(re.sub("<[^>]*>", " ", one.body)))
            for one in self.site.comments.values()
            if one.container_id == content.id and one.status == "current"
        )

    def _attachments_of(self, content: Content) -> list[tuple[object, ...]]:
        return sorted(
            (one.id, one.filename, one.version, None, WORD.findall(one.data.decode()))
            for one in self.site.attachments.values()
            if one.container_id == content.id and one.status == "current"
        )

    async def held(self) -> Truth:
        """What the index holds of each page that is shown."""
        comments: dict[str, list[tuple[object, ...]]] = {}
        for page_id, *facts, markdown in await self.rows(COMMENTS):
            comments.setdefault(page_id, []).append((*facts, WORD.findall(markdown)))
        attachments: dict[str, list[tuple[object, ...]]] = {}
        for page_id, *facts, markdown in await self.rows(ATTACHMENTS):
            attachments.setdefault(page_id, []).append((*facts, WORD.findall(markdown)))
        return {
            page_id: (
                *facts,
                WORD.findall(markdown),
                sorted(comments.get(page_id, [])),
                sorted(attachments.get(page_id, [])),
            )
            for page_id, *facts, markdown in await self.rows(SHOWN)
        }

    async def flaws(self) -> list[str]:
        """What of the index does not fit together, whatever the site is."""
        found = [f"miscounted: {row}" for row in await self.rows(MISCOUNTED)]
        found += [f"in another space than its page: {row}" for row in await self.rows(MISPLACED)]
        found += [f"without words: {row}" for row in await self.rows(WITHOUT_WORDS)]
        found += [f"without a vector: {row}" for row in await self._without_vectors()]
        for (
            page_id,
            title,
            chunk_id,
            kind,
            item_id,
            position,
            path,
            anchor,
            body,
            text_hash,
        ) in await self.rows(CHUNKS):
            chunk = Chunk(position, tuple(path), anchor, body, kind, item_id)
            if chunk_hash(title, chunk) != bytes(text_hash):
                found.append(f"of another title: page {page_id} chunk {chunk_id}")
        return found

    async def miscounted_terms(self) -> Counter[int]:
        """By how much each term's count is wrong; true at the end of a run."""
        counts: Counter[int] = Counter()
        for (terms,) in await self.rows("SELECT term_ids FROM chunk_term"):
            counts.update([0, *terms])
        stored = await self.rows("SELECT term_id, chunk_count FROM term")
        counts.subtract(dict(stored))
        return Counter({term: by for term, by in counts.items() if by})

    async def _without_vectors(self) -> list[TupleRow]:
        found: list[TupleRow] = []
        for (number,) in await self.rows("SELECT id FROM embedding_model WHERE active"):
            names = {
                "vector": sql.Identifier(f"chunk_vector_{number}"),
                "bits": sql.Identifier(f"chunk_bits_{number}"),
            }
            async with self.database.pool.connection() as connection:
                cursor = await connection.execute(WITHOUT_VECTORS.format(**names))
                found += await cursor.fetchall()
        return found


def _ancestors(content: Content, live: Mapping[str, Content]) -> list[str]:
    """From the root down, as far as there is no gap."""
    path: list[str] = []
    parent = live.get(content.parent_id or "")
    while parent is not None and parent.id not in path:
        path.append(parent.id)
        parent = live.get(parent.parent_id or "")
    return path[::-1]


@asynccontextmanager
async def model_wiki(
    site: Site, deployment: Deployment, settings: IndexSettings, database: Database
) -> AsyncGenerator[ModelWiki]:
    """The site, served on a loopback port, and an index as it is."""
    kinds = {
        Deployment.CLOUD: cloud_sites.scene,
        Deployment.DATACENTER: datacenter_sites.scene,
    }
    with kinds[deployment](site) as scene, openai_endpoint() as endpoint:
        yield ModelWiki(scene, endpoint, with_endpoint(settings, endpoint), database)
