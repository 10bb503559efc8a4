"""Who is shown what: the layers of guards, and everything that closes them."""

from collections.abc import AsyncGenerator

import psycopg
import pytest

from index.access import AS_ASKER, CRAWLER, Asker, read_as
from index.database import Database
from index.errors import NotFound
from index.principals import EVERYBODY, LICENSED, Account, group
from index.records import Comment, ContentType
from index.results import Filters
from index.search import NOTHING_SHOWN
from index.settings import IndexSettings
from tests.conftest import empty
from tests.index.guarded_wiki import ADA, BOB, RUN, GuardedWiki, node_of
from tests.index.small_wiki import chunks_of, comment, page, update

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture
async def wiki(index_settings: IndexSettings) -> AsyncGenerator[GuardedWiki]:
    """An index that is written by its owner and read as the server reads it."""
    async with (
        Database.open(index_settings, application_name="writer") as owner,
        Database.open(index_settings, application_name="reader", for_askers=True) as reader,
    ):
        await empty(owner)
        made = await GuardedWiki.open(owner)
        yield made.read_by(reader)


@pytest.fixture
async def ada(wiki: GuardedWiki) -> Asker:
    return await wiki.person("ada")


@pytest.fixture
async def bob(wiki: GuardedWiki) -> Asker:
    return await wiki.person("bob")


async def test_a_page_is_shown_to_readers_of_its_space_alone(
    wiki: GuardedWiki, ada: Asker, bob: Asker
) -> None:
    await wiki.open_space("ENG", ADA)

    await wiki.put("1")

    assert await wiki.may_read(ada, "1")
    assert not await wiki.may_read(bob, "1")
    assert await wiki.may_read(CRAWLER, "1")
    assert not await wiki.may_read(Asker("nobody", ()), "1")


async def test_every_layer_has_to_let_the_reader_pass_and_each_lets_any_of_its_principals_pass(
    wiki: GuardedWiki, ada: Asker, bob: Asker
) -> None:
    eve = await wiki.person("eve")
    await wiki.guards.record_group("red", ["ada", "bob"])
    await wiki.guards.record_group("blue", ["ada", "eve"])
    await wiki.open_space("ENG", ADA, BOB, group("blue"))

    await wiki.put("1", only=[group("red")])
    await wiki.put("2", "1")
    await wiki.put("3", "2", only=[group("blue"), BOB])
    await wiki.put("4", "3", only=[group("blue")])

    assert await wiki.readable(ada, "1", "2", "3", "4") == ["1", "2", "3", "4"]
    assert await wiki.readable(bob, "1", "2", "3", "4") == ["1", "2", "3"]
    assert await wiki.readable(eve, "1", "2", "3", "4") == []


async def test_disjoint_layers_let_nobody_pass(wiki: GuardedWiki, ada: Asker, bob: Asker) -> None:
    await wiki.open_space("ENG", ADA, BOB)

    await wiki.put("1", only=[ADA])
    await wiki.put("2", "1", only=[BOB])

    assert not await wiki.may_read(ada, "2")
    assert not await wiki.may_read(bob, "2")


async def test_a_restriction_does_not_open_a_space(wiki: GuardedWiki, bob: Asker) -> None:
    await wiki.open_space("ENG", ADA)

    await wiki.put("1", only=[BOB])

    assert not await wiki.may_read(bob, "1")


async def test_folders_whiteboards_and_databases_pass_their_restrictions_on(
    wiki: GuardedWiki, ada: Asker, bob: Asker
) -> None:
    await wiki.open_space("ENG", ADA, BOB)

    for number, kind in enumerate(
        (ContentType.FOLDER, ContentType.WHITEBOARD, ContentType.DATABASE, ContentType.EMBED)
    ):
        await wiki.put(f"1{number}", kind=kind, only=[ADA])
        await wiki.put(f"2{number}", f"1{number}")

        assert await wiki.readable(ada, f"1{number}", f"2{number}") == [f"1{number}", f"2{number}"]
        assert await wiki.readable(bob, f"1{number}", f"2{number}") == []


async def test_what_is_not_known_of_a_node_closes_it_and_all_below(
    wiki: GuardedWiki, ada: Asker
) -> None:
    await wiki.open_space("ENG", ADA)

    await wiki.put("1", only=None)
    await wiki.put("2", "1")
    before = await wiki.readable(ada, "1", "2")
    await wiki.restrict("1")

    assert before == []
    assert await wiki.readable(ada, "1", "2") == ["1", "2"]


