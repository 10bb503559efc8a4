"""A page that says something wrong is found out: the checks of commands can fail."""

import pytest

from tests.docs.our_words import strange
from tests.docs.pages import mentioned, script
from tests.docs.there import ROOT
from tests.docs.typist import Typist, write_checkout, write_programs


@pytest.fixture(scope="module")
def typist(tmp_path_factory: pytest.TempPathFactory) -> Typist:
    """In a folder that looks like a checkout, with a Postgres that does not answer."""
    folder = tmp_path_factory.mktemp("wrong")
    write_checkout(folder / "checkout", "1")
    programs = write_programs(folder / "bin")
    environment = {
        "PATH": str(programs),
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/none",
    }
    return Typist(folder / "checkout", environment)


@pytest.mark.parametrize(
    "wrong",
    [
        "confluence-mcp ingset",
        "confluence-mcp ingest --spaces ENG",
        "confluence-mcp search",
        "confluence-mcp status",
        "confluence-mcp serve --transport http --host 0.0.0.0",
        "confluence-mcp demo now",
        "uv run confluence-mcp stauts",
        "uv run --extra nothing confluence-mcp --version",
        "uv run pytest tests/no_such_folder",
        "uv run python -m benchmarks.nothing",
        "uv run --project nowhere confluence-mcp-chat",
        "uv sync --extra nothing",
        "uvx confluence --version",
        "pip install confluence",
        "pip install -c nothing.txt confluence-mcp",
        "pipx install 'confluence-mcp[nothing]'",
        "claude mcp add confluence -- uvx confluence-mcp server",
        "bash .ci/nothing",
        "docker compose up nothing",
        "docker compose run --rm worker tokens create me",
        "kubectl apply --kustomize deploy/nothing",
        "kubectl rollout status deployment/nothing",
        "sudo systemctl enable --now confluence-mcp-nothing",
        "curl http://127.0.0.1:8080/nothing",
        "cp nothing.example .env",
        "no-such-program",
        "false | cat",
    ],
)
def test_a_page_that_says_something_wrong_is_found_out(wrong: str, typist: Typist) -> None:
    page = f"# A page\n\n```bash\necho before\n{wrong}\necho after\n```\n"

    done = typist.type(script(page))

    assert done.returncode != 0
    assert done.stdout.splitlines()[:1] == ["before"]
    assert "after" not in done.stdout


@pytest.mark.parametrize(
    "wrong",
    [
        "`confluence-mcp ingest --spaces`",
        "`confluence-mcp tokens create NAME`",
        "```console\n$ confluence-mcp serve --transports http\n```",
        "```console\n$ uv run confluence-mcp reindex --embedding-models X | tail\n```",
    ],
)
def test_a_page_that_mentions_what_there_is_not_is_found_out(wrong: str) -> None:
    said = list(mentioned(f"# A page\n\nSee:\n\n{wrong}\n"))

    assert [bool(strange(words)) for words in said] == [True]
