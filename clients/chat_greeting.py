"""How a chat begins on the page: filters, tasks, and what is missing.

A page that has just been opened connects, learns its settings, and connects anew; what it is sent
in between is lost. So it is greeted again.
"""
# Chainlit leaves the types of its session and of its socket open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedFunctionDecorator=false
# pyright: reportOptionalCall=false

from dataclasses import dataclass

import chainlit as cl
from chainlit.server import sio
from chainlit.socket import connection_successful

from chat_filter_page import offer_filters
from chat_overview import Overview
from chat_task_page import offer_tasks

GREETING = "greeting"


@dataclass(frozen=True, slots=True)
class Greeting:
    """`missing` is the first message, if the chat cannot answer yet."""

    overview: Overview
    missing: cl.ErrorMessage | None = None

    async def offer(self) -> None:
        """Shows what can be chosen."""
        await offer_filters(self.overview)
        await offer_tasks(self.overview.tasks)


async def greet(overview: Overview, missing: str | None = None) -> None:
    """Begins a chat, or goes on with one."""
    greeting = Greeting(overview, _first_message(missing) if missing else None)
    cl.user_session.set(GREETING, greeting)
    await greeting.offer()
    if greeting.missing is not None:
        await greeting.missing.send()


def _first_message(text: str) -> cl.ErrorMessage:
    """Below nothing: the page may not have heard of the step in which it is told."""
    message = cl.ErrorMessage(content=text)
    message.parent_id = None
    return message


@sio.on("connection_successful")
async def connected(sid: str) -> None:
    """Does what Chainlit does, and repeats what the page may not have heard."""
    await connection_successful(sid)
    greeting: object = cl.user_session.get(GREETING)
    if not isinstance(greeting, Greeting) or cl.context.session.has_first_interaction:
        return
    await greeting.offer()
    if greeting.missing is not None:
        await cl.context.emitter.send_step(greeting.missing.to_dict())
