"""One request to a model's endpoint, as metrics and traces see it."""

import asyncio
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

import openai
from opentelemetry.trace import Span, SpanKind

from index.metrics import MODEL_REQUESTS, MODEL_SECONDS, MODEL_TOKENS
from index.traces import SpanValue, span

Operation = Literal["embed_question", "embed_passages", "chat"]
Kinds = Mapping[type[BaseException], str]

NO_KINDS: Kinds = MappingProxyType({})
_STATUS = MappingProxyType(
    {401: "denied", 403: "denied", 404: "not_found", 413: "too_long", 429: "rate_limited"}
)


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A request under way."""

    operation: Operation
    span: Span

    def cost(self, tokens_in: int, tokens_out: int = 0) -> None:
        """Keeps what the endpoint says it took."""
        MODEL_TOKENS.labels(self.operation, "input").inc(tokens_in)
        self.span.set_attribute("gen_ai.usage.input_tokens", tokens_in)
        if self.operation == "chat":
            MODEL_TOKENS.labels(self.operation, "output").inc(tokens_out)
            self.span.set_attribute("gen_ai.usage.output_tokens", tokens_out)


@contextmanager
def model_call(
    operation: Operation, model: str, base_url: str, *, kinds: Kinds = NO_KINDS
) -> Generator[ModelCall]:
    """A request, counted and timed however it ends; `kinds` name errors that the caller raises."""
    started, outcome = time.perf_counter(), "ok"
    named = "chat" if operation == "chat" else "embeddings"
    with span(f"{named} {model}", _attributes(named, model, base_url), kind=SpanKind.CLIENT) as it:
        try:
            yield ModelCall(operation, it)
        except BaseException as error:
            outcome = _outcome(error, kinds)
            raise
        finally:
            MODEL_REQUESTS.labels(operation, outcome).inc()
            MODEL_SECONDS.labels(operation).observe(time.perf_counter() - started)


def _attributes(named: str, model: str, base_url: str) -> dict[str, SpanValue]:
    url = urlsplit(base_url)
    return {
        "gen_ai.operation.name": named,
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "server.address": url.hostname or "",
        "server.port": url.port or (443 if url.scheme == "https" else 80),
    }


def _outcome(error: BaseException, kinds: Kinds) -> str:
    match error:
        case openai.APITimeoutError() | TimeoutError():
            return "timeout"
        case openai.APIConnectionError():
            return "unreachable"
        case openai.APIStatusError(status_code=status):
            return _STATUS.get(status, "failed" if status >= 500 else "refused")
        case asyncio.CancelledError():
            return "cancelled"
        case _:
            return next((kind for cls, kind in kinds.items() if isinstance(error, cls)), "failed")
