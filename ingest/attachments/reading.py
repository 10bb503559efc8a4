"""Reads attached files in a worker process, so that a hostile one costs only itself."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from index.language import clean
from ingest.attachments.kinds import KINDS
from ingest.attachments.process import Answer, Worker, WorkerEnded
from ingest.body.blocks import Block

logger = logging.getLogger(__name__)

_MIB = 1024 * 1024
_START_S = 60.0
# A worker is replaced before what its libraries leak adds up.
_FILES_PER_WORKER = 100
_LONGEST_REASON = 300
_MOST_REASONS = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost: bytes of the file, seconds, bytes of memory, characters of text.

    The memory limit holds where the system can set one, which is neither macOS nor Windows.
    """

    bytes: int = 50 * _MIB
    seconds: float = 60.0
    memory: int = 1024 * _MIB
    characters: int = 2_000_000


@dataclass(frozen=True, slots=True)
class ReadText:
    """The text of a file, and why it is missing or only a part; None for all of it."""

    blocks: tuple[Block, ...]
    unreadable: str | None


@dataclass(slots=True)
class _Gathered:
    """What has been read of one file so far."""

    blocks: list[Block] = field(default_factory=list[Block])
    reasons: list[str] = field(default_factory=list[str])
    characters: int = 0

    def take(self, answer: Answer, limit: int) -> None:
        """Adds what the worker says; WorkerEnded when it says more than it was asked for."""
        self.blocks += answer.blocks_read()
        self.characters += sum(len(markdown) for _, markdown, _, _ in answer.blocks)
        if self.characters > limit or len(self.blocks) > limit:
            raise WorkerEnded("its reader gave a wrong answer")
        if answer.lost and len(self.reasons) < _MOST_REASONS:
            self.reasons.append(clean(answer.lost)[:_LONGEST_REASON])

    def result(self, reason: str | None) -> ReadText:
        """Everything read, and why there is no more."""
        reasons = [*self.reasons, reason] if reason else self.reasons
        if not self.blocks and not reasons:
            return ReadText((), "no text in it")
        return ReadText(tuple(self.blocks), "; ".join(dict.fromkeys(reasons)) or None)


class AttachmentReader:
    """Reads one file at a time, each in a worker process that outlives it if it is well.

    Use it with `async with`: the worker is started for the first file and ended at the end.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._turn = asyncio.Lock()
        self._worker: Worker | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="attachments")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._dismiss()
        self._thread.shutdown()

    @property
    def process_id(self) -> int | None:
        """The worker's, while there is one."""
        return self._worker.process_id if self._worker else None

    async def read(self, path: Path, kind: str) -> ReadText:
        """The text of a file of one of KINDS. Never raises for what is wrong with the file."""
        async with self._turn:
            gathered = _Gathered()
            reason = self._refusal(path, kind) or await self._started()
            if reason is None and (worker := self._worker):
                work = partial(self._ask, worker, path, kind, gathered)
                reason = await self._done_in_time(work, self._limits.seconds)
                if reason or worker.files >= _FILES_PER_WORKER:
                    self._dismiss()
            return gathered.result(reason)

    def _refusal(self, path: Path, kind: str) -> str | None:
        """Why a file is not even opened."""
        if kind not in KINDS:
            return "not a kind of file that is read"
        try:
            size = path.stat().st_size
        except OSError as error:
            return f"cannot be opened: {error.strerror}"
        if size > self._limits.bytes:
            return f"{_mebibytes(size)}, more than the limit of {_mebibytes(self._limits.bytes)}"
        return None if size else "an empty file"

    async def _started(self) -> str | None:
        if self._worker and self._worker.is_alive:
            return None
        self._dismiss()
        return await self._done_in_time(self._start, _START_S)

    async def _done_in_time(self, work: Callable[[], str | None], seconds: float) -> str | None:
        """Does work in the thread; whatever ends it early ends the worker too."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            done, _ = await asyncio.wait({future}, timeout=seconds)
        finally:
            if not future.done():
                self._dismiss()
        reason = await future
        return reason if done else f"reading it takes longer than {seconds:g} seconds"

    def _dismiss(self) -> None:
        """Ends the worker at once; the thread, which then gets to an end, cleans up after it."""
        worker, self._worker = self._worker, None
        if worker:
            worker.kill()
            self._thread.submit(worker.close)

    def _start(self) -> str | None:
        try:
            self._worker = worker = Worker(self._limits.memory)
            worker.greet()
        except (WorkerEnded, OSError) as error:
            logger.warning("attachment worker cannot be started error=%s", error)
            return f"the reader of attachments cannot be started: {error}"
        return None

    def _ask(self, worker: Worker, path: Path, kind: str, gathered: _Gathered) -> str | None:
        limits = self._limits
        try:
            for answer in worker.ask(
                path, kind, characters=limits.characters, seconds=limits.seconds
            ):
                gathered.take(answer, limits.characters)
        except (WorkerEnded, OSError) as error:
            logger.info("attachment worker gave up kind=%s reason=%s", kind, error)
            return str(error)
        return None


def _mebibytes(size: int) -> str:
    return f"{size / _MIB:.4g} MiB"
