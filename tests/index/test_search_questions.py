"""Questions of every kind: odd characters, identifiers, and several languages in one index."""

import pytest

from index.access import CRAWLER
from index.database import Database
from index.errors import BadRequest
from index.results import Filters
from index.search import MAX_QUERY
from tests.index.small_wiki import SmallWiki, in_its_language, page

pytestmark = pytest.mark.anyio


@pytest.fixture
def database(emptied_database: Database) -> Database:
    return emptied_database


@pytest.fixture
async def wiki(database: Database) -> SmallWiki:
    return await SmallWiki.open(database)


@pytest.mark.parametrize(
    "query",
    [
        "the of and is",
        "alpha " * 1_666,
        " ".join(f"word{number}" for number in range(1_250)),
        "x" * MAX_QUERY,
        "あいうえお" * 4_000,
        "'\"",
        "alpha' OR 1=1; --",
        ":*&|!()\\",
        "alpha:* & !beta | (gamma <-> delta)",
        "%s %(query)s {} {0} $1",
        "a\x00b",
        "\ud800 alpha \udfff",
        "🚀🚀 alpha",
        "サーバーの再起動",
        "alpha サーバー Größe привет שלום 서버 😀",
        "\u202ealpha\u200b\ufeff",
        "e\u0301" * 100,
        "ﷺ" * 1_000,
        "-" * 1_000,
        "a-" * 1_000,
        "a.b" * 1_000,
        "1/0",
        "...",
        "�",
    ],
)
async def test_any_question_is_answered(wiki: SmallWiki, query: str) -> None:
    await wiki.put(page("1"), "alpha beta")
    await wiki.put(page("2", language="ja"), "サーバーを再起動する")
    await wiki.put(page("3", language="de"), "Größe und Form")
    await wiki.store.settle()

    found = await wiki.searcher.search(CRAWLER, query)

    assert found.total == 3
    assert all(0 <= hit.score <= 1 + 1e-6 for hit in found.hits)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("\x00\x01", "empty"),
        ("\ud800", "empty"),
        ("x" * (MAX_QUERY + 1), "20,000"),
        ("x " * MAX_QUERY, "20,000"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused(
    wiki: SmallWiki, query: str, message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        await wiki.searcher.search(CRAWLER, query)


async def test_a_question_of_common_words_alone_is_answered(wiki: SmallWiki) -> None:
    for number in range(5):
        await wiki.put(page(str(number)), "deploy the service " * (number + 1))
    await wiki.store.settle()

    assert set(await wiki.found("deploy service")) == set("01234")


IDENTIFIERS = {
    "ticket": "Known issue TB-4031: uploads hang.",
    "host": "The primary is db-eu-west-1.harbourlight.internal today.",
    "version": "Fixed in v2.3.1 of the agent.",
    "code": "Call foo_bar2 with ERR_CONN_RESET handling.",
    "path": "See client/server logs in /var/log/harbour/app.log first.",
    "mail": "Write to jane.doe@harbourlight.example please.",
    "sentence": "Stop the worker.Restart afterwards.",
    "camel": "Set maxPoolSize in AuthServiceV2 before it is OOMKilled by HTTPServerError.",
    "date": "Frozen on 2026-12-24 for the holidays.",
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("TB-4031", "ticket"),
        ("tb4031", "ticket"),
        ("4031", "ticket"),
        ("TB 4031", "ticket"),
        ("what is TB-4031?", "ticket"),
        ("ＴＢ－４０３１", "ticket"),
        ("db-eu-west-1.harbourlight.internal", "host"),
        ("db-eu-west-1", "host"),
        ("harbourlight.internal", "host"),
        ("https://db-eu-west-1.harbourlight.internal:5432/", "host"),
        ("v2.3.1", "version"),
        ("2.3.1", "version"),
        ("foo_bar2", "code"),
        ("bar2", "code"),
        ("foobar2", "code"),
        ("ERR_CONN_RESET", "code"),
        ("conn reset", "code"),
        ("server", "path"),
        ("app.log", "path"),
        ("/var/log/harbour/app.log", "path"),
        ("jane.doe@harbourlight.example", "mail"),
        ("jane doe", "mail"),
        ("restart", "sentence"),
        ("maxPoolSize", "camel"),
        ("maxpoolsize", "camel"),
        ("max_pool_size", "camel"),
        ("pool size", "camel"),
        ("AuthServiceV2", "camel"),
        ("auth service", "camel"),
        ("oom killed", "camel"),
        ("OOMKilled", "camel"),
        ("HTTPServerError", "camel"),
        ("http error", "camel"),
        ("2026-12-24", "date"),
        ("20261224", "date"),
    ],
)
async def test_identifiers_are_found_whole_and_in_parts(
    wiki: SmallWiki, query: str, expected: str
) -> None:
    for title, body in IDENTIFIERS.items():
        await wiki.put(page(title, "Page"), body)
    await wiki.store.settle()

    assert (await wiki.found(query))[:1] == [expected]


LANGUAGES = {
    "en": ("Restarting servers", "Only administrators restart servers after an incident."),
    "de": ("Neustart der Server", "Nur Administratoren starten die Maschinen nach Störungen neu."),
    "ja": ("サーバーの再起動", "障害のあとにサーバーを再起動できるのは管理者だけです。"),
    "war": ("The museum", "Visitors of the war museum die of boredom when the man is not there."),
}


@pytest.fixture
async def languages(wiki: SmallWiki) -> SmallWiki:
    """English, German and Japanese pages; one in English has words that are German ones too."""
    for page_id, (title, body) in LANGUAGES.items():
        await wiki.put(in_its_language(page(page_id, title), body), body)
    for number in range(12):
        filler = f"Notes on the canteen menu and the parking garage, part {number}."
        await wiki.put(in_its_language(page(f"filler{number}", "Notes"), filler), filler)
    await wiki.store.settle()
    return wiki


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("who may restart a server?", "en"),
        ("restarted", "en"),
        ("Wer darf die Maschine neu starten?", "de"),
        ("Störung", "de"),
        ("störungen", "de"),
        ("サーバーを再起動するのは誰ですか", "ja"),
        ("障害", "ja"),
        ("管理者", "ja"),
        ("war museum", "war"),
    ],
)
async def test_each_language_is_found_by_its_own_questions(
    languages: SmallWiki, query: str, expected: str
) -> None:
    assert (await languages.found(query))[0] == expected


