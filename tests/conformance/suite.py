"""The suite itself: how it is installed, called and understood.

It is a package for Node 22 or later.
"""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bundle.npm import NpmTool

PACKAGE, VERSION = "@modelcontextprotocol/conformance", "0.2.0-alpha.12"
PATIENCE = 300  # seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run of the suite: whether nothing unexpected failed, how many checks ended how, its log."""

    is_as_expected: bool
    checks: Counter[str]
    log: str


@dataclass(frozen=True, slots=True)
class Suite:
    """The suite's script, and what runs it."""

    tool: NpmTool

    @classmethod
    def installed(cls) -> Self:
        """The suite, installed where it was not yet; raises Missing."""
        return cls(NpmTool.installed(PACKAGE, VERSION, "dist/index.js"))

    def run(self, url: str, revision: str, expected: Path | None, out: Path) -> Outcome:
        """Runs what a revision of the protocol requires of a server; a file says what may fail."""
        done = subprocess.run(
            [
                *(
                    self.tool.node,
                    self.tool.script,
                    "server",
                    "--url",
                    url,
                    "--requirements",
                    revision,
                ),
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
