"""A scripted OpenAI-compatible endpoint over real HTTP on a loopback port.

    with openai_endpoint(reply=lambda messages, tools: "Use WireGuard [1].") as endpoint:
        client = AsyncOpenAI(base_url=endpoint.url, api_key="test-key")
        ...
        assert endpoint.requests[0].body["messages"][-1]["content"] == "How do I connect?"

It serves `/v1/chat/completions` (streamed or not), `/v1/embeddings` and `/v1/models` from a thread
of its own, so it serves synchronous and asynchronous tests alike. Scripting:

- `reply(messages, tools)` answers a chat: a `str`, a list of `ToolCall`, an `Answer` (a text with
  another finish reason, such as "length" or "content_filter", or whose stream breaks off), or a
  `Fault`. Default: "OK".
- `embed(texts)` answers an embedding request: one vector for each text (give fewer to play a
  truncated answer), or a `Fault`. Default: `word_vector` of each text, so that texts that share
  words are near each other.
- `endpoint.fail(fault, times=2)` makes the next requests fail before any script is asked.

Ready-made faults: `rate_limited()`, `server_error()`, `slow()`, `malformed()`, `bad_key()`,
`content_filtered()`, `too_long()`. `endpoint.reply` and `endpoint.embed` may be replaced at any
time; `endpoint.requests` holds every request in order of arrival. An exception in a script
answers 500 with its text.
"""

import asyncio
import base64
import json
import math
import struct
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.served import free_port, served

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Answer:
    """A text with its finish reason; with `breaks_off` its stream ends without one.

    `refusal` is what a model says instead where it does not answer.
    """

    text: str
    finish_reason: str = "stop"
    breaks_off: bool = False
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed request; `body` replaces the JSON error, `delay` (seconds) comes before all."""

    status: int = 500
    message: str = "scripted fault"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str | None = None
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it arrived; header names are lower-case."""

    path: str
    headers: Mapping[str, str]
    body: Json


Reply = str | Answer | Sequence[ToolCall] | Fault
ChatScript = Callable[[list[Json], list[Json]], Reply]
EmbeddingScript = Callable[[list[str]], Sequence[Sequence[float]] | Fault]


def rate_limited(*, retry_after: str = "0.01", code: str = "rate_limit_exceeded") -> Fault:
    """429 with a Retry-After in seconds; code `insufficient_quota` plays an empty account."""
    return Fault(429, "Rate limit reached", code, {"retry-after": retry_after})


def server_error(status: int = 503) -> Fault:
    """A passing failure of the server, to be retried at once."""
    return Fault(status, "overloaded", headers={"retry-after-ms": "1"})


def slow(seconds: float = 60.0) -> Fault:
    """No answer for longer than the client is willing to wait."""
    return Fault(504, "too late", delay=seconds)


def malformed() -> Fault:
    """Status 200 with a body that is cut in the middle of its JSON."""
    return Fault(200, body='{"object": "list", "data": [{"embed')


def bad_key() -> Fault:
    """401 that repeats the key, as careless endpoints do."""
    return Fault(401, "Incorrect API key provided: test-key", "invalid_api_key")


def content_filtered() -> Fault:
    """400 of a prompt that the provider's policy refuses."""
    return Fault(400, "The prompt was filtered by the content policy", "content_filter")


def too_long(limit: int = 8192) -> Fault:
    """400 of an input that is longer than the model reads."""
    return Fault(400, f"This model's maximum context length is {limit} tokens")


def word_vector(text: str, dimension: int = 64) -> list[float]:
    """A unit vector of the words in a text, the same in every process."""
    vector = [0.0] * dimension
    for word in text.lower().split() or [""]:
        vector[zlib.crc32(word.strip(".,:;!?()").encode()) % dimension] += 1.0
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]


class OpenAIEndpoint:
    """A running endpoint: where it is, what it was asked, what it will answer."""

    def __init__(self, url: str, reply: ChatScript | None, embed: EmbeddingScript | None) -> None:
        self.url = url
        self.reply: ChatScript = reply or (lambda messages, tools: "OK")
        self.embed: EmbeddingScript = embed or (lambda texts: [word_vector(t) for t in texts])
        self.requests: list[RecordedRequest] = []
        self._faults: deque[Fault] = deque()

    def fail(self, fault: Fault, times: int = 1) -> None:
        """Lets the next `times` requests fail."""
        self._faults.extend([fault] * times)

    def app(self) -> Starlette:
        """The endpoint as an ASGI application."""
        routes = [
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/embeddings", self._embeddings, methods=["POST"]),
            Route("/v1/models", self._models),
        ]
        return Starlette(routes=routes)

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "scripted", "object": "model"}]})

    async def _embeddings(self, request: Request) -> Response:
        body = await self._record(request)
        given = body["input"]
        texts: list[str] = [given] if isinstance(given, str) else given
        try:
            answer = self._next_fault() or self.embed(texts)
        except Exception as error:
            answer = Fault(500, str(error))
        if isinstance(answer, Fault):
            return await _failed(answer)
        return JSONResponse(_embedding_list(body, answer, texts))

    async def _chat(self, request: Request) -> Response:
        body = await self._record(request)
        try:
            reply = self._next_fault() or self.reply(body["messages"], body.get("tools") or [])
        except Exception as error:
            reply = Fault(500, str(error))
        if isinstance(reply, Fault):
            return await _failed(reply)
        if body.get("stream"):
            return StreamingResponse(_stream(body, reply), media_type="text/event-stream")
        return JSONResponse(_completion(body, reply))

    async def _record(self, request: Request) -> Json:
        body: Json = await request.json()
        self.requests.append(RecordedRequest(request.url.path, dict(request.headers), body))
        return body

    def _next_fault(self) -> Fault | None:
        return self._faults.popleft() if self._faults else None


