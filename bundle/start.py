"""What the bundle starts: the server, and beside it an ingest for as long as the server runs."""

import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

from confluence_mcp.command_line import main

TOKENS = ("CONFLUENCE_API_TOKEN", "CONFLUENCE_PERSONAL_TOKEN")
INGEST = ("ingest", "--every", "15m")
PATIENCE = 10.0  # seconds


def forget_empty_fields() -> None:
    """Drops the placeholders that some hosts hand over for fields that a person left empty."""
    for name, value in tuple(os.environ.items()):
        if value.startswith("${user_config."):
            del os.environ[name]


@contextmanager
def ingesting() -> Generator[None]:
    """Has an ingest of its own process run, where a token lets it; its end is that of the `with`.

    It ends with this process, too, however that ends: the pipe that it listens on is closed then.
    """
    if not any(map(os.environ.get, TOKENS)):
        yield
        return
    process = subprocess.Popen(
        [sys.executable, __file__, *INGEST], stdin=subprocess.PIPE, stdout=sys.stderr
    )
    with process:
        yield
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()


def end_with_parent() -> None:
    """Ends this process when its standard input does; what it had half done is rolled back."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def start() -> int:
    """The server over stdio; with arguments, the command that they name."""
    forget_empty_fields()
    if words := sys.argv[1:]:
        end_with_parent()
        return main(words)
    with ingesting():
        return main(["serve"])


if __name__ == "__main__":
    sys.exit(start())
