"""A server behind a pooler of transactions, all of whose transactions share one connection."""

from collections.abc import AsyncGenerator, Generator
from dataclasses import replace

import anyio
import psycopg
import pytest
from mcp import Client, MCPError

from index.access import CRAWLER, Asker, Askers, read_as
from index.database import Database
from index.embedded_postgres import DATABASE
from index.errors import ConfigurationError, DatabaseError
from index.pages import Pages
from index.settings import IndexSettings
from server.app import create_server, open_deps
from server.settings import ServerSettings
from tests.conftest import Postgres
from tests.server.askers import ADA, BOB, NOBODY
from tests.server.asking import Variables, get_page, titles
from tests.server.pgbouncer import needs_pgbouncer, pgbouncer

pytestmark = [pytest.mark.anyio, needs_pgbouncer]

MINE = """
SELECT pg_backend_pid(), current_user::text, current_setting('transaction_read_only'),
       current_setting('hnsw.ef_search', true), current_setting('statement_timeout'),
       current_setting('confluence_mcp.asker', true)
"""


@pytest.fixture(scope="module")
def pooled_url(postgres: Postgres, wiki_template: str) -> Generator[str]:
    """The URL of the small wiki's index by way of the pooler."""
    with postgres.copy_of(wiki_template) as name, pgbouncer(postgres) as port:
        yield f"postgresql://{DATABASE}@127.0.0.1:{port}/{name}"


@pytest.fixture
def settings(variables: Variables, pooled_url: str) -> ServerSettings:
    """Settings of a server that knows of the pooler."""
    fields = replace(variables, postgres_url=pooled_url).as_fields()
    return ServerSettings.model_validate(fields | {"postgres_pooler": "transaction"})


@pytest.fixture
async def database(settings: ServerSettings) -> AsyncGenerator[Database]:
    """As a server opens it, with more connections to the pooler than that has to Postgres."""
    async with Database.open(
        settings, application_name="tests", for_askers=True, may_be_pooled=True
    ) as database:
        yield database


async def mine(database: Database, asker: Asker) -> tuple[object, ...]:
    """What holds in a transaction of an asker."""
    async with read_as(database, asker) as connection:
        row = await (await connection.execute(MINE)).fetchone()
    assert row is not None
    return row


async def test_askers_who_share_a_connection_see_each_their_own(
    database: Database, variables: Variables
) -> None:
    askers, pages = Askers(database), Pages(database)
    everybody = [await askers.by_account_id(name, name) for name in (ADA, BOB, NOBODY)]
    ids = [str(number) for number in range(100, 210)]
    settings = IndexSettings.model_validate(variables.as_fields())
    async with Database.open(settings, application_name="tests", for_askers=True) as direct:
        expected = [await Pages(direct).shown(asker, ids) for asker in everybody]
    wrong: list[str] = []

    async def ask(turn: int) -> None:
        for step in range(10):
            which = (turn + step) % 3
            if await pages.shown(everybody[which], ids) != expected[which]:
                wrong.append(everybody[which].name)

    async with anyio.create_task_group() as group:
        for turn in range(6):
            group.start_soon(ask, turn)

    assert len(set(expected)) == 3
    assert not wrong


async def test_each_transaction_is_set_up_and_leaves_nothing_behind(
    database: Database, pooled_url: str
) -> None:
    def stranger() -> tuple[object, ...]:
        with psycopg.connect(pooled_url, autocommit=True, prepare_threshold=None) as connection:
            return connection.execute(MINE).fetchone() or ()

    first = await mine(database, Asker("ada", (1,)))
    after_first = stranger()
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with read_as(database, Asker("bob", (2,))) as connection:
            await connection.execute("SELECT 1 / 0")
    after_failure = stranger()
    second = await mine(database, CRAWLER)

    pid = first[0]
    assert first == (pid, "confluence_mcp_reader", "on", "1000", "0", "{1}")
    assert second == (pid, "confluence_mcp_reader", "on", "1000", "0", "everything")
    for left in (after_first, after_failure):
        assert left[:3] == (pid, DATABASE, "off")
        assert left[3] in (None, "", "40")
        assert left[5] in (None, "")


async def test_tools_work_again_and_again_and_nobody_subscribes_in_vain(
    settings: ServerSettings,
) -> None:
    server = create_server(lambda: open_deps(settings), hears_changes=False)

    async with Client(server) as client:
        found = [(await titles(client, "TB-4031"))[0] for _ in range(8)]
        page = await get_page(client, "100")
        with pytest.raises(MCPError):
            async with client.listen(resource_subscriptions=["confluence://page/100"]):
                pass

    assert found == ["VPN"] * 8
    assert page.title == "VPN"


async def test_what_a_pooler_cannot_do_is_refused_in_words(
    settings: ServerSettings, database: Database
) -> None:
    with pytest.raises(ConfigurationError, match=r"set POSTGRES_URL to Postgres itself\.$"):
        async with Database.open(settings, application_name="ingest"):
            pass
    with pytest.raises(DatabaseError, match="POSTGRES_POOLER is set"):
        await database.connect()


async def test_a_pooler_that_nobody_told_of_is_noticed(
    settings: ServerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    untold = settings.model_copy(update={"postgres_pooler": None})

    async with Database.open(untold, application_name="tests", for_askers=True):
        pass

    assert "serve needs POSTGRES_POOLER=transaction" in caplog.text
