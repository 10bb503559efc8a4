"""The process that reads files: bytes in, blocks out, and no way to anything else.

Started as `python -m ingest.attachments.worker MEMORY_BYTES`; ends when its input does.
"""

import contextlib
import encodings
import importlib
import json
import os
import pkgutil
import signal
import sys
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO

from ingest.attachments import pdf
from ingest.attachments.confinement import allow_seconds, confine
from ingest.attachments.messages import OUT_OF_MEMORY, Value, receive, send
from ingest.attachments.pieces import Lost
from ingest.attachments.readers import pieces_of

_LONGEST_REQUEST = 10_000
_BATCH = 20_000
# The parent looks at the clock itself, and says so.
_GRACE_S = 5


@dataclass(frozen=True, slots=True)
class _Request:
    kind: str
    characters: int
    seconds: float
    data: bytes


def main() -> None:
    """Answers requests one after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = _pipes()
    _load()
    queue: SimpleQueue[_Request] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests, queue), daemon=True).start()
    sys.setrecursionlimit(5_000)
    send(answers, {"limits": confine(int(sys.argv[1]))})
    while True:
        try:
            _answer(answers, queue.get())
        except MemoryError:
            os._exit(OUT_OF_MEMORY)


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes to the parent, out of reach for a library that prints."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
    return requests, answers


def _load() -> None:
    """Imports what is otherwise imported on first use, when no file can be opened any more."""
    pdf.load()
    for module in pkgutil.iter_modules(encodings.__path__):
        with contextlib.suppress(ImportError):
            importlib.import_module(f"encodings.{module.name}")


def _listen(requests: IO[bytes], queue: "SimpleQueue[_Request]") -> None:
    """Takes requests, and ends the process with its parent, whatever is being read."""
    try:
        while (header := receive(requests, _LONGEST_REQUEST)) is not None:
            told = json.loads(header)
            data = requests.read(told["size"])
            if len(data) < told["size"]:
                break
            queue.put(_Request(told["kind"], told["characters"], told["seconds"], data))
            del data
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    finally:
        os._exit(0)


def _answer(answers: IO[bytes], request: _Request) -> None:
    allow_seconds(request.seconds + _GRACE_S)
    batch: list[Value] = []
    size = 0
    for piece in pieces_of(request.kind, request.data, request.characters):
        if isinstance(piece, Lost):
            send(answers, {"blocks": batch, "lost": piece.reason})
            batch, size = [], 0
            continue
        batch.append([piece.kind, piece.markdown, piece.level, piece.title])
        size += len(piece.markdown)
        if size > _BATCH:
            send(answers, {"blocks": batch})
            batch, size = [], 0
    send(answers, {"blocks": batch, "done": True})


if __name__ == "__main__":
    main()
