"""Conversations as the database keeps them: everybody reaches their own, and no others.

Each statement names the person who asks. Ids come from the browser, so that none of them is proof
of anything: what is somebody else's is treated as if it did not exist.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID
from weakref import WeakValueDictionary

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from chat_store_database import LONGEST_SIGN_IN, ChatDatabase, Connection

NAME_CHARACTERS = 255
COMMENT_CHARACTERS = 4_000
ESCAPED_ZERO = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")

Content = dict[str, object]

SIGN_IN = """
    INSERT INTO chat.person (identifier) VALUES (%(person)s)
    ON CONFLICT (identifier) DO UPDATE SET seen_at = now()
    RETURNING person_id, identifier, created_at
"""
FIND_PERSON = """
    SELECT person_id, identifier, created_at FROM chat.person WHERE identifier = %(person)s
"""
# What is done to one conversation is done in turn, also by several chats; the number only has to be
# nobody else's.
IN_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(%(thread_id)s::uuid::text, 7265308114))"
KEEP_THREAD = """
    INSERT INTO chat.thread (thread_id, person_id, name, metadata)
    SELECT %(thread_id)s::uuid, person_id, %(name)s::text, %(metadata)s
    FROM chat.person
    WHERE identifier = %(person)s
        AND NOT EXISTS (SELECT FROM chat.deleted WHERE thread_id = %(thread_id)s::uuid)
    ON CONFLICT (thread_id) DO UPDATE SET
        name = coalesce(EXCLUDED.name, thread.name),
        metadata = thread.metadata || EXCLUDED.metadata,
        updated_at = now()
    WHERE thread.person_id = EXCLUDED.person_id
"""
NOTE = """
    UPDATE chat.thread SET metadata = metadata || %(metadata)s
    FROM chat.person
    WHERE thread_id = %(thread_id)s::uuid AND thread.person_id = person.person_id
        AND identifier = %(person)s
"""
KEEP_STEP = """
    INSERT INTO chat.step (step_id, thread_id, content)
    SELECT %(step_id)s::uuid, thread_id, %(content)s
    FROM chat.thread JOIN chat.person USING (person_id)
    WHERE thread_id = %(thread_id)s::uuid AND identifier = %(person)s
    ON CONFLICT (step_id) DO UPDATE SET content = step.content || EXCLUDED.content
    WHERE step.thread_id = EXCLUDED.thread_id
"""
DROP_STEP = """
    WITH mine AS (
        SELECT step_id FROM chat.step JOIN chat.thread USING (thread_id)
            JOIN chat.person USING (person_id)
        WHERE step_id = %(step_id)s::uuid AND identifier = %(person)s
    ), turns AS (
        DELETE FROM chat.turn WHERE answer_id IN (SELECT step_id FROM mine)
    ), elements AS (
        DELETE FROM chat.element WHERE step_id IN (SELECT step_id FROM mine)
    )
    DELETE FROM chat.step WHERE step_id IN (SELECT step_id FROM mine)
"""
KEEP_ELEMENT = """
    INSERT INTO chat.element (element_id, thread_id, step_id, content, body)
    SELECT %(element_id)s::uuid, thread_id, %(step_id)s::uuid, %(content)s, %(body)s::bytea
    FROM chat.thread JOIN chat.person USING (person_id)
    WHERE thread_id = %(thread_id)s::uuid AND identifier = %(person)s
    ON CONFLICT (element_id) DO UPDATE SET
        step_id = EXCLUDED.step_id, content = EXCLUDED.content, body = EXCLUDED.body
    WHERE element.thread_id = EXCLUDED.thread_id
"""
DROP_ELEMENT = """
    DELETE FROM chat.element USING chat.thread JOIN chat.person USING (person_id)
    WHERE element_id = %(element_id)s::uuid AND element.thread_id = thread.thread_id
        AND identifier = %(person)s
"""
RATE = """
    INSERT INTO chat.feedback (step_id, value, comment)
    SELECT step_id, %(value)s::smallint, %(comment)s::text
    FROM chat.step JOIN chat.thread USING (thread_id) JOIN chat.person USING (person_id)
    WHERE step_id = %(step_id)s::uuid AND identifier = %(person)s
    ON CONFLICT (step_id) DO UPDATE SET
        value = EXCLUDED.value, comment = EXCLUDED.comment, given_at = now()
"""
UNRATE = """
    DELETE FROM chat.feedback
    USING chat.step JOIN chat.thread USING (thread_id) JOIN chat.person USING (person_id)
    WHERE feedback.step_id = %(step_id)s::uuid AND step.step_id = feedback.step_id
        AND identifier = %(person)s
