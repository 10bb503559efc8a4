"""The evaluation: how well search finds what answers questions whose answers are known."""

import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from pathlib import Path

from evals.asking import FUSED
from evals.collection import CORPUS, Collection, read_collection
from evals.comparison import MARGIN, compare
from evals.fill import fill
from evals.measures import require_measures
from evals.questions import sample_questions
from evals.retrieval import Asked, evaluate, open_asked
from evals.run import Run
from evals.tables import comparison_table, table, unknown
from index.access import CRAWLER, Asker, Askers
from index.database import Database
from index.embedder_choice import open_embedder
from index.errors import BadRequest, ConfigurationError
from index.reranker_choice import open_reranker
from index.reranking import Reranker
from ingest.progress import shown_progress
from ingest.run import ingest_once
from ingest.settings import SAMPLE_SITE, SAMPLE_SPACE
from ingest.sources.export import ExportSource
from ingest.sync import Plan
from server.settings import ServerSettings

SAMPLE = "sample space"
STANDARD_OUTPUT = "-"
APPLICATION = "confluence-mcp eval"


@dataclass(frozen=True, slots=True)
class Options:
    """What to evaluate and how: the arguments of the command line.

    `path` has a collection, or questions on one's own wiki; None is the sample space. `keep` is the
    home of the index that is filled for it, which else is forgotten.
    """

    path: Path | None
    user: str | None = None
    model: str | None = None
    keep: Path | None = None
    reranked: bool = False
    json_to: str | None = None
    against: Path | None = None
    fail_on_loss: bool = False
    margin: float = MARGIN


async def run_eval(options: Options) -> int:
    """Prints what it measures; 1 when the search has lost and that is to fail."""
    require_measures()
    before = Run.read(options.against) if options.against else None
    if options.fail_on_loss and before is None:
        raise BadRequest("--fail-on-loss compares: name an earlier run with --against FILE.")
    run = await _run(options)
    # Standard output is for one of them: the tables or JSON.
    out = sys.stderr if options.json_to == STANDARD_OUTPUT else sys.stdout
    print(table(run), file=out)
    if told := unknown(run):
        print(told, file=sys.stderr)
    _write(run, options.json_to)
    if before is None:
        return 0
    comparison = compare(before, run)
    print(f"\n{comparison_table(before, comparison)}", file=out)
    has_lost = comparison.loses(FUSED, margin=options.margin)
    return 1 if has_lost and options.fail_on_loss else 0


def _write(run: Run, json_to: str | None) -> None:
    if json_to is None:
        return
    text = f"{run.model_dump_json()}\n"
    if json_to == STANDARD_OUTPUT:
        print(text, end="")
        return
    try:
        Path(json_to).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadRequest(f"{json_to} cannot be written: {error.strerror}.") from error


async def _run(options: Options) -> Run:
    if options.path is None:
        _refuse_user(options)
        return await _on_sample(options)
    collection = read_collection(options.path)
    if collection.texts:
        _refuse_user(options)
        return await _on_collection(collection, options)
    if options.model or options.keep:
        raise BadRequest(
            f"--model and --keep fill an index, but {options.path} has no {CORPUS}: its questions "
            "are asked of the index that is there."
        )
    return await _on_own_wiki(collection, options)


def _refuse_user(options: Options) -> None:
    if options.user is not None:
        raise BadRequest("--user is for questions on your own wiki: here there are no accounts.")


async def _on_sample(options: Options) -> Run:
    with _home(options) as settings:
        async with ExportSource(SAMPLE_SPACE, SAMPLE_SITE) as source:
            with shown_progress() as progress:
                await ingest_once(settings, source, Plan(), progress=progress)
        async with _open_filled(settings, options) as asked:
            return await evaluate(asked, SAMPLE, sample_questions())


async def _on_collection(collection: Collection, options: Options) -> Run:
    with _home(options) as settings:
        embedder = await open_embedder(settings)
        try:
            async with Database.open(settings, application_name=APPLICATION) as database:
                with shown_progress() as progress:
                    await fill(database, embedder, collection, progress)
        finally:
            await embedder.close()
        async with _open_filled(settings, options) as asked:
            return await evaluate(asked, collection.name, collection.questions)


async def _on_own_wiki(collection: Collection, options: Options) -> Run:
    settings = ServerSettings.load()
    async with (
        Database.open(
            settings,
            application_name=APPLICATION,
            for_askers=True,
            access_max_age_s=settings.access_max_age_hours * 3600,
        ) as database,
        _reranker(settings, options) as reranker,
    ):
        asker = CRAWLER if options.user is None else await _asker(database, options.user)
        async with open_asked(settings, database, asker, reranker) as asked:
            return await evaluate(asked, collection.name, collection.questions)


async def _asker(database: Database, user: str) -> Asker:
    asker = await Askers(database).named(user, user)
    if not asker.accounts:
        raise BadRequest(
            f"The index knows no active account {user}: name its id, user name or e-mail address."
        )
    return asker


@contextmanager
def _home(options: Options) -> Generator[ServerSettings]:
    """Settings of an index to fill, which never is one's own."""
    settings = ServerSettings.load()
    settings.postgres_url = None
    settings.embedding_model = options.model or settings.embedding_model
    if options.keep is not None:
        settings.confluence_mcp_home = options.keep
        yield settings
        return
    # A server that is about to stop may still write what is then left behind.
    with tempfile.TemporaryDirectory(
        prefix="confluence-mcp-eval-", ignore_cleanup_errors=True
    ) as folder:
        settings.confluence_mcp_home = Path(folder)
        yield settings


@asynccontextmanager
async def _open_filled(settings: ServerSettings, options: Options) -> AsyncGenerator[Asked]:
    async with (
        Database.open(settings, application_name=APPLICATION, for_askers=True) as database,
        _reranker(settings, options) as reranker,
        open_asked(settings, database, reranker=reranker) as asked,
    ):
        yield asked


def _reranker(
    settings: ServerSettings, options: Options
) -> AbstractAsyncContextManager[Reranker | None]:
    if not options.reranked:
        return nullcontext()
    if not settings.reranker:
        raise ConfigurationError(
            "--reranked measures a reranker, but RERANKER is not set: name an address or a folder."
        )
    key = settings.reranker_api_key.get_secret_value() if settings.reranker_api_key else ""
    return open_reranker(settings.reranker, model=settings.reranker_model, api_key=key)