async def test_a_parent_that_nobody_saw_closes_what_is_below(wiki: GuardedWiki, ada: Asker) -> None:
    await wiki.open_space("ENG", ADA)

    await wiki.put("2", "1")
    before = await wiki.may_read(ada, "2")
    await wiki.put("1")

    assert not before
    assert await wiki.readable(ada, "1", "2") == ["1", "2"]


async def test_a_circle_of_parents_is_closed(wiki: GuardedWiki, ada: Asker) -> None:
    await wiki.open_space("ENG", ADA)

    await wiki.put("1", "2")
    await wiki.put("2", "1")
    await wiki.put("3", "2")
    await wiki.put("4", "4")

    assert await wiki.readable(ada, "1", "2", "3", "4") == []


async def test_a_page_that_no_sweep_saw_is_closed(wiki: GuardedWiki, ada: Asker) -> None:
    await wiki.open_space("ENG", ADA)
    await wiki.wiki.put(page("1"), "alpha")

    assert not await wiki.may_read(ada, "1")


async def test_a_page_written_between_two_looks_has_the_guards_of_its_ancestors(
    wiki: GuardedWiki, ada: Asker, bob: Asker
) -> None:
    await wiki.open_space("ENG", ADA, BOB)
    await wiki.put("1", only=[ADA])
    await wiki.see("2", "1")
    await wiki.guards.record_restrictions(1, {"2": frozenset()})

    await wiki.wiki.put(page("2"), "alpha")

    assert await wiki.may_read(ada, "2")
    assert not await wiki.may_read(bob, "2")


async def test_a_guard_that_could_not_be_read_closes(wiki: GuardedWiki, ada: Asker) -> None:
    await wiki.open_space("ENG", ADA)
    await wiki.put("1")

    await wiki.guards.record_space("ENG", None)
    unread_space = await wiki.may_read(ada, "1")
    await wiki.guards.record_space("ENG", frozenset({ADA}))
    again = await wiki.may_read(ada, "1")
    await wiki.guards.record_site(None)

    assert (unread_space, again, await wiki.may_read(ada, "1")) == (False, True, False)


@pytest.mark.parametrize(
    "age",
    [
        "UPDATE guard SET checked_at = now() - interval '4 days' WHERE kind = 'site'",
        "UPDATE guard SET checked_at = now() - interval '4 days' WHERE kind = 'space'",
        "UPDATE guard SET checked_at = now() - interval '4 days' WHERE kind = 'node'",
        "UPDATE guard SET checked_at = NULL WHERE kind = 'node'",
        "UPDATE space SET restrictions_at = now() - interval '4 days'",
        "UPDATE space SET restrictions_at = NULL",
        "UPDATE account SET checked_at = now() - interval '4 days'",
        "UPDATE account SET is_active = false",
        "UPDATE account_group SET checked_at = now() - interval '4 days'",
        "UPDATE account_group SET checked_at = NULL",
        "DELETE FROM guard WHERE kind = 'node'",
        "DELETE FROM guard WHERE kind = 'space'",
        "DELETE FROM guard WHERE kind = 'site'",
        "DELETE FROM membership",
    ],
)
async def test_what_is_too_old_or_gone_closes(wiki: GuardedWiki, ada: Asker, age: str) -> None:
    await wiki.guards.record_group("red", ["ada"])
    await wiki.open_space("ENG", group("red"))
    await wiki.put("1", only=[group("red")])
    before = await wiki.may_read(ada, "1")

    async with wiki.wiki.database.pool.connection() as connection:
        await connection.execute(age.encode())

    assert before
    assert not await wiki.may_read(ada, "1")
    assert await wiki.may_read(CRAWLER, "1")


async def test_how_old_is_too_old_can_be_set(
    wiki: GuardedWiki, ada: Asker, index_settings: IndexSettings
) -> None:
    await wiki.open_space("ENG", ADA)
    await wiki.put("1")
    aged = b"""
        UPDATE guard SET checked_at = now() - interval '2 hours' WHERE id > 0;
        UPDATE account SET checked_at = now() - interval '2 hours'
    """
    async with wiki.wiki.database.pool.connection() as connection:
        await connection.execute(aged)

    async with (
        Database.open(
            index_settings, application_name="t", for_askers=True, access_max_age_s=3600
        ) as strict,
        Database.open(
            index_settings, application_name="t", for_askers=True, access_max_age_s=9000
        ) as lax,
    ):
        assert not await wiki.read_by(strict).may_read(ada, "1")
        assert await wiki.read_by(lax).may_read(ada, "1")


