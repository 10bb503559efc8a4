"""`confluence-mcp eval` in processes of its own: a collection, one's own wiki, comparisons."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from confluence_mcp.eval import Options, run_eval
from evals.run import Run
from index.errors import BadRequest, ConfigurationError
from index.postgres_files import Layout, is_locked
from tests.command import Command
from tests.conftest import Postgres
from tests.ingest import exports
from tests.openai_endpoint import OpenAIEndpoint, openai_endpoint

DONE, FAILED, MISUSED = 0, 1, 2
TEXTS = {
    "ferry": "The ferry leaves the pier at nine.",
    "tide": "The tide rises by two metres in spring.",
    "crane": "The blue crane lifts forty tonnes.",
    "customs": "Customs papers are stamped in the harbour office.",
    "pilot": "A pilot boards every ship above ninety metres.",
    "fuel": "Fuel barges need a permit from the fire brigade.",
    "ice": "Ice in the basin closes the northern lock.",
    "waste": "Oily waste goes to the reception tank.",
    "light": "The lighthouse keeper logs visibility each hour.",
    "rope": "Mooring ropes are replaced after two years.",
}
QUESTIONS = {
    "ferry": "when does the ferry leave",
    "tide": "how far rises the tide",
    "crane": "what lifts the blue crane",
    "pilot": "which ship does a pilot board",
    "fuel": "do fuel barges need a permit",
    "ice": "what closes the northern lock",
    "light": "who logs the visibility",
    "rope": "when are mooring ropes replaced",
}


@pytest.fixture(scope="module")
def endpoint() -> Generator[OpenAIEndpoint]:
    with openai_endpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def home() -> Generator[Path]:
    """A home for a kept index, which goes once its Postgres has stopped."""
    home = Path(tempfile.mkdtemp(prefix="confluence-mcp-"))
    # Where root runs the tests, the user that runs Postgres passes through this folder.
    home.chmod(0o711)
    yield home
    lock = Layout(home.resolve()).keeper_lock
    deadline = time.monotonic() + 30
    while lock.exists() and is_locked(lock) and time.monotonic() < deadline:
        time.sleep(0.1)
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def command(endpoint: OpenAIEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command line, with an embedding model that answers from the words of a text."""
    variables = {"OPENAI_BASE_URL": endpoint.url, "EMBEDDING_MODEL": "words"}
    return Command(tmp_path_factory.mktemp("eval"), variables)


@pytest.fixture(scope="module")
def collection(command: Command) -> Path:
    """Ten short texts with eight questions."""
    folder = command.folder / "harbour"
    folder.mkdir()
    texts = ({"_id": id, "title": "", "text": text} for id, text in TEXTS.items())
    queries = ({"_id": f"q-{id}", "text": text} for id, text in QUESTIONS.items())
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, texts)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (folder / "qrels.tsv").write_text("".join(f"q-{id}\t{id}\t1\n" for id in QUESTIONS))
    return folder


@pytest.fixture(scope="module")
def first(command: Command, collection: Path, home: Path) -> Run:
    """The first run on the collection, whose index is kept."""
    done = command.run("eval", str(collection), "--keep", str(home), "--json", "first.json")
    assert done.returncode == DONE, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "harbour: 8 questions, model words"
    assert [line.split()[0] for line in lines[3:6]] == ["vector", "lexical", "fused"]
    assert lines[7].startswith("Time of a question, fused (p50 / p95): ")
    return Run.read(command.folder / "first.json")


def test_a_collection_is_measured_through_the_whole_product(first: Run) -> None:
    assert first.questions == [f"q-{id}" for id in QUESTIONS]
    assert list(first.legs) == ["vector", "lexical", "fused"]
    assert first.legs["fused"]["MRR@10"] == [1.0] * 8
    assert first.means["lexical"]["nDCG@10"].mean == pytest.approx(1.0)
    assert first.unknown_pages == []


def test_a_kept_index_is_asked_again_without_embedding_it_anew(
    first: Run, command: Command, collection: Path, home: Path, endpoint: OpenAIEndpoint
) -> None:
    before = len(endpoint.requests)

    done = command.run("eval", str(collection), "--keep", str(home), "--json", "-")

    assert done.returncode == DONE, done.stderr
    assert Run.model_validate_json(done.stdout).legs == first.legs
    assert "harbour: 8 questions" in done.stderr
    asked = [str(request.body.get("input")) for request in endpoint.requests[before:]]
    assert not any(text in inputs for text in TEXTS.values() for inputs in asked)


