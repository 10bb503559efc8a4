"""Spans of a server that arrive at a collector, over real HTTP."""

import json
import signal
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import RequestParamsMeta

from index.trace_export import exported
from index.traces import span
from tests.command import Command
from tests.openai_endpoint import OpenAIEndpoint, RecordedRequest, bad_key
from tests.otlp_collector import Collector, SeenSpan, otlp_collector
from tests.server.asking import Variables, ask, get_page, refused, search
from tests.server.processes import ended, http_server

pytestmark = pytest.mark.anyio

OF_HEADER, OF_META = "0af7651916cd43dd8448eb211c80319c", "11111111111111111111111111111111"
CALLER = "b7ad6b7169203331"
QUOTE = "The VPN uses WireGuard."
REPLY = {"found": True, "answer": "It is [1].", "citations": [{"n": 1, "quote": QUOTE}]}
SERVER, CLIENT = 2, 3  # kinds of spans


@dataclass(frozen=True, slots=True)
class Traced:
    """What became of some calls: spans, requests to the endpoint, and the server's last words."""

    collector: Collector
    requests: list[RecordedRequest]
    code: int
    said: str

    def call(self, name: str, number: int = 0) -> SeenSpan:
        """The span of a call."""
        return self.collector.named(name)[number]

    def below(self, parent: SeenSpan) -> list[str]:
        """The names of the spans right below another, in the order in which they ended."""
        return [span.name for span in self.collector.spans if span.parent_id == parent.span_id]


@pytest.fixture(scope="module")
async def traced(
    variables: Variables, shared_endpoint: OpenAIEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Traced]:
    """A server that was asked a few things and ended by SIGTERM."""
    shared_endpoint.reply = lambda messages, tools: json.dumps(REPLY)
    folder = tmp_path_factory.mktemp("server")
    headers = {"traceparent": f"00-{OF_HEADER}-{CALLER}-01", "baggage": "who=ada"}
    with otlp_collector() as collector:
        environment = variables.as_environment() | collector.environment | {"LOG_FORMAT": "json"}
        with http_server(environment, folder) as (process, url):
            async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
                transport = streamable_http_client(f"{url}/mcp", http_client=http)
                async with Client(transport) as client:
                    await _ask_a_few_things(client, shared_endpoint)
            process.send_signal(signal.SIGTERM)
            code, _, said = ended(process)
        yield Traced(collector, list(shared_endpoint.requests), code, said)


async def _ask_a_few_things(client: Client, endpoint: OpenAIEndpoint) -> None:
    await search(client, "quokka timetable")
    await search(client, "quokka timetable")
    await ask(client, "What does the VPN use?")
    meta: RequestParamsMeta = {"traceparent": f"00-{OF_META}-{CALLER}-01"}
    await client.call_tool("get_page", {"page": "ENG:VPN"}, meta=meta)
    await refused(client, "get_page", page="ENG:Unheard of")
    with pytest.raises(MCPError):
        await client.read_resource("confluence://page/987654")
    await get_page(client, "ENG:Deploy")
    endpoint.fail(bad_key())
    await search(client, "certificate")


async def test_a_search_is_a_span_with_one_for_each_part(traced: Traced) -> None:
    first, again, _ = traced.collector.named("tools/call search_confluence")
    (embedding,) = [
        span for span in traced.collector.named("embed question") if span.parent_id == first.span_id
    ]
    (asked,) = [
        span for span in traced.collector.spans if span.parent_id == embedding.span_id
    ]  # fmt: skip

    assert first.kind == SERVER and first.attributes["mcp.method.name"] == "tools/call"
    assert first.attributes["gen_ai.tool.name"] == "search_confluence"
    assert first.attributes["confluence_mcp.outcome"] == "ok"
    assert traced.below(first) == traced.below(again) == ["embed question", "SELECT search"]
    assert (asked.name, asked.kind) == ("embeddings words", CLIENT)
    assert asked.attributes["gen_ai.operation.name"] == "embeddings"
    assert asked.attributes["gen_ai.request.model"] == "words"
    assert asked.attributes["gen_ai.usage.input_tokens"] == 2
    assert traced.call("SELECT search").attributes == {
        "db.system.name": "postgresql",
        "db.operation.name": "SELECT",
        "db.query.summary": "SELECT search",
    }


