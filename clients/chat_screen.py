"""How a turn looks on the page: its look-ups, and an answer whose numbers open sources."""
# Chainlit leaves the types of its steps open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import chainlit as cl

from chat_lookups import LookUp, title_of_progress
from chat_panel import Shown, address_of, to_side_view
from chat_tasks import Question

ASK_AGAIN = "ask_again"


class ShownStep:
    """A look-up as Chainlit shows it."""

    def __init__(self, step: cl.Step) -> None:
        self._step = step

    async def tell(self, said: str) -> None:
        """Shows what is being done for it right now, which is not kept."""
        if title := title_of_progress(said):
            self._step.name = title
            await cl.context.emitter.update_step(self._step.to_dict())

    async def show(self, made: LookUp) -> None:
        """Replaces the running look-up by its result."""
        self._step.name = made.title
        self._step.output = made.for_reader
        self._step.is_error = made.failed


class ChatScreen:
    """Shows a turn on the page, token by token."""

    def __init__(self) -> None:
        self._message = cl.Message(content="")

    @property
    def answer_id(self) -> str:
        """The message that shows the answer."""
        return self._message.id

    async def write(self, text: str) -> None:
        """Adds to the text that the model is writing."""
        await self._message.stream_token(text)

    async def end_remark(self) -> None:
        """What was written so far was said before a look-up and is not the answer."""
        if self._message.content:
            await self._message.send()
            self._message = cl.Message(content="")

    @asynccontextmanager
    async def looking_up(self, title: str) -> AsyncGenerator[ShownStep]:
        """Shows that something is being looked up."""
        async with cl.Step(name=title, type="tool", icon="search", show_input=False) as step:
            yield ShownStep(step)

    async def end(self, text: str, shown: list[Shown], question: Question) -> None:
        """Replaces what was written by the whole text, in which `[n]` opens a source."""
        self._message.content = text
        today = datetime.now(UTC).date()
        for one in shown:
            view = to_side_view(one, today)
            address = address_of(view.encode("utf-8", "replace"))
            element = cl.Text(name=one.source.marker, content=view, url=address, display="side")
            await element.send(for_id=self._message.id)
        self._message.actions = [await _ask_again(question)]
        await self._message.send()


async def _ask_again(question: Question) -> cl.Action:
    """The button that asks again; only the newest answer has one."""
    before: object = cl.user_session.get(ASK_AGAIN)
    if isinstance(before, cl.Action):
        await before.remove()
    again = cl.Action(
        name=ASK_AGAIN,
        payload=question.as_payload(),
        icon="refresh-cw",
        tooltip="Ask again for another answer",
    )
    cl.user_session.set(ASK_AGAIN, again)
    return again
