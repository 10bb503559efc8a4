"""A scripted /rerank endpoint over real HTTP on a loopback port, in the dialects there are."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.access.door import listening

Json = dict[str, Any]
Dialect = Literal["cohere", "jina", "vllm", "tei", "llama.cpp"]


def shared_words(query: str, passage: str) -> float:
    """How many words of the query a passage has."""
    return float(len(set(query.lower().split()) & set(passage.lower().split())))


@dataclass(slots=True)
class RerankEndpoint:
    """An endpoint that scores passages by `score`; `answer` replaces what it says."""

    dialect: Dialect = "cohere"
    score: Callable[[str, str], float] = shared_words
    answer: Response | None = None
    url: str = ""
    bodies: list[Json] = field(default_factory=list[Json])
    paths: list[str] = field(default_factory=list[str])
    keys: list[str] = field(default_factory=list[str])
    goes_on: asyncio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, as an application."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        self.bodies.append(json.loads(await request.body()))
        self.paths.append(request.url.path)
        self.keys.append(request.headers.get("authorization", ""))
        if self.goes_on is not None:
            await self.goes_on.wait()
        await (self.answer or self._answer(self.bodies[-1]))(scope, receive, send)

    def _answer(self, body: Json) -> Response:
        wanted = "texts" if self.dialect == "tei" else "documents"
        if wanted not in body:
            return Response(f"missing field `{wanted}`", status_code=422)
        if self.dialect == "cohere" and "model" not in body:
            return JSONResponse({"message": "model is required"}, status_code=400)
        passages: Sequence[str] = body[wanted]
        scores = [(n, self.score(body["query"], text)) for n, text in enumerate(passages)]
        return JSONResponse(self._said(sorted(scores, key=lambda one: -one[1]), passages))

    def _said(self, scores: list[tuple[int, float]], passages: Sequence[str]) -> object:
        if self.dialect == "tei":
            return [{"index": n, "score": score} for n, score in scores]
        results: list[Json] = [{"index": n, "relevance_score": score} for n, score in scores]
        match self.dialect:
            case "jina" | "vllm":
                for one in results:
                    one["document"] = {"text": passages[one["index"]]}
                return {"id": "rerank-1", "model": "m", "usage": {"total_tokens": 9}} | {
                    "results": results
                }
            case "llama.cpp":
                return {"model": "m", "object": "list", "usage": {}, "results": results}
            case _:
                meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
                return {"id": "1", "results": results, "meta": meta}


@asynccontextmanager
async def rerank_endpoint(dialect: Dialect = "cohere") -> AsyncGenerator[RerankEndpoint]:
    """A running endpoint."""
    endpoint = RerankEndpoint(dialect)
    async with listening(endpoint) as url:
        endpoint.url = f"{url}/v1/rerank"
        yield endpoint
