"""Messages over a pipe: the length in four bytes, then JSON.

A request is a message and the bytes of a file; the answer is messages until one says `done`.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import IO

# The exit status of a worker whose file takes more memory than it may.
OUT_OF_MEMORY = 17

_LENGTH = struct.Struct(">I")

Value = str | float | bool | Sequence["Value"]


def send(pipe: IO[bytes], message: Mapping[str, Value]) -> None:
    """Writes a message."""
    body = json.dumps(message).encode()
    pipe.write(_LENGTH.pack(len(body)) + body)
    pipe.flush()


def receive(pipe: IO[bytes], longest: int) -> bytes | None:
    """The JSON of the next message, None at the end; ValueError for one that is too long."""
    prefix = pipe.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(prefix)
    if length > longest:
        raise ValueError(f"a message of {length} bytes")
    body = pipe.read(length)
    return body if len(body) == length else None
