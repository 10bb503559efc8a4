"""The page: Chainlit's events, and how a turn looks on it."""
# Chainlit leaves the types of its decorators and of its session open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedFunctionDecorator=false

import asyncio
import logging
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import chainlit as cl
from chainlit.config import config
from chainlit.server import app
from chainlit.types import ThreadDict

from chat_brand import Brand
from chat_connection import Connection
from chat_deleted import begin_another
from chat_errors import ChatFailure, root_cause
from chat_filter_page import chosen_filters
from chat_greeting import greet
from chat_guard import LOOPBACK, SameSiteOnly
from chat_home import discard
from chat_identity import SignInNeeded
from chat_lookups import LookUp
from chat_model import ChatModel
from chat_overview import Overview, starter_questions
from chat_panel import Shown, to_passage_list
from chat_screen import ASK_AGAIN, ChatScreen
from chat_settings import ChatSettings
from chat_sign_in_page import asking, open_door
from chat_sources import to_source_list
from chat_status import NO_MODEL, index_missing, server_missing
from chat_store_page import keeper_from
from chat_surroundings import shown_sources
from chat_task_page import UNLIMITED, asked_question
from chat_tasks import Question, question_from
from chat_turn import Conversation, Turn

OVERVIEW_SECONDS = 3

logger = logging.getLogger(__name__)
settings = ChatSettings()
brand = Brand()
sign_in, server = open_door(app, settings, config.run.host)
keeper = keeper_from(settings, sign_in, asking)
model = ChatModel(settings.model, settings) if settings.model else None

is_own = config.run.host in LOOPBACK and not sign_in.is_personal
app.add_middleware(SameSiteOnly, loopback_only=is_own)


@cl.on_app_startup
async def begin() -> None:
    """Starts the server at once, so that the first page can show what there is."""
    if not sign_in.is_personal:
        await _overview_soon()


@cl.on_app_shutdown
async def end() -> None:
    """Ends the server that the chat started, and removes what Chainlit kept."""
    await server.close()
    if model is not None:
        await model.close()
    discard(Path(os.environ["CHAINLIT_APP_ROOT"]))


@cl.set_chat_profiles
async def welcome(user: cl.User | None, language: str | None = None) -> list[cl.ChatProfile]:
    """The first page: the name, a welcome, and questions to begin with."""
    said = [f"# {brand.shown_name}", brand.chat_welcome]
    if model is None:
        said.append(NO_MODEL)
    questions = starter_questions(await _overview_soon())
    starters = [cl.Starter(label=question, message=question) for question in questions]
    return [
        cl.ChatProfile(
            name=brand.chat_name,
            markdown_description="\n\n".join(said),
            icon=brand.mark,
            default=True,
            starters=starters,
        )
    ]


@cl.on_chat_start
async def start_chat() -> None:
    """A chat begins with nothing said and nothing found, and tells at once what is missing."""
    cl.user_session.set("conversation", Conversation())
    if cl.context.session.thread_id_to_resume is not None:  # it was deleted in the meantime
        begin_another(cl.context.session)
    try:
        overview = await _overview()
    except Exception as error:
        await greet(Overview(), _explained(error, at_start=True))
        return
    await greet(_with_tasks(overview), index_missing(overview))


@cl.on_chat_resume
async def resume_chat(thread: ThreadDict) -> None:
    """A chat that was kept goes on with what was said, found and chosen."""
    cl.user_session.set("conversation", await keeper.resumed(thread))
    await greet(_with_tasks(await _overview_soon()))


@cl.on_settings_update
async def confirm_filters(chosen: dict[str, object]) -> None:
    """Says what look-ups keep to from now on."""
    said = chosen_filters().in_words()
    told = f"This chat now looks only at pages {said}." if said else "This chat looks everywhere."
    await cl.context.emitter.send_toast(told, "info")


@cl.on_message
async def answer(message: cl.Message) -> None:
    """Answers a question, or says why that was not possible."""
    question = await asked_question(message)
    if question is not None:
        await _turn(question)


@cl.action_callback(ASK_AGAIN)
async def ask_again(action: cl.Action) -> None:
    """Answers a question anew, below the answer that was given."""
    question = question_from(action.payload)
    _conversation().forget_last(question.text)
    await cl.context.emitter.task_start()
    try:
        # What a run shows can be copied and rated; the page knows runs by this name.
        async with cl.Step(name="on_message", type="run"):
            running = asyncio.create_task(_turn(question))
            cl.context.session.current_task = running
            await asyncio.wait([running])
    finally:
        await cl.context.emitter.task_end()


async def _turn(question: Question) -> None:
    try:
        async with server.connected() as connection:
            await _answer(question, connection)
    except Exception as error:
        await cl.ErrorMessage(content=_explained(error)).send()


async def _answer(question: Question, connection: Connection) -> None:
    screen = ChatScreen()
    conversation = _conversation()
    turn = Turn(conversation, connection, screen, chosen_filters())
    if model is None:
        await _show_passages(question, await turn.search(question.text), screen)
        return
    if question.task and chosen_filters():
        raise ChatFailure(UNLIMITED)
    told = await connection.told(question) if question.task else ""
    try:
        answered = await turn.answer(question.text, model, connection.tools, told)
    except ChatFailure:
        await screen.end_remark()
        raise
    text = answered.text
    if answered.cited:
        text += "\n\n" + to_source_list(answered.cited)
    shown = await shown_sources(text, answered.cited, conversation.sources, connection)
    await screen.end(text, shown, question)
    await keeper.keep(question.text, answered.text, conversation, screen.answer_id)


async def _show_passages(question: Question, found: LookUp, screen: ChatScreen) -> None:
    sources = list(found.sources)
    if found.failed:
        raise ChatFailure(found.for_reader)
    if not sources:
        await screen.end("Nothing in the wiki matches. Try other words.", [], question)
        return
    listed = to_passage_list(sources, datetime.now(UTC).date())
    shown = [Shown(source) for source in sources]
    await screen.end(f"{listed}\n---\n{NO_MODEL}", shown, question)
    await keeper.keep(question.text, listed, _conversation(), screen.answer_id)


def _explained(error: Exception, *, at_start: bool = False) -> str:
    cause = root_cause(error)
    if not isinstance(cause, ChatFailure):
        logger.error("turn_failed", exc_info=error)
        cause = ChatFailure("The chat itself failed. The terminal that it runs in says why.")
    is_away = at_start and not isinstance(cause, SignInNeeded)
    return server_missing(str(cause)) if is_away else str(cause)


async def _overview() -> Overview:
    async with server.connected() as connection:
        return await connection.overview()


async def _overview_soon() -> Overview:
    """What there is to read, or nothing while the server is starting or cannot be used."""
    asking = asyncio.create_task(_overview())
    done, _ = await asyncio.wait([asking], timeout=OVERVIEW_SECONDS)
    if not done:
        # The start of the server goes on; whoever opens the chat next sees what it lists.
        asking.add_done_callback(_heard)
        return Overview()
    return Overview() if asking.exception() else asking.result()


def _heard(asking: asyncio.Task[Overview]) -> None:
    if not asking.cancelled() and (error := asking.exception()):
        logger.info("overview_failed cause=%s", type(root_cause(error)).__name__)


def _with_tasks(overview: Overview) -> Overview:
    """Tasks are for a model."""
    return overview if model is not None else replace(overview, tasks=())


def _conversation() -> Conversation:
    kept: object = cl.user_session.get("conversation")
    if not isinstance(kept, Conversation):
        kept = Conversation()
        cl.user_session.set("conversation", kept)
    return kept
