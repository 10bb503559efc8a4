"""Setup as a person meets it: questions, what is said of wrong answers, and what is left behind."""

import json
import os
import re
import select
import stat
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from mcp import Client, StdioServerParameters

from confluence_mcp.setup import Options, run_setup
from confluence_mcp.setup_cost import Survey, price_of, shown_price, shown_seconds
from confluence_mcp.setup_draft import ASKED, Draft
from confluence_mcp.setup_models import Index, ask_chat, ask_embedding
from confluence_mcp.setup_questions import ask_account, ask_site, ask_spaces, chosen_spaces
from confluence_mcp.setup_site import survey
from index.errors import AuthenticationError, ConfigurationError
from index.event_loop import run
from index.records import Space
from index.settings import IndexSettings
from ingest.sources.source import Deployment
from tests.command import Command
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.datacenter.visiting import serve_datacenter
from tests.confluence.faults import Faults, slow
from tests.confluence.samples import filled_site
from tests.confluence.server import serve
from tests.confluence.site import Site
from tests.openai_endpoint import OpenAIEndpoint, bad_key, openai_endpoint
from tests.person import Person

pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")

ADDRESS, WHO, API_TOKEN, PAT = "Address", "E-mail", "API token", "Personal access token"
SPACES = "Spaces"
NO_PAGES = Survey(0, True, 0, ())
EMPTY = Index("18.1", None)


@pytest.fixture
def site() -> Site:
    return filled_site({"ENG": 6, "OPS": 3, "~ada": 1})


@pytest.fixture
def base_url(site: Site) -> Generator[str]:
    with serve(site) as url:
        yield url


@pytest.fixture
def draft(index_settings: IndexSettings, monkeypatch: pytest.MonkeyPatch) -> Draft:
    """Nothing is set but the database."""
    del index_settings
    for name in ASKED:
        if name != "POSTGRES_URL":
            monkeypatch.delenv(name, raising=False)
    return Draft.of_settings()


@pytest.fixture
def endpoint() -> Generator[OpenAIEndpoint]:
    with openai_endpoint() as running:
        yield running


def test_wrong_answers_are_told_and_asked_again(base_url: str, draft: Draft) -> None:
    person = Person(
        (ADDRESS, ""),
        (ADDRESS, "http://wiki.example.com"),
        (ADDRESS, "http://127.0.0.1:1"),
        (ADDRESS, f"{base_url}/spaces/ENG/pages/12"),
        (WHO, EMAIL),
        (API_TOKEN, "ATATT-wrong"),
        (f"({EMAIL})", ""),
        (API_TOKEN, TOKEN),
        (SPACES, "ENG, 77"),
        (SPACES, "?ops"),
        (SPACES, "1, ops"),
    )

    site = ask_site(person, draft)
    sight = ask_account(person, draft, site)
    ask_spaces(person, draft, sight.spaces)

    assert person.is_done
    assert "plain http to wiki.example.com" in person.shown
    assert "Nothing answers at http://127.0.0.1:1" in person.shown
    assert f"Confluence Cloud at {base_url}" in person.shown
    assert "Confluence refused the credentials" in person.shown
    assert "read as Wiki Indexer" in person.shown
    assert "who sees 3 spaces" in person.shown
    assert "77 is neither a number" in person.shown
    assert draft["CONFLUENCE_SPACES"] == "ENG,OPS"
    assert TOKEN not in person.shown
    assert "ATATT-wrong" not in person.shown


def test_a_data_center_is_known_by_its_address_and_read_with_its_own_token(
    site: Site, draft: Draft
) -> None:
    told = Draft({**draft.values, "CONFLUENCE_DEPLOYMENT": "datacenter"})
    unasked = ask_site(Person((ADDRESS, "https://wiki.invalid/c/pages/x.action")), told)
    with serve_datacenter(site) as url:
        root = url.removesuffix("/confluence")
        person = Person((ADDRESS, root), (PAT, "wrong"), (PAT, TOKEN))

        found = ask_site(person, draft)
        ask_account(person, draft, found)

    assert unasked.url == "https://wiki.invalid/c"
    assert (found.deployment, found.url) == (Deployment.DATACENTER, url)
    assert "answers as to an anonymous visitor" in person.shown
    assert (draft["CONFLUENCE_PERSONAL_TOKEN"], draft["CONFLUENCE_API_TOKEN"]) == (TOKEN, "")


