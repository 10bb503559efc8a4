"""What a stand-in for a program asks of the words after its name."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Words = Sequence[str]


class Wrong(Exception):
    """A page says something that is not so."""


def check_file(name: str) -> None:
    """Raises Wrong unless there is such a file in the current folder."""
    if not Path(name).is_file():
        raise Wrong(f"there is no file {name}")


def check_exists(name: str) -> None:
    """The same for a file or folder."""
    if not Path(name).exists():
        raise Wrong(f"there is no {name}")


def run(words: Words) -> None:
    """Runs a program, and ends as it does if it fails."""
    if code := subprocess.run(words).returncode:
        raise SystemExit(code)
