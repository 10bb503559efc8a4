"""How many calls are under way at once: beyond that, callers are told so at once."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from index.errors import Busy

logger = logging.getLogger(__name__)

BUSY = "The server is busy: try again in a few seconds."


class Room:
    """Places for calls, those of answer_question apart: a model takes its time over them."""

    def __init__(self, calls: int = 64, answers: int = 16) -> None:
        self._most = calls, answers
        self._under_way = [0, 0]
        self._refused = 0
        self._refused_lately = 0

    @property
    def under_way(self) -> int:
        """How many calls have a place."""
        return sum(self._under_way)

    @property
    def is_full(self) -> bool:
        """Whether the next search would be refused."""
        return self._under_way[0] >= self._most[0]

    @property
    def refused(self) -> int:
        """How many calls were refused since the server started."""
        return self._refused

    @contextmanager
    def place(self, *, is_answer: bool = False) -> Generator[None]:
        """A place for the length of a `with`; raises Busy where there is none."""
        kind = int(is_answer)
        if self._under_way[kind] >= self._most[kind]:
            raise self.refusal()
        self._under_way[kind] += 1
        try:
            yield
        finally:
            self._under_way[kind] -= 1
            if not self.under_way:
                self._calm_down()

    def refusal(self) -> Busy:
        """What a call is told that cannot be served now; it is counted."""
        # Said once until it is over: a line for each of thousands helps nobody.
        if not self._refused_lately:
            logger.warning("busy, calls are refused under_way=%d", self.under_way)
        self._refused += 1
        self._refused_lately += 1
        return Busy(BUSY)

    def _calm_down(self) -> None:
        if self._refused_lately:
            logger.warning("busy no more, refused calls=%d", self._refused_lately)
            self._refused_lately = 0
