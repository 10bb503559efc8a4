"""The store as Chainlit's data layer."""
# Chainlit leaves its dictionaries open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from chainlit.data.base import BaseDataLayer
from chainlit.data.utils import queue_until_user_message
from chainlit.element import Element, ElementDict
from chainlit.step import StepDict
from chainlit.types import (
    Feedback,
    FeedbackDict,
    PageInfo,
    PaginatedResponse,
    Pagination,
    ThreadDict,
    ThreadFilter,
)
from chainlit.user import PersistedUser, User

from chat_deleted import leave_deleted
from chat_store import Content, ConversationStore, Person, Step, Thread, Wanted, WholeThread
from chat_store_database import StoreError

# What Chainlit may keep with a conversation. Whether it is shared is not among it: a person's
# conversation shows pages that others may not read.
KEPT_METADATA = ("chat_profile", "chat_settings", "name")
MOST_THREADS = 100


class StoreLayer(BaseDataLayer):
    """Binds each call of Chainlit to whoever makes it; `asking` tells who that is.

    Chainlit does not look whose an answer is that gets a thumb, or whose a step is that is
    written again under its id.
    """

    def __init__(self, store: ConversationStore, asking: Callable[[], str | None]) -> None:
        self._store = store
        self._asking = asking

    async def get_user(self, identifier: str) -> PersistedUser | None:
        """Somebody who signed in before."""
        person = await self._store.person(identifier)
        return _user(person) if person else None

    async def create_user(self, user: User) -> PersistedUser | None:
        """Notes that somebody signs in."""
        return _user(await self._store.sign_in(user.identifier))

    async def upsert_feedback(self, feedback: Feedback) -> str:
        """Keeps a thumb for an answer, which can have one."""
        person = self._asking()
        if person is None or not _is_id(feedback.forId):
            raise StoreError("There is no such answer.")
        value = 1 if feedback.value else 0
        if not await self._store.rate(person, feedback.forId, value, feedback.comment):
            raise StoreError("There is no such answer.")
        return feedback.forId

    async def delete_feedback(self, feedback_id: str) -> bool:
        """Takes a thumb back."""
        person = self._asking()
        if person is None or not _is_id(feedback_id):
            return False
        return await self._store.unrate(person, feedback_id)

    @queue_until_user_message()
    async def create_element(self, element: Element) -> None:
        """Keeps what is shown beside a message, with its content."""
        person = self._asking()
        if person is None or not element.for_id:
            return
        content: Content = dict(element.to_dict().items())
        # They name a file of this run of the chat, and what `body` holds.
        content["chainlitKey"] = content["url"] = None
        body = element.content
        if isinstance(body, str):
            body = body.encode("utf-8", "replace")
        with suppress(StoreError):
            await self._store.keep_element(person, element.thread_id, content, body)

    @queue_until_user_message()
    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        """Forgets it."""
        if person := self._asking():
            with suppress(StoreError):
                await self._store.drop_element(person, element_id)

    async def get_element(self, thread_id: str, element_id: str) -> ElementDict | None:
        """What is shown beside a message of an own conversation."""
        thread = await self.get_thread(thread_id)
        elements = (thread.get("elements") or []) if thread else []
        return next((one for one in elements if one.get("id") == element_id), None)

    @queue_until_user_message()
    async def create_step(self, step_dict: StepDict) -> None:
        """Keeps a message or a look-up."""
        person = self._asking()
        thread_id, step_id = step_dict.get("threadId"), step_dict.get("id")
        if person is None or not thread_id or not step_id:
            return
        content = {key: value for key, value in step_dict.items() if key != "feedback"}
        with suppress(StoreError):
            await self._store.keep_step(person, thread_id, step_id, content)

    @queue_until_user_message()
    async def update_step(self, step_dict: StepDict) -> None:
        """Keeps what has changed of it."""
        await self.create_step(step_dict)

    @queue_until_user_message()
    async def delete_step(self, step_id: str) -> None:
        """Forgets it."""
        if person := self._asking():
            with suppress(StoreError):
                await self._store.drop_step(person, step_id)

    async def get_thread_author(self, thread_id: str) -> str:
        """Whoever asks, for an own conversation; nobody for others, as if there were none."""
        thread = await self.get_thread(thread_id)
        return (thread.get("userIdentifier") or "") if thread else ""

    async def delete_thread(self, thread_id: str) -> None:
        """Deletes an own conversation for good."""
        if (person := self._asking()) and _is_id(thread_id):
            await self._store.drop_thread(person, thread_id)
            leave_deleted(person, thread_id)

    async def list_threads(
        self, pagination: Pagination, filters: ThreadFilter
    ) -> PaginatedResponse[ThreadDict]:
        """Own conversations, the latest first."""
        person = self._asking()
        first = max(1, min(pagination.first, MOST_THREADS))
        after = pagination.cursor if pagination.cursor and _is_id(pagination.cursor) else None
        wanted = Wanted(first + 1, after, filters.search, filters.feedback)
        found = await self._store.threads(person, wanted) if person else []
        data = [_thread(thread, person or "", updated=True) for thread in found[:first]]
        page = PageInfo(
            hasNextPage=len(found) > first,
            startCursor=data[0]["id"] if data else None,
            endCursor=data[-1]["id"] if data else None,
        )
        return PaginatedResponse(pageInfo=page, data=data)

    async def get_thread(self, thread_id: str) -> ThreadDict | None:
        """An own conversation with all that it shows."""
        person = self._asking()
        if person is None or not _is_id(thread_id):
            return None
        found = await self._store.thread(person, thread_id)
        return _whole(found, person) if found else None

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """Makes an own conversation, or renames it."""
        if (person := self._asking()) and _is_id(thread_id):
            given = metadata or {}
            kept = {key: given[key] for key in KEPT_METADATA if given.get(key) is not None}
            with suppress(StoreError):
                if name is not None:
                    await self._store.keep_thread(person, thread_id, name, kept)
                else:  # said when a page is closed, also that of a deleted conversation
                    await self._store.note(person, thread_id, kept)

    async def get_favorite_steps(self, user_id: str) -> list[StepDict]:
        """The messages that whoever asks has marked."""
        person = self._asking()
        return [_step(step) for step in await self._store.favorites(person)] if person else []

    async def build_debug_url(self) -> str:
        """None."""
        return ""

    async def close(self) -> None:
        """Ends the connections to the database."""
        await self._store.close()


