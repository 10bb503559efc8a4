"""The program as a person installs it: built from the checkout, in environments of its own."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from index.postgres_files import Layout, is_locked
from tests.command import KEPT, ROOT

PATIENCE = 600  # seconds
# Where packages come from, and what they are checked with, is told by the machine, as it was before
# the tests made it believe no certificate.
_MACHINE = dict(os.environ)
_ALSO_KEPT = re.compile(r"(UV|PIP|SSL|REQUESTS)_|.*_proxy$", re.IGNORECASE)


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """That of a person whose shell knows nothing of the checkout."""
    kept = {
        name: value for name, value in _MACHINE.items() if name in KEPT or _ALSO_KEPT.match(name)
    }
    return kept | {"UV_PYTHON_DOWNLOADS": "never"} | dict(variables or {})


def run(
    *words: str | Path, folder: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command that has to end well."""
    done = subprocess.run(
        [*map(str, words)],
        cwd=folder,
        env=environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


def build(folder: Path) -> Path:
    """The folder in which wheel and sdist of the checkout are made."""
    run("uv", "build", "--quiet", "--out-dir", folder, ROOT, folder=folder)
    return folder


@contextmanager
def home() -> Generator[Path]:
    """A folder for an index, which goes once its Postgres has stopped."""
    folder = Path(tempfile.mkdtemp(prefix="confluence-mcp-"))
    # Where root runs the tests, the user that runs Postgres passes through this folder.
    folder.chmod(0o711)
    yield folder
    lock = Layout(folder.resolve()).keeper_lock
    deadline = time.monotonic() + 30
    while lock.exists() and is_locked(lock) and time.monotonic() < deadline:
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)