async def test_an_answer_has_the_chat_model_with_its_tokens(traced: Traced) -> None:
    answer, chat = traced.call("tools/call answer_question"), traced.call("chat scripted")

    assert chat.parent_id == answer.span_id
    assert chat.kind == CLIENT
    assert int(chat.attributes["gen_ai.usage.input_tokens"]) > 100
    assert int(chat.attributes["gen_ai.usage.output_tokens"]) > 0
    assert "SELECT search" in traced.below(answer)


async def test_calls_join_the_trace_of_their_caller_and_of_the_message_before_the_request(
    traced: Traced,
) -> None:
    calls = [span for span in traced.collector.spans if span.kind == SERVER]
    by_meta = traced.call("tools/call get_page")

    assert by_meta.trace_id == OF_META
    assert {span.trace_id for span in calls if span is not by_meta} == {OF_HEADER}
    assert {span.parent_id for span in calls} == {CALLER}


async def test_endpoints_are_told_of_the_trace_and_of_nothing_else(traced: Traced) -> None:
    asked = [
        span.span_id
        for span in traced.collector.spans
        if span.name in ("embeddings words", "chat scripted")
    ]

    told = [request.headers["traceparent"].split("-") for request in traced.requests]

    assert [(trace, span) for _, trace, span, _ in told] == [(OF_HEADER, one) for one in asked]
    assert not any("baggage" in request.headers for request in traced.requests)


async def test_errors_leave_their_class_and_nothing_of_what_was_asked(traced: Traced) -> None:
    unheard = traced.collector.named("tools/call get_page")[1]
    resource = traced.call("resources/read")
    failed = [span for span in traced.collector.named("embeddings words") if span.has_failed]

    assert unheard.has_failed and unheard.attributes["confluence_mcp.outcome"] == "not_found"
    assert resource.has_failed and resource.attributes["error.type"] == "-32602"
    assert [span.attributes["error.type"] for span in failed] == ["AuthenticationError"]
    assert not any(span.said or span.events for span in traced.collector.spans)
    sent = b"".join(traced.collector.bodies)
    for text in ("quokka", "WireGuard", "Unheard", "987654", "certificate", "test-key", "who=ada"):
        assert text.encode() not in sent


async def test_the_last_spans_are_sent_before_a_signal_ends_the_process(traced: Traced) -> None:
    assert traced.code == -signal.SIGTERM
    assert len(traced.collector.named("tools/call get_page")) == 3
    assert traced.collector.services == {"confluence-mcp"}


async def test_lines_of_the_log_name_their_trace(traced: Traced) -> None:
    lines = [json.loads(line) for line in traced.said.splitlines()]
    (line,) = [line for line in lines if line["logger"] == "server.answering"]
    answer = traced.call("tools/call answer_question")

    assert line["status"] == "answered" and line["tokens_in"] > 100
    assert (line["trace_id"], line["span_id"]) == (answer.trace_id, answer.span_id)


async def test_a_collector_that_never_answers_harms_nothing(
    variables: Variables, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "10"}
        with http_server(variables.as_environment() | told, tmp_path) as (process, address):
            async with Client(f"{address}/mcp") as client:
                found = [await search(client, "TB-4031") for _ in range(5)]
            process.send_signal(signal.SIGTERM)
            code, _, said = ended(process)

    assert all(result.results for result in found)
    assert code == -signal.SIGTERM
    assert "Traceback" not in said


async def test_a_collector_that_is_away_costs_a_command_nothing(
    variables: Variables, tmp_path: Path
) -> None:
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}

    done = Command(tmp_path, {**variables.as_environment(), **told}).run("search", "TB-4031")

    assert done.returncode == 0 and "VPN" in done.stdout
    assert len(done.stderr.splitlines()) <= 1, done.stderr


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "neither otlp nor none"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, ""),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, ""),
        ({}, ""),
    ],
)
async def test_without_a_collector_that_can_be_used_no_span_is_made(
    told: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)

    with exported(), span("nothing") as current:
        is_recording = current.is_recording()

    assert not is_recording
    assert words in caplog.text and bool(words) == bool(caplog.text)