def _is_id(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def _user(person: Person) -> PersistedUser:
    return PersistedUser(
        id=str(person.person_id),
        identifier=person.identifier,
        createdAt=person.created_at.isoformat(),
    )


def _thread(thread: Thread, person: str, *, updated: bool = False) -> ThreadDict:
    since = thread.updated_at if updated else thread.created_at
    return ThreadDict(
        id=str(thread.thread_id),
        createdAt=since.isoformat(),
        name=thread.name,
        userId=None,
        userIdentifier=person,
        tags=[],
        metadata=thread.metadata,
        steps=[],
        elements=[],
    )


def _whole(whole: WholeThread, person: str) -> ThreadDict:
    thread = _thread(whole.thread, person)
    thread["steps"] = [_step(step) for step in whole.steps]
    thread["elements"] = [_element_dict(one.content) for one in whole.elements]
    return thread


def _step(step: Step) -> StepDict:
    shown = _step_dict(step.content)
    if step.value is not None:
        step_id = str(step.step_id)
        value = 1 if step.value else 0
        shown["feedback"] = FeedbackDict(
            forId=step_id, id=step_id, value=value, comment=step.comment
        )
    return shown


# These two are kept as Chainlit gave them, and go back to it unread.
def _step_dict(content: Mapping[str, Any]) -> StepDict:
    return StepDict(**content)


def _element_dict(content: Mapping[str, Any]) -> ElementDict:
    return ElementDict(**content)
