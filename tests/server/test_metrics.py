"""What Prometheus reads of a server, over real HTTP, after real calls."""

import json
import math
import socket
import uuid
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from mcp import Client
from psycopg.conninfo import conninfo_to_dict

from index.database import Database
from index.errors import ConfigurationError
from index.metrics_collector import KEPT_S, IndexCollector
from index.metrics_listener import metrics_listener
from index.replica import Replica
from index.settings import IndexSettings
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint, bad_key
from tests.scrapes import Numbers, free_port
from tests.server.asking import Variables, ask, get_page, refused, search
from tests.server.checking import Clock
from tests.server.outages import outage
from tests.server.processes import http_server

QUOTE = "The VPN uses WireGuard."
REPLY = {
    "found": True, "answer": "WireGuard [1].", "citations": [{"n": 1, "quote": QUOTE}]
}  # fmt: skip
TOKEN = "only-prometheus-knows-this"
SITE = "https://wiki.example.com/wiki"


@dataclass(frozen=True, slots=True)
class Served:
    """A server, and where its numbers are."""

    url: str
    metrics_url: str

    def numbers(self) -> Numbers:
        """What Prometheus reads now."""
        answer = httpx.get(self.metrics_url)
        assert answer.status_code == 200
        return Numbers(answer.text)


@pytest.fixture(scope="module")
def served(variables: Variables, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """A running server over the small wiki."""
    port = free_port()
    environment = variables.as_environment() | {"METRICS_PORT": str(port)}
    with http_server(environment, tmp_path_factory.mktemp("server")) as (_, url):
        yield Served(url, f"http://127.0.0.1:{port}/metrics")


@pytest.mark.anyio
async def test_calls_searches_models_and_answers_are_counted(
    served: Served, endpoint: OpenAIEndpoint
) -> None:
    endpoint.reply = lambda messages, tools: json.dumps(REPLY)
    before = served.numbers()

    async with Client(f"{served.url}/mcp") as client:
        await search(client, "TB-4031 certificate")
        await search(client, "TB-4031 certificate")
        await search(client, "vacation", author="nobody of that name")
        await get_page(client, "ENG:VPN")
        await refused(client, "get_page", page="ENG:Unheard of")
        await refused(client, "search_confluence", query=" ")
        answer = await ask(client, "What does the VPN use?")
        endpoint.fail(bad_key())
        await search(client, "certificate profile")

    after = served.numbers()

    def grown(name: str, **labels: str) -> float:
        key = (f"confluence_mcp_{name}", tuple(sorted(labels.items())))
        return after.series()[key] - before.series().get(key, 0)

    assert answer.status == "answered"
    assert grown("calls_total", call="search_confluence", outcome="ok") == 4
    assert grown("calls_total", call="search_confluence", outcome="refused") == 1
    assert grown("calls_total", call="get_page", outcome="ok") == 1
    assert grown("calls_total", call="get_page", outcome="not_found") == 1
    assert grown("call_duration_seconds_count", call="search_confluence") == 5
    assert grown("calls_in_flight", call="search_confluence") == 0
    assert grown("searches_total", hits="some") == 4
    assert grown("searches_total", hits="none") == 1
    assert grown("search_statements_total", route="scan") == 3
    assert grown("search_statements_total", route="words") == 1
    assert grown("search_leg_duration_seconds_count", leg="embedding") == 5
    assert grown("search_leg_duration_seconds_count", leg="statement") == 5
    assert grown("question_embeddings_total", cache="hit") == 1
    assert grown("question_embeddings_total", cache="miss") == 4
    assert grown("model_requests_total", operation="embed_question", outcome="ok") == 3
    assert grown("model_requests_total", operation="embed_question", outcome="denied") == 1
    assert grown("model_requests_total", operation="chat", outcome="ok") == 1
    assert grown("model_tokens_total", operation="chat", direction="input") > 100
    assert grown("model_tokens_total", operation="chat", direction="output") > 0
    assert grown("model_tokens_total", operation="embed_question", direction="input") == 8
    assert grown("answers_total", status="answered") == 1
    assert grown("answer_duration_seconds_count", step="answering") == 1
    for private in ("TB-4031", "vacation", "Unheard", "nobody of", "ENG", "WireGuard", "test-key"):
        assert private not in after.text


def test_the_index_the_pool_and_the_process_are_told(served: Served) -> None:
    numbers = served.numbers()
    while "index_pages{" not in numbers.text:  # it is read meanwhile
        numbers = served.numbers()

    assert numbers("database_up") == 1
    assert numbers("index_pages", site=SITE) == 11
    assert numbers("index_chunks", site=SITE) > 11
    assert numbers("index_embedded_tokens_total", site=SITE) > 100
    assert numbers("index_failed_pages", site=SITE) == 0
    assert numbers("ingest_last_run_succeeded", site=SITE) == 1
    run_at = numbers("ingest_last_run_timestamp_seconds", site=SITE)
    assert numbers("ingest_last_success_timestamp_seconds", site=SITE) == run_at > 1.7e9
    assert numbers("pool_connections_most", pool="serve") == 8
    assert numbers("database_size_bytes") > 1e6
    assert ("process_resident_memory_bytes", ()) in numbers.series()
    assert not any("replica" in name or "queue" in name for name, _ in numbers.series())


def test_the_numbers_are_not_where_mcp_is_and_mcp_not_where_they_are(served: Served) -> None:
    base = served.metrics_url.removesuffix("/metrics")

    answers = [
        httpx.get(f"{served.url}/metrics"), httpx.get(base), httpx.post(f"{base}/mcp", json={})
    ]  # fmt: skip

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert httpx.post(served.metrics_url).status_code == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9464", "[", ""])
def test_a_name_that_was_made_to_point_here_reads_nothing(served: Served, host: str) -> None:
    answer = httpx.get(served.metrics_url, headers={"Host": host})

    assert answer.status_code in (400, 421)
    assert "confluence_mcp" not in answer.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "metrics.example.com"])
