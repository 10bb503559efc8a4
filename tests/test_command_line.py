"""The command line in processes of its own: what it prints where, and its exit codes."""

import json
import re
import subprocess
from collections.abc import Generator
from importlib.metadata import version
from pathlib import Path

import pytest

from index.status import Status
from ingest.settings import SAMPLE_SPACE, UNNAMED_SITE
from tests.command import Command
from tests.conftest import Postgres
from tests.ingest import exports
from tests.openai_endpoint import openai_endpoint

DONE, FAILED, MISUSED = 0, 1, 2
ROTA = "<h1>Who is next</h1><p>Whoever was on call last week hands the pager on at nine.</p>"


def write_export(folder: Path) -> Path:
    """An export of a space of two pages."""
    return exports.write_folder(
        folder / "export",
        exports.space("7", "OPS", "Operations"),
        exports.page("11", "Rota", ROTA),
        exports.page("12", "船の時刻表", "<p>フェリーは九時に出ます。</p>"),
    )


@pytest.fixture(scope="module")
def endpoint_url() -> Generator[str]:
    """An endpoint with the embedding model `words`; its chat model cites the first passage."""
    quote = "hands the pager on at nine"
    reply = {"found": True, "answer": "At nine [1].", "citations": [{"n": 1, "quote": quote}]}
    with openai_endpoint(reply=lambda messages, tools: json.dumps(reply)) as endpoint:
        yield endpoint.url


@pytest.fixture(scope="module")
def filled(
    postgres: Postgres,
    migrated_template: str,
    endpoint_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Command]:
    """The command line over an index of two pages, to be read only."""
    folder = tmp_path_factory.mktemp("filled")
    with postgres.copy_of(migrated_template) as name:
        variables = {
            "POSTGRES_URL": postgres.url(name),
            "OPENAI_BASE_URL": endpoint_url,
            "EMBEDDING_MODEL": "words",
        }
        command = Command(folder, variables)
        done = command.run("ingest", "--export", str(write_export(folder)), "--json")
        assert done.returncode == DONE, done.stderr
        (folder / "ingest.json").write_text(done.stdout)
        (folder / "ingest.log").write_text(done.stderr)
        yield command


@pytest.fixture
def empty(database_url: str, tmp_path: Path) -> Command:
    """The command line over an index of its own with nothing in it."""
    return Command(tmp_path, {"POSTGRES_URL": database_url})


def assert_plain(error: str, lines: int = 3) -> None:
    """What went wrong is told in a few lines, without the insides of the program."""
    assert error.strip()
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) <= lines


def test_the_version_is_the_one_of_the_package(tmp_path: Path) -> None:
    done = Command(tmp_path).run("--version")

    assert (done.returncode, done.stdout) == (DONE, f"{version('confluence-mcp')}\n")