async def test_what_an_export_told_does_not_age(wiki: GuardedWiki) -> None:
    forever = wiki.guards.for_ever()
    await forever.record_site(frozenset({EVERYBODY}))
    await forever.record_space("ENG", frozenset({EVERYBODY}))
    await forever.finish_space(RUN, await wiki.wiki.space())
    await wiki.put("1")

    rows = await wiki.wiki.rows(
        "SELECT bool_and(checked_at = 'infinity') FROM guard UNION ALL"
        " SELECT bool_and(restrictions_at = 'infinity') FROM space"
    )
    assert rows == [(True,), (True,)]
    assert await wiki.may_read(Asker("unknown", ()), "1")


async def test_classes_count_by_what_the_site_says_of_the_account(wiki: GuardedWiki) -> None:
    licensed, guest = await wiki.person("carl", LICENSED.name), await wiki.person("guest")
    await wiki.open_space("ENG", LICENSED)

    await wiki.put("1")

    assert await wiki.may_read(licensed, "1")
    assert not await wiki.may_read(guest, "1")


async def test_a_deactivated_account_is_found_no_more_and_sees_nothing(
    wiki: GuardedWiki, ada: Asker
) -> None:
    await wiki.open_space("ENG", ADA)
    await wiki.put("1")

    gone = Account("ada", None, "ada@example.com", False, frozenset({"authenticated-users"}))
    await wiki.guards.record_accounts([gone])

    assert (await wiki.askers.by_account_id("ada", "ada")).accounts == ()
    assert (await wiki.askers.by_email("ada@example.com", "ada")).accounts == ()
    assert not await wiki.may_read(ada, "1")


async def test_an_address_that_two_accounts_share_stands_for_nobody(wiki: GuardedWiki) -> None:
    one = Account("x1", None, "Shared@example.com", True, frozenset())
    two = Account("x2", "Shared", "shared@EXAMPLE.com", True, frozenset())
    await wiki.guards.record_accounts([one])
    alone = await wiki.askers.named("shared@example.com", "shared")

    await wiki.guards.record_accounts([two])

    assert len(alone.accounts or ()) == 1
    assert (await wiki.askers.named("shared@example.com", "shared")).accounts == ()
    assert len((await wiki.askers.named("SHARED", "shared")).accounts or ()) == 1
    assert (await wiki.askers.named("unheard of", "x")).accounts == ()


@pytest.mark.parametrize(
    "given", ["\u212aate@example.com", "kate@example.com.", "kat\u0435@example.com"]
)
async def test_an_address_that_only_looks_alike_is_another_one(
    wiki: GuardedWiki, given: str
) -> None:
    kate = Account("1", None, "kate@example.com", True, frozenset())
    await wiki.guards.record_accounts([kate])

    assert (await wiki.askers.by_email(given, "?")).accounts == ()
    assert len((await wiki.askers.by_email("KATE@example.com", "kate")).accounts or ()) == 1


async def test_a_name_that_only_looks_alike_is_another_one(wiki: GuardedWiki) -> None:
    await wiki.guards.record_accounts([Account("1", "kate", None, True, frozenset())])

    assert (await wiki.askers.by_account_id("\u212aate", "?")).accounts == ()
    assert len((await wiki.askers.by_account_id("Kate", "kate")).accounts or ()) == 1


async def test_hundreds_of_restrictions_one_below_the_other_are_closed_and_stop_nothing(
    wiki: GuardedWiki, ada: Asker
) -> None:
    space_id = await wiki.open_space("ENG", ADA)
    await wiki.put("1")
    chain = [node_of(str(number), str(number - 1)) for number in range(2, 1000)]
    await wiki.nodes.saw(RUN, space_id, chain)
    await wiki.guards.record_restrictions(
        RUN, {str(number): frozenset({ADA}) for number in range(2, 1000)}
    )
    for page_id in ("500", "999"):
        await wiki.wiki.put(page(page_id, f"Page {page_id}"), "alpha")

    await wiki.work_list.place()

    assert await wiki.readable(ada, "1", "500", "999") == ["1", "500"]


