"""What a parser of the command line knows: its arguments and subcommands."""

import argparse
from collections.abc import Iterator, Mapping


def actions_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Its arguments, its subcommands as one."""
    return vars(parser)["_actions"]


def commands_of(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """The subcommands with what is told of them."""
    for action in actions_of(parser):
        if isinstance(action.choices, Mapping):
            commands: Mapping[str, argparse.ArgumentParser] = vars(action)["choices"]
            told: list[argparse.Action] = vars(action)["_choices_actions"]
            for one in told:
                yield one.dest, one.help or "", commands[one.dest]
