"""What was said and found in a conversation, so that a person can go on with it later."""

from collections.abc import Mapping
from dataclasses import dataclass

from chat_results import Citation, Hit, Passage, WholePage
from chat_sources import Sources
from chat_store import as_json, make_thread, storable
from chat_store_database import ChatDatabase, Connection
from chat_turn import REMEMBERED_MESSAGES, Conversation

FIND_MINE = """
    SELECT thread_id, coalesce(max(number), 0) AS known
    FROM chat.thread JOIN chat.person USING (person_id) LEFT JOIN chat.source USING (thread_id)
    WHERE thread_id = %(thread_id)s::uuid AND identifier = %(person)s
    GROUP BY thread_id
"""
KEEP_SOURCE = """
    INSERT INTO chat.source (thread_id, number, passage)
    VALUES (%(thread_id)s, %(number)s, %(passage)s)
    ON CONFLICT (thread_id, number) DO NOTHING
"""
KEEP_TURN = """
    INSERT INTO chat.turn (answer_id, thread_id, question, answer, cited)
    VALUES (%(answer_id)s, %(thread_id)s, %(question)s, %(answer)s, %(cited)s)
    ON CONFLICT (answer_id) DO UPDATE SET
        question = EXCLUDED.question, answer = EXCLUDED.answer, cited = EXCLUDED.cited
    WHERE turn.thread_id = EXCLUDED.thread_id
"""
SOURCES = "SELECT passage FROM chat.source WHERE thread_id = %(thread_id)s ORDER BY number"
# Of a question that was asked again at once, the last answer counts.
TURNS = """
    SELECT question, answer FROM (
        SELECT position, question, answer,
            lead(question) OVER (ORDER BY position) AS asked_next
        FROM chat.turn WHERE thread_id = %(thread_id)s
        ORDER BY position DESC LIMIT %(turns)s
    ) AS latest
    WHERE question IS DISTINCT FROM asked_next
    ORDER BY position
"""


KINDS = (Citation, Hit, WholePage)


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A question and its answer; `answer_id` is the message that shows the answer."""

    answer_id: str
    question: str
    answer: str


class ConversationMemory:
    """Keeps and restores conversations; `person` is always whoever asks."""

    def __init__(self, database: ChatDatabase) -> None:
        self._database = database

    async def keep(self, person: str, thread_id: str, turn: KeptTurn, sources: Sources) -> None:
        """Adds a turn and the sources that are new with it; raises StoreError."""
        values = {"person": person, "thread_id": thread_id}
        async with self._database.transaction() as connection:
            await make_thread(connection, person, thread_id)
            found = await (await connection.execute(FIND_MINE, values)).fetchone()
            if found is None:
                return
            await connection.execute(KEEP_TURN, _as_row(thread_id, turn, sources))
            new = [source for source in sources if source.number > found["known"]]
            for source in new:
                passage = as_json(_as_kept(source.passage))
                row = {"thread_id": thread_id, "number": source.number, "passage": passage}
                await connection.execute(KEEP_SOURCE, row)

    async def restored(self, person: str, thread_id: str) -> Conversation:
        """A conversation as it was left; an empty one if it is nobody's or another's."""
        conversation = Conversation()
        values = {"person": person, "thread_id": thread_id}
        async with self._database.transaction() as connection:
            found = await (await connection.execute(FIND_MINE, values)).fetchone()
            if found is not None:
                await _restore(connection, found["thread_id"], conversation)
        return conversation


async def _restore(connection: Connection, thread_id: object, conversation: Conversation) -> None:
    values = {"thread_id": thread_id, "turns": REMEMBERED_MESSAGES // 2}
    for row in await (await connection.execute(SOURCES, values)).fetchall():
        conversation.sources.add(_passage(row["passage"]))
    for row in await (await connection.execute(TURNS, values)).fetchall():
        conversation.remember(row["question"], row["answer"])


def _as_kept(passage: Passage) -> Mapping[str, object]:
    """Of a whole page only what every passage has."""
    kept = passage.model_dump(mode="json", by_alias=True, include=set(Passage.model_fields))
    return kept | {"kind": type(passage).__name__}


def _passage(kept: Mapping[str, object]) -> Passage:
    kind = next((kind for kind in KINDS if kind.__name__ == kept.get("kind")), Passage)
    return kind.model_validate(kept)


def _as_row(thread_id: str, turn: KeptTurn, sources: Sources) -> dict[str, object]:
    cited = dict.fromkeys(source.passage.page_id for source in sources.cited_in(turn.answer))
    return {
        "thread_id": thread_id,
        "answer_id": turn.answer_id,
        "question": storable(turn.question),
        "answer": storable(turn.answer),
        "cited": [page_id for page_id in cited if page_id],
    }