"""
LIST_THREADS = """
    SELECT thread_id, name, metadata, thread.created_at, updated_at
    FROM chat.thread JOIN chat.person USING (person_id)
    WHERE identifier = %(person)s
        AND (%(after)s::uuid IS NULL OR (updated_at, thread_id) < (
            SELECT updated_at, thread_id FROM chat.thread WHERE thread_id = %(after)s::uuid
        ))
        AND (%(words)s::text IS NULL OR strpos(lower(name), lower(%(words)s)) > 0 OR EXISTS (
            SELECT FROM chat.step
            WHERE step.thread_id = thread.thread_id
                AND strpos(lower(content ->> 'output'), lower(%(words)s)) > 0
        ))
        AND (%(rating)s::smallint IS NULL OR EXISTS (
            SELECT FROM chat.step JOIN chat.feedback USING (step_id)
            WHERE step.thread_id = thread.thread_id AND value = %(rating)s
        ))
    ORDER BY updated_at DESC, thread_id DESC
    LIMIT %(limit)s
"""
FIND_THREAD = """
    SELECT thread_id, name, metadata, thread.created_at, updated_at
    FROM chat.thread JOIN chat.person USING (person_id)
    WHERE thread_id = %(thread_id)s::uuid AND identifier = %(person)s
"""
STEPS_OF_THREAD = """
    SELECT step_id, content, value, comment
    FROM chat.step LEFT JOIN chat.feedback USING (step_id)
    WHERE thread_id = %(thread_id)s::uuid
    ORDER BY position
"""
ELEMENTS_OF_THREAD = """
    SELECT element_id, content, body FROM chat.element WHERE thread_id = %(thread_id)s::uuid
"""
DROP_THREAD = """
    WITH gone AS (
        DELETE FROM chat.thread USING chat.person
        WHERE thread_id = %(thread_id)s::uuid AND thread.person_id = person.person_id
            AND identifier = %(person)s
        RETURNING thread_id
    )
    INSERT INTO chat.deleted (thread_id) SELECT thread_id FROM gone ON CONFLICT DO NOTHING
"""
# Nobody's page is open for longer than they are signed in.
FORGET_DELETED = """
    DELETE FROM chat.deleted WHERE deleted_at < now() - make_interval(days => %(days)s)
"""
FAVORITES = """
    SELECT step_id, content, NULL::smallint AS value, NULL AS comment
    FROM chat.step JOIN chat.thread USING (thread_id) JOIN chat.person USING (person_id)
    WHERE identifier = %(person)s AND content -> 'metadata' ->> 'favorite' = 'true'
    ORDER BY position DESC
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has signed in before."""

    person_id: UUID
    identifier: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation as it is listed."""

    thread_id: UUID
    name: str | None
    metadata: Content
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """A message or look-up; `value` is 1 for a thumb up, 0 for down, None for none."""

    step_id: UUID
    content: Content
    value: int | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Element:
    """What is shown beside a message."""

    element_id: UUID
    content: Content
    body: bytes | None


