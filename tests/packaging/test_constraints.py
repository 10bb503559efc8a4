"""The versions that are said to be tested: plain, allowed by the project, and to be had."""

import re
import sys
import tomllib
from itertools import product
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundle.constraints import constraints, pins
from tests.command import ROOT
from tests.packaging.installed import run

CHAT = ROOT / "clients"
PLATFORMS = (
    *("x86_64-manylinux_2_28", "aarch64-manylinux_2_28"),
    *("aarch64-apple-darwin", "x86_64-pc-windows-msvc"),
)
PYTHONS = ("3.11", "3.14")  # the oldest, and the newest for which there are wheels
# What differs between the systems and versions that are installed on.
ENVIRONMENTS = [
    {
        **{"python_version": version, "python_full_version": f"{version}.9", "extra": ""},
        **{"sys_platform": system, "platform_machine": machine},
    }
    for version, (system, machine) in product(
        ("3.11", "3.12", "3.13"),
        (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")),
    )
]


def pinned(project: Path) -> list[Requirement]:
    """The lines of a project's file."""
    return [Requirement(line) for line in pins((project / "constraints.txt").read_text("utf-8"))]


def needed(project: Path) -> list[Requirement]:
    """What it says it needs, with all of its extras."""
    told = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    extras: dict[str, list[str]] = told.get("optional-dependencies", {})
    return [
        Requirement(line) for lines in (told["dependencies"], *extras.values()) for line in lines
    ]


@pytest.mark.parametrize("project", [ROOT, CHAT], ids=["server", "chat"])
def test_the_file_has_names_and_versions_and_nothing_else(project: Path) -> None:
    lines = pins((project / "constraints.txt").read_text("utf-8"))

    assert len(lines) > 30
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [\w. <>=!'()]+)?", line), line


@pytest.mark.parametrize("project", [ROOT, CHAT], ids=["server", "chat"])
@pytest.mark.parametrize(
    "environment",
    ENVIRONMENTS,
    ids=lambda e: f"{e['sys_platform']}-{e['platform_machine']}-{e['python_version']}",
)
def test_each_dependency_has_one_version_which_the_project_allows(
    project: Path, environment: dict[str, str]
) -> None:
    versions: dict[str, list[str]] = {}
    for pin in pinned(project):
        if pin.marker is None or pin.marker.evaluate(environment):
            versions.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier)[2:])

    for wanted in needed(project):
        if wanted.marker is None or wanted.marker.evaluate(environment):
            found = versions.get(canonicalize_name(wanted.name), [])
            assert len(found) == 1, f"{wanted}: {found}; run: uv run python -m bundle"
            assert wanted.specifier.contains(found[0]), f"{wanted}: {found}"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_all_of_it_has_wheels_that_go_together(tmp_path: Path, platform: str, python: str) -> None:
    into = tmp_path / "resolved.txt"

    run(
        *("uv", "pip", "compile", "--quiet", ROOT / "pyproject.toml"),
        *("--extra", "attachments", "--extra", "multilingual"),
        *("--constraints", ROOT / "constraints.txt", "--only-binary", ":all:"),
        *("--python-version", python, "--python-platform", platform, "--output-file", into),
        *("--python", sys.executable),
        folder=tmp_path,
        variables={"MACOSX_DEPLOYMENT_TARGET": "14.0"},
    )

    allowed = {(pin.name, str(pin.specifier)) for pin in pinned(ROOT)}
    resolved = [Requirement(line) for line in pins(into.read_text("utf-8")) if "==" in line]
    assert len(resolved) > 40
    assert {(each.name, str(each.specifier)) for each in resolved} <= allowed


def test_what_is_locked_is_written_without_addresses_and_marks_of_other_worlds() -> None:
    if not (ROOT / "uv.lock").is_file():
        pytest.skip("nothing is locked here: uv lock")

    text = constraints(ROOT)

    assert "://" not in text
    assert "--hash" not in text
    assert "== 'emscripten'" not in text
    assert "confluence-mcp==" not in text
