"""What other ways to cut pages into chunks are worth: quality of search on a collection.

    uv run --group dev python -m benchmarks.chunk_variants FOLDER [--model local-multilingual]
        [--chunk-tokens 128] [--overlap 0.15] [--no-prefix] [--tables whole] [--json FILE]

Fills an index in a temporary home, as `confluence-mcp eval FOLDER` does, whose `--against` compares
a run with the product's own way to cut.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

from evals.collection import Collection, read_collection
from evals.fill import fill
from evals.retrieval import evaluate, open_asked
from evals.run import Run
from evals.tables import table
from index.database import Database
from index.embedder_choice import open_embedder
from index.records import Chunk
from index.settings import IndexSettings
from ingest.body.blocks import Block
from ingest.chunking import split
from ingest.convert_page import CHUNK_TOKENS
from ingest.progress import shown_progress

# Stands for a table that is not to be cut; no page holds this character of private use.
_MARK = "\ue000"
# A table that is longer than this share of a chunk is taken to be as long, so that it fits into
# one.
_TABLE_SHARE = 0.75

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Cutting:
    """A way to cut: by default the product's own.

    `overlap` is the share of a chunk that repeats the end of the one before it under the same
    headings. Without `has_prefix`, neither title nor headings are part of a passage.
    """

    tokens: int = CHUNK_TOKENS
    overlap: float = 0.0
    has_prefix: bool = True
    has_whole_tables: bool = False

    def titled(self, collection: Collection) -> Collection:
        """The collection with what stands before each passage of a text for its title."""
        if self.has_prefix:
            return collection
        return replace(collection, texts=[replace(text, title="") for text in collection.texts])

    def chunks(self, title: str, blocks: Sequence[Block], count: Count) -> list[Chunk]:
        """The chunks of a page."""
        room = int(self.tokens * (1 - self.overlap))
        tables: dict[str, str] = {}
        if self.has_whole_tables:
            blocks, tables = _without_tables(blocks)
        counted = _counting(count, tables, int(room * _TABLE_SHARE))
        cut = split(title, blocks, limit=room, count_tokens=counted)
        chunks = [replace(chunk, body=_with_tables(chunk.body, tables)) for chunk in cut]
        if self.overlap:
            chunks = _overlapping(chunks, int(self.tokens * self.overlap), count)
        if self.has_prefix:
            return chunks
        return [replace(chunk, heading_path=()) for chunk in chunks]


def _without_tables(blocks: Sequence[Block]) -> tuple[list[Block], dict[str, str]]:
    kept: list[Block] = []
    tables: dict[str, str] = {}
    for number, block in enumerate(blocks):
        if block.kind == "table":
            mark = f"{_MARK}{number}{_MARK}"
            tables[mark] = block.markdown
            kept.append(Block("text", mark))
        else:
            kept.append(block)
    return kept, tables


def _with_tables(text: str, tables: Mapping[str, str]) -> str:
    for mark, whole in tables.items():
        text = text.replace(mark, whole)
    return text


def _counting(count: Count, tables: Mapping[str, str], most: int) -> Count:
    """Counts each table that was taken out as itself, but never as more than `most` tokens."""

    def counted(text: str) -> int:
        inside = [mark for mark in tables if mark in text]
        return count(_without(text, inside)) + sum(min(most, count(tables[m])) for m in inside)

    return counted if tables else count


def _without(text: str, marks: Sequence[str]) -> str:
    for mark in marks:
        text = text.replace(mark, "")
    return text


def _overlapping(chunks: Sequence[Chunk], tokens: int, count: Count) -> list[Chunk]:
    """Chunks that begin with the last words of the chunk before them."""
    result = list(chunks[:1])
    for before, chunk in pairwise(chunks):
        is_one_section = before.heading_path == chunk.heading_path
        tail = f"{_last_words(before.body, tokens, count)}\n\n" if is_one_section else ""
        result.append(replace(chunk, body=tail + chunk.body))
    return result


def _last_words(text: str, tokens: int, count: Count) -> str:
    words = text.split(" ")
    frame, used, start = count(""), 0, len(words)
    while start and used + (more := count(words[start - 1]) - frame) <= tokens:
        used += more
        start -= 1
    return " ".join(words[start:])


def main() -> None:
    """Prints a line for each leg."""
    arguments = _arguments()
    cutting = Cutting(
        arguments.chunk_tokens,
        arguments.overlap,
        has_prefix=arguments.has_prefix,
        has_whole_tables=arguments.tables == "whole",
    )
    collection = cutting.titled(read_collection(arguments.collection))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        settings = IndexSettings.load()
        settings.postgres_url = None
        settings.confluence_mcp_home = Path(home)
        settings.embedding_model = arguments.model
        run = asyncio.run(_run(settings, collection, cutting))
    print(cutting)
    print(table(run))
    if arguments.json is not None:
        arguments.json.write_text(run.model_dump_json(), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Quality of search with chunks cut otherwise.")
    parser.add_argument("collection", type=Path, metavar="FOLDER")
    parser.add_argument("--model", default="local")
    parser.add_argument("--chunk-tokens", type=int, default=CHUNK_TOKENS)
    parser.add_argument("--overlap", type=float, default=0.0, help="a share, such as 0.15")
    parser.add_argument("--no-prefix", dest="has_prefix", action="store_false")
    parser.add_argument("--tables", choices=("rows", "whole"), default="rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the run is written")
    return parser.parse_args()


async def _run(settings: IndexSettings, collection: Collection, cutting: Cutting) -> Run:
    embedder = await open_embedder(settings)

    def chunks(title: str, blocks: Sequence[Block]) -> Sequence[Chunk]:
        return cutting.chunks(title, blocks, embedder.count_tokens)

    async with Database.open(settings, application_name="benchmark") as database:
        try:
            with shown_progress() as progress:
                await fill(database, embedder, collection, progress, chunks)
        finally:
            await embedder.close()
        async with open_asked(settings, database) as asked:
            return await evaluate(
                asked,
                collection.name,
                collection.questions,
                settings={name: str(value) for name, value in asdict(cutting).items()},
            )


if __name__ == "__main__":
    main()