def test_scopes_that_a_token_lacks_are_named(site: Site, base_url: str, draft: Draft) -> None:
    token = site.issue_token(
        site.crawler,
        scopes={"read:space:confluence", "read:page:confluence", "read:user:confluence"},
    )
    person = Person((ADDRESS, base_url), (WHO, "-"), ("OAuth access token", token))

    ask_account(person, draft, ask_site(person, draft))

    lacking = re.findall(r"lacks (\S+): without it, no", person.shown)
    assert "read:comment:confluence" in lacking
    assert "search:confluence" in lacking
    assert len(lacking) == 12
    assert draft["CONFLUENCE_BEARER_TOKEN"] == token


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("all", ""),
        ("", ""),
        ("2 eng", "OPS,ENG"),
        ("-~ADA", "-~ada"),
        ("1,1, ENG", "ENG"),
        ("-2", "-OPS"),
    ],
)
def test_spaces_are_chosen_by_number_and_key(answer: str, chosen: str) -> None:
    spaces = [Space(key, key, "") for key in ("ENG", "OPS", "~ada")]

    assert chosen_spaces(answer, spaces) == chosen


def test_pages_are_counted_and_some_of_them_judged(site: Site, base_url: str, draft: Draft) -> None:
    site.add_blogpost("ENG", "News", "<p>One.</p>")
    draft.put(CONFLUENCE_URL=base_url, CONFLUENCE_USERNAME=EMAIL, CONFLUENCE_API_TOKEN=TOKEN)
    draft.put(CONFLUENCE_SPACES="ENG,OPS")

    found = run(survey(draft.ingest()))
    long = Survey(1_000, True, 2, ("some words " * 100, "more words " * 100))

    assert (found.pages, found.is_whole, found.sampled_pages) == (10, True, 10)
    assert len(found.passages) == found.all_passages == 10
    assert long.all_passages == 1_000
    assert price_of("text-embedding-3-large", long) == pytest.approx(
        long.all_tokens * 0.13e-6, rel=1e-9
    )
    assert price_of("nomic-embed-text", long) is None
    assert (shown_price(0.001), shown_price(12.345)) == ("less than a cent", "about $12.35")
    assert (shown_seconds(4), shown_seconds(600)) == ("about 4 s", "about 10 min")


def test_a_count_that_takes_too_long_is_a_lower_bound(site: Site, draft: Draft) -> None:
    faults = Faults()
    faults.add(slow(60), "*/spaces/*/blogposts", times=None)
    with serve(site, faults) as url:
        draft.put(CONFLUENCE_URL=url, CONFLUENCE_USERNAME=EMAIL, CONFLUENCE_API_TOKEN=TOKEN)

        found = run(survey(draft.ingest(), seconds=2))

    assert not found.is_whole
    assert found.summary().startswith(f"more than {found.pages} pages")


def test_models_are_tried_before_they_are_taken(draft: Draft, endpoint: OpenAIEndpoint) -> None:
    endpoint.fail(bad_key())
    embedding = Person(
        ("Number or name", "9"),
        ("Number or name", "other"),
        ("Base URL", endpoint.url),
        ("OPENAI_API_KEY", "sk-wrong"),
        ("Name of the embedding model", "words"),
        ("Number or name", "other"),
        ("Base URL", endpoint.url),
        ("OPENAI_API_KEY", "sk-right"),
        ("Name of the embedding model", "words"),
    )
    chat = Person(("Name of the chat model (- leaves it as it is) (gpt-4.1)", "scripted"))

    ask_embedding(embedding, draft, NO_PAGES, EMPTY)
    ask_chat(chat, draft)

    assert embedding.is_done
    assert "9 is neither" in embedding.shown
    assert "words answers in" in embedding.shown
    assert "with 64 numbers" in embedding.shown
    assert "sk-" not in embedding.shown
    assert "scripted answers in" in chat.shown
    assert (draft["OPENAI_API_KEY"], draft["EMBEDDING_MODEL"]) == ("sk-right", "words")
    assert draft["CHAT_MODEL"] == "scripted"


