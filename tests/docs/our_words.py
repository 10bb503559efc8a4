"""Whether words that follow a program's name are words that it knows."""

import argparse
import re
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from confluence_mcp.command_line import command_parser
from tests.docs.arguments import actions_of, commands_of

CHAT = Path(__file__).resolve().parents[2] / "clients/.venv/bin/confluence-mcp-chat"


def strange(words: Sequence[str]) -> list[str]:
    """Those of a command of ours, program first, that are no command or option of it.

    Values are not looked at, so that a page may say NAME where it means one.
    """
    program, *rest = words
    if program == "confluence-mcp-chat":
        return strange_to_chat(rest)
    parser, found, left = command_parser(), list[str](), iter(rest)
    for word in left:
        commands = {name: command for name, _, command in commands_of(parser)}
        if word.startswith("-"):
            name, is_set, _ = word.partition("=")
            option = next((one for one in actions_of(parser) if name in one.option_strings), None)
            found += [] if option else [word]
            if option and option.nargs != 0 and not is_set:
                next(left, None)
        elif commands:
            found += [] if word in commands else [word]
            parser = commands.get(word, argparse.ArgumentParser())
    return found


def strange_to_chat(words: Sequence[str]) -> list[str]:
    """The same for the chat page, which has an environment of its own; nothing where it lacks."""
    if not CHAT.is_file():
        return []
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    told = _help(tuple(word for word in words if not word.startswith("-")))
    if told is None:
        return list(words)
    return [option for option in options if not re.search(rf"{re.escape(option)}\b", told)]


@cache
def _help(words: tuple[str, ...]) -> str | None:
    """What is told of a command of the chat; None where there is none."""
    done = subprocess.run([CHAT, *words, "--help"], capture_output=True, text=True, timeout=60)
    return done.stdout if done.returncode == 0 else None
