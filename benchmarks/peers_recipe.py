"""The usual recipe: one vector for a whole page, no index, a connection for each question."""

from collections.abc import Iterator, Sequence

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.peers_task import PAGES, Pipeline, Task
from benchmarks.peers_vectors import Vectors

TABLE = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE recipe (page_id text PRIMARY KEY, title text, body text, embedding vector(384))
"""
INSERT = "INSERT INTO recipe VALUES (%s, %s, %s, %s::vector)"
NEAREST = """
SELECT page_id, title, body FROM recipe ORDER BY embedding <-> %(vector)s::vector LIMIT %(limit)s
"""
FEW = 3  # pages that the recipe shows
MOST_CHARACTERS = 20_000  # that it sends to the model, which reads the first 256 word pieces


def recipe_pipelines(task: Task, vectors: Vectors) -> Iterator[Pipeline]:
    """With as many results as it shows, and with as many as the others rank."""
    conninfo = make_conninfo("", **task.conninfo)
    _fill(conninfo, task, vectors)

    def find(question: str, limit: int) -> Sequence[str]:
        values = {"vector": str(vectors.of_question(question)), "limit": limit}
        with psycopg.connect(conninfo) as connection:
            return [page_id for page_id, _, _ in connection.execute(NEAREST, values)]

    for limit in (PAGES, FEW):
        name = f"whole pages, first {limit}"
        yield Pipeline(name, len(task.texts), lambda text, limit=limit: find(text, limit))


def _fill(conninfo: str, task: Task, vectors: Vectors) -> None:
    bodies = [f"{text.title}\n{text.markdown}"[:MOST_CHARACTERS] for text in task.texts]
    of_pages = zip(task.texts, bodies, vectors.of_passages(bodies), strict=True)
    with psycopg.connect(conninfo) as connection:
        connection.execute(TABLE)
        for text, body, vector in of_pages:
            connection.execute(INSERT, (text.text_id, text.title, body, str(vector)))
