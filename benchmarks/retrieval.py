"""Quality of search on the sample space or a collection: each leg alone and fused.

    uv run python -m benchmarks.retrieval [--model local-multilingual]
    uv run python -m benchmarks.retrieval --collection FOLDER
        [--chunk-tokens 128] [--overlap 0.15] [--no-prefix] [--tables whole]

Fills an index in a temporary home: with the sample space, and asks the questions of tests/evals; or
with a collection in the layout of BEIR, cut as the product cuts pages or otherwise.
"""

import argparse
import asyncio
import math
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from benchmarks.chunk_variants import Cutting
from benchmarks.text_collections import Collection, Text, read_collection
from index.database import Database
from index.embedder_choice import open_embedder
from index.embeddings import Embedder
from index.models import claim_model
from index.page_write import PageUpdate
from index.records import Chunk, ContentType, Page, Space, State, chunk_hash, passage_text
from index.results import Hit
from index.search import Searcher
from index.settings import IndexSettings
from index.store import Store
from ingest.convert_page import CHUNK_TOKENS, page_language
from ingest.run import ingest_once
from ingest.settings import SAMPLE_SITE, SAMPLE_SPACE
from ingest.sources.export import ExportSource
from ingest.sync import Plan
from tests.evals.measure import DEPTH, LEGS, Question, ask, questions, score

SITE = "https://collection.example.org"
BATCH = 64  # texts that are embedded together


def main() -> None:
    """Prints a line for each leg, then the questions whose page the fusion does not show."""
    arguments = _arguments()
    cutting = Cutting(
        arguments.chunk_tokens,
        arguments.overlap,
        has_prefix=arguments.has_prefix,
        has_whole_tables=arguments.tables == "whole",
    )
    with tempfile.TemporaryDirectory() as home:
        settings = IndexSettings(
            postgres_url=None,
            confluence_mcp_home=Path(home),
            embedding_model=arguments.model,
            openai_api_key=None,
            openai_base_url=None,
        )
        asyncio.run(_run(settings, arguments.collection, cutting))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Quality of search, each leg alone and fused.")
    parser.add_argument("--model", default="local")
    parser.add_argument("--collection", type=Path, help="a folder; else the sample space")
    of_collection = parser.add_argument_group("how a collection is cut")
    of_collection.add_argument("--chunk-tokens", type=int, default=CHUNK_TOKENS)
    of_collection.add_argument("--overlap", type=float, default=0.0, help="a share, such as 0.15")
    of_collection.add_argument("--no-prefix", dest="has_prefix", action="store_false")
    of_collection.add_argument("--tables", choices=("rows", "whole"), default="rows")
    return parser.parse_args()


async def _run(settings: IndexSettings, folder: Path | None, cutting: Cutting) -> None:
    if folder is None:
        async with ExportSource(SAMPLE_SPACE, SAMPLE_SITE) as source:
            print((await ingest_once(settings, source, Plan())).summary())
        await _measure(settings, questions())
    else:
        collection = read_collection(folder)
        chunks = await _fill(settings, collection, cutting)
        print(f"{cutting}: {len(collection.texts)} texts in {chunks} chunks")
        await _measure(settings, collection.questions)


async def _fill(settings: IndexSettings, collection: Collection, cutting: Cutting) -> int:
    """Stores a collection; returns in how many chunks."""
    embedder = await open_embedder(settings)
    try:
        async with Database.open(settings, application_name="benchmark") as database:
            async with database.pool.connection() as connection:
                model = await claim_model(connection, embedder)
            store = await Store.open(database, SITE, model)
            return await _store(store, embedder, collection, cutting)
    finally:
        await embedder.close()


async def _store(store: Store, embedder: Embedder, collection: Collection, cutting: Cutting) -> int:
    space_id = await store.open_space(Space("TEXT", "TEXT", SITE))
    total = 0
    for at in range(0, len(collection.texts), BATCH):
        updates = [_update(text, cutting, embedder) for text in collection.texts[at : at + BATCH]]
        passages = {
            chunk_hash(update.title, chunk): _passage(update, chunk)
            for update in updates
            for chunk in update.chunks
        }
        vectors = await embedder.embed_passages(list(passages.values()))
        by_hash = dict(zip(passages, vectors, strict=True))
        for update in updates:
            await store.write(space_id, update, by_hash, recipe=1)
            total += len(update.chunks)
    await store.mark_swept(space_id)
    await store.settle()
    return total


def _passage(update: PageUpdate, chunk: Chunk) -> str:
    return passage_text(update.title, chunk.heading_path, chunk.body)


def _update(text: Text, cutting: Cutting, embedder: Embedder) -> PageUpdate:
    markdown = "\n\n".join(block.markdown for block in text.blocks)
    page = Page(
        page_id=text.text_id,
        content_type=ContentType.PAGE,
        space_key="TEXT",
        title=cutting.title_of(text.title),
        url=f"{SITE}/{quote(text.text_id)}",
        version=1,
        state=State.LIVE,
        ancestors=(),
        position=None,
        labels=(),
        author=None,
        created_at=None,
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
        language=page_language(text.title, markdown),
        markdown=markdown,
        outline=(),
        unreadable=(),
    )
    chunks = cutting.chunks(text.title, text.blocks, embedder.count_tokens)
    return PageUpdate(page.page_id, page.title, page, None, (), None, chunks)


async def _measure(settings: IndexSettings, asked: Sequence[Question]) -> None:
    async def choose(recorded: str) -> Embedder:
        return await open_embedder(settings, recorded)

    async with Database.open(settings, application_name="benchmark", read_only=True) as database:
        searcher = Searcher(database, choose)
        print(f"{'leg':10} {'questions':>9} {'nDCG@10':>8} {'recall@5':>9} {'MRR':>6} heading@5")
        missed: list[Question] = []
        for leg, dense_share in LEGS.items():
            answered = await ask(searcher, asked, dense_share)
            total = score(answered)
            gain = sum(_gain(question, hits) for question, hits in answered) / len(answered)
            print(
                f"{leg:10} {total.questions:9} {gain:8.4f} {total.recall_at_5:9.3f} "
                f"{total.mrr:6.3f} {total.heading_at_5:9.3f}"
            )
            missed = [one[0] for one in answered if not score([one]).recall_at_5]
    for question in missed:
        print(f"missed: {question.id} ({question.kind}) {question.text}")


def _gain(question: Question, hits: Sequence[Hit]) -> float:
    """The normalised discounted cumulative gain of the first ten pages."""
    right = {page_id for page_id, _ in question.answers}
    found = [rank for rank, hit in enumerate(hits[:DEPTH]) if hit.page.page_id in right]
    ideal = range(min(DEPTH, len(right)))
    return sum(map(_discount, found)) / sum(map(_discount, ideal))


def _discount(rank: int) -> float:
    return 1 / math.log2(rank + 2)


if __name__ == "__main__":
    main()
