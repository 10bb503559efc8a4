"""Keeping conversations on the page, and going on with them after a reload."""
# Chainlit leaves the types of its decorators and of its session open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Callable
from contextlib import suppress

import chainlit as cl
from chainlit.types import ThreadDict

from chat_panel import address_of
from chat_settings import ChatSettings
from chat_sign_in import SignIn
from chat_store import ConversationStore
from chat_store_database import ChatDatabase, StoreError
from chat_store_layer import StoreLayer
from chat_store_turns import ConversationMemory, KeptTurn
from chat_turn import Conversation

Asking = Callable[[], str | None]


class Keeper:
    """Keeps what is said; without a database, or for somebody unknown, it does nothing."""

    def __init__(
        self, store: ConversationStore | None, memory: ConversationMemory | None, asking: Asking
    ) -> None:
        self._store = store
        self._memory = memory
        self._asking = asking

    async def keep(
        self, question: str, answer: str, conversation: Conversation, answer_id: str
    ) -> None:
        """Keeps a turn; `answer_id` is the message that shows the answer."""
        person = self._asking()
        if self._memory is None or person is None:
            return
        turn = KeptTurn(answer_id, question, answer)
        with suppress(StoreError):
            thread_id = cl.context.session.thread_id
            await self._memory.keep(person, thread_id, turn, conversation.sources)

    async def resumed(self, thread: ThreadDict) -> Conversation:
        """What was said and found; also brings back what stands beside the messages."""
        person = self._asking()
        if self._store is None or self._memory is None or person is None:
            return Conversation()
        try:
            await _bring_back_elements(thread, self._store, person)
            return await self._memory.restored(person, thread["id"])
        except StoreError:
            return Conversation()


def keeper_from(settings: ChatSettings, sign_in: SignIn, asking: Asking) -> Keeper:
    """What keeps conversations; it needs people that it can tell apart."""
    if settings.chat_database_url is None or not sign_in.ways:
        return Keeper(None, None, asking)
    database = ChatDatabase(settings.chat_database_url.get_secret_value(), settings.chat_keep_days)
    store = ConversationStore(database)

    def layer() -> StoreLayer:
        return StoreLayer(store, asking)

    cl.data_layer(layer)
    return Keeper(store, ConversationMemory(database), asking)


async def _bring_back_elements(thread: ThreadDict, store: ConversationStore, person: str) -> None:
    """Gives what stands beside messages its address again, which is not kept."""
    whole = await store.thread(person, thread["id"])
    bodies = {str(one.element_id): one.body for one in whole.elements} if whole else {}
    for element in thread["elements"] or ():
        if body := bodies.get(element.get("id") or ""):
            element["url"] = address_of(body)
