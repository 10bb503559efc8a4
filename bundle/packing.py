"""The bundle for Claude Desktop: a folder with the wheel, packed by the official tool."""

import json
import shutil
from pathlib import Path

from bundle.constraints import pins
from bundle.manifest import ICON, PYTHON, START
from bundle.npm import NpmTool
from bundle.project import ROOT, Project

HERE = Path(__file__).resolve().parent
PACKAGE, VERSION, SCRIPT = "@anthropic-ai/mcpb", "2.1.2", "dist/cli/cli.js"

_PYPROJECT = """\
# What the host installs before it starts {start}: the wheel beside this file, in tested versions.
[project]
name = "{name}-bundle"
version = "{version}"
requires-python = "{python}"
dependencies = ["{name}[attachments]"]

[tool.uv]
package = false
constraint-dependencies = {constraints}

[tool.uv.sources]
{name} = {{ path = "{wheel}" }}
"""


def make_folder(folder: Path, wheel: Path, project: Project) -> None:
    """What is packed: manifest, icon, licence, start, the wheel, and what it needs."""
    folder.mkdir(parents=True)
    for path in (HERE / "manifest.json", HERE / START, HERE / ICON, ROOT / "LICENSE", wheel):
        shutil.copy(path, folder)
    tested = pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    text = _PYPROJECT.format(
        start=START,
        name=project.name,
        version=project.version,
        python=PYTHON,
        constraints=json.dumps(tested, indent=4),
        wheel=wheel.name,
    )
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def pack(folder: Path, bundle: Path) -> str:
    """Checks the manifest and packs the folder; gives what the tool said of it.

    Raises Missing without the tool, and CalledProcessError when it finds something wrong.
    """
    tool = NpmTool.installed(PACKAGE, VERSION, SCRIPT)
    said = tool.run("validate", folder / "manifest.json")
    return said + tool.run("pack", folder, bundle)
