"""The worker process as the reader sees it: started clean, asked, killed. Blocks its thread."""

import logging
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

from index.errors import SourceError
from index.language import clean
from ingest.attachments.messages import OUT_OF_MEMORY, receive, send
from ingest.body.blocks import Block, BlockKind

logger = logging.getLogger(__name__)

# What an interpreter may need to find its libraries; nothing else of the environment is passed on.
_PASSED_ON = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
_COPIED_AT_ONCE = 1024 * 1024
_LONGEST_GREETING = 10_000
# A character takes up to twelve bytes in JSON.
_BYTES_PER_CHARACTER = 12


class WorkerEnded(SourceError):
    """The worker did not answer to the end; the message says why, as far as that is known."""


class Answer(BaseModel):
    """One message of the worker. What it says is as doubtful as the file that it reads."""

    model_config = ConfigDict(extra="forbid")

    limits: list[str] = []
    blocks: list[tuple[BlockKind, str, int, str]] = []
    lost: str | None = None
    done: bool = False

    def blocks_read(self) -> Iterator[Block]:
        """The blocks, with no character that cannot be stored."""
        for kind, markdown, level, title in self.blocks:
            yield Block(kind, clean(markdown), level, clean(title))


class Worker:
    """One worker process, for one request at a time. It holds no secret and opens no file."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-X", "utf8", "-m", "ingest.attachments.worker", str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        self.files = 0
        self.process_id = self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def greet(self) -> None:
        """Returns when the worker is ready to be asked; WorkerEnded."""
        limits = self._next(_LONGEST_GREETING).limits
        missing = {"memory", "opening"} - set(limits)
        logger.debug("attachment worker ready pid=%s limits=%s", self.process_id, limits)
        if missing:
            logger.info("attachment worker without limits on %s", ", ".join(sorted(missing)))

    def ask(self, path: Path, kind: str, *, characters: int, seconds: float) -> Iterator[Answer]:
        """What the worker reads in a file, until it says that it is done; WorkerEnded, OSError."""
        self.files += 1
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            with self._input() as pipe:
                told = {"kind": kind, "size": size, "characters": characters, "seconds": seconds}
                send(pipe, told)
                while data := file.read(min(size, _COPIED_AT_ONCE)):
                    pipe.write(data)
                    size -= len(data)
                pipe.flush()
        if size:
            raise WorkerEnded("the file changed while it was read")
        longest = _LONGEST_GREETING + _BYTES_PER_CHARACTER * characters
        while not (answer := self._next(longest)).done:
            yield answer
        yield answer

    def kill(self) -> None:
        """Ends the process at once; safe from any thread, and more than once."""
        self._process.kill()

    def close(self) -> None:
        """Ends the process and frees its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe:
                    pipe.close()

    @contextmanager
    def _input(self) -> Generator[IO[bytes]]:
        assert self._process.stdin is not None
        try:
            yield self._process.stdin
        except (BrokenPipeError, ValueError) as error:
            raise WorkerEnded(self._why_ended()) from error

    def _next(self, longest: int) -> Answer:
        assert self._process.stdout is not None
        try:
            message = receive(self._process.stdout, longest)
            if message is None:
                raise WorkerEnded(self._why_ended())
            return Answer.model_validate_json(message)
        except (ValueError, ValidationError) as error:
            raise WorkerEnded("its reader gave a wrong answer") from error

    def _why_ended(self) -> str:
        status = self._process.wait()
        if status == OUT_OF_MEMORY:
            return f"reading it takes more than {self._memory // (1024 * 1024)} MiB of memory"
        return f"its reader ended (status {status}): damaged, or too large for the memory"


def _environment() -> dict[str, str]:
    """Nothing of our own environment but what finds the same modules and libraries."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    folders = dict.fromkeys(os.path.abspath(folder) for folder in sys.path if folder)
    # One arena, because each thread's own would count against the memory limit.
    return {**passed_on, "PYTHONPATH": os.pathsep.join(folders), "MALLOC_ARENA_MAX": "1"}
