"""The entry in the registry and the links that install: valid, and what the code makes of them."""

import json
import os
import re
from base64 import b64decode
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import jsonschema
import pytest

from bundle import links
from bundle.project import Project
from bundle.registry import SCHEMA, owner_mark, registry_entry
from ingest.settings import IngestSettings
from server.client_configs import INSTALLED, Launch
from server.settings import ServerSettings
from tests.command import ROOT

AWKWARD = Launch("/opt/a b/uvx", ("--with", "x&y=ü+1", "50%"), {"HOME": "C:\\a b"}, None)
LAUNCHES = pytest.mark.parametrize("launch", [INSTALLED, AWKWARD], ids=["installed", "awkward"])
README = (ROOT / "README.md").read_text(encoding="utf-8")


def entry() -> dict[str, Any]:
    """The entry as the file has it."""
    return json.loads((ROOT / "server.json").read_text(encoding="utf-8"))


def test_the_entry_is_valid() -> None:
    if find_spec("skillsaw") is None:
        assert not os.environ.get("CI"), "skillsaw, which brings the schemas, is not installed"
        pytest.skip("skillsaw, which brings the schemas, is not installed: uv sync --group dev")
    folder = files("skillsaw.schemas.mcp_registry") / "v2025_12_11"
    schema: dict[str, Any] = json.loads((folder / "server.schema.json").read_text("utf-8"))

    assert schema["$id"] == SCHEMA
    jsonschema.validate(entry(), schema)


def test_the_entry_is_that_of_this_version() -> None:
    project = Project.read()

    told = entry()

    (package,) = told["packages"]
    assert told == registry_entry(project)
    assert told["version"] == package["version"] == project.version
    assert package["identifier"] == project.name
    assert len(told["description"]) <= 100
    assert {each["name"].lower() for each in package["environmentVariables"]} <= (
        ServerSettings.model_fields.keys()
    )


def test_the_entry_asks_for_nothing_that_only_the_ingest_reads() -> None:
    (package,) = entry()["packages"]

    ingest_only = IngestSettings.model_fields.keys() - ServerSettings.model_fields.keys()

    assert ingest_only.isdisjoint(each["name"].lower() for each in package["environmentVariables"])


def test_the_readme_proves_whose_package_it_is() -> None:
    assert owner_mark(Project.read()) in README


@LAUNCHES
def test_vs_code_is_told_the_entry_of_the_server(launch: Launch) -> None:
    link = links.vscode_link(launch, "vscode-insiders")
    page = urlsplit(links.vscode_page(launch, "vscode-insiders"))

    assert link.startswith("vscode-insiders:mcp/install?")
    assert json.loads(unquote(link.partition("?")[2])) == {"name": "confluence", **launch.entry()}
    assert page.netloc == "insiders.vscode.dev"
    assert parse_qs(page.query) == {"url": [link]}


@LAUNCHES
@pytest.mark.parametrize("make", [links.cursor_link, links.cursor_page])
def test_cursor_is_told_the_entry_of_the_server(launch: Launch, make: Any) -> None:
    assert named_entry(make(launch)) == ("confluence", launch.entry())


@LAUNCHES
@pytest.mark.parametrize("make", [links.lm_studio_link, links.lm_studio_page])
def test_lm_studio_is_told_the_entry_of_the_server(launch: Launch, make: Any) -> None:
    assert named_entry(make(launch)) == ("confluence", launch.entry())


@LAUNCHES
def test_goose_is_told_the_command_word_by_word(launch: Launch) -> None:
    link = urlsplit(links.goose_link(launch, "Finds & cites"))

    told = parse_qsl(link.query)
    assert (link.scheme, link.netloc) == ("goose", "extension")
    assert [value for name, value in told if name == "cmd"] == [launch.command]
    assert [value for name, value in told if name == "arg"] == [*launch.arguments, "serve"]
    assert ("description", "Finds & cites") in told


@pytest.mark.parametrize("page", ["README.md", "docs/install.md"])
def test_the_buttons_of_a_page_are_those_of_the_code(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")

    assert links.buttons() in text
    assert links.with_buttons(text) == text


def test_no_page_has_a_link_of_another_making() -> None:
    project = Project.read()
    made = (
        *(links.buttons(), links.goose_link(INSTALLED, project.description)),
        *(links.vscode_link(INSTALLED), links.cursor_link(INSTALLED)),
        links.lm_studio_link(INSTALLED),
    )
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    kinds = r"(?:vscode:mcp|insiders\.vscode\.dev|cursor://|cursor\.com/|lmstudio|goose://)"

    for page in pages:
        for link in re.findall(
            rf"[^\s()<>`]*{kinds}[^\s()<>`]*\?[^\s()<>`]*", page.read_text("utf-8")
        ):
            assert any(link in text for text in made), f"{page.name}: {link}"


def named_entry(link: str) -> tuple[str, Mapping[str, object]]:
    """The name and the entry that a link with base64 tells."""
    told = dict(parse_qsl(urlsplit(link).query))
    return told["name"], json.loads(b64decode(told["config"], validate=True))
