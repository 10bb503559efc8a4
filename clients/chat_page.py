"""The page: Chainlit's events, and how a turn looks on it."""
# Chainlit leaves the types of its decorators and of its session open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import chainlit as cl
from chainlit.config import config
from chainlit.server import app

from chat_errors import ChatFailure, root_cause
from chat_guard import LOOPBACK, SameSiteOnly
from chat_home import discard
from chat_lookups import LookUp
from chat_model import ChatModel
from chat_server import Connection, server_from
from chat_settings import ChatSettings
from chat_sources import Source, to_passage_list, to_side_view, to_source_list
from chat_turn import Conversation, Turn

SET_A_MODEL = (
    "These are the passages that match. For written answers, set `OPENAI_API_KEY` (or "
    "`OPENAI_BASE_URL` and `CHAT_MODEL` for another endpoint) and start the chat again."
)
QUESTIONS = (
    "How many vacation days can I carry over?",
    "Who is on call, and how do I reach them?",
    "What do I need to do in my first week?",
    "How do I ask for access to a system?",
)

logger = logging.getLogger(__name__)
settings = ChatSettings()
server = server_from(settings)
model = ChatModel(settings.model, settings) if settings.model else None

app.add_middleware(SameSiteOnly, loopback_only=config.run.host in LOOPBACK)


class ShownStep:
    """A look-up as Chainlit shows it."""

    def __init__(self, step: cl.Step) -> None:
        self._step = step

    async def show(self, made: LookUp) -> None:
        """Replaces the running look-up by its result."""
        self._step.name = made.title
        self._step.output = made.for_reader
        self._step.is_error = made.failed


class ChatScreen:
    """Shows a turn on the page, token by token."""

    def __init__(self) -> None:
        self._message = cl.Message(content="")

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

    async def end(self, text: str, sources: list[Source]) -> None:
        """Replaces what was written by the whole text, in which `[n]` opens a source."""
        self._message.content = text
        for source in sources:
            shown = cl.Text(name=source.marker, content=to_side_view(source), display="side")
            await shown.send(for_id=self._message.id)
        await self._message.send()


@cl.on_app_shutdown
async def end() -> None:
    """Ends the server that the chat started, and removes what Chainlit kept."""
    await server.close()
    if model is not None:
        await model.close()
    discard(Path(os.environ["CHAINLIT_APP_ROOT"]))


@cl.set_starters
async def starters(user: cl.User | None = None) -> list[cl.Starter]:
    """Questions that show what can be asked."""
    return [cl.Starter(label=question, message=question) for question in QUESTIONS]


@cl.on_chat_start
async def start_chat() -> None:
    """A chat begins with nothing said and nothing found."""
    cl.user_session.set("conversation", Conversation())


@cl.on_message
async def answer(message: cl.Message) -> None:
    """Answers a question, or says why that was not possible."""
    try:
        async with server.connected() as connection:
            await _answer(message.content, connection)
    except Exception as error:
        cause = root_cause(error)
        if not isinstance(cause, ChatFailure):
            logger.exception("turn_failed")
            cause = ChatFailure("The chat itself failed. The terminal that it runs in says why.")
        await cl.ErrorMessage(content=str(cause)).send()


def _conversation() -> Conversation:
    kept: object = cl.user_session.get("conversation")
    return kept if isinstance(kept, Conversation) else Conversation()


async def _answer(question: str, connection: Connection) -> None:
    screen = ChatScreen()
    turn = Turn(_conversation(), connection, screen)
    if model is None:
        await _show_passages(await turn.search(question), screen)
        return
    try:
        answered = await turn.answer(question, model, connection.tools)
    except ChatFailure:
        await screen.end_remark()
        raise
    text = answered.text
    if answered.cited:
        text += "\n\n" + to_source_list(answered.cited)
    await screen.end(text, answered.cited)


async def _show_passages(found: LookUp, screen: ChatScreen) -> None:
    sources = list(found.sources)
    if found.failed:
        raise ChatFailure(found.for_reader)
    if not sources:
        await screen.end("Nothing in the wiki matches. Try other words.", [])
        return
    await screen.end(f"{to_passage_list(sources)}\n---\n{SET_A_MODEL}", sources)
