"""Quality of search on the sample space: each leg alone and fused.

    uv run python -m benchmarks.retrieval [local | local-multilingual]

Fills an index in a temporary home and asks the questions of tests/evals.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from index.database import Database
from index.embedder_choice import open_embedder
from index.embeddings import Embedder
from index.search import Searcher
from index.settings import IndexSettings
from ingest.run import SAMPLE_SITE, ingest_once
from ingest.settings import SpaceFilter
from ingest.sources.export import ExportSource
from tests.evals.measure import LEGS, Question, ask, questions, score

SAMPLE = Path(__file__).parent.parent / "ingest" / "sample_space"


def main(model: str) -> None:
    """Prints a line for each leg, then the questions whose page the fusion does not show."""
    with tempfile.TemporaryDirectory() as home:
        settings = IndexSettings(
            postgres_url=None,
            confluence_mcp_home=Path(home),
            embedding_model=model,
            openai_api_key=None,
            openai_base_url=None,
        )
        asyncio.run(_run(settings))


async def _run(settings: IndexSettings) -> None:
    async with ExportSource(SAMPLE, SAMPLE_SITE) as source:
        everything = SpaceFilter(frozenset(), frozenset())
        print((await ingest_once(settings, source, space_filter=everything)).summary())
    await _measure(settings)


async def _measure(settings: IndexSettings) -> None:
    async def choose(recorded: str) -> Embedder:
        return await open_embedder(settings, recorded)

    async with Database.open(settings, application_name="benchmark", read_only=True) as database:
        searcher = Searcher(database, choose)
        asked = questions()
        print(f"{'leg':10} {'questions':>9} {'recall@5':>9} {'MRR':>6} {'heading@5':>10}")
        missed: list[Question] = []
        for leg, dense_share in LEGS.items():
            answered = await ask(searcher, asked, dense_share)
            total = score(answered)
            print(
                f"{leg:10} {total.questions:9} {total.recall_at_5:9.3f} {total.mrr:6.3f} "
                f"{total.heading_at_5:10.3f}"
            )
            missed = [one[0] for one in answered if not score([one]).recall_at_5]
        for question in missed:
            print(f"missed: {question.id} ({question.kind}) {question.text}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "local")
