"""Each call of a client: who makes it, whether it may be made now, and the trail that it leaves."""

import time
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from index.access import Asker
from index.connection_pool import NoneFree
from index.errors import BadRequest, Busy, NotFound
from server.audit import Entry, Outcome
from server.auth import caller_address
from server.deps import Deps
from server.limits import TooManyCalls
from server.metrics import STRANGERS, call_ended, call_under_way
from server.room import Room

ANSWER, SUGGEST = "answer_question", "completion/complete"


@dataclass(slots=True)
class Call:
    """A call under way; `notes` are what its caller is to be told whatever the result."""

    asker: Asker
    notes: tuple[str, ...] = ()
    page_ids: tuple[str, ...] = ()

    def gives(self, page_ids: Iterable[str]) -> None:
        """Keeps for the trail which pages its result is about."""
        self.page_ids = tuple(dict.fromkeys((*self.page_ids, *page_ids)))


@asynccontextmanager
async def one_call(deps: Deps, kind: str, question: str) -> AsyncGenerator[Call]:
    """A call of whoever asks; raises TooManyCalls or Busy. However it ends, it leaves its entry."""
    began, started = datetime.now(UTC), time.monotonic()
    call: Call | None = None
    outcome = Outcome.OK
    try:
        with (
            call_under_way(kind),
            deps.room.place(is_answer=kind == ANSWER),
            _busy_for_none_free(deps.room),
        ):
            call = await _begun(deps)
            if kind == SUGGEST:
                deps.limits.take_suggestion(call.asker.name)
            else:
                deps.limits.take(call.asker.name, is_answer=kind == ANSWER)
            yield call
    except BaseException as error:
        outcome = _outcome(error)
        if isinstance(error, NotFound) and call is not None and call.notes:
            raise NotFound(" ".join((str(error), *call.notes))) from error
        raise
    finally:
        seconds = time.monotonic() - started
        call_ended(kind, outcome, seconds)
        entry = Entry(
            time=began,
            asker=call and call.asker.name,
            call=kind,
            page_ids=call.page_ids if call else (),
            outcome=outcome,
            duration_ms=round(1_000 * seconds),
            question=question,
            address=caller_address(),
        )
        deps.audit.note(entry)


@contextmanager
def _busy_for_none_free(room: Room) -> Generator[None]:
    try:
        yield
    except NoneFree as error:
        raise room.refusal() from error


async def _begun(deps: Deps) -> Call:
    asker = await deps.asker()
    is_stranger = asker.accounts == () and deps.stranger
    if is_stranger:
        STRANGERS.inc()
    return Call(asker, (deps.stranger,) if is_stranger else ())


def _outcome(error: BaseException) -> Outcome:
    match error:
        case NotFound():
            return Outcome.NOT_FOUND
        case TooManyCalls():
            return Outcome.LIMITED
        case Busy():
            return Outcome.BUSY
        case BadRequest():
            return Outcome.REFUSED
        case Exception():
            return Outcome.FAILED
        case _:
            return Outcome.CANCELLED
