"""The command line as a person runs it: a process of its own, in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "TZ", "PYENV_VERSION")


@dataclass(frozen=True, slots=True)
class Command:
    """`confluence-mcp` with an environment that has nothing of this machine's settings."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def environment(self) -> dict[str, str]:
        """What the process gets."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        # Faults in what a program leaves open are errors here as in the tests.
        return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **self.variables}

    @property
    def started(self) -> list[str]:
        """The words before the arguments."""
        return [str(Path(sys.executable).with_name("confluence-mcp"))]

    def run(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Runs to the end."""
        return subprocess.run(
            [*self.started, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    @contextmanager
    def begin(self, *arguments: str) -> Generator[subprocess.Popen[str]]:
        """A process under way, which is killed at the end of the `with` if it still runs."""
        with subprocess.Popen(
            [*self.started, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()
