"""Every command that a page shows is typed here as it stands, or held to what there is."""

import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.samples import site_with_space
from tests.confluence.server import serve
from tests.conftest import Postgres
from tests.docs.our_words import strange
from tests.docs.pages import all_pages, mentioned, script
from tests.docs.there import ROOT
from tests.docs.typist import Typist, write_checkout, write_programs
from tests.openai_endpoint import openai_endpoint

ACCESS = "<p>How do I get production access? Ask the platform team; error TB-4031 says so.</p>"


@pytest.fixture(scope="module")
def environment(
    postgres: Postgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[dict[str, str]]:
    """A Confluence with two spaces, an empty index, and an endpoint for models."""
    site = site_with_space()
    site.add_user("Ada", email="ada@example.com")
    page = site.add_page("ENG", "Production access", ACCESS)
    folder = tmp_path_factory.mktemp("typed")
    programs = write_programs(folder / "bin")
    reply = {
        "found": True,
        "answer": "Ask the platform team [1].",
        "citations": [{"n": 1, "quote": "Ask the platform team"}],
    }
    with (
        serve(site) as url,
        openai_endpoint(reply=lambda messages, tools: json.dumps(reply)) as endpoint,
        postgres.copy_of(migrated_template) as database,
    ):
        yield {
            "PATH": str(programs),
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "SSL_CERT_DIR": os.environ["SSL_CERT_DIR"],
            "PAGE_ID": page.id,
            "CONFLUENCE_URL": url,
            "CONFLUENCE_USERNAME": EMAIL,
            "CONFLUENCE_API_TOKEN": TOKEN,
            "POSTGRES_URL": postgres.url(database),
            "CONFLUENCE_MCP_HOME": str(folder / "home"),
            "OPENAI_BASE_URL": endpoint.url,
            "EMBEDDING_MODEL": "words",
            "CHAT_MODEL": "scripted",
        }


@pytest.fixture(scope="module")
def filled(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Typist:
    """A typist whose index has the pages."""
    folder = tmp_path_factory.mktemp("filled") / "checkout"
    write_checkout(folder, environment["PAGE_ID"])
    typist = Typist(folder, environment)
    done = typist.type("confluence-mcp ingest")
    assert done.returncode == 0, done.stderr
    return typist


@pytest.fixture
def typist(filled: Typist, tmp_path: Path) -> Typist:
    """The same in a folder of this test's own."""
    folder = tmp_path / "checkout"
    write_checkout(folder, filled.environment["PAGE_ID"])
    return Typist(folder, filled.environment)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


TYPED = [page for page in all_pages() if script(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", TYPED, ids=name_of)
def test_what_a_page_says_to_type_works(page: Path, typist: Typist) -> None:
    done = typist.type(script(page.read_text(encoding="utf-8")))

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_commands_that_a_page_mentions_exist(page: Path) -> None:
    said = list(mentioned(page.read_text(encoding="utf-8")))

    assert {" ".join(words): wrong for words in said if (wrong := strange(words))} == {}
