"""How often a sign-in may fail before the next try has to wait."""

import time
from collections import deque
from collections.abc import Callable

MOST_KEYS = 10_000


class Throttle:
    """Lets pass until `limit` tries have failed within `seconds`, for each key by itself."""

    def __init__(
        self, limit: int, seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._failed: dict[str, deque[float]] = {}

    def lets_pass(self, key: str) -> bool:
        """Whether a try may be made now."""
        times = self._failed.get(key)
        while times and times[0] <= self._clock() - self._seconds:
            times.popleft()
        return times is None or len(times) < self._limit

    def note_failure(self, key: str) -> None:
        """Counts a try that failed."""
        if len(self._failed) >= MOST_KEYS:
            self._failed = {key: times for key, times in self._failed.items() if self._holds(times)}
        self._failed.setdefault(key, deque(maxlen=self._limit)).append(self._clock())

    def forget(self, key: str) -> None:
        """Counts from the beginning, after a try that did not fail."""
        self._failed.pop(key, None)

    def _holds(self, times: deque[float]) -> bool:
        return bool(times) and times[-1] > self._clock() - self._seconds
