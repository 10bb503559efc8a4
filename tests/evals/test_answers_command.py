"""`confluence-mcp eval --answers` over a real index, with a scripted chat model over HTTP."""

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from confluence_mcp.eval import Options, run_eval
from evals.answer_run import AnswerRun
from index.errors import BadRequest, ChatError, ConfigurationError
from ingest.run import ingest_once
from ingest.sources.export import ExportSource
from ingest.sync import Plan
from server.settings import ServerSettings
from tests.command import Command
from tests.conftest import Postgres
from tests.evals.extractive_model import extractive_reply
from tests.ingest import exports
from tests.openai_endpoint import OpenAIEndpoint, bad_key, openai_endpoint

pytestmark = pytest.mark.anyio

DONE, FAILED = 0, 1
AT = "2026-11-02T09:00:00Z"
QUESTIONS = [
    {"id": "pager", "question": "Who hands the pager on?", "facts": ["on call"], "pages": ["Rota"]},
    {
        "id": "when",
        "question": "When does whoever was on call hand it on?",
        "facts": ["9"],
        "pages": [["11"]],
    },
    {"id": "soup", "question": "From when is soup served?", "facts": ["noon"], "pages": ["12"]},
    {"id": "price", "question": "What costs a parking permit?", "answerable": False},
    {"id": "old", "question": "Where is the fax?", "facts": ["cellar"], "pages": ["999"]},
]
THUMBS: list[dict[str, object]] = [
    {"question": "From when is soup served?", "rating": "up", "cited": ["12"], "at": AT},
    {"question": "Is there fish?", "rating": "down", "comment": "there is", "at": AT},
]


def reply(messages: Sequence[Mapping[str, Any]], _: object) -> str:
    """As the extractive model; as a judge it lets one fact of two pass."""
    if messages[0]["content"].startswith("You check answers"):
        facts = messages[1]["content"].partition("Facts:\n")[2].splitlines()
        stated = "on call" in facts[0]
        return json.dumps({"verdicts": [{"fact": 1, "stated": stated}]})
    return extractive_reply(messages)


@pytest.fixture(scope="module")
def endpoint() -> Generator[OpenAIEndpoint]:
    with openai_endpoint(reply=reply) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def wiki(
    endpoint: OpenAIEndpoint,
    postgres: Postgres,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Command]:
    """An index of two pages of one's own, to which the environment and the folder point."""
    folder = tmp_path_factory.mktemp("answers")
    write_lines(folder / "ours.jsonl", QUESTIONS)
    write_lines(folder / "thumbs.jsonl", THUMBS)
    export = exports.write_folder(
        folder / "export",
        exports.space("7", "OPS", "Operations"),
        exports.page("11", "Rota", "<p>Whoever was on call hands the pager on at nine.</p>"),
        exports.page("12", "Canteen", "<p>Soup is served from noon.</p>"),
    )
    with postgres.copy_of(migrated_template) as name, pytest.MonkeyPatch.context() as patch:
        variables = {
            "OPENAI_BASE_URL": endpoint.url,
            "OPENAI_API_KEY": "test-key",
            "EMBEDDING_MODEL": "words",
            "CHAT_MODEL": "scripted",
            "POSTGRES_URL": postgres.url(name),
        }
        for field in ServerSettings.model_fields:
            patch.delenv(field.upper(), raising=False)
        for variable, value in variables.items():
            patch.setenv(variable, value)
        patch.chdir(folder)
        with start_blocking_portal() as portal:
            portal.call(take_in, export)
        yield Command(folder, variables)


async def take_in(export: Path) -> None:
    async with ExportSource(export, "https://own.example") as source:
        await ingest_once(ServerSettings.load(), source, Plan())


def write_lines(path: Path, lines: Sequence[Mapping[str, object]]) -> None:
    path.write_text("\n".join(map(json.dumps, lines)))


@pytest.fixture(scope="module")
def first(wiki: Command) -> AnswerRun:
    """A run with a judge and with prices, in a process of its own, and its table."""
    prices = ["--price-in", "2", "--price-out", "8"]
    done = wiki.run(
        "eval", "ours.jsonl", "--answers", "--judge", "strict", *prices, "--json", "first.json"
    )
    assert done.returncode == DONE, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "ours.jsonl: 3 answerable and 1 unanswerable questions, chat model scripted"
    assert "Not asked, for want of a page in the index (1): old" in lines
    assert any(line.startswith("Time of an answer (p50 / p95): ") for line in lines)
    return AnswerRun.read(wiki.folder / "first.json")


def test_answers_are_measured_through_the_whole_product(first: AnswerRun) -> None:
    means = {measure: estimate.mean for measure, estimate in first.means.items()}

    assert means.pop("facts by judge") == pytest.approx(1 / 3)
    assert means == dict.fromkeys(
        [
            "answered",
            "facts",
            "citation recall",
            "citation precision",
            "verbatim quotes",
            "refused",
        ],
        1.0,
    )
    assert [outcome.cited for outcome in first.outcomes] == [("11",), ("11",), ("12",), ()]


