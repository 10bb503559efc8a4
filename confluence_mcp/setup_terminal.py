"""What setup says to a person and asks; a test plays the person, a script is not asked."""

import getpass
import sys
import warnings
from collections.abc import Callable
from typing import Protocol, TypeVar

from index.errors import ConfigurationError, ConfluenceMcpError

Given = TypeVar("Given")

NO_TERMINAL = (
    "Setup asks questions, but standard input is no terminal.\n"
    "Put the answers into the environment or .env (CONFLUENCE_URL, CONFLUENCE_USERNAME and "
    "CONFLUENCE_API_TOKEN, or CONFLUENCE_PERSONAL_TOKEN; also CONFLUENCE_SPACES, EMBEDDING_MODEL, "
    "POSTGRES_URL) and run `confluence-mcp setup --yes`, with --no-ingest to leave the first "
    "ingest for later. `setup --client NAME --yes` writes the entry of a client, --print shows it."
)


class Terminal(Protocol):
    """Somebody who reads and may be asked."""

    @property
    def is_person(self) -> bool:
        """Whether there is any use in asking again."""
        ...

    def say(self, text: str = "") -> None:
        """Shows a text."""
        ...

    def ask(self, question: str, default: str = "") -> str:
        """The answer without blanks around it; the default where it is empty."""
        ...

    def ask_unseen(self, question: str) -> str:
        """An answer that is not shown while it is typed."""
        ...


class Console:
    """The terminal that the program was started from."""

    is_person = True

    def __init__(self) -> None:
        """Raises ConfigurationError unless there is one."""
        if not sys.stdin.isatty():
            raise ConfigurationError(NO_TERMINAL)

    def say(self, text: str = "") -> None:
        """Prints it."""
        print(text, flush=True)

    def ask(self, question: str, default: str = "") -> str:
        """Reads a line."""
        return input(f"{_question(question, default)} ").strip() or default

    def ask_unseen(self, question: str) -> str:
        """Reads a line with the echo off; ConfigurationError where that cannot be done."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                return getpass.getpass(f"{question}: ").strip()
            except getpass.GetPassWarning as error:
                raise ConfigurationError(
                    "This terminal shows what is typed, so no secret is asked for here.\n"
                    "Put it into .env by hand, or run setup in another terminal."
                ) from error


class Script:
    """Nobody: every answer is the default, as with --yes."""

    is_person = False

    def say(self, text: str = "") -> None:
        """Prints it."""
        print(text, flush=True)

    def ask(self, question: str, default: str = "") -> str:
        """The default."""
        del question
        return default

    def ask_unseen(self, question: str) -> str:
        """Nothing."""
        del question
        return ""


def agrees(terminal: Terminal, question: str, *, default: bool = True) -> bool:
    """Whether the person says yes."""
    while True:
        answer = terminal.ask(f"{question} [{'Y/n' if default else 'y/N'}]").lower()
        if not answer:
            return default
        if answer in ("y", "yes", "n", "no"):
            return answer.startswith("y")
        terminal.say("  Please answer y or n.")


def until_right(terminal: Terminal, asked: Callable[[], Given]) -> Given:
    """What `asked` gives; a person whose answer was wrong is told why and asked again."""
    while True:
        try:
            return asked()
        except ConfluenceMcpError as error:
            if not terminal.is_person:
                raise
            terminal.say(_indented(str(error)))


def _question(question: str, default: str) -> str:
    return f"{question} [{default}]:" if default else f"{question}:"


def _indented(text: str) -> str:
    return "\n".join(f"  ! {line}" for line in text.splitlines()) + "\n"