@pytest.mark.parametrize("of", [[], ["ingest"], ["serve"], ["search"], ["ask"], ["status"]])
def test_help_is_on_stdout(tmp_path: Path, of: list[str]) -> None:
    done = Command(tmp_path).run(*of, "--help")

    assert done.returncode == DONE
    assert done.stdout.startswith("usage: confluence-mcp")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["no-such-command"], "no-such-command"),
        (["search"], "text"),
        (["search", "--limit", "0", "x"], "--limit"),
        (["search", "--limit", "many", "x"], "--limit"),
        (["serve", "--port", "70000"], "--port"),
        (["serve", "--transport", "pigeon"], "pigeon"),
        (["ingest", "--every", "15m", "--cron", "0 2 * * *"], "--cron"),
    ],
)
def test_wrong_usage_is_named(tmp_path: Path, arguments: list[str], named: str) -> None:
    done = Command(tmp_path).run(*arguments)

    assert (done.returncode, done.stdout) == (MISUSED, "")
    assert named in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--every", "soon"], "'soon'"),
        (["--every", ""], "''"),
        (["--cron", "61 * * * *"], "Bad minute"),
        (["--cron", "0 2 * *"], "Wrong number of fields"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_wrong_usage(
    empty: Command, arguments: list[str], named: str
) -> None:
    done = empty.run("ingest", *arguments)

    assert (done.returncode, done.stdout) == (MISUSED, "")
    assert named in done.stderr
    assert_plain(done.stderr)


@pytest.mark.parametrize("schedule", [[], ["--every", "1d"], ["--cron", "0 2 * * *"]])
def test_missing_settings_are_named_all_at_once_and_at_once(
    empty: Command, schedule: list[str]
) -> None:
    done = empty.run("ingest", *schedule)

    assert (done.returncode, done.stdout) == (MISUSED, "")
    for name in ("CONFLUENCE_URL", "CONFLUENCE_USERNAME", "CONFLUENCE_API_TOKEN"):
        assert name in done.stderr
    assert_plain(done.stderr)


def test_settings_come_from_the_env_file_of_the_current_folder(
    database_url: str, tmp_path: Path
) -> None:
    lines = [f"POSTGRES_URL={database_url}", "CONFLUENCE_URL=https://example.com/jira", ""]
    (tmp_path / ".env").write_text("\n".join(lines))

    status = Command(tmp_path).run("status")
    ingest = Command(tmp_path).run("ingest")
    elsewhere = Command(tmp_path, {"CONFLUENCE_URL": "https://wiki.example"}).run("ingest")

    assert (status.returncode, ingest.returncode) == (DONE, MISUSED)
    assert "CONFLUENCE_USERNAME, CONFLUENCE_API_TOKEN" in ingest.stderr
    assert "CONFLUENCE_URL," not in elsewhere.stderr


UNREACHABLE = "postgresql://reader:s3cret-pa55@127.0.0.1:1/wiki"


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        (UNREACHABLE, ["status"]),
        (UNREACHABLE, ["search", "x"]),
        (UNREACHABLE, ["ask", "x"]),
        (UNREACHABLE, ["ingest", "--export", str(SAMPLE_SPACE)]),
        ("postgresql://reader:s3cret@pa55@127.0.0.1/wiki", ["status"]),
        ("postgresql://reader:s3cret/pa55@127.0.0.1/wiki", ["status"]),
        ("reader:s3cret-pa55", ["status"]),
    ],
)
def test_the_password_of_the_database_is_never_shown(
    tmp_path: Path, url: str, arguments: list[str]
) -> None:
    done = Command(tmp_path, {"POSTGRES_URL": url}).run(*arguments)

    assert done.returncode in (FAILED, MISUSED)
    assert done.stdout == ""
    assert "s3cret" not in done.stderr
    assert "pa55" not in done.stderr
    assert "POSTGRES_URL" in done.stderr
    assert_plain(done.stderr)


def test_an_empty_index_says_so(empty: Command) -> None:
    status, as_json = empty.run("status"), empty.run("status", "--json")
    search, ask = empty.run("search", "holiday"), empty.run("ask", "holiday")

    assert (status.returncode, as_json.returncode) == (DONE, DONE)
    assert "confluence-mcp ingest" in status.stdout
    assert json.loads(as_json.stdout)["spaces"] == []
    assert (search.returncode, search.stdout) == (FAILED, "")
    assert "confluence-mcp ingest" in search.stderr
    assert "confluence-mcp ingest" in ask.stdout + ask.stderr
    assert_plain(search.stderr)


def test_an_ingest_prints_its_report_alone_on_stdout(filled: Command) -> None:
    report = json.loads((filled.folder / "ingest.json").read_text())
    log = (filled.folder / "ingest.log").read_text()

    assert report["site_url"] == UNNAMED_SITE
    assert (report["pages"], report["stored"], report["failed"]) == (2, 2, 0)
    assert report["succeeded"] is True
    assert log.count("set CONFLUENCE_URL") == 1
    assert "stored=2" in log


def test_the_status_tells_what_the_index_holds(filled: Command) -> None:
    text, as_json = filled.run("status"), filled.run("status", "--json")

    status = json.loads(as_json.stdout)
    assert (text.returncode, text.stderr) == (DONE, "")
    assert "words (64 numbers)" in text.stdout
    assert re.search("^OPS +2 ", text.stdout, re.MULTILINE)
    assert f"Last run: {UNNAMED_SITE}" in text.stdout
    assert set(status) == set(Status.__dataclass_fields__)
    assert status["spaces"][0]["key"] == "OPS"
    assert status["runs"][0]["finished_at"] > status["runs"][0]["started_at"]
    assert status["is_running"] is False


