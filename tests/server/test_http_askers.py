"""Callers that are told apart over real HTTP: what each sees, leaves behind and may do."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio import to_thread
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from index.api_keys import ApiKeys
from index.database import Database
from index.settings import IndexSettings
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.asking import Variables, get_page, refused, search, variables_for
from tests.server.processes import ended, http_server
from tests.server.test_resources import Told
from tests.server.wiki import ARTICLES, Wiki, take_in

pytestmark = pytest.mark.anyio

KEYS = {"ada": "acc-ada", "gus": "gus@example.com", "nobody": "acc-nobody", "robot": None}


@pytest.fixture
def own(own_wiki_url: str, endpoint: OpenAIEndpoint) -> Variables:
    """The environment of a server over a wiki that may change."""
    return variables_for(own_wiki_url, endpoint)


@pytest.fixture
async def keys(own: Variables) -> dict[str, str]:
    """A key for each of the callers."""
    settings = IndexSettings.model_validate(own.as_fields())
    async with Database.open(settings, application_name="tests") as database:
        made = ApiKeys(database)
        return {name: await made.create(name, account) for name, account in KEYS.items()}


@pytest.fixture
def with_keys(own: Variables) -> dict[str, str]:
    """Its environment where keys are asked for."""
    return own.as_environment() | {"AUTH_API_KEYS": "true"}


@asynccontextmanager
async def client_of(url: str, key: str) -> AsyncGenerator[Client]:
    """A client that shows a key."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        yield client


@asynccontextmanager
async def heard(url: str, key: str, uris: list[str]) -> AsyncGenerator[Told]:
    """What a caller is told that listens for pages."""
    told = Told()
    async with (
        client_of(url, key) as client,
        client.listen(resource_subscriptions=uris) as stream,
        anyio.create_task_group() as listening,
    ):
        listening.start_soon(told.listen, stream)
        yield told
        listening.cancel_scope.cancel()
    told.close()


async def edit(own: Variables, *page_ids: str) -> None:
    """Changes pages of the wiki and takes the wiki in."""
    articles = [
        replace(one, version=2, body="<p>New.</p>") if one.page_id in page_ids else one
        for one in ARTICLES
    ]
    await take_in(IndexSettings.model_validate(own.as_fields()), Wiki(articles))


def trail(lines: str) -> list[dict[str, Any]]:
    """The lines of the audit trail among others."""
    return [json.loads(line) for line in lines.splitlines() if line.startswith("{")]


async def test_each_caller_sees_what_is_theirs_and_leaves_their_own_lines(
    with_keys: dict[str, str], keys: dict[str, str], tmp_path: Path
) -> None:
    seen: dict[str, list[str]] = {}

    with http_server(with_keys, tmp_path) as (process, url):
        for name, key in keys.items():
            async with client_of(url, key) as client:
                found = await search(client, "deploy", limit=25)
                seen[name] = [hit.page_id for hit in found.results]
                assert "whatever the account that indexed" not in (client.instructions or "")
        process.terminate()
        _, output, errors = await to_thread.run_sync(ended, process)

    assert len(seen["ada"]) == len(ARTICLES)
    assert seen["robot"] == seen["ada"]
    assert sorted(seen["gus"]) == [one.page_id for one in ARTICLES if one.space == "PEOPLE"]
    assert seen["nobody"] == []
    assert output == ""
    lines = trail(errors)
    assert [line["asker"] for line in lines] == [f"key:{name}" for name in keys]
    assert {line["call"] for line in lines} == {"search_confluence"}
    assert [line["page_ids"] for line in lines] == [seen[name] for name in keys]
    assert "deploy" not in errors.lower()


async def test_callers_are_limited_each_by_themselves(
    with_keys: dict[str, str], keys: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    limited = with_keys | {"RATE_LIMIT": "2", "AUDIT_LOG": str(path), "AUDIT_QUESTIONS": "true"}

    with http_server(limited, tmp_path) as (_, url):
        async with client_of(url, keys["ada"]) as ada, client_of(url, keys["robot"]) as robot:
            for _ in range(2):
                await get_page(ada, "100")
            said = await refused(ada, "get_page", page="100")
            await get_page(robot, "100")

    assert said.startswith("Too many calls: at most 2 a minute. Wait ")
    lines = trail(path.read_text())
    assert [(line["asker"], line["outcome"]) for line in lines] == [
        ("key:ada", "ok"), ("key:ada", "ok"), ("key:ada", "limited"), ("key:robot", "ok"),
    ]  # fmt: skip
    assert {line["question"] for line in lines} == {"100"}


async def test_streams_of_one_server_are_told_each_what_its_caller_may_see(
    own: Variables, with_keys: dict[str, str], keys: dict[str, str], tmp_path: Path
) -> None:
    uris = ["confluence://page/100", "confluence://page/200"]
    told: dict[str, list[str]] = {"ada": [], "gus": []}

    with http_server(with_keys, tmp_path) as (_, url):
        async with (
            heard(url, keys["ada"], uris) as by_ada,
            heard(url, keys["gus"], uris) as by_gus,
        ):
            await edit(own, "100")
            told["ada"].append(await by_ada.next())
            await edit(own, "100", "200")
            told["ada"].append(await by_ada.next())
            told["gus"].append(await by_gus.next())

    assert told == {"ada": uris, "gus": ["confluence://page/200"]}
