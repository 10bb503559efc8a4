"""The versions that were tested, as constraints for pip and uv: plain names and versions."""

import re
import subprocess
from pathlib import Path

HEADER = """\
# The versions that the tests ran with: pip install -c constraints.txt
# Written by: uv run python -m bundle
"""
_LINE = re.compile(r"[a-z0-9._-]+==[\w.+!]+( ; .+)?")


def constraints(project: Path) -> str:
    """What `uv.lock` of a project holds, with all of its extras and nothing for development."""
    told = subprocess.run(
        [
            *("uv", "export", "--frozen", "--project", str(project), "--all-extras"),
            *("--no-default-groups", "--no-emit-project", "--no-hashes", "--no-annotate"),
            *("--no-header", "--format", "requirements-txt"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in told.stdout.splitlines() if _LINE.fullmatch(line)]
    return HEADER + "\n".join(line for line in lines if "== 'emscripten'" not in line) + "\n"


def pins(text: str) -> list[str]:
    """The lines of such a text that are no comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]
