"""Whoever types what a page says, in a folder that looks like a checkout."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.docs.shims import PROGRAMS
from tests.docs.there import ROOT

# What a page may use of the system besides; anything else is not found.
SYSTEM = ("cat", "chmod", "cp", "echo", "mkdir", "mv", "rm", "sed", "grep", "head", "tail", "ls")
SYSTEM_TOO = ("openssl", "tee", "touch", "env", "id", "date", "test", "sort", "wc")
COPIED = ("bundle", "deploy", "docs")
LEFT = (".git", ".env", ".venv", ".pytest_cache", ".hypothesis", "__pycache__", "dist", "site")
QUESTIONS = {"id": "1", "question": "how do I get production access", "pages": ["PAGE"]}


@dataclass(frozen=True, slots=True)
class Typist:
    """Types scripts in a folder that looks like a checkout."""

    folder: Path
    environment: Mapping[str, str]

    def type(self, text: str) -> subprocess.CompletedProcess[str]:
        """Runs a script to its end, or to the first command that fails."""
        return subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )


def write_programs(folder: Path) -> Path:
    """A folder for PATH: stand-ins, and some programs of the system."""
    folder.mkdir()
    for name in PROGRAMS:
        stand_in = folder / name
        called = f'exec "{sys.executable}" -m tests.docs.shims "$0" "$@"'
        stand_in.write_text(f"#!/bin/sh\n{called}\n")
        stand_in.chmod(0o755)
    for name in (*SYSTEM, *SYSTEM_TOO):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return folder


def write_checkout(folder: Path, page_id: str) -> None:
    """What a page may name: copies of what commands change, links to the rest."""
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name in COPIED and entry.is_dir():
            shutil.copytree(entry, folder / entry.name)
        elif entry.is_file() and entry.name not in LEFT:
            shutil.copy(entry, folder)
        elif entry.name not in LEFT:
            (folder / entry.name).symlink_to(entry)
    asked = json.dumps(QUESTIONS).replace("PAGE", page_id)
    (folder / "questions.jsonl").write_text(asked + "\n")