def test_tokens_are_counted_and_cost_what_the_prices_say(first: AnswerRun) -> None:
    usage, judge = first.usage, first.judge

    assert usage.cost == pytest.approx((2 * usage.tokens_in + 8 * usage.tokens_out) / 1_000_000)
    assert usage.tokens_in > 0
    assert judge is not None
    assert judge.model == "strict"
    assert judge.tokens_in > 0
    assert judge.cost is None


async def test_a_loss_against_an_earlier_run_fails_where_that_is_asked(
    first: AnswerRun, wiki: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The earlier run, of more questions so that it is no chance, is better than any can be."""
    ids = [f"q{n}" for n in range(8)]
    soup = {"question": "From when is soup served?", "facts": ["noon"]}
    write_lines(wiki.folder / "many.jsonl", [{**soup, "id": id} for id in ids])
    better = first.model_copy(update={"values": {"facts": dict.fromkeys(ids, 2.0)}})
    (wiki.folder / "better.json").write_text(better.model_dump_json())
    options = Options(Path("many.jsonl"), answers=True, against=Path("better.json"))

    told = await run_eval(options)
    failed = await run_eval(replace(options, fail_on_loss=True))

    assert (told, failed) == (DONE, FAILED)
    assert "answers   facts           -1.000" in capsys.readouterr().out


async def test_thumbs_are_questions_and_complaints(
    wiki: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(None, feedback=wiki.folder / "thumbs.jsonl")

    await run_eval(options)
    searched = capsys.readouterr().out
    await run_eval(replace(options, answers=True, json_to="-"))
    answered = capsys.readouterr()

    assert searched.startswith(
        "To be looked at (1):\n  2026-11-02 down Is there fish? - there is\n\n"
        "thumbs.jsonl: 1 questions, model words\n"
    )
    run = AnswerRun.model_validate_json(answered.out)
    assert run.means["citation recall"].mean == 1.0
    assert "facts" not in run.means
    assert "To be looked at (1)" in answered.err


async def test_complaints_alone_are_told_and_nothing_is_asked(
    wiki: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(wiki.folder / "down.jsonl", THUMBS[1:])

    done = await run_eval(Options(None, feedback=Path("down.jsonl"), answers=True))

    assert done == DONE
    assert "Is there fish?" in capsys.readouterr().out


async def test_answers_are_made_of_a_collection_in_an_index_of_its_own(
    wiki: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = wiki.folder / "harbour"
    folder.mkdir()
    line = {"id": "1", "question": "When leaves the ferry?", "facts": ["9"], "pages": ["ferry"]}
    write_lines(folder / "answers.jsonl", [line])
    write_lines(folder / "corpus.jsonl", [{"_id": "ferry", "text": "The ferry leaves at nine."}])

    await run_eval(Options(Path("harbour"), answers=True, json_to="-"))

    run = AnswerRun.model_validate_json(capsys.readouterr().out)
    assert (run.name, run.outcomes[0].cited) == ("harbour", ("ferry",))
    assert run.means["facts"].mean == 1.0


OWN = Path("ours.jsonl")


@pytest.mark.usefixtures("wiki")
@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        (Options(Path("missing"), answers=True), BadRequest, "There is no missing"),
        (Options(OWN, answers=True, user="nobody"), BadRequest, "no active account nobody"),
        (Options(OWN, answers=True, keep=Path("home")), BadRequest, "--keep fill an index"),
        (Options(None, answers=True, user="ada"), BadRequest, "--user is for questions on"),
        (Options(OWN, answers=True, price_in=1.0), BadRequest, "A cost needs both prices"),
        (Options(OWN, judge="strict"), BadRequest, "are for answers: add --answers"),
        (Options(OWN, answers=True, reranked=True), BadRequest, "--reranked is for the search"),
        (Options(OWN, feedback=OWN), BadRequest, "--feedback has its questions"),
        (Options(None, feedback=OWN), BadRequest, "ours.jsonl:1: rating"),
        (Options(OWN, answers=True, against=OWN), BadRequest, "is no run of"),
        (Options(OWN, answers=True), ChatError, "refused the key"),
    ],
)
async def test_what_cannot_be_done_is_told_plainly(
    endpoint: OpenAIEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    options: Options,
    error: type[Exception],
    told: str,
) -> None:
    refusing = openai_endpoint(reply=lambda messages, tools: bad_key())

    with refusing as other, pytest.raises(error, match=told):
        other.embed = endpoint.embed
        monkeypatch.setenv("OPENAI_BASE_URL", other.url)
        await run_eval(options)


@pytest.mark.usefixtures("index_settings")
async def test_without_a_chat_model_it_is_told_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "ours.jsonl").write_text(json.dumps(QUESTIONS[0]))

    with pytest.raises(ConfigurationError, match="none is set: OPENAI_API_KEY"):
        await run_eval(Options(OWN, answers=True))