def test_a_search_prints_title_heading_url_and_text(filled: Command) -> None:
    done = filled.run("search", "who", "hands", "the", "pager", "on?")

    assert (done.returncode, done.stderr) == (DONE, "")
    assert done.stdout.startswith("1. Rota > Who is next (OPS, ")
    assert f"{UNNAMED_SITE}/pages/viewpage.action?pageId=11#Rota-Whoisnext" in done.stdout
    assert "hands the pager on at nine" in done.stdout


def test_a_limit_limits(filled: Command) -> None:
    done = filled.run("search", "--limit", "1", "pager")

    assert "2. " not in done.stdout


def test_letters_that_a_terminal_does_not_know_do_not_end_a_search(filled: Command) -> None:
    ascii_only = Command(filled.folder, {**filled.variables, "PYTHONIOENCODING": "ascii"})

    done = ascii_only.run("search", "フェリー")

    assert done.returncode == DONE
    assert "????" in done.stdout


def test_an_empty_question_is_wrong_usage(filled: Command) -> None:
    done = filled.run("search", " ")

    assert (done.returncode, done.stdout) == (MISUSED, "")
    assert_plain(done.stderr)


def test_a_question_is_answered_with_its_source(filled: Command) -> None:
    with_chat = Command(filled.folder, {**filled.variables, "CHAT_MODEL": "scripted"})

    done = with_chat.run("ask", "when is the pager handed on?")

    assert done.returncode == DONE, done.stderr
    assert "At nine [1]." in done.stdout
    assert "hands the pager on at nine" in done.stdout
    assert f"{UNNAMED_SITE}/pages/viewpage.action?pageId=11" in done.stdout


def test_without_a_chat_model_a_question_gets_passages(filled: Command) -> None:
    done = filled.run("ask", "when is the pager handed on?")

    assert done.returncode == DONE
    assert "CHAT_MODEL" in done.stdout
    assert "hands the pager on at nine" in done.stdout


def test_an_ingest_with_another_embedding_model_is_refused_in_two_lines(filled: Command) -> None:
    other = Command(filled.folder, {**filled.variables, "EMBEDDING_MODEL": "local"})
    export = str(filled.folder / "export")

    search, ingest = other.run("search", "x"), other.run("ingest", "--export", export)

    assert (search.returncode, ingest.returncode) == (DONE, FAILED)
    what, remedy = ingest.stderr.strip().splitlines()[-2:]
    assert "words (64 numbers)" in what
    assert "confluence-mcp reindex --embedding-model" in remedy
    assert "Traceback" not in ingest.stderr


@pytest.mark.parametrize(
    ("variables", "arguments", "named"),
    [
        ({}, ["--export", "no-such-file.zip"], "no-such-file.zip"),
        ({"EMBEDDING_MODEL": "big"}, ["--export", str(SAMPLE_SPACE)], "OPENAI_API_KEY"),
        ({"CONFLUENCE_URL": "ftp://x"}, ["--export", "."], "CONFLUENCE_URL"),
    ],
)
def test_what_keeps_an_ingest_from_beginning_is_named(
    empty: Command, variables: dict[str, str], arguments: list[str], named: str
) -> None:
    done = Command(empty.folder, {**empty.variables, **variables}).run("ingest", *arguments)

    assert done.returncode in (FAILED, MISUSED)
    assert named in done.stderr
    assert_plain(done.stderr, lines=5)


def test_a_reader_that_goes_away_is_no_error_of_ours(filled: Command) -> None:
    with filled.begin("search", "pager") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        error = process.stderr.read()
        code = process.wait(60)

    assert code == FAILED
    assert error == ""


def test_a_server_of_http_listens_on_this_machine_only(empty: Command) -> None:
    done = empty.run("serve", "--transport", "http", "--host", "0.0.0.0")

    assert done.returncode == MISUSED
    assert "0.0.0.0" in done.stderr
    assert_plain(done.stderr)


def test_a_stdio_server_ends_with_its_client(filled: Command) -> None:
    done: subprocess.CompletedProcess[str] = filled.run("serve")

    assert (done.returncode, done.stdout) == (DONE, "")
    assert "Traceback" not in done.stderr
