"""What the documents say is what the code does."""

import re
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from ingest.settings import IngestSettings
from server.client_configs import example_files
from server.settings import ServerSettings

ROOT = Path(__file__).parent.parent


def variables(settings: type[BaseSettings]) -> set[str]:
    """The environment variables that a settings class reads."""
    return {name.upper() for name in settings.model_fields}


def chat_variables() -> set[str]:
    """Those of the chat, which has an environment of its own."""
    modules = [ROOT / "clients" / name for name in ("chat_settings.py", "chat_brand.py")]
    code = "\n".join(module.read_text(encoding="utf-8") for module in modules)
    return {name.upper() for name in re.findall(r"^    (\w+): .*= Field\(", code, re.MULTILINE)}


def example_variables() -> set[str]:
    """Those that .env.example lists."""
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))


def test_the_example_lists_exactly_the_variables_that_are_read() -> None:
    read = variables(IngestSettings) | variables(ServerSettings) | chat_variables()

    assert example_variables() == read


def test_the_client_files_are_what_the_program_writes() -> None:
    files = {path.name: path for path in (ROOT / "clients").glob("*.json")}
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}

    assert texts == {name: f"{text}\n" for name, text in example_files().items()}


@pytest.mark.parametrize("name", ["server", "ingest", "index", "clients", "confluence_mcp"])
def test_no_dependency_ships_a_package_of_our_name(name: str) -> None:
    owners = set(packages_distributions().get(name, []))

    assert owners <= {"confluence-mcp"}


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    chat = tomllib.loads((ROOT / "clients" / "pyproject.toml").read_text(encoding="utf-8"))
    needed: list[str] = project["project"]["dependencies"] + chat["project"]["dependencies"]

    assert [name for name in needed if not re.search(r">=\d[^,]*,<\d", name)] == []


def test_the_version_is_the_newest_of_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)

    assert newest is not None
    assert newest[1] == distribution("confluence-mcp").version
