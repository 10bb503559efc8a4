"""More calls than a server takes on: those beyond are told so at once."""

import json
from collections.abc import Generator
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import Client

from index.connection_pool import NoneFree
from index.database import Database
from index.errors import Busy
from index.settings import IndexSettings
from server.room import BUSY, Room
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint, slow
from tests.server.asking import Variables, get_page, refused, search, variables_for
from tests.server.held_tables import held, pages_held, until
from tests.server.processes import http_server

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def database_name(postgres: Postgres, wiki_template: str) -> Generator[str]:
    """The name of a database with the small wiki in it, for this file."""
    with postgres.copy_of(wiki_template) as name:
        yield name


@pytest.fixture
def own(postgres: Postgres, database_name: str, endpoint: OpenAIEndpoint) -> Variables:
    """The environment of a server over it."""
    return variables_for(postgres.url(database_name), endpoint)


async def test_calls_beyond_the_bound_are_refused_at_once_and_healthy_ones_go_on(
    postgres: Postgres, database_name: str, own: Variables, tmp_path: Path
) -> None:
    trail = tmp_path / "audit.jsonl"
    variables = own.as_environment() | {
        "MAX_CALLS": "2",
        "POSTGRES_POOL": "2",
        "AUDIT_LOG": str(trail),
    }
    sessions = held(postgres, database_name)

    with http_server(variables, tmp_path) as (_, url):
        async with Client(f"{url}/mcp") as client, httpx.AsyncClient(base_url=url) as http:
            await get_page(client, "100")
            with pages_held(own.postgres_url):
                async with anyio.create_task_group() as calls:
                    for _ in range(2):
                        calls.start_soon(client.call_tool, "get_page", {"page": "100"})
                    await until(lambda: len(sessions.waiting()) == 2)
                    assert await refused(client, "search_confluence", query="vpn") == BUSY
                    health = await http.get("/healthz", timeout=30)
                    assert health.json() == {"status": "ok"}
                    readiness = await http.get("/readyz", timeout=30)
                    assert readiness.json()["busy"] is True
                    calls.cancel_scope.cancel()
            await until(lambda: httpx.get(f"{url}/readyz", timeout=30).json() == {"ready": True})
            page = await get_page(client, "100")

    outcomes = [json.loads(line)["outcome"] for line in trail.read_text().splitlines()]
    assert page.title == "VPN"
    assert sorted(outcomes) == ["busy", "cancelled", "cancelled", "ok", "ok"]


async def test_who_gets_no_connection_in_time_is_told_that_the_server_is_busy(
    own: Variables,
) -> None:
    settings = IndexSettings.model_validate(own.as_fields())

    async with Database.open(
        settings, application_name="tests", for_askers=True, max_connections=1, wait_s=0.2
    ) as database:
        async with database.pool.connection():
            exhausted = database.pool.is_exhausted
            with pytest.raises(NoneFree):
                async with database.pool.connection():
                    pass
        async with database.pool.connection() as connection:
            row = await (await connection.execute("SELECT 1")).fetchone()

    assert exhausted
    assert row == (1,)
    assert not database.pool.is_exhausted


async def test_answers_that_take_their_time_leave_room_for_searches(
    own: Variables, endpoint: OpenAIEndpoint, tmp_path: Path
) -> None:
    variables = own.as_environment() | {"MAX_CALLS": "1", "MAX_ANSWERS": "1"}
    question = {"question": "How many days of vacation?"}

    with http_server(variables, tmp_path) as (_, url):
        async with Client(f"{url}/mcp") as client:
            await search(client, "vacation")
            endpoint.reply = lambda messages, tools: slow()
            async with anyio.create_task_group() as calls:
                calls.start_soon(client.call_tool, "answer_question", question)
                await until(lambda: "chat" in endpoint.requests[-1].path)
                assert await refused(client, "answer_question", **question) == BUSY
                found = await search(client, "TB-4031")
                assert found.results[0].title == "VPN"
                calls.cancel_scope.cancel()


def test_refusals_are_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    room = Room(1, 1)

    with room.place():
        for _ in range(3):
            with pytest.raises(Busy), room.place():
                pass
        with room.place(is_answer=True):
            pass
    with room.place():
        pass

    said = [record.getMessage() for record in caplog.records]
    assert room.refused == 3
    assert said == ["busy, calls are refused under_way=1", "busy no more, refused calls=3"]
