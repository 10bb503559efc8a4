"""Commands beside the page: who may sign in, and the thumbs that people gave."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path

from chat_errors import ChatFailure
from chat_feedback import export
from chat_settings import ChatSettings
from chat_sign_in import home, prepare, sign_in_from
from chat_sign_in_users import Users
from chat_store_database import StoreError
from chat_store_database import prepare as prepare_database
from chat_store_embedded import EMBEDDED, lent

Command = Callable[[argparse.Namespace, ChatSettings], None]


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds them; `command` is what was chosen, or None for the page."""
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_user(commands.add_parser("user", help="tell who may sign in with a password"))
    feedback = commands.add_parser("feedback", help="read the thumbs that people gave")
    actions = feedback.add_subparsers(title="actions", metavar="ACTION", required=True)
    exporting = actions.add_parser("export", help="write them as JSON lines, with their questions")
    exporting.add_argument(
        "path", nargs="?", type=Path, metavar="FILE", help="where to (default: standard output)"
    )
    exporting.set_defaults(command=_export)


def _add_user(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    adding = actions.add_parser(
        "add",
        help="add or replace a user; asks for a password, and for a key that "
        "`confluence-mcp token create` printed (or reads two lines)",
    )
    adding.add_argument("name", metavar="NAME", help="what the user signs in as")
    adding.set_defaults(command=_add)
    actions.add_parser("list", help="show the names").set_defaults(command=_list)
    removing = actions.add_parser("remove", help="end a user's sign-in at once")
    removing.add_argument("name", metavar="NAME")
    removing.set_defaults(command=_remove)


def run_command(arguments: argparse.Namespace, settings: ChatSettings) -> int:
    """Runs what was chosen; 1 if it failed."""
    command: Command = arguments.command
    try:
        command(arguments, settings)
    except (ChatFailure, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def make_ready(settings: ChatSettings, host: str) -> str | None:
    """Prepares sign-in and database before the page is served; what is wrong with them."""
    try:
        sign_in = sign_in_from(settings, host)
        prepare(settings, sign_in, os.environ)
        if settings.chat_database_url is not None:
            if not sign_in.ways:
                return (
                    f"CHAT_DATABASE_URL keeps what each person said, but whoever comes to {host} "
                    "is not asked who they are. Set CHAT_SIGN_IN, or use --host 127.0.0.1."
                )
            prepare_database(_database_url(settings.chat_database_url.get_secret_value(), settings))
    except ChatFailure as error:
        return str(error)
    return None


def _database_url(given: str, settings: ChatSettings) -> str:
    """An address; that of the embedded Postgres is left where the page reads its settings."""
    if given == EMBEDDED:
        given = os.environ["CHAT_DATABASE_URL"] = lent(settings)
    return given


def _add(arguments: argparse.Namespace, settings: ChatSettings) -> None:
    users = _users(settings)
    password = _secret("Password: ")
    if sys.stdin.isatty() and _secret("Once more: ") != password:
        raise ChatFailure("The passwords differ. Try again.")
    users.add(arguments.name, password, _secret("Key of the MCP server: ").strip())
    print(f"{arguments.name} can sign in. ({users.path})", file=sys.stderr)


def _list(_: argparse.Namespace, settings: ChatSettings) -> None:
    for user in _users(settings).all():
        print(user.name)


def _remove(arguments: argparse.Namespace, settings: ChatSettings) -> None:
    _users(settings).remove(arguments.name)
    print(f"{arguments.name} is removed.", file=sys.stderr)


def _export(arguments: argparse.Namespace, settings: ChatSettings) -> None:
    if settings.chat_database_url is None:
        raise StoreError("Thumbs are kept where CHAT_DATABASE_URL says, which is not set.")
    url = _database_url(settings.chat_database_url.get_secret_value(), settings)
    count = export(url, arguments.path)
    print(f"{count} thumbs.", file=sys.stderr)


def _users(settings: ChatSettings) -> Users:
    return Users(home(settings) / "users.json")


def _secret(prompt: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\r\n")