def test_an_index_keeps_to_its_model(draft: Draft) -> None:
    person = Person(
        ("Number or name (text-of-ours)", "local"), ("Number or name", KeyboardInterrupt)
    )

    with pytest.raises(KeyboardInterrupt):
        ask_embedding(person, draft, NO_PAGES, Index("18.1", "text-of-ours"))

    assert "The index was filled by text-of-ours" in person.shown
    assert "--embedding-model" in person.shown


def test_whoever_leaves_early_leaves_nothing_behind(
    base_url: str, draft: Draft, endpoint: OpenAIEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    del draft
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    Path(".env").write_text("EMBEDDING_MODEL=words\n# mine\n")
    person = Person(
        (ADDRESS, base_url),
        (WHO, EMAIL),
        (API_TOKEN, TOKEN),
        (SPACES, "all"),
        ("Keep the index in Postgres", "y"),
        ("Number or name (words)", ""),
        ("chat model", ""),
        ("Write ", KeyboardInterrupt),
    )

    code = run_setup(Options(), person)

    assert (code, person.is_done) == (1, True)
    assert "+CONFLUENCE_API_TOKEN=(new, hidden)" in person.shown
    assert Path(".env").read_text() == "EMBEDDING_MODEL=words\n# mine\n"
    assert [path.name for path in Path().glob(".env*")] == [".env"]


def test_a_script_is_told_what_it_lacks(
    base_url: str, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    del draft
    with pytest.raises(ConfigurationError, match=r"no terminal.*\n.*setup --yes"):
        run_setup(Options())
    with pytest.raises(ConfigurationError, match="CONFLUENCE_URL"):
        run_setup(Options(yes=True))
    monkeypatch.setenv("CONFLUENCE_URL", base_url)
    with pytest.raises(ConfigurationError, match="CONFLUENCE_USERNAME"):
        run_setup(Options(yes=True))
    monkeypatch.setenv("CONFLUENCE_USERNAME", EMAIL)
    monkeypatch.setenv("CONFLUENCE_API_TOKEN", "x")
    with pytest.raises(AuthenticationError, match="refused the credentials"):
        run_setup(Options(yes=True))

    assert list(Path().glob(".env*")) == []


def test_a_script_sets_it_up_without_a_question(
    base_url: str, database_url: str, endpoint: OpenAIEndpoint, tmp_path: Path
) -> None:
    folder, elsewhere = tmp_path / "wiki", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    given = {
        "CONFLUENCE_URL": base_url,
        "CONFLUENCE_USERNAME": EMAIL,
        "CONFLUENCE_API_TOKEN": TOKEN,
        "CONFLUENCE_SPACES": "ops",
        "POSTGRES_URL": database_url,
        "OPENAI_BASE_URL": endpoint.url,
        "EMBEDDING_MODEL": "words",
        "HOME": str(tmp_path / "home"),
    }

    done = Command(folder, given).run("setup", "--yes")
    bare = {"HOME": given["HOME"]}
    status = Command(elsewhere, bare).run("--directory", str(folder), "status", "--json")
    entered = Command(folder, bare).run("setup", "--client", "cursor", "--yes")
    file = tmp_path / "home" / ".cursor" / "mcp.json"
    titles = run(titles_found(json.loads(file.read_text())["mcpServers"]["confluence"], elsewhere))

    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert database_url not in done.stdout
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    spaces = json.loads(status.stdout)["spaces"]
    assert [(space["key"], space["pages"]) for space in spaces] == [("OPS", 3)]
    assert (entered.returncode, titles) == (0, {"OPS page 0", "OPS page 1", "OPS page 2"})


async def titles_found(entry: Mapping[str, Any], folder: Path) -> set[str]:
    """What a client finds that starts the server by its entry, wherever it stands itself."""
    # The environment of the tests is used as it is, and needs no network.
    environment = {**entry.get("env", {}), "UV_NO_SYNC": "1", "UV_OFFLINE": "1"}
    server = StdioServerParameters(
        command=entry["command"], args=entry["args"], env=environment, cwd=folder
    )
    async with Client(server) as client:
        found = await client.call_tool("search_confluence", {"query": "matter of the page"})
    assert found.structured_content is not None
    return {result["title"] for result in found.structured_content["results"]}


@dataclass(slots=True)
class Screen:
    """A terminal of a process, as a person sees it."""

    descriptor: int
    text: str = ""
    _seen: int = field(default=0)

    def waits_for(self, words: str, seconds: float = 120) -> None:
        """Reads on until the words stand there, behind those that were waited for before."""
        deadline = time.monotonic() + seconds
        while (at := self.text.find(words, self._seen)) < 0:
            assert time.monotonic() < deadline, f"no {words!r} after: {self.text[-2000:]}"
            if select.select([self.descriptor], [], [], 1)[0]:
                try:
                    self.text += os.read(self.descriptor, 65_536).decode(errors="replace")
                except OSError as error:  # the other side is gone
                    raise AssertionError(f"no {words!r} in: {self.text[-2000:]}") from error
        self._seen = at + len(words)

    def types(self, line: str) -> None:
        """Types a line."""
        os.write(self.descriptor, f"{line}\n".encode())

    def reads_to_the_end(self) -> None:
        """Reads until the process has closed it."""
        try:
            while part := os.read(self.descriptor, 65_536):
                self.text += part.decode(errors="replace")
        except OSError:
            return


@contextmanager
def at_a_terminal(
    command: Command, *arguments: str
) -> Generator[tuple[Screen, subprocess.Popen[bytes]]]:
    """A process whose standard streams are a terminal."""
    mine, its = os.openpty()
    with subprocess.Popen(
        [*command.started, *arguments],
        cwd=command.folder,
        env=command.environment,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    ) as process:
        os.close(its)
        try:
            yield Screen(mine), process
        finally:
            process.kill()
            os.close(mine)


def test_the_whole_dialogue_at_a_terminal(
    base_url: str,
    database_url: str,
    endpoint: OpenAIEndpoint,
    tmp_path: Path,
) -> None:
    home, folder = tmp_path / "home", tmp_path / "wiki"
    folder.mkdir()
    zed = home / ".config" / "zed" / "settings.json"
    zed.parent.mkdir(parents=True)
    zed.write_text('{\n  // mine\n  "vim_mode": true\n}\n')
    (folder / ".env").write_text(f"# kept\nPOSTGRES_URL='{database_url}'\n")
    given = {"HOME": str(home), "OPENAI_BASE_URL": endpoint.url, "TERM": "dumb"}

    with at_a_terminal(Command(folder, given), "setup") as (screen, process):
        screen.waits_for("Address of your Confluence")
        screen.types(base_url)
        screen.waits_for("E-mail of the account")
        screen.types(EMAIL)
        screen.waits_for("API token (not shown)")
        screen.types(TOKEN)
        screen.waits_for("Spaces")
        screen.types("ENG")
        screen.waits_for("6 pages")
        screen.waits_for("Keep the index in Postgres")
        screen.types("")
        screen.waits_for("just measured")
        screen.waits_for("Number or name")
        screen.types("other")
        screen.waits_for("Base URL of the endpoint")
        screen.types("")
        screen.waits_for("OPENAI_API_KEY")
        screen.types("sk-hidden")
        screen.waits_for("Name of the embedding model")
        screen.types("words")
        screen.waits_for("Name of the chat model")
        screen.types("scripted")
        screen.waits_for("[Y/n]")
        screen.types("y")
        screen.waits_for("Take the pages in now?")
        screen.types("y")
        screen.waits_for("6 pages in 1 spaces: 6 stored")
        screen.waits_for("6  Zed (found here)")
        screen.waits_for("Assistants")
        screen.types("")
        screen.waits_for("[Y/n]")
        screen.types("y")
        screen.reads_to_the_end()
        code = process.wait(30)

    env = (folder / ".env").read_text()
    assert code == 0, screen.text
    assert TOKEN not in screen.text
    assert "sk-hidden" not in screen.text
    assert database_url not in screen.text
    assert env.startswith(f"# kept\nPOSTGRES_URL='{database_url}'\n")
    assert f"CONFLUENCE_API_TOKEN={TOKEN}\n" in env
    assert stat.S_IMODE((folder / ".env.bak").stat().st_mode) == 0o600
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM page").fetchone() == (6,)
    assert "// mine" in zed.read_text()
    assert f'"{folder}"' in zed.read_text()


def test_a_wrong_setting_is_told_before_anything_is_asked(
    draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    del draft
    monkeypatch.setenv("RATE_LIMIT", "-1")

    with pytest.raises(ConfigurationError, match="RATE_LIMIT"):
        run_setup(Options(), Person())
