"""Chats that are open on a conversation which is deleted: their next question begins another."""
# Chainlit leaves its dictionaries and tasks open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from uuid import uuid4

from chainlit.session import BaseSession, ws_sessions_id
from chainlit.user_session import user_sessions


def leave_deleted(person: str, thread_id: str) -> None:
    """Ends what is being answered there, and forgets what was said."""
    for session in list(ws_sessions_id.values()):
        if session.thread_id == thread_id and session.user and session.user.identifier == person:
            if session.current_task is not None:
                session.current_task.cancel()
            user_sessions.get(session.id, {}).pop("conversation", None)
            begin_another(session)


def begin_another(session: BaseSession) -> None:
    """Has the next question begin a conversation."""
    session.thread_id, session.thread_id_to_resume = str(uuid4()), None
    session.has_first_interaction = False
