"""The small wiki of which every release leaves a dump, and what people are shown of it.

Dumps of earlier releases are compared with it: it may grow, but what is here stays as it is.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from index.access import CRAWLER, Asker, Askers
from index.database import Database
from index.embedder_choice import open_embedder
from index.embeddings import Embedder
from index.errors import NotFound
from index.pages import Pages
from index.principals import LICENSED, group, user
from index.search import Searcher
from index.settings import IndexSettings
from tests.openai_endpoint import OpenAIEndpoint, openai_endpoint, word_vector
from tests.server.rights import Rights
from tests.server.wiki import Article, File, Remark, Wiki

DIMENSION = 16
KEYS = {"bot": None, "ada": "acc-ada"}  # whose they are
ADA, BOB, GUS = "acc-ada", "acc-bob", "acc-gus"
QUESTIONS = ("TB-4031", "vacation days", "quokka", "wombat halt", "salaries")

ARTICLES = (
    Article(
        "100",
        "ENG",
        "VPN",
        "<p>The VPN uses WireGuard.</p><h2>Trouble</h2><p>Error TB-4031 means that the certificate "
        "expired after 90 days.</p>",
        labels=("network",),
    ),
    Article("101", "ENG", "Salaries", "<p>Salaries of engineers are secret.</p>", parent="100"),
    Article("102", "ENG", "Salaries of 2024", "<p>They were secret, too.</p>", parent="101"),
    Article(
        "103",
        "ENG",
        "Release train",
        "<p>A train leaves every second Thursday.</p>",
        remarks=(
            Remark("9001", "<p>Does the quokka service ride along?</p>"),
            Remark("9002", "<p>Yes, since the spring.</p>", parent="9001", author="ada"),
        ),
        files=(File("att7001", "Timetable.md", b"# Stops\n\nThe wombat halt is closed.\n"),),
    ),
    Article("200", "PEOPLE", "Vacation", "<p>Everybody has 30 days of vacation per year.</p>"),
)


def wiki() -> Wiki:
    """The wiki, with who may read what: salaries are Ada's alone, Gus has no access to ENG."""
    rights = Rights(
        spaces={
            "ENG": frozenset({group("engineers")}),
            "PEOPLE": frozenset({LICENSED, user(GUS)}),
        },
        nodes={"101": frozenset({user(ADA)})},
    )
    return Wiki(list(ARTICLES), access=rights)


@dataclass(frozen=True, slots=True)
class View:
    """What somebody is shown: texts of pages by id, and for each question the pages, best first."""

    read: Mapping[str, str]
    found: Mapping[str, Sequence[str]]


async def views(settings: IndexSettings) -> dict[str, View]:
    """What each of the people is shown, and the crawler."""
    embedder = await open_embedder(settings)

    async def choose(_: str) -> Embedder:
        return embedder

    async with Database.open(settings, application_name="tests", for_askers=True) as database:
        searcher, askers = Searcher(database, choose), Askers(database)
        people = [await askers.named(account, account) for account in (ADA, BOB, GUS)]
        shown = {asker.name: await _view(database, searcher, asker) for asker in (*people, CRAWLER)}
    await embedder.close()
    return shown


async def _view(database: Database, searcher: Searcher, asker: Asker) -> View:
    pages = Pages(database)
    read: dict[str, str] = {}
    for article in ARTICLES:
        try:
            read[article.page_id] = (await pages.page(asker, article.page_id)).markdown
        except NotFound:
            continue
    found = {text: await searcher.search(asker, text) for text in QUESTIONS}
    return View(
        read,
        {text: [hit.page.page_id for hit in result.hits] for text, result in found.items()},
    )


@contextmanager
def small_vectors() -> Generator[OpenAIEndpoint]:
    """An endpoint whose vectors have few numbers."""
    with openai_endpoint(embed=lambda texts: [word_vector(one, DIMENSION) for one in texts]) as it:
        yield it


def settings_for(url: str, endpoint: OpenAIEndpoint) -> IndexSettings:
    """An index there, with vectors as small as they can be."""
    return IndexSettings.model_validate(
        {
            "postgres_url": url,
            "openai_base_url": endpoint.url,
            "openai_api_key": "test-key",
            "embedding_model": "words",
        }
    )
