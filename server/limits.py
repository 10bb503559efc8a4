"""How many calls a minute each asker may make, told apart by name. Pure but for the clock."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from index.errors import BadRequest

MINUTE = 60.0
MOST = 10_000  # askers of which a server keeps count
# A client asks for suggestions at each letter that is typed: so many of them are one call.
SUGGESTIONS = 10


class TooManyCalls(BadRequest):
    """An asker has made all the calls of a minute."""


class Bucket:
    """Tokens for each name: a minute's worth at first, which comes back over a minute.

    Of each name only the time is kept at which its tokens are whole again; those whose time has
    passed are forgotten, and beyond `most` names the one that was longest silent.
    """

    def __init__(
        self, per_minute: int, *, clock: Callable[[], float] = time.monotonic, most: int = MOST
    ) -> None:
        self._step = MINUTE / per_minute
        self._clock = clock
        self._most = most
        self._whole_at: OrderedDict[str, float] = OrderedDict()

    @property
    def kept(self) -> int:
        """How many names it keeps."""
        return len(self._whole_at)

    def take(self, name: str) -> float:
        """Takes a token and gives 0; where there is none, the seconds until there is one."""
        now = self._clock()
        whole_at = max(self._whole_at.get(name, now), now) + self._step
        # As much as rounding may add to a minute's worth of steps is no wait.
        if (wait := whole_at - now - MINUTE) > self._step / 1_000:
            return wait
        self._whole_at[name] = whole_at
        self._whole_at.move_to_end(name)
        self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        """The ones longest silent come first, and none lasts longer than a minute."""
        while self._whole_at:
            name, whole_at = next(iter(self._whole_at.items()))
            if whole_at > now and len(self._whole_at) <= self._most:
                return
            del self._whole_at[name]


class Limits:
    """What each asker may do in a minute; 0 is no limit."""

    def __init__(
        self,
        calls: int = 0,
        answers: int = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
    ) -> None:
        self._per_minute = calls, answers
        self._calls = Bucket(calls, clock=clock, most=most) if calls else None
        self._answers = Bucket(answers, clock=clock, most=most) if answers else None
        self._suggestions = Bucket(SUGGESTIONS * calls, clock=clock, most=most) if calls else None

    def take_suggestion(self, name: str) -> None:
        """Counts suggestions, apart from calls; raises TooManyCalls."""
        if self._suggestions is not None and (wait := self._suggestions.take(name)):
            raise TooManyCalls(f"Too many suggestions. {_until(wait)}.")

    def take(self, name: str, *, is_answer: bool = False) -> None:
        """Counts a call, of answer_question or another one; raises TooManyCalls."""
        calls, answers = self._per_minute
        if self._calls is not None and (wait := self._calls.take(name)):
            raise TooManyCalls(
                f"Too many calls: at most {calls} a minute. {_until(wait)}, then call again."
            )
        if not is_answer or self._answers is None:
            return
        if wait := self._answers.take(name):
            raise TooManyCalls(
                f"Too many questions: answer_question takes at most {answers} a minute. "
                f"{_until(wait)}, or use search_confluence and get_page."
            )


def _until(seconds: float) -> str:
    whole = max(1, math.ceil(seconds))
    return f"Wait {whole} second{'' if whole == 1 else 's'}"
