"""What a child process writes to stderr: passed on to ours, its last lines kept."""

import os
import sys
import threading
from collections import deque
from types import TracebackType
from typing import Self

KEPT_LINES = 6


class StderrTail:
    """A file for a child's stderr; `lines` are the last that it wrote."""

    def __init__(self) -> None:
        reader, writer = os.pipe()
        self.file = os.fdopen(writer, "w", encoding="utf-8")
        self._reader = os.fdopen(reader, encoding="utf-8", errors="replace")
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._thread = threading.Thread(target=self._pass_on, name="server-stderr", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()

    def lines(self) -> list[str]:
        """The last lines; waits a moment for those of a child that has just ended."""
        self.file.close()
        self._thread.join(timeout=2)
        return [line for line in self._lines if line]

    def _pass_on(self) -> None:
        with self._reader:
            for line in self._reader:
                self._lines.append(line.strip())
                sys.stderr.write(line)
