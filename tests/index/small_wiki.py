"""A few small pages in a real index, with an embedding model whose vectors a test can choose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import LiteralString

import numpy as np
from psycopg.rows import TupleRow

from index.access import CRAWLER
from index.database import Database
from index.embeddings import Vector, embeddable
from index.language import language_of
from index.models import EmbeddingModel, claim_model
from index.page_write import PageUpdate
from index.records import (
    Attachment,
    Chunk,
    ChunkKind,
    Comment,
    ContentType,
    Page,
    Space,
    State,
    chunk_hash,
    passage_text,
)
from index.search import Searcher
from index.store import Store
from tests.openai_endpoint import word_vector

SITE = "https://example.com/wiki"
PAGE = Page(
    page_id="1",
    content_type=ContentType.PAGE,
    space_key="ENG",
    title="Page",
    url=f"{SITE}/pages/1",
    version=1,
    state=State.LIVE,
    ancestors=(),
    position=None,
    labels=(),
    author=None,
    created_at=None,
    updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    language="en",
    markdown="",
    outline=(),
    unreadable=(),
)


class GivenVectors:
    """An embedding model: `vector_of` gives the vector of a text, by default from its words."""

    passage_tokens = 256

    def __init__(
        self,
        vector_of: Callable[[str], Sequence[float]] = word_vector,
        *,
        model: str = "given",
        languages: frozenset[str] | None = None,
    ) -> None:
        self.model = model
        self.languages = languages
        self.vector_of = vector_of

    async def dimension(self) -> int:
        """As many numbers as the vector of any text has."""
        return len(self.vector_of("any"))

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """The given vectors at length 1."""
        return [self._unit(text) for text in texts]

    async def embed_query(self, text: str) -> Vector:
        """The given vector at length 1."""
        return self._unit(text)

    def count_tokens(self, text: str) -> int:
        """Words."""
        return len(text.split())

    async def close(self) -> None:
        """Nothing to release."""

    def _unit(self, text: str) -> Vector:
        vector = np.array(self.vector_of(embeddable(text)), dtype=np.float32)
        return vector / max(float(np.linalg.norm(vector)), 1e-6)


@dataclass(frozen=True, slots=True)
class SmallWiki:
    """An index of one site that a test fills and asks."""

    database: Database
    embedder: GivenVectors
    model: EmbeddingModel
    store: Store
    searcher: Searcher

    @classmethod
    async def open(
        cls, database: Database, embedder: GivenVectors | None = None, site: str = SITE
    ) -> "SmallWiki":
        """An index that records the model of `embedder`."""
        embedder = embedder or GivenVectors()
        async with database.pool.connection() as connection:
            model = await claim_model(connection, embedder)

        async def choose(_: str) -> GivenVectors:
            return embedder

        store = await Store.open(database, site, model)
        return cls(database, embedder, model, store, Searcher(database, choose))

    async def chosen(self, _: str) -> GivenVectors:
        """The model, whatever the index records."""
        return self.embedder

    async def put(self, page: Page, *chunks: Chunk | str) -> None:
        """Stores a page; a bare text becomes a chunk without headings."""
        cut = [
            replace(chunk, position=position)
            if isinstance(chunk, Chunk)
            else Chunk(position, (), "", chunk)
            for position, chunk in enumerate(chunks)
        ]
        await self.write(with_body(page, *cut))

    async def space(self, key: str = "ENG") -> int:
        """The index's own number of a space."""
        return await self.store.open_space(Space(key, key, SITE))

    async def write(self, update: PageUpdate) -> None:
        """Stores what is new about a page."""
        space_id = await self.space(update.page.space_key if update.page else "ENG")
        vectors = await self.vectors(update.title, update.chunks)
        await self.store.write(space_id, update, vectors, recipe=1)

    async def vectors(self, title: str, chunks: Sequence[Chunk]) -> Mapping[bytes, Vector]:
        """Vectors by text hash."""
        texts = [passage_text(title, chunk.heading_path, chunk.body) for chunk in chunks]
        vectors = await self.embedder.embed_passages(texts)
        return {
            chunk_hash(title, chunk): vector for chunk, vector in zip(chunks, vectors, strict=True)
        }

    async def found(self, query: str, dense_share: float | None = 0.0) -> list[str]:
        """Ids of the pages that the lexical leg finds, best first."""
        hits = (await self.searcher.search(CRAWLER, query, limit=50, dense_share=dense_share)).hits
        return [hit.page.page_id for hit in hits if hit.score > 0]

    async def rows(self, query: LiteralString, **values: object) -> list[TupleRow]:
        """What the database answers."""
        async with self.database.pool.connection() as connection:
            return await (await connection.execute(query, values)).fetchall()


def page(page_id: str = "1", title: str = "Page", **changes: object) -> Page:
    """A page with some of its facts changed."""
    made = replace(PAGE, page_id=page_id, title=title, url=f"{SITE}/pages/{page_id}")
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]: names are checked at run time


def with_body(page: Page, *chunks: Chunk) -> PageUpdate:
    """A page with its facts and body, all else as it is stored."""
    return PageUpdate(
        page_id=page.page_id,
        title=page.title,
        page=page,
        comments=None,
        attachments=(),
        kept_attachments=None,
        chunks=chunks,
    )


def update(page_id: str = "1", title: str = "Page", **changes: object) -> PageUpdate:
    """Nothing new about a page but what is given."""
    nothing = PageUpdate(
        page_id=page_id,
        title=title,
        page=None,
        comments=None,
        attachments=(),
        kept_attachments=None,
        chunks=(),
    )
    return replace(nothing, **changes)  # pyright: ignore[reportArgumentType]: names are checked at run time


def comment(comment_id: str, text: str = "", **changes: object) -> Comment:
    """A footer comment with some of its facts changed."""
    made = Comment(
        comment_id=comment_id,
        parent_id=None,
        selection=None,
        resolution=None,
        author="Ada",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        version=1,
        url=f"{SITE}/pages/1?focusedCommentId={comment_id}",
        markdown=text,
    )
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]: names are checked at run time


def attachment(attachment_id: str, text: str = "", **changes: object) -> Attachment:
    """A file with some of its facts changed."""
    made = Attachment(
        attachment_id=attachment_id,
        filename=f"{attachment_id}.txt",
        media_type="text/plain",
        size=len(text),
        version=1,
        url=f"{SITE}/download/{attachment_id}.txt",
        markdown=text,
        unreadable=None,
    )
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]: names are checked at run time


def chunks_of(item: Comment | Attachment, *texts: str) -> list[Chunk]:
    """Texts as the chunks of a comment thread or a file."""
    if isinstance(item, Comment):
        kind, item_id = ChunkKind.COMMENT, item.comment_id
    else:
        kind, item_id = ChunkKind.ATTACHMENT, item.attachment_id
    return [
        Chunk(position, (), "", text, kind, item_id, item.url)
        for position, text in enumerate(texts or (item.markdown,))
    ]


def in_its_language(page: Page, *bodies: str) -> Page:
    """The page with the language that its text is in."""
    return replace(page, language=language_of("\n".join((page.title, *bodies))))