def test_others_are_refused_without_a_token(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("METRICS_HOST", host)
    not_asked_for = IndexSettings.load()
    monkeypatch.setenv("METRICS_PORT", "9464")

    with pytest.raises(ConfigurationError, match="METRICS_TOKEN") as caught:
        IndexSettings.load()

    assert not_asked_for.metrics_port is None
    assert host in str(caught.value)


def test_whoever_has_the_token_is_let_in_from_anywhere(
    variables: Variables, tmp_path: Path
) -> None:
    port = free_port()
    environment = variables.as_environment() | {
        "METRICS_PORT": str(port),
        "METRICS_HOST": "0.0.0.0",
        "METRICS_TOKEN": TOKEN,
        "AUTH_API_KEYS": "true",
        "CONFLUENCE_MCP_PUBLIC_URL": "https://wiki-search.example.com/mcp",
    }
    url = f"http://127.0.0.1:{port}/metrics"
    given = ["", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \xfc", f"Bearer {TOKEN}"]

    with http_server(environment, tmp_path) as (_, mcp_url):
        refused_ones = [
            httpx.post(f"{mcp_url}/mcp"),
            httpx.post(f"{mcp_url}/mcp", headers={"Authorization": "Bearer cmcp_nobody"}),
            httpx.get(f"{mcp_url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}),
        ]
        answers = [
            httpx.get(url, headers=[(b"Host", b"pod.example"), (b"Authorization", one.encode())])
            for one in given
        ]
        without = httpx.get(url).status_code

    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 401, 200]
    assert without == 401
    assert [answer.status_code for answer in refused_ones] == [401, 401, 401]
    numbers = Numbers(answers[-1].text)
    assert numbers("auth_refusals_total", reason="no token") == 1
    assert numbers("auth_refusals_total", reason="unknown, expired or revoked key") == 1
    assert numbers("auth_refusals_total", reason="no key of this server") == 1
    assert numbers("pool_connections_most", pool="auth") == 4


@pytest.mark.anyio
async def test_a_port_that_is_taken_is_told(
    database: Database, index_settings: IndexSettings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = index_settings.model_copy(update={"metrics_port": port})

        with pytest.raises(ConfigurationError, match=f"{port}.*\n.*METRICS_PORT"):
            async with metrics_listener(settings, database):
                pass


@pytest.mark.anyio
async def test_a_database_that_is_away_costs_its_numbers_and_not_the_page(
    postgres: Postgres, own_wiki_url: str
) -> None:
    name = conninfo_to_dict(own_wiki_url)["dbname"]
    clock = Clock()

    async def url() -> str:
        return own_wiki_url

    collector = IndexCollector(url, clock=clock)

    async def look() -> tuple[float, bool]:
        numbers = await told(collector)
        return numbers["database_up"], "database_size_bytes" in numbers

    before = await look()
    with outage(postgres, str(name)):
        moment_later = await look()
        clock.now += KEPT_S + 1
        away = await look()
    clock.now += KEPT_S + 1
    back = await look()

    assert (before, moment_later, away, back) == ((1, True), (1, True), (0, False), (1, True))


async def told(collector: IndexCollector) -> dict[str, float]:
    """By name, the series without labels that a collector gives now."""
    await collector.refresh(wait_s=60)
    return {
        sample.name.removeprefix("confluence_mcp_"): sample.value
        for family in collector.collect()
        for sample in family.samples
        if not sample.labels
    }


@pytest.mark.anyio
async def test_a_role_that_may_not_read_the_tables_tells_that_the_database_is_up(
    postgres: Postgres, wiki_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    name, clock = f"reader_{uuid.uuid4().hex}", Clock()
    postgres.run("CREATE ROLE {} LOGIN", name)

    async def url() -> str:
        return postgres.url(str(conninfo_to_dict(wiki_url)["dbname"]), name)

    collector = IndexCollector(url, clock=clock)
    first = await told(collector)
    clock.now += KEPT_S + 1
    second = await told(collector)
    postgres.run("DROP ROLE {}", name)

    assert first == second == {"database_up": 1}
    assert caplog.text.count("metrics tell nothing of the index: permission denied") == 1


@pytest.mark.anyio
async def test_a_replica_of_which_nothing_is_known_lags_without_end(wiki_url: str) -> None:
    async def url() -> str:
        return wiki_url

    numbers = await told(IndexCollector(url, Replica("postgresql://127.0.0.1:9/none", 60)))

    assert numbers["replica_asked"] == 0
    assert numbers["replica_lag_seconds"] == math.inf