async def test_a_principal_of_one_site_opens_nothing_on_another(
    wiki: GuardedWiki, ada: Asker
) -> None:
    other = await GuardedWiki.open(wiki.wiki.database, "https://other.example/wiki")
    await other.open_space("OPS", ADA)
    await other.put("7", space="OPS")
    await wiki.open_space("ENG", ADA)
    await wiki.put("1")
    ada_there = Account("ada", None, None, True, frozenset({"authenticated-users"}))

    before = await wiki.readable(ada, "1", "7")
    await other.guards.record_accounts([ada_there])
    both = await wiki.askers.by_account_id("ada", "ada")

    assert before == ["1"]
    assert await wiki.readable(both, "1", "7") == ["1", "7"]


async def test_moving_a_subtree_out_of_and_into_a_restricted_tree_follows_with_the_next_look(
    wiki: GuardedWiki, bob: Asker
) -> None:
    await wiki.open_space("ENG", ADA, BOB)
    await wiki.put("1", only=[ADA])
    await wiki.put("2")
    await wiki.put("3", "2")
    await wiki.put("4", "3")

    before = await wiki.readable(bob, "3", "4")
    await wiki.see("3", "1")
    await wiki.work_list.place()
    moved_in = await wiki.readable(bob, "3", "4")
    await wiki.see("3", "2")
    await wiki.work_list.place()

    assert (before, moved_in) == (["3", "4"], [])
    assert await wiki.readable(bob, "3", "4") == ["3", "4"]


async def test_a_page_that_moved_to_another_space_is_closed_to_readers_of_the_old_one_at_once(
    wiki: GuardedWiki, ada: Asker, bob: Asker
) -> None:
    await wiki.open_space("ENG", ADA)
    await wiki.open_space("OPS", BOB)
    await wiki.put("1", space="ENG")

    await wiki.see("1", space="OPS")
    await wiki.work_list.place()

    assert not await wiki.may_read(ada, "1")
    assert await wiki.may_read(bob, "1")
    assert await wiki.wiki.rows("SELECT recipe FROM page") == [(0,)]


async def test_a_change_of_a_group_or_a_restriction_touches_no_page_and_no_chunk(
    wiki: GuardedWiki, ada: Asker, bob: Asker
) -> None:
    await wiki.guards.record_group("red", ["ada"])
    await wiki.open_space("ENG", ADA, BOB)
    await wiki.put("1", only=[group("red")])
    await wiki.put("2", "1")
    written = await wiki.wiki.rows("SELECT xmin::text FROM page UNION SELECT xmin::text FROM chunk")

    await wiki.guards.record_group("red", ["bob"])
    by_group = (await wiki.may_read(ada, "2"), await wiki.may_read(bob, "2"))
    await wiki.restrict("1", ADA)

    assert by_group == (False, True)
    assert (await wiki.may_read(ada, "2"), await wiki.may_read(bob, "2")) == (True, False)
    assert written == await wiki.wiki.rows(
        "SELECT xmin::text FROM page UNION SELECT xmin::text FROM chunk"
    )


async def test_lists_of_a_page_name_nothing_that_is_hidden(
    wiki: GuardedWiki, ada: Asker, bob: Asker
) -> None:
    await wiki.open_space("ENG", ADA, BOB)
    await wiki.put("1")
    await wiki.put("2", "1", only=[ADA])
    await wiki.put("3", "1")

    children = [
        [link.page_id for link in (await wiki.pages.page(who, "1")).children] for who in (ada, bob)
    ]
    titles = [await wiki.pages.pages_of_title(who, "Page 2", None) for who in (ada, bob)]
    shown = [await wiki.pages.shown(who, ["1", "2", "9"]) for who in (ada, bob)]

    assert children == [["2", "3"], ["3"]]
    assert [len(found) for found in titles] == [1, 0]
    assert shown == [{"1", "2"}, {"1"}]


async def test_comments_and_attachments_follow_their_page(
    wiki: GuardedWiki, ada: Asker, bob: Asker
) -> None:
    talk: Comment = comment("c1", "secret talk")
    await wiki.open_space("ENG", ADA, BOB)
    await wiki.put("1", only=[ADA])
    await wiki.put("2", "1")
    await wiki.wiki.write(
        update("2", "Page 2", comments=[talk], chunks=chunks_of(talk, "secret talk"))
    )

    with pytest.raises(NotFound):
        await wiki.pages.attachment(bob, "2", "plan.txt")
    assert await wiki.found(bob, "secret talk") == set()
    assert "2" in await wiki.found(ada, "secret talk")


