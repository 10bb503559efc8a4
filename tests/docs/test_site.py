"""The pages as a site, and what in them is written from the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, all_pages, languages
from tests.docs.reference import FOLDER, REWRITE, pages
from tests.test_documents import example_variables

# What a page may hold besides commands; `sh` alone would be run by nobody.
SHOWN = {"bash", "console", "json", "yaml", "sql", "ini", "text", "nginx", "toml", "promql", "http"}
# Blocks in `sh` need two database servers: another test runs them.
RUN_ELSEWHERE = {"docs/upgrading.md": "tests/upgrades/test_backup.py"}
FETCHED = re.compile(
    r"<(?:script|img|iframe)[^>]*src=.(?:https?:)?//"
    r"|<link[^>]*rel=.(?:stylesheet|preload|icon)[^>]*href=.(?:https?:)?//"
    r"|url\([\"']?(?:https?:)?//|@import",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without a warning."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_built_and_can_be_searched(site: Path) -> None:
    made = {page.relative_to(ROOT / "docs").with_suffix("") for page in all_pages()[3:]}

    assert [page for page in made if not (site / page).with_suffix(".html").is_file()] == []
    assert "confluence" in (site / "searchindex.js").read_text(encoding="utf-8")


def test_the_site_fetches_nothing_from_elsewhere(site: Path) -> None:
    files = [*site.rglob("*.html"), *site.rglob("*.css")]

    assert len(files) > 20
    texts = {file.name: file.read_text(encoding="utf-8") for file in files}
    assert {name: found[0] for name, text in texts.items() if (found := FETCHED.search(text))} == {}


def test_every_picture_has_words_for_who_cannot_see_it(site: Path) -> None:
    pictures = [
        picture
        for file in site.rglob("*.html")
        for picture in re.findall(r"<img[^>]*>", file.read_text(encoding="utf-8"))
    ]

    assert len(pictures) >= 3
    assert [picture for picture in pictures if not re.search(r'alt="[^"]{10,}"', picture)] == []


@pytest.mark.parametrize("name", ["variables.md", "commands.md", "tools.md"])
def test_the_reference_is_what_the_code_says(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")

    assert written == pages()[name], f"write it anew with `{REWRITE}`"


def test_the_reference_names_every_variable_of_the_example() -> None:
    reference = (FOLDER / "variables.md").read_text(encoding="utf-8")

    assert {name for name in example_variables() if f"| `{name}` |" not in reference} == set()


def test_the_readme_fits_on_three_screens_and_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(readme.splitlines()) <= 140
    assert "\npip install uv && uv run confluence-mcp demo " in readme
    assert "\nuv run --group dev pytest " in readme


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_a_page_has_no_block_that_is_neither_run_nor_shown(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    elsewhere = RUN_ELSEWHERE.get(str(page.relative_to(ROOT)))
    others = languages(text) - SHOWN

    assert others == set() or (others == {"sh"} and elsewhere and (ROOT / elsewhere).is_file())
    assert not re.search(r"/work/|/root/|/tmp/", text)
