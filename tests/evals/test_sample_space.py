"""The sample space is searched as well as it was: no leg loses against the recorded run.

After a change that makes the search better, record it: `confluence-mcp eval --json
tests/evals/baseline.json`.
"""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from evals.asking import FUSED, LEGS, TimedEmbedder
from evals.comparison import compare
from evals.questions import sample_questions
from evals.retrieval import Asked, evaluate, open_asked
from evals.run import Run
from evals.tables import comparison_table
from index.database import Database
from index.embeddings import Embedder, Vector
from index.search import Searcher
from index.settings import IndexSettings
from ingest.run import ingest_once
from ingest.settings import SAMPLE_SITE, SAMPLE_SPACE
from ingest.sources.export import ExportSource
from ingest.sync import Plan
from tests.conftest import Postgres

pytestmark = pytest.mark.anyio

BASELINE = Path(__file__).parent / "baseline.json"


@pytest.fixture(scope="module")
async def asked(
    postgres: Postgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Asked]:
    """The search over the sample space, as a person has it who sets nothing."""
    with postgres.copy_of(migrated_template) as name:
        settings = IndexSettings.model_validate(
            {
                "postgres_url": postgres.url(name),
                "confluence_mcp_home": tmp_path_factory.mktemp("home"),
                "openai_api_key": None,
                "openai_base_url": None,
                "embedding_model": "local",
            }
        )
        async with ExportSource(SAMPLE_SPACE, SAMPLE_SITE) as source:
            await ingest_once(settings, source, Plan())
        async with (
            Database.open(settings, application_name="tests", for_askers=True) as database,
            open_asked(settings, database) as asked,
        ):
            yield asked


@pytest.fixture(scope="module")
async def now(asked: Asked) -> Run:
    """Every question asked of every leg."""
    return await evaluate(asked, "now", sample_questions())


@pytest.mark.parametrize("leg", LEGS)
async def test_no_leg_has_become_worse(now: Run, leg: str) -> None:
    before = Run.read(BASELINE)

    comparison = compare(before, now)

    assert comparison.questions == len(sample_questions())
    assert not comparison.loses(leg), comparison_table(before, comparison)


async def test_the_loss_of_a_leg_would_be_noticed(now: Run) -> None:
    words_alone = now.model_copy(update={"legs": {FUSED: now.legs["lexical"]}})

    assert compare(now, words_alone).loses(FUSED)


class Confused(TimedEmbedder):
    """Reads questions backwards."""

    async def embed_query(self, text: str) -> Vector:
        return await super().embed_query(text[::-1])


async def test_a_damaged_search_would_be_noticed(asked: Asked, now: Run) -> None:
    confused = Confused(asked.embedder)

    async def choose(_: str) -> Embedder:
        return confused

    damaged = Asked(asked.database, Searcher(asked.database, choose), confused)
    comparison = compare(now, await evaluate(damaged, "damaged", sample_questions()))

    assert comparison.loses("vector")
    assert comparison.loses(FUSED)
    assert not comparison.loses("lexical")
