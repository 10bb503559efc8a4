"""Writes what is made from the code: `uv run python -m bundle`; with `pack`, the bundle as well.

`pack` takes the wheel in dist/, which `uv build` makes, and leaves the bundle there.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from bundle.constraints import constraints
from bundle.links import with_buttons
from bundle.manifest import manifest
from bundle.packing import make_folder, pack
from bundle.project import ROOT, Project
from bundle.registry import registry_entry

PAGES = ("README.md", "docs/install.md")


def generated(project: Project) -> dict[str, str]:
    """The text of each file that is made from the code alone, by its path in the checkout."""
    pages = {name: (ROOT / name).read_text(encoding="utf-8") for name in PAGES}
    return {
        "bundle/manifest.json": _json(asyncio.run(manifest(project))),
        "server.json": _json(registry_entry(project)),
        **{name: with_buttons(page) for name, page in pages.items()},
    }


def write(project: Project) -> None:
    """Writes these files, and the versions that were tested."""
    tested = {
        f"{folder}/constraints.txt": constraints(ROOT / folder) for folder in (".", "clients")
    }
    for name, text in (generated(project) | tested).items():
        path = ROOT / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def pack_bundle(project: Project, dist: Path) -> None:
    """Makes the bundle from the wheel there."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / project.name
        make_folder(folder, dist / project.wheel, project)
        print(pack(folder, dist / f"{project.name}-{project.version}.mcpb"))


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write(Project.read())
    if sys.argv[1:] == ["pack"]:
        pack_bundle(Project.read(), ROOT / "dist")
