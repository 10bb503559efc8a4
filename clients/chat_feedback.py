"""Thumbs as JSON lines, each with its question and what was said before, to measure answers by."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import psycopg
from psycopg.rows import DictRow, dict_row

from chat_store_database import CONNECT_SECONDS, StoreError

# On the page a thumb belongs to the run that an answer came from.
RATED = """
    SELECT question, answer, cited, value, comment, given_at, coalesce((
        SELECT array_agg(ARRAY[earlier.question, earlier.answer] ORDER BY earlier.position)
        FROM chat.turn AS earlier
        WHERE earlier.thread_id = turn.thread_id AND earlier.position < turn.position
    ), '{}') AS before
    FROM chat.turn JOIN chat.step ON step.step_id = answer_id
        JOIN chat.feedback
            ON feedback.step_id IN (answer_id, (step.content ->> 'parentId')::uuid)
    ORDER BY given_at, answer_id
"""


def export(url: str, path: Path | None) -> int:
    """Writes all thumbs to a file, or to standard output; how many. Raises StoreError, OSError."""
    if path is None:
        return _write(url, sys.stdout)
    with path.open("w", encoding="utf-8") as file:
        return _write(url, file)


def _write(url: str, file: TextIO) -> int:
    count = 0
    for line in _lines(url):
        file.write(f"{line}\n")
        count += 1
    return count


def _lines(url: str) -> Iterator[str]:
    try:
        with (
            psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection,
            connection.cursor("rated", row_factory=dict_row) as cursor,
        ):
            cursor.execute(RATED)
            for row in cursor:
                yield json.dumps(_as_json(row), ensure_ascii=False)
    except psycopg.Error as error:
        raise StoreError(
            f"The thumbs cannot be read: {' '.join(str(error).split())}\n"
            "Check CHAT_DATABASE_URL, and that a chat has been started with it."
        ) from error


def _as_json(row: DictRow) -> dict[str, object]:
    return {
        "question": row["question"],
        "history": [
            {"role": role, "content": text}
            for turn in row["before"]
            for role, text in zip(("user", "assistant"), turn, strict=True)
        ],
        "rating": "up" if row["value"] else "down",
        "answer": row["answer"],
        "cited": row["cited"],
        "comment": row["comment"],
        "at": row["given_at"].isoformat(),
    }