def test_a_kept_index_of_something_else_is_left_alone(
    first: Run, command: Command, collection: Path, home: Path
) -> None:
    other = shutil.copytree(collection, command.folder / "other")
    (other / "corpus.jsonl").write_text('{"_id": "ferry", "text": "It leaves at ten."}')

    done = command.run("eval", str(other), "--keep", str(home))

    assert (done.returncode, done.stdout) == (MISUSED, "")
    assert "--keep has another collection" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_loss_against_an_earlier_run_fails_where_that_is_asked(
    first: Run, command: Command, collection: Path, home: Path
) -> None:
    """The earlier run is better than any can be."""
    better = {leg: {"nDCG@10": [2.0] * 8} for leg in first.legs}
    earlier = first.model_copy(update={"legs": better}).model_dump_json()
    (command.folder / "better.json").write_text(earlier)
    arguments = ["eval", str(collection), "--keep", str(home), "--against", "better.json"]

    told = command.run(*arguments)
    failed = command.run(*arguments, "--fail-on-loss")

    assert told.returncode == DONE, told.stderr
    assert "Against harbour of " in told.stdout
    assert "8 questions in common" in told.stdout
    assert "fused     nDCG@10         -1.000" in told.stdout
    assert failed.returncode == FAILED


@pytest.fixture(scope="module")
def wiki(command: Command, postgres: Postgres, migrated_template: str) -> Generator[Command]:
    """The command line over an index of two pages of one's own."""
    export = exports.write_folder(
        command.folder / "export",
        exports.space("7", "OPS", "Operations"),
        exports.page("11", "Rota", "<p>Whoever was on call hands the pager on at nine.</p>"),
        exports.page("12", "Canteen", "<p>Soup is served from noon.</p>"),
    )
    with postgres.copy_of(migrated_template) as name:
        own = Command(command.folder, {**command.variables, "POSTGRES_URL": postgres.url(name)})
        done = own.run("ingest", "--export", str(export))
        assert done.returncode == DONE, done.stderr
        yield own


def test_questions_on_the_own_wiki_are_asked_of_its_index(wiki: Command) -> None:
    questions = [
        {"id": "pager", "question": "who hands the pager on?", "pages": ["11"]},
        {"id": "soup", "question": "when is soup?", "answers": [{"page_id": "12"}]},
        {"id": "old", "question": "where is the fax?", "pages": ["999"]},
    ]
    (wiki.folder / "ours.jsonl").write_text("\n".join(map(json.dumps, questions)))

    done = wiki.run("eval", "ours.jsonl")

    assert done.returncode == DONE, done.stderr
    assert done.stdout.startswith("ours.jsonl: 2 questions, model words\n")
    assert "(1 pages): 999" in done.stderr
    assert "(1 questions): old" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (Options(Path("missing")), r"There is no .*missing\."),
        (Options(Path("own.jsonl"), user="nobody"), "knows no active account nobody"),
        (Options(Path("own.jsonl"), model="local"), "--model and --keep fill an index"),
        (Options(Path("own.jsonl"), keep=Path("home")), "--model and --keep fill an index"),
        (Options(Path("harbour"), user="ada"), "--user is for questions on your own wiki"),
        (Options(None, user="ada"), "--user is for questions on your own wiki"),
        (Options(Path("own.jsonl"), fail_on_loss=True), "name an earlier run with --against"),
        (Options(None, against=Path("own.jsonl")), "is no run of `confluence-mcp eval --json`"),
        (Options(None, against=Path("missing")), "missing cannot be read"),
        (Options(Path("own.jsonl")), "The index is empty"),
        (Options(Path("own.jsonl"), reranked=True), "RERANKER is not set"),
    ],
)
@pytest.mark.anyio
@pytest.mark.usefixtures("index_settings")
async def test_what_cannot_be_done_is_told_plainly(
    collection: Path, tmp_path: Path, options: Options, told: str
) -> None:
    (tmp_path / "own.jsonl").write_text('{"id": "1", "question": "who?", "pages": ["11"]}')
    (tmp_path / "harbour").symlink_to(collection)

    with pytest.raises((BadRequest, ConfigurationError), match=told):
        await run_eval(options)


def test_without_what_computes_the_measures_it_is_told_what_to_install(wiki: Command) -> None:
    program = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'ir_measures' else find(name)\n"
        "from confluence_mcp.command_line import main\n"
        "sys.exit(main(['eval']))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=wiki.folder,
        env=wiki.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == MISUSED
    assert 'pip install "confluence-mcp[eval]"' in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2
