"""The audit trail: for each call a line of JSON with who asked, when, and which pages came back."""

import errno
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Self

from index.errors import ConfigurationError

logger = logging.getLogger(__name__)

STDERR, OFF = "stderr", "off"
LONGEST = 2_000  # characters of a question

Append = Callable[[bytes], None]


class Outcome(StrEnum):
    """How a call ended."""

    OK = "ok"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    LIMITED = "limited"
    BUSY = "busy"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Entry:
    """One call. `asker` is None where that could not be told; `question` is what was asked for.

    `address` is from where the caller came, where that is known.
    """

    time: datetime
    asker: str | None
    call: str
    page_ids: tuple[str, ...]
    outcome: Outcome
    duration_ms: int
    question: str
    address: str | None = None


class Audit:
    """Appends entries to the trail; where that fails, the log says so and calls go on."""

    def __init__(self, append: Append | None = None, *, has_questions: bool = False) -> None:
        self._append = append
        self._has_questions = has_questions
        self._lost = 0

    @classmethod
    def at(cls, target: str, *, has_questions: bool) -> Self:
        """A trail in a file, on standard error or nowhere; raises ConfigurationError."""
        if target == OFF:
            return cls()
        append = _append_to_stderr if target == STDERR else _File(Path(target)).append
        return cls(append, has_questions=has_questions)

    def note(self, entry: Entry) -> None:
        """Appends one entry, before its caller is answered."""
        if self._append is None:
            return
        try:
            self._append(_line(entry, has_question=self._has_questions))
        except (OSError, ValueError) as error:
            self._lose(error)
        else:
            self._recover()

    def _lose(self, error: OSError | ValueError) -> None:
        # Said once: a log on the same full disk, or of a thousand calls a minute, helps nobody.
        if not self._lost:
            logger.error("the audit trail cannot be written and loses its lines: %s", error)
        self._lost += 1

    def _recover(self) -> None:
        if self._lost:
            logger.warning("the audit trail is written again, lost lines=%d", self._lost)
            self._lost = 0


def _line(entry: Entry, *, has_question: bool) -> bytes:
    time = entry.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    facts: dict[str, object] = {
        "time": time,
        "asker": entry.asker,
        "call": entry.call,
        "page_ids": entry.page_ids,
        "outcome": entry.outcome,
        "duration_ms": entry.duration_ms,
    }
    if entry.address is not None:
        facts["address"] = entry.address
    if has_question:
        facts["question"] = entry.question[:LONGEST]
    return json.dumps(facts).encode("ascii") + b"\n"


def _append_to_stderr(line: bytes) -> None:
    sys.stderr.write(line.decode("ascii"))
    sys.stderr.flush()


class _File:
    """A file that only its owner may read, made if need be.

    It is opened for each line, so that it may be moved away at any time, as log rotation does.
    Raises ConfigurationError where it cannot be opened now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._is_torn = False
        try:
            if path.exists() and not path.is_file():
                raise OSError(f"{path} is no file")
            self._write(b"")
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"The audit trail cannot be written: {error}.\n"
                "Set AUDIT_LOG to a file that this user may write, to stderr or to off."
            ) from error

    def append(self, line: bytes) -> None:
        """Appends a line in one write, which those of other processes cannot come between."""
        # What a full disk left of a line before must not spoil this one.
        line = b"\n" + line if self._is_torn else line
        written = self._write(line)
        if written < len(line):
            self._is_torn = self._is_torn or written > 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._is_torn = False

    def _write(self, line: bytes) -> int:
        with open(self._path, "ab", buffering=0, opener=_private) as file:
            return file.write(line)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
