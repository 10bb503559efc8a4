"""The program as a client or a service manager starts it."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from server.settings import ServerSettings

PATIENCE = 60  # seconds after which a process that should have ended is taken to hang
SERVE = [sys.executable, "-m", "confluence_mcp", "serve"]


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This machine's environment with these settings and no others."""
    names = {name.upper() for name in ServerSettings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return kept | dict(variables)


@contextmanager
def serving_process(
    variables: Mapping[str, str], folder: Path, *options: str
) -> Generator[subprocess.Popen[bytes]]:
    """`confluence-mcp serve`, ended with the block at the latest."""
    process = subprocess.Popen(
        [*SERVE, *options],
        cwd=folder,
        env=environment(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def http_options() -> tuple[str, ...]:
    """To serve HTTP on a port on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return "--transport", "http", "--port", str(listener.getsockname()[1])


@contextmanager
def http_server(
    variables: Mapping[str, str], folder: Path
) -> Generator[tuple[subprocess.Popen[bytes], str]]:
    """The process and the base URL of a server on a free port that accepts connections."""
    with serving_process(variables, folder, *http_options()) as process:
        assert process.stderr is not None
        said: list[bytes] = []
        for line in process.stderr:
            said.append(line)
            if match := re.search(rb"MCP at (http://\S+)/mcp", line):
                yield process, match[1].decode()
                return
        raise AssertionError(b"".join(said).decode())


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a process that comes to its end."""
    output, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, output.decode(), errors.decode()
