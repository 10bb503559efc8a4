"""A collection into an index, as the ingest takes pages in."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from evals.collection import Collection, Text
from index.database import Database
from index.embeddings import Embedder, Vector
from index.errors import ConfigurationError
from index.models import claim_model
from index.page_write import PageUpdate
from index.records import Chunk, ContentType, Page, Space, State, chunk_hash, passage_text
from index.status import is_empty, read_status
from index.store import Store
from ingest.body.blocks import Block
from ingest.body.markdown_blocks import blocks_of
from ingest.convert_page import CHUNK_TOKENS, RECIPE, Cut, page_language
from ingest.pipeline import Progress
from ingest.report import Report

SPACE = "TEXT"
BATCH = 64  # texts that are embedded together
DATE = datetime(2026, 1, 1, tzinfo=UTC)

Chunks = Callable[[str, Sequence[Block]], Sequence[Chunk]]


def as_ingested(embedder: Embedder) -> Chunks:
    """Cuts a title and its blocks as the ingest cuts pages."""
    return Cut(min(CHUNK_TOKENS, embedder.passage_tokens), embedder.count_tokens).chunks


async def fill(
    database: Database,
    embedder: Embedder,
    collection: Collection,
    progress: Progress,
    chunks: Chunks | None = None,
) -> None:
    """Stores the texts; those that an index has from before are not embedded again.

    Raises ConfigurationError where the index holds something else.
    """
    site_url = _site_url(collection, embedder)
    if not await is_empty(database):
        status = await read_status(database)
        if any(space.site_url != site_url for space in status.spaces):
            raise ConfigurationError(
                "The folder of --keep has another collection or another model in it.\n"
                "Name another folder, or delete this one."
            )
        if any(space.swept_at for space in status.spaces):
            return
    async with database.pool.connection() as connection:
        model = await claim_model(connection, embedder)
    store = await Store.open(database, site_url, model)
    space_id = await store.open_space(Space(SPACE, collection.name, site_url))
    filling = _Filling(store, space_id, embedder, chunks or as_ingested(embedder))
    await filling.take_in(collection.texts, progress)
    await store.mark_swept(space_id)
    await store.settle()


def _site_url(collection: Collection, embedder: Embedder) -> str:
    """Another one for other texts, another model or another way to cut."""
    digest = hashlib.sha256(f"{embedder.model} {RECIPE} {CHUNK_TOKENS}".encode())
    for text in collection.texts:
        for part in (text.text_id, text.title, text.markdown):
            digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return f"https://{digest.hexdigest()[:32]}.invalid"


class _Filling:
    """Texts on their way into one space."""

    def __init__(self, store: Store, space_id: int, embedder: Embedder, chunks: Chunks) -> None:
        self._store = store
        self._space_id = space_id
        self._embedder = embedder
        self._chunks = chunks

    async def take_in(self, texts: Sequence[Text], progress: Progress) -> None:
        report = Report("", pages=len(texts), due=len(texts))
        for at in range(0, len(texts), BATCH):
            updates = [self._update(text) for text in texts[at : at + BATCH]]
            vectors = await self._vectors(updates)
            for update in updates:
                await self._store.write(self._space_id, update, vectors, recipe=RECIPE)
            report.stored += len(updates)
            report.chunks += sum(len(update.chunks) for update in updates)
            report.embedded += len(vectors)
            progress(report)

    async def _vectors(self, updates: Sequence[PageUpdate]) -> Mapping[bytes, Vector]:
        stored = await self._store.stored_hashes([update.page_id for update in updates])
        passages = {
            text_hash: passage_text(update.title, chunk.heading_path, chunk.body)
            for update in updates
            for chunk in update.chunks
            if (text_hash := chunk_hash(update.title, chunk)) not in stored[update.page_id]
        }
        vectors = await self._embedder.embed_passages(list(passages.values()))
        return dict(zip(passages, vectors, strict=True))

    def _update(self, text: Text) -> PageUpdate:
        blocks = blocks_of(text.markdown)
        page = _page(text, "\n\n".join(block.markdown for block in blocks))
        chunks = list(self._chunks(text.title, blocks))
        return PageUpdate(page.page_id, page.title, page, None, (), None, chunks)


def _page(text: Text, markdown: str) -> Page:
    return Page(
        page_id=text.text_id,
        content_type=ContentType.PAGE,
        space_key=SPACE,
        title=text.title,
        url=f"https://collection.invalid/{quote(text.text_id)}",
        version=1,
        state=State.LIVE,
        ancestors=(),
        position=None,
        labels=(),
        author=None,
        created_at=None,
        updated_at=DATE,
        language=page_language(text.title, markdown),
        markdown=markdown,
        outline=(),
        unreadable=(),
    )