async def test_stop_words_of_one_language_do_not_drag_in_another(languages: SmallWiki) -> None:
    german = await languages.found("Was war die Störung, und wann hat man die Maschine gestartet?")
    english = await languages.found("What did they do about the incident there?")

    assert german == ["de"]
    assert english == ["en"]


async def test_a_word_that_is_a_stop_word_elsewhere_is_kept(languages: SmallWiki) -> None:
    assert await languages.found("where is the war museum") == ["war"]
    assert await languages.found("war") == ["war"]


async def test_words_not_counted_yet_are_found(wiki: SmallWiki) -> None:
    for number in range(5):
        await wiki.put(page(str(number)), "common words of every page")
    await wiki.store.settle()

    await wiki.put(page("new"), "common zebra")

    assert await wiki.rows("SELECT count(*) FROM term_change") == [(1,)]
    assert (await wiki.found("common zebra"))[0] == "new"
    assert await wiki.found("zebra") == ["new"]


async def test_many_unknown_words_do_not_push_out_known_ones(wiki: SmallWiki) -> None:
    await wiki.put(page("1"), "the uploader stops with a checksum failure")
    await wiki.put(page("2"), "nothing of the kind")
    await wiki.store.settle()
    unknown = " ".join(f"{number:x}f{number}q" for number in range(400))

    assert await wiki.found(f"checksum failure {unknown}") == ["1"]


async def test_a_question_in_a_language_without_pages_is_answered(wiki: SmallWiki) -> None:
    await wiki.put(page("1"), "Only administrators restart servers.")

    found = await wiki.searcher.search(CRAWLER, "¿Quién puede reiniciar los servidores?")

    assert found.total == 1


async def test_filters_go_with_words_of_every_language(languages: SmallWiki) -> None:
    found = await languages.searcher.search(
        CRAWLER, "サーバー server", Filters(spaces=("ENG",)), limit=50
    )

    assert {hit.page.page_id for hit in found.hits} >= {"en", "de", "ja"}
