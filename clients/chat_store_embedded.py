"""The index's own Postgres for conversations, lent by `confluence-mcp database`."""

import os
import shlex
import subprocess
import threading

from chat_settings import ChatSettings
from chat_store_database import StoreError

EMBEDDED = "embedded"
# The first start makes the database, and may install packages before.
START_SECONDS = 180.0


def lent(settings: ChatSettings) -> str:
    """How to connect to it, until this process ends; raises StoreError."""
    command = _command(settings)
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        # It ends with its input, so that it never outlives the chat, however that ends.
        lender = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )
    except OSError as error:
        raise StoreError(f"`{shlex.join(command)}` cannot be started: {error}") from error
    _LENDERS.append(lender)
    if line := _first_line(lender):
        return line
    lender.kill()
    raise StoreError(
        f"`{shlex.join(command)}` did not lend the embedded Postgres; what it complains of stands "
        "above. Mend that, or set CHAT_DATABASE_URL to a Postgres of your own."
    )


# Whoever is forgotten here would be ended by the garbage collector.
_LENDERS: list[subprocess.Popen[str]] = []


def _command(settings: ChatSettings) -> list[str]:
    *program, last = settings.server_command
    if last != "serve":
        raise StoreError(
            "CHAT_DATABASE_URL is embedded, but CONFLUENCE_MCP_COMMAND does not end in `serve`: "
            "with which command to ask for the embedded Postgres is not known."
        )
    return [*program, "database"]


def _first_line(lender: subprocess.Popen[str]) -> str:
    assert lender.stdout is not None
    overdue = threading.Timer(START_SECONDS, lender.kill)
    overdue.start()
    try:
        return lender.stdout.readline().strip()
    finally:
        overdue.cancel()
