"""The bundle for Claude Desktop: valid, packed by the official tool, and started as a host does."""

import json
import os
import subprocess
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from mcp import Client, StdioServerParameters

from bundle.__main__ import generated
from bundle.npm import Missing
from bundle.packing import make_folder, pack
from bundle.project import Project
from bundle.variables import reading, serving
from tests.command import ROOT
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.samples import filled_site
from tests.confluence.server import serve
from tests.confluence.site import Site
from tests.packaging.installed import environment

pytestmark = pytest.mark.anyio

PATIENCE = 120  # seconds
# What the window of an extension asks for on one screen.
MOST_FIELDS = 8
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'confluence-mcp %'"


@pytest.fixture(scope="session")
def bundle(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packed file; where the tool cannot be had, that is an error in CI alone."""
    folder = tmp_path_factory.mktemp("bundle")
    project = Project.read()
    make_folder(folder / project.name, wheel, project)
    try:
        said = pack(folder / project.name, folder / "made.mcpb")
    except Missing as error:
        if os.environ.get("CI") or os.environ.get("CONFORMANCE_SUITE"):
            raise
        pytest.skip(str(error))
    assert "Manifest schema validation passes!" in said
    return folder / "made.mcpb"


@pytest.fixture(scope="session")
def extension(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which a host unpacks it."""
    folder = tmp_path_factory.mktemp("extension")
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    return folder


def as_host_starts_it(extension: Path, given: Mapping[str, str]) -> StdioServerParameters:
    """What a host makes of the manifest and of what a person filled in."""
    manifest: dict[str, Any] = json.loads((extension / "manifest.json").read_text("utf-8"))
    filled = {key: field.get("default") for key, field in manifest["user_config"].items()}
    values = {f"user_config.{key}": value for key, value in (filled | dict(given)).items()}

    def replaced(text: str) -> str:
        for name, value in (values | {"__dirname": str(extension)}).items():
            text = text if value is None else text.replace(f"${{{name}}}", value)
        return text

    config = manifest["server"]["mcp_config"]
    told = {name: replaced(value) for name, value in config["env"].items()}
    return StdioServerParameters(
        command=config["command"],
        args=[replaced(word) for word in config["args"]],
        env=environment(told),
        cwd=extension,
    )


def wait_for(url: str, wanted: Callable[[int], bool]) -> bool:
    """Whether a database comes to have so many sessions of ours."""
    deadline = time.monotonic() + PATIENCE
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            if wanted(sum(row[0] for row in connection.execute(SESSIONS))):
                return True
            time.sleep(0.1)
    return False


def wiki() -> Site:
    """A site of a few pages."""
    return filled_site({"ENG": 3})


def test_what_is_made_from_the_code_is_what_lies_in_the_checkout() -> None:
    for name, text in generated(Project.read()).items():
        here = (ROOT / name).read_text(encoding="utf-8")
        assert here == text, f"{name}: run `uv run python -m bundle`"


def test_the_bundle_holds_the_wheel_and_what_it_needs(bundle: Path, wheel: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        names = set(archive.namelist())

    assert names == {
        *("manifest.json", "pyproject.toml", "start.py", "icon.png", "LICENSE", wheel.name)
    }
    assert bundle.stat().st_size < 2_000_000


def test_a_person_is_asked_for_little_and_secrets_are_kept() -> None:
    asked = {variable.name: variable for variable in reading()}

    assert len(asked) <= MOST_FIELDS
    assert [name for name, variable in asked.items() if variable.is_needed] == ["CONFLUENCE_URL"]
    for variable in (*asked.values(), *serving()):
        assert variable.is_secret == variable.name.endswith(("TOKEN", "KEY", "POSTGRES_URL"))


async def test_one_click_reads_the_wiki_and_answers(extension: Path, database_url: str) -> None:
    site = wiki()
    found: list[str] = []

    with serve(site) as url:
        given = {
            "confluence_url": url,
            "confluence_username": EMAIL,
            "confluence_api_token": TOKEN,
            "postgres_url": database_url,
        }
        async with Client(as_host_starts_it(extension, given)) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            with anyio.fail_after(PATIENCE):
                while not found:
                    result = await client.call_tool(
                        "search_confluence", {"query": "Paragraph 2 about matter 2"}
                    )
                    assert not result.is_error
                    assert result.structured_content is not None
                    found = [hit["title"] for hit in result.structured_content["results"]]
                    await anyio.sleep(0.2)

    manifest = json.loads((extension / "manifest.json").read_text("utf-8"))
    assert tools == {tool["name"] for tool in manifest["tools"]}
    assert "ENG page 2" in found


def test_the_ingest_beside_it_ends_with_it_however_it_ends(
    extension: Path, database_url: str
) -> None:
    python = extension / ".venv" / "bin" / "python"
    with serve(wiki()) as url:
        variables = {
            "CONFLUENCE_URL": url,
            "CONFLUENCE_USERNAME": EMAIL,
            "CONFLUENCE_API_TOKEN": TOKEN,
            "POSTGRES_URL": database_url,
            # As some hosts hand over what a person left empty.
            "OPENAI_API_KEY": "${user_config.openai_api_key}",
        }
        with subprocess.Popen(
            [python, extension / "start.py"],
            env=environment(variables),
            cwd=extension,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        ) as process:
            both = wait_for(database_url, lambda count: count >= 2)
            process.kill()
        none = wait_for(database_url, lambda count: count == 0)

    assert both
    assert none
