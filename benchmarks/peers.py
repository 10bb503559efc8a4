"""Search beside the stock pgvector pipelines of LangChain and LlamaIndex, and the usual recipe.

    uv run --extra eval python -m benchmarks.peers FOLDER [--words german]

FOLDER is a collection in the layout of BEIR. All have the same embedding model and the same
embedded Postgres; a page stands where the best of its chunks does. Times leave out the embedding
of the question. The others run in an environment of their own, which `uv` makes, or in that of
`--python`; they are told the language of the collection, which the product finds out.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.peers_task import Run, Task, Text, read_runs
from evals.asking import Answer, TimedEmbedder, ask
from evals.collection import Collection, read_collection
from evals.fill import fill
from evals.measures import MAIN, measures_of
from evals.statistics import chances, estimates
from index.access import CRAWLER
from index.database import Database
from index.embedding_local import LocalEmbedder
from index.search import Searcher
from index.settings import IndexSettings
from index.status import read_status

PACKAGES = (
    "langchain-postgres>=0.0.19,<0.1",
    "langchain-text-splitters>=1.1.3,<2",
    "llama-index-core>=0.14.25,<0.15",
    "llama-index-vector-stores-postgres>=0.9,<0.10",
)
SUPERUSER = "postgres"  # may make the extension in a new database
DATABASE = "peers"
HEAD = (
    "| pipeline | chunks | nDCG@10 | recall@10 | MRR@10 | ms (p50 / p95) | ours is better by | p |"
)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description="Search beside stock pgvector pipelines.")
    parser.add_argument("folder", type=Path, help="a collection in the layout of BEIR")
    parser.add_argument("--words", default="english", help="text search configuration of theirs")
    parser.add_argument("--python", help="an interpreter that has their packages; else uv is used")
    arguments = parser.parse_args()
    collection = read_collection(arguments.folder)
    with tempfile.TemporaryDirectory() as home:
        runs = asyncio.run(_runs(Path(home), collection, arguments.words, arguments.python))
    _print(collection, runs)


async def _runs(home: Path, collection: Collection, words: str, python: str | None) -> list[Run]:
    settings = IndexSettings.model_validate({"postgres_url": None, "confluence_mcp_home": home})
    async with Database.open(settings, application_name="benchmark") as database:
        ours = await _ours(database, collection)
        task = Task(
            conninfo=await _new_database(database),
            words=words,
            texts=[Text(text.text_id, text.title, text.markdown) for text in collection.texts],
            questions={question.id: question.text for question in collection.questions},
        )
        return [ours, *await asyncio.to_thread(_theirs, task, home, python)]


async def _ours(database: Database, collection: Collection) -> Run:
    embedder = TimedEmbedder(LocalEmbedder())

    async def choose(_: str) -> TimedEmbedder:
        return embedder

    try:
        await fill(database, embedder, collection, lambda _: None)
        searcher = Searcher(database, choose)
        await ask(searcher, CRAWLER, collection.questions)
        answers = await ask(searcher, CRAWLER, collection.questions, embedder=embedder)
    finally:
        await embedder.close()
    chunks = sum(space.chunks for space in (await read_status(database)).spaces)
    return Run(
        "**confluence-mcp**",
        chunks,
        {answer.question.id: [hit.page.page_id for hit in answer.hits] for answer in answers},
        [_milliseconds(answer) for answer in answers],
    )


def _milliseconds(answer: Answer) -> float:
    return (answer.seconds - answer.embedding) * 1000


async def _new_database(database: Database) -> dict[str, str]:
    """An empty database in the same Postgres."""
    place = {
        name: str(value) for name, value in conninfo_to_dict(await database.conninfo()).items()
    }
    given = {name: place[name] for name in ("host", "port")} | {"user": SUPERUSER}
    conninfo = make_conninfo("", **given, dbname="postgres")
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        await connection.execute(f"CREATE DATABASE {DATABASE}")
    return {**given, "dbname": DATABASE}


def _theirs(task: Task, folder: Path, python: str | None) -> list[Run]:
    task_file, runs_file = folder / "task.json", folder / "runs.json"
    task.write(task_file)
    with_packages = [
        "uv",
        "run",
        *(part for name in PACKAGES for part in ("--with", name)),
        "python",
    ]
    interpreter = [python] if python else with_packages
    command = [*interpreter, "-m", "benchmarks.peers_stock", str(task_file), str(runs_file)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return read_runs(runs_file)


def _print(collection: Collection, runs: Sequence[Run]) -> None:
    print(
        f"{collection.name}: {len(collection.texts)} texts, {len(collection.questions)} questions"
    )
    print(f"\n{HEAD}\n{'|'.join(['---'] * HEAD.count('|'))[3:]}|")
    grades = {question.id: question.grades for question in collection.questions}
    ours, *theirs = [measures_of(grades, run.found) for run in runs]
    _print_row(runs[0], ours, "", "")
    for run, values in zip(runs[1:], theirs, strict=True):
        gains = [mine - other for mine, other in zip(ours[MAIN], values[MAIN], strict=True)]
        [gain], [chance] = estimates([gains]), chances([gains])
        _print_row(
            run, values, f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})", f"{chance:.4f}"
        )


def _print_row(run: Run, values: Mapping[str, Sequence[float]], gain: str, chance: str) -> None:
    ndcg, recall, rank = estimates([values[MAIN], values["recall@10"], values["MRR@10"]])
    p50, p95 = np.percentile(run.milliseconds, [50, 95])
    cells = [
        run.name,
        f"{run.chunks:,}",
        f"{ndcg.mean:.3f} ({ndcg.low:.3f} to {ndcg.high:.3f})",
        *(f"{recall.mean:.3f}", f"{rank.mean:.3f}", f"{p50:.1f} / {p95:.1f}", gain, chance),
    ]
    print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