@dataclass(frozen=True, slots=True)
class WholeThread:
    """A conversation with all that it shows, in its order."""

    thread: Thread
    steps: list[Step]
    elements: list[Element]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conversations to list: those after one of them, with these words, with a thumb."""

    limit: int
    after: str | None = None
    words: str | None = None
    rating: int | None = None


class ConversationStore:
    """What one person keeps; `person` is always the identifier of whoever asks."""

    def __init__(self, database: ChatDatabase) -> None:
        self._database = database
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        """Ends the connections."""
        await self._database.close()

    async def sign_in(self, person: str) -> Person:
        """Somebody who has just signed in."""
        async with self._database.transaction() as connection:
            found = await _person(connection, SIGN_IN, person)
        assert found is not None, "the statement returns the row that it writes"
        return found

    async def person(self, person: str) -> Person | None:
        """Somebody who signed in before."""
        async with self._database.transaction() as connection:
            return await _person(connection, FIND_PERSON, person)

    async def keep_thread(self, person: str, thread_id: str, name: str, metadata: Content) -> None:
        """Makes a conversation, or renames it."""
        cut = storable(name[:NAME_CHARACTERS])
        async with self._database.transaction() as connection:
            await make_thread(connection, person, thread_id, cut, metadata)

    async def note(self, person: str, thread_id: str, metadata: Content) -> None:
        """Adds to what is noted of a conversation that there is."""
        values = {"person": person, "thread_id": thread_id, "metadata": as_json(metadata)}
        await self._run(NOTE, values)

    async def keep_step(self, person: str, thread_id: str, step_id: str, content: Content) -> None:
        """Keeps a step, or what has changed of it, in the order of the calls."""
        values = {"person": person, "thread_id": thread_id, "step_id": step_id}
        # Chainlit hands over a step and its changes without waiting for the one before.
        async with self._lock(thread_id), self._database.transaction() as connection:
            await make_thread(connection, person, thread_id)
            await connection.execute(KEEP_STEP, values | {"content": as_json(content)})

    async def drop_step(self, person: str, step_id: str) -> None:
        """Deletes a step with what belongs to it."""
        await self._run(DROP_STEP, {"person": person, "step_id": step_id})

    async def keep_element(
        self, person: str, thread_id: str, content: Content, body: bytes | None
    ) -> None:
        """Keeps what is shown beside a message; `content` has its `id` and `forId`."""
        values = {
            "person": person,
            "thread_id": thread_id,
            "element_id": content["id"],
            "step_id": content.get("forId"),
            "content": as_json(content),
            "body": body,
        }
        async with self._lock(thread_id), self._database.transaction() as connection:
            await make_thread(connection, person, thread_id)
            await connection.execute(KEEP_ELEMENT, values)

    async def drop_element(self, person: str, element_id: str) -> None:
        """Deletes it."""
        await self._run(DROP_ELEMENT, {"person": person, "element_id": element_id})

    async def rate(self, person: str, step_id: str, value: int, comment: str | None) -> bool:
        """Whether there was such an answer to give a thumb to."""
        cut = storable(comment.strip()[:COMMENT_CHARACTERS]) or None if comment else None
        values = {"person": person, "step_id": step_id, "value": value, "comment": cut}
        return await self._run(RATE, values) > 0

    async def unrate(self, person: str, step_id: str) -> bool:
        """Whether there was a thumb to take back."""
        return await self._run(UNRATE, {"person": person, "step_id": step_id}) > 0

    async def threads(self, person: str, wanted: Wanted) -> list[Thread]:
        """The latest conversations, the one that was gone on with last first."""
        values = {
            "person": person,
            "after": wanted.after,
            "words": wanted.words or None,
            "rating": wanted.rating,
            "limit": wanted.limit,
        }
        async with (
            self._database.transaction() as connection,
            connection.cursor(row_factory=class_row(Thread)) as cursor,
        ):
            await cursor.execute(LIST_THREADS, values)
            return await cursor.fetchall()

    async def thread(self, person: str, thread_id: str) -> WholeThread | None:
        """A whole conversation."""
        values = {"person": person, "thread_id": thread_id}
        async with self._database.transaction() as connection:
            async with connection.cursor(row_factory=class_row(Thread)) as cursor:
                thread = await (await cursor.execute(FIND_THREAD, values)).fetchone()
            if thread is None:
                return None
            async with connection.cursor(row_factory=class_row(Step)) as cursor:
                steps = await (await cursor.execute(STEPS_OF_THREAD, values)).fetchall()
            async with connection.cursor(row_factory=class_row(Element)) as cursor:
                elements = await (await cursor.execute(ELEMENTS_OF_THREAD, values)).fetchall()
        return WholeThread(thread, steps, elements)

    async def drop_thread(self, person: str, thread_id: str) -> None:
        """Deletes a conversation with all that is in it, and what is still to come of it."""
        values = {"person": person, "thread_id": thread_id}
        async with self._database.transaction() as connection:
            await connection.execute(IN_TURN, values)
            await connection.execute(DROP_THREAD, values)
            await connection.execute(FORGET_DELETED, {"days": LONGEST_SIGN_IN})

    async def favorites(self, person: str) -> list[Step]:
        """The messages that somebody has marked, the last first."""
        async with (
            self._database.transaction() as connection,
            connection.cursor(row_factory=class_row(Step)) as cursor,
        ):
            return await (await cursor.execute(FAVORITES, {"person": person})).fetchall()

    def _lock(self, thread_id: str) -> asyncio.Lock:
        return self._writing.setdefault(thread_id, asyncio.Lock())

    async def _run(self, statement: LiteralString, values: Mapping[str, object]) -> int:
        async with self._database.transaction() as connection:
            return (await connection.execute(statement, values)).rowcount


async def _person(connection: Connection, statement: LiteralString, person: str) -> Person | None:
    async with connection.cursor(row_factory=class_row(Person)) as cursor:
        return await (await cursor.execute(statement, {"person": person})).fetchone()


async def make_thread(
    connection: Connection,
    person: str,
    thread_id: str,
    name: str | None = None,
    metadata: Content | None = None,
) -> None:
    """Makes the conversation if need be: what is in it may come before itself.

    One that was deleted is not made again.
    """
    values = {"person": person, "thread_id": thread_id, "name": name}
    values |= {"metadata": as_json(metadata or {})}
    await connection.execute(IN_TURN, values)
    await connection.execute(KEEP_THREAD, values)


def storable(text: str) -> str:
    """A text without what Postgres does not take: a zero, or half a character."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def as_json(value: object) -> Jsonb:
    """JSON whose texts Postgres takes."""
    return Jsonb(value, dumps=_dumps)


def _dumps(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False)
    return ESCAPED_ZERO.sub(r"\1", text).encode("utf-8", "replace")
