"""Re-ranking at endpoints of every dialect, over real HTTP on loopback."""

import asyncio
import json
import logging
import socket

import pytest
from starlette.responses import Response

from index.errors import ConfigurationError, RerankingError
from index.reranker_choice import open_reranker
from index.reranking import Reranking
from index.reranking_endpoint import EndpointReranker
from tests.index.rerank_endpoint import Dialect, rerank_endpoint

pytestmark = pytest.mark.anyio

QUERY = "restart the billing service"
PASSAGES = ["the vpn", "restart the billing service now", "nothing", "billing service"]
SCORES = [1.0, 4.0, 0.0, 2.0]


@pytest.mark.parametrize("dialect", ["cohere", "jina", "vllm", "tei", "llama.cpp"])
async def test_every_dialect_is_understood(dialect: Dialect) -> None:
    async with (
        rerank_endpoint(dialect) as endpoint,
        open_reranker(endpoint.url, model="m", api_key="secret-key") as reranker,
    ):
        assert reranker is not None
        first = await reranker.scores(QUERY, PASSAGES)
        asked_first = len(endpoint.bodies)
        second = await reranker.scores(QUERY, PASSAGES[::-1])

    assert (first, second) == (SCORES, SCORES[::-1])
    assert len(endpoint.bodies) == asked_first + 1  # the form is found out once
    assert set(endpoint.keys) == {"Bearer secret-key"}
    assert endpoint.bodies[-1]["model"] == "m"
    assert ("truncate" in endpoint.bodies[-1]) == (dialect == "tei")


async def test_without_model_and_key_none_is_sent() -> None:
    async with rerank_endpoint("llama.cpp") as endpoint, open_reranker(endpoint.url) as reranker:
        assert reranker is not None
        assert await reranker.scores(QUERY, PASSAGES) == SCORES

    assert endpoint.keys == [""]
    assert set(endpoint.bodies[0]) == {"query", "documents"}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("", "/rerank"),
        ("/", "/rerank"),
        ("/v2", "/v2/rerank"),
        ("/v2/rerank", "/v2/rerank"),
        ("/v1/reranking/", "/v1/reranking"),
        ("/v2/rerank?api-version=1", "/v2/rerank"),
    ],
)
async def test_the_address_may_be_of_the_api_or_of_its_rerank(given: str, asked: str) -> None:
    async with rerank_endpoint("jina") as endpoint:
        url = endpoint.url.removesuffix("/v1/rerank") + given
        async with open_reranker(url) as reranker:
            assert reranker is not None
            await reranker.scores(QUERY, PASSAGES)

    assert endpoint.paths == [asked]


def results(*scores: object) -> Response:
    return said({"results": [{"index": n, "relevance_score": s} for n, s in enumerate(scores)]})


def said(answer: object) -> Response:
    """JSON as careless servers write it, with NaN."""
    return Response(json.dumps(answer), media_type="application/json")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (results(1, 2, 3), "scored 3 of 4"),
        (results(1, 2, 3, 4, 5), "scored 5 of 4"),
        (said([{"index": 1, "score": 1.0}] * 4), "numbered them wrongly"),
        (said([{"index": n, "score": 1.0} for n in (-1, 0, 1, 2)]), "numbered them wrongly"),
        (results(1, 2, 3, float("nan")), "no list of scores"),
        (results(1, 2, 3, float("inf")), "no list of scores"),
        (results(1, 2, 3, None), "no list of scores"),
        (results(1, 2, 3, "much"), "no list of scores"),
        (said({"data": []}), "no list of scores"),
        (said([]), "scored 0 of 4"),
        (said("restart the billing service"), "no list of scores"),
        (Response("<html>restart the billing service</html>"), "no list of scores"),
        (Response(b""), "no list of scores"),
        (Response(status_code=204), "no list of scores"),
        (Response(status_code=301, headers={"location": "/elsewhere"}), "HTTP 301"),
        (Response(QUERY, status_code=400), "HTTP 400: check RERANKER_MODEL"),
        (Response(QUERY, status_code=401), "HTTP 401: check RERANKER_API_KEY"),
        (Response(QUERY, status_code=404), "HTTP 404: check that RERANKER"),
        (Response(QUERY, status_code=413), "HTTP 413"),
        (Response(QUERY, status_code=422), "HTTP 422"),
        (Response(QUERY, status_code=429), "HTTP 429: it limits the rate"),
        (Response(QUERY, status_code=500), "HTTP 500: see its log"),
    ],
)
async def test_what_cannot_be_used_is_an_error_without_text_or_key(
    answer: Response, why: str
) -> None:
    async with (
        rerank_endpoint() as endpoint,
        open_reranker(f"{endpoint.url}?token=hidden", api_key="secret-key") as reranker,
    ):
        assert reranker is not None
        endpoint.answer = answer

        with pytest.raises(RerankingError, match=why) as raised:
            await reranker.scores(QUERY, PASSAGES)

    for secret in (QUERY, "hidden", "secret-key"):
        assert secret not in str(raised.value)


async def test_an_endpoint_that_refuses_once_is_asked_in_the_right_form_later() -> None:
    async with rerank_endpoint("tei") as endpoint, open_reranker(endpoint.url) as reranker:
        assert reranker is not None
        endpoint.answer = Response(status_code=503)
        with pytest.raises(RerankingError):
            await reranker.scores(QUERY, PASSAGES)
        endpoint.answer = None

        assert await reranker.scores(QUERY, PASSAGES) == SCORES


async def test_an_endpoint_that_is_not_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with open_reranker(f"http://127.0.0.1:{port}/rerank") as reranker:
        assert reranker is not None

        with pytest.raises(RerankingError, match=r"cannot ask .* \(ConnectError\)"):
            await reranker.scores(QUERY, PASSAGES)


@pytest.mark.parametrize("url", ["http://", "http://[", "https:///rerank", "http://host:port/"])
async def test_an_address_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="RERANKER"):
        async with open_reranker(url):
            pass


async def test_a_key_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="RERANKER_API_KEY"):
        async with open_reranker("http://127.0.0.1:9/rerank", api_key="two words"):
            pass


async def test_a_slow_endpoint_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async with rerank_endpoint() as endpoint:
        endpoint.goes_on = asyncio.Event()
        reranker = EndpointReranker(endpoint.url, model="m")
        reranking = Reranking(reranker, timeout=0.05)

        with caplog.at_level(logging.WARNING):
            scores = await reranking.scores(QUERY, PASSAGES)
        endpoint.goes_on.set()
        await reranker.close()

    assert scores is None
    assert "no answer within 0.05 s" in caplog.text
    assert QUERY not in caplog.text


async def test_half_a_surrogate_pair_is_sent_as_something_else() -> None:
    async with rerank_endpoint("jina") as endpoint, open_reranker(endpoint.url) as reranker:
        assert reranker is not None
        assert await reranker.scores("a \ud800 b", ["b \udfff", "\x00"]) == [1.0, 0.0]
