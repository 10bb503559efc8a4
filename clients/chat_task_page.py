"""The server's tasks on the page: chosen by a person, who is asked what they need."""
# Chainlit leaves the types of its session and messages open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Sequence

import chainlit as cl
from chainlit.types import CommandDict

from chat_sources import as_plain_text
from chat_tasks import Question, Task, question_for

TASKS = "tasks"
WAIT_SECONDS = 600
UNLIMITED = (
    "Tasks look at the whole wiki, and this chat is limited by its filters. Take the filters off, "
    "or ask in your own words."
)


async def offer_tasks(tasks: Sequence[Task]) -> None:
    """Shows them where a question is typed."""
    cl.user_session.set(TASKS, {task.title: task for task in tasks})
    await cl.context.emitter.set_commands([_command(task) for task in tasks])


async def asked_question(message: cl.Message) -> Question | None:
    """The question of a message, once all is said that its task needs; None if that is not said."""
    known: object = cl.user_session.get(TASKS)
    task = known.get(message.command) if isinstance(known, dict) else None
    if not isinstance(task, Task):
        return Question(message.content)
    given: dict[str, str] = {}
    for needed in task.needs:
        words = "" if given else message.content.strip()
        words = words or await _ask(needed.description)
        if not words:
            return None
        given[needed.name] = words
    return question_for(task, given)


async def _ask(what: str) -> str:
    reply = await cl.AskUserMessage(content=as_plain_text(what), timeout=WAIT_SECONDS).send()
    return str(reply.get("output") or "").strip() if reply else ""


def _command(task: Task) -> CommandDict:
    return CommandDict(
        id=task.title,
        description=task.description,
        icon=task.icon,
        button=False,
        persistent=False,
        selected=False,
    )