async def test_a_hidden_page_and_a_missing_one_are_told_in_the_same_words(
    wiki: GuardedWiki, bob: Asker
) -> None:
    await wiki.open_space("ENG", ADA)
    await wiki.put("1")

    with pytest.raises(NotFound) as hidden:
        await wiki.pages.page(bob, "1")
    with pytest.raises(NotFound) as missing:
        await wiki.pages.page(bob, "2")

    assert str(hidden.value).replace("1", "2") == str(missing.value)


async def test_notes_name_only_spaces_that_are_open(
    wiki: GuardedWiki, ada: Asker, bob: Asker
) -> None:
    await wiki.open_space("ENG", ADA, BOB)
    await wiki.open_space("SECRET", ADA)
    await wiki.put("1")
    await wiki.put("2", space="SECRET")

    hidden = await wiki.wiki.searcher.search(bob, "alpha", Filters(spaces=("SECRET",)))
    missing = await wiki.wiki.searcher.search(bob, "alpha", Filters(spaces=("NOWHERE",)))
    nobody = await wiki.wiki.searcher.search(Asker("nobody", ()), "alpha")

    assert hidden.notes == ("No space SECRET here. Spaces: ENG.",)
    assert missing.notes == ("No space NOWHERE here. Spaces: ENG.",)
    assert nobody.notes == (NOTHING_SHOWN,)


async def test_a_transaction_that_names_no_asker_sees_nothing(wiki: GuardedWiki) -> None:
    await wiki.open_space("ENG", EVERYBODY)
    await wiki.put("1")
    reader = wiki.reader

    async with read_as(reader, CRAWLER) as connection:
        seen = await (await connection.execute("SELECT count(*) FROM shown_page")).fetchone()
    async with reader.pool.connection() as connection:
        unseen = await (await connection.execute("SELECT count(*) FROM shown_page")).fetchone()

    assert (seen, unseen) == ((1,), (0,))


async def test_askers_that_follow_each_other_in_a_transaction_see_each_their_own(
    wiki: GuardedWiki, ada: Asker, bob: Asker
) -> None:
    await wiki.open_space("ENG", ADA, BOB)
    await wiki.open_space("OPS", BOB)
    await wiki.put("1", only=[ADA])
    await wiki.put("2", space="OPS")
    seen: list[list[str]] = []

    async with wiki.reader.pool.connection() as connection:
        for asker in (ada, bob, Asker("nobody", ()), ada):
            accounts = "{" + ",".join(map(str, asker.accounts or ())) + "}"
            await connection.execute(AS_ASKER, {"asker": accounts, "planning": "force_custom_plan"})
            for _ in range(2):
                rows = await connection.execute("SELECT page_id FROM shown_page")
                seen.append([row[0] async for row in rows])

    assert seen == [["1"], ["1"], ["2"], ["2"], [], [], ["1"], ["1"]]


@pytest.mark.parametrize(
    "table",
    ["page", "chunk", "comment", "attachment", "node", "guard", "membership", "sync_run", "site"],
)
async def test_the_reader_cannot_read_past_the_views(wiki: GuardedWiki, table: str) -> None:
    query = f"SELECT count(*) FROM {table}".encode()

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with wiki.reader.pool.connection() as connection:
            await connection.execute(query)


async def test_the_reader_cannot_write(wiki: GuardedWiki) -> None:
    for statement in (
        b"DELETE FROM api_key",
        b"INSERT INTO term VALUES (1, 1)",
    ):
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            async with wiki.reader.pool.connection() as connection:
                await connection.execute(statement)
    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        async with wiki.reader.pool.connection() as connection:
            await connection.execute("SET TRANSACTION READ WRITE")
    async with wiki.reader.pool.connection() as connection:
        rights = await connection.execute(
            "SELECT has_table_privilege('api_key', 'DELETE'), has_table_privilege('term', 'INSERT')"
        )
        assert await rights.fetchone() == (False, False)


async def test_what_is_open_is_asked_for_before_anything_is_read(
    wiki: GuardedWiki, ada: Asker
) -> None:
    await wiki.open_space("ENG", ADA)
    await wiki.put("1", only=[ADA])

    async with read_as(wiki.reader, ada) as connection:
        kept = await connection.execute(
            "SELECT current_setting('confluence_mcp.open_spaces', true) <> '',"
            " current_setting('confluence_mcp.open_audiences', true) <> ''"
        )

        assert await kept.fetchone() == (True, True)