@contextmanager
def openai_endpoint(
    reply: ChatScript | None = None, embed: EmbeddingScript | None = None
) -> Generator[OpenAIEndpoint]:
    """A running endpoint on a free loopback port; requests under way end with the block."""
    with free_port() as (listener, url):
        endpoint = OpenAIEndpoint(f"{url}/v1", reply, embed)
        with served(endpoint.app(), listener):
            yield endpoint


async def _failed(fault: Fault) -> Response:
    await asyncio.sleep(fault.delay)
    if fault.body is not None:
        return Response(fault.body, fault.status, fault.headers, media_type="application/json")
    error = {"message": fault.message, "type": "scripted", "param": None, "code": fault.code}
    return JSONResponse({"error": error}, fault.status, fault.headers)


def _embedding_list(body: Json, vectors: Sequence[Sequence[float]], texts: list[str]) -> Json:
    """The vectors in reverse, since only `index` says which text one belongs to."""
    as_base64 = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(vector, as_base64)}
        for index, vector in reversed(list(enumerate(vectors)))
    ]
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": body["model"], "data": data, "usage": usage}


def _encoded(vector: Sequence[float], as_base64: bool) -> list[float] | str:
    if not as_base64:
        return list(vector)
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _completion(body: Json, reply: str | Answer | Sequence[ToolCall]) -> Json:
    message: Json = {"role": "assistant", "content": None}
    if isinstance(reply, str | Answer):
        answer = _answer(reply)
        message["content"], finish = answer.text, answer.finish_reason
        message["refusal"] = answer.refusal
    else:
        message["tool_calls"], finish = (
            [_tool_call(n, c) for n, c in enumerate(reply)],
            "tool_calls",
        )
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    return {**_head(body, "chat.completion"), "choices": [choice], "usage": _usage(body, reply)}


async def _stream(body: Json, reply: str | Answer | Sequence[ToolCall]) -> AsyncIterator[str]:
    head = _head(body, "chat.completion.chunk")
    for delta, finish in _deltas(reply):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        yield _event({**head, "choices": [choice]})
    if isinstance(reply, Answer) and reply.breaks_off:
        raise ConnectionError("the script breaks this stream off")
    options: Json = body.get("stream_options") or {}
    if options.get("include_usage"):
        yield _event({**head, "choices": [], "usage": _usage(body, reply)})
    yield "data: [DONE]\n\n"


def _deltas(reply: str | Answer | Sequence[ToolCall]) -> Iterator[tuple[Json, str | None]]:
    yield {"role": "assistant", "content": ""}, None
    if isinstance(reply, str | Answer):
        answer = _answer(reply)
        for piece in answer.text.splitlines(keepends=True):
            for start in range(0, len(piece), 8):
                yield {"content": piece[start : start + 8]}, None
        if answer.refusal:
            yield {"refusal": answer.refusal}, None
        if not answer.breaks_off:
            yield {}, answer.finish_reason
        return
    for number, call in enumerate(reply):
        whole = _tool_call(number, call)
        function: Json = whole["function"]
        opened = {**whole, "index": number, "function": {**function, "arguments": ""}}
        yield {"tool_calls": [opened]}, None
        half = len(function["arguments"]) // 2
        for part in (function["arguments"][:half], function["arguments"][half:]):
            yield {"tool_calls": [{"index": number, "function": {"arguments": part}}]}, None
    yield {}, "tool_calls"


def _answer(reply: str | Answer) -> Answer:
    return Answer(reply) if isinstance(reply, str) else reply


def _tool_call(number: int, call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
    return {"id": f"call_{number}", "type": "function", "function": function}


def _head(body: Json, kind: str) -> Json:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"]}


def _usage(body: Json, reply: str | Answer | Sequence[ToolCall]) -> Json:
    asked = len(json.dumps(body["messages"]).split())
    answered = len(_answer(reply).text.split()) if isinstance(reply, str | Answer) else len(reply)
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
    }


def _event(payload: Json) -> str:
    return f"data: {json.dumps(payload)}\n\n"
