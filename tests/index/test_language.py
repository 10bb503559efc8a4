"""Which language a text is in, and what of it Postgres' text search reads."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.database import Database
from index.language import (
    CONFIGURATIONS,
    KNOWN,
    clean,
    configuration_of,
    language_of,
    likely_languages,
    searchable,
    written_words,
)

FOUR = ("en", "de", "ja", "fr")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The deployment is rolled back by hand.", "en"),
        ("Der Urlaub wird im Portal beantragt und dann genehmigt.", "de"),
        ("サーバーを再起動するには管理者権限が必要です。", "ja"),
        ("重新启动服务器需要管理员权限。", "zh"),
        ("서버를 다시 시작하려면 관리자 권한이 필요합니다.", "ko"),
        ("Для перезапуска сервера нужны права администратора.", "ru"),
        ("12:30 - 4031", ""),
        ("", ""),
        ("\x00🚀", ""),
    ],
)
def test_the_language_of_a_text_is_told(text: str, language: str) -> None:
    assert language_of(text) == language


def test_only_the_given_languages_are_told() -> None:
    assert language_of("Der Urlaub wird genehmigt.", among={"en", "fr"}) in {"en", "fr"}
    assert language_of("Der Urlaub wird genehmigt.", among=()) == ""


@pytest.mark.parametrize(
    "question",
    [
        "ERR 42 kubectl get pods",
        "kubectl get pods",
        "TB-4031",
        "VPN",
        "SLA P1",
        "ORA-00942",
        "vpn access",
        "travel budget",
        "how do I reset my password",
        "db-eu-west-1.harbourlight.internal",
        "NullPointerException at com.foo.Bar",
        "4031",
        "",
    ],
)
def test_a_question_that_may_be_english_counts_as_english(question: str) -> None:
    assert "en" in likely_languages(question, FOUR)


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Wie beantrage ich Urlaub?", "de"),
        ("Passwort zurücksetzen", "de"),
        ("Wer genehmigt die Reisekosten", "de"),
        ("Wie starte ich kubectl get pods neu?", "de"),
        ("サーバーの再起動", "ja"),
        ("障害", "ja"),
        ("鍵の管理はどうする?", "ja"),
        ("comment demander des congés payés", "fr"),
    ],
)
def test_a_question_that_is_certainly_foreign_is_not_held_for_english(
    question: str, language: str
) -> None:
    likely = likely_languages(question, FOUR)

    assert language in likely
    assert "en" not in likely


def test_no_language_is_likely_among_none() -> None:
    assert likely_languages("hello", ()) == frozenset()
    assert likely_languages("123", FOUR) == frozenset(FOUR)
    assert likely_languages("123") == KNOWN


@pytest.mark.anyio
async def test_postgres_has_every_configuration(database: Database) -> None:
    async with database.pool.connection() as connection:
        rows = await connection.execute("SELECT cfgname FROM pg_ts_config")
        there = {row[0] async for row in rows}

    assert there >= {configuration_of(language) for language in KNOWN}
    assert configuration_of("ja") == configuration_of("") == "simple"
    assert configuration_of("de") == CONFIGURATIONS["de"] == "german"


def test_control_characters_and_half_characters_become_spaces() -> None:
    assert clean("a\x00b\x1fc\ud83dd\udc00e\x7ff") == "a b c d e f"
    assert clean("tab\tline\nend\r 🚀 é") == "tab\tline\nend\r 🚀 é"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("TB-4031", "tb 4031 tb4031"),
        (
            "db-eu-1.harbourlight.internal",
            "db eu 1 harbourlight internal dbeu1harbourlightinternal",
        ),
        ("foo_bar2", "foo bar2 foobar2"),
        ("client/server", "client server clientserver"),
        ("a.b@example.com", "a b example com abexamplecom"),
        ("C:\\temp", "c:\\temp"),
        ("v2.3.1", "2.3.1 v231"),
        ("2.3.1 and 10.0.0.1", "2.3.1 and 10.0.0.1"),
        ("2026-01-31", "2026 01 31 20260131"),
        ("state-of-the-art", "state-of-the-art"),
        ("Größe-3", "größe 3 größe3"),
        ("a - b, c. d: e", "a - b, c. d: e"),
        ("ＴＢ－４０３１", "tb 4031 tb4031"),
        ("V2.3.1", "2.3.1 v231"),
        ("ERR_CONN_4031", "err conn 4031 errconn4031"),
        ("db-eu-1.example.org", "db eu 1 example org dbeu1exampleorg"),
        ("maxPoolSize", "max pool size maxpoolsize"),
        ("set HTTPServerError.", "set http server error httpservererror."),
        ("OOMKilled", "oom killed oomkilled"),
        ("AuthServiceV2", "auth service v2 authservicev2"),
        ("max_poolSize", "max pool size poolsize maxpoolsize"),
        ("com.foo.BarBaz", "com foo bar baz barbaz comfoobarbaz"),
        ("ГлавнаяСтраница", "главнаястраница"),
        ("IDs, IPv4, eMail, MAX, Pool and dB", "ids, ipv4, email, max, pool and db"),
    ],
)
def test_joined_words_are_read_in_parts_and_in_one_piece(text: str, read: str) -> None:
    assert searchable(text) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("障害", "障害"),
        ("鍵", "鍵"),
        ("再起動の手順", "再起 起動 動の の手 手順"),
        ("東京office東京", "東京 office 東京"),
        ("ｻｰﾊﾞｰ", "サー ーバ バー"),
        ("서버 재시작", "서버 재시 시작"),
    ],
)
def test_scripts_without_spaces_are_read_in_pairs(text: str, read: str) -> None:
    assert searchable(text).split() == read.split()


def test_words_of_letters_alone_are_told_from_all_else() -> None:
    text = searchable("Don't restart db-1 (Größe: 3 kB) at 東京tower, हिन्दी! ab https:// kb")

    assert written_words(text) == {"don", "restart", "größe", "tower", "https"}


@pytest.mark.parametrize("text", ["x" * 200_000, "aB" * 100_000, "Ab" * 100_000, "a-B" * 66_000])
def test_a_long_word_is_read_at_once(text: str) -> None:
    assert len(searchable(text)) >= len(text)


def test_one_character_has_one_form() -> None:
    assert searchable(unicodedata.normalize("NFD", "Café Übung")) == searchable("café übung")


@given(st.text(alphabet=st.characters(codec=None), max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    read = searchable(text)

    assert "\x00" not in read
    read.encode()
    likely_languages(text)
