"""The usual recipe for an index of Confluence, to be measured beside ours.

Page by page over one connection: the body to text with `html.parser`, one request for its vector,
one INSERT on a new connection. It leaves out comments, labels, links and words, and cuts nothing.
It answers a question on a new connection too, by comparing its vector with those of all pages.
"""

import time
from collections.abc import Sequence

import httpx
import openai
import psycopg
from bs4 import BeautifulSoup

TABLE = """
CREATE TABLE recipe (page_id text PRIMARY KEY, title text, body text, embedding vector)
"""
INSERT = "INSERT INTO recipe VALUES (%s, %s, %s, %s::vector)"
NEAREST = "SELECT page_id, title, body FROM recipe ORDER BY embedding <-> %s::vector LIMIT 10"
MOST_CHARACTERS = 20_000  # that the model reads


def pages_per_second(site_url: str, embeddings_url: str, conninfo: str, pages: int) -> float:
    """How fast the recipe takes in the first pages of a site."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(TABLE)
    with (
        httpx.Client(base_url=site_url, auth=("reader@example.com", "token")) as http,
        openai.OpenAI(api_key="unused", base_url=embeddings_url) as embeddings,
    ):
        started = time.perf_counter()
        answer = http.get("/api/v2/spaces/0/pages", params={"limit": min(pages, 250)}).json()
        for page in answer["results"]:
            _take_in(http, embeddings, conninfo, page["id"])
        return len(answer["results"]) / (time.perf_counter() - started)


def nearest(conninfo: str, vector: Sequence[float]) -> list[str]:
    """The ids of the ten pages that the recipe finds."""
    with psycopg.connect(conninfo) as connection:
        return [row[0] for row in connection.execute(NEAREST, [str(vector)])]


def _take_in(http: httpx.Client, embeddings: openai.OpenAI, conninfo: str, page_id: str) -> None:
    page = http.get(f"/api/v2/pages/{page_id}", params={"body-format": "storage"}).json()
    soup = BeautifulSoup(page["body"]["storage"]["value"], "html.parser")
    text = f"{page['title']}\n{soup.get_text(' ')}"
    answer = embeddings.embeddings.create(model="made-up", input=text[:MOST_CHARACTERS])
    with psycopg.connect(conninfo) as connection:
        values = (page["id"], page["title"], text, str(answer.data[0].embedding))
        connection.execute(INSERT, values)
