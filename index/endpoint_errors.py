"""What went wrong at an OpenAI-compatible embedding endpoint, and what to do about it."""

import re
from urllib.parse import urlsplit

import openai

from index.errors import EmbeddingError

# The words in which endpoints refuse a request that would pass in smaller parts: a text longer
# than the model reads, too many texts, too many tokens for one request or one minute.
_TOO_LARGE = re.compile(
    r"context[ _](length|size|window)|too (long|large|many)|maximum.{0,40}(token|batch|input|size)"
    r"|max.{0,20}tokens|exceed|batch size|token limit|must have less than",
    re.IGNORECASE,
)
_KEY = re.compile(r"\b(sk|key|pk)-[\w*.-]{4,}")


class RequestTooLarge(Exception):
    """The endpoint refused a request that may pass in smaller parts."""


class EndpointErrors:
    """Turns the client's errors into ones that a person can act on; never shows the key."""

    def __init__(self, model: str, base_url: str, key: str) -> None:
        parts = urlsplit(base_url)
        port = f":{parts.port}" if parts.port else ""
        self._model = model
        self._where = f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')}"
        self._key = key

    def explained(self, error: openai.APIError) -> EmbeddingError | RequestTooLarge:
        """The error to raise instead."""
        if isinstance(error, openai.APIStatusError):
            if _is_too_large(error):
                return RequestTooLarge(self._said(error))
            return EmbeddingError(self._refusal(error))
        if isinstance(error, openai.APITimeoutError):
            return EmbeddingError(
                f"The embedding endpoint {self._where} did not answer in time. Try again; if the "
                "model runs on your own machine, give it a smaller model or more cores."
            )
        return EmbeddingError(
            f"Cannot reach the embedding endpoint {self._where} "
            f"({self._plain(str(error.__cause__ or error))}). Check OPENAI_BASE_URL, and that the "
            "endpoint is running and reachable from here."
        )

    def malformed(self, detail: str) -> EmbeddingError:
        """For an answer of status 200 that is no list of embeddings."""
        return EmbeddingError(
            f"{self._where} answered for the embedding model {self._model} with something that "
            f"cannot be used: {self._plain(detail)}. Try again; if it happens again, check that "
            "EMBEDDING_MODEL is an embedding model and that OPENAI_BASE_URL ends where the "
            "endpoint's API begins (often /v1)."
        )

    def too_large(self) -> EmbeddingError:
        """For a text that is refused however short it is made."""
        return EmbeddingError(
            f"{self._where} refuses even a few words as too long for the embedding model "
            f"{self._model}. Check that it is an embedding model and that its context length is "
            "not set to almost nothing."
        )

    def _refusal(self, error: openai.APIStatusError) -> str:
        match error.status_code:
            case 401:
                return f"{self._where} refused the key (HTTP 401). Check OPENAI_API_KEY."
            case 403:
                return (
                    f"{self._where} does not let this key use the embedding model {self._model} "
                    f"(HTTP 403: {self._said(error)}). Check OPENAI_API_KEY and EMBEDDING_MODEL."
                )
            case 404:
                return (
                    f"{self._where} has no embedding model {self._model} (HTTP 404). Check "
                    "EMBEDDING_MODEL and OPENAI_BASE_URL; with Ollama, run "
                    f"`ollama pull {self._model}` first."
                )
            case 429 if error.code == "insufficient_quota":
                return (
                    f"The account behind OPENAI_API_KEY has no quota left at {self._where} "
                    "(HTTP 429). Add credit or raise its limit, then run the command again."
                )
            case 429:
                return (
                    f"{self._where} still limits the rate after every retry (HTTP 429: "
                    f"{self._said(error)}). Try again later."
                )
            case status if status >= 500:
                return (
                    f"{self._where} failed after every retry (HTTP {status}: "
                    f"{self._said(error)}). Try again later."
                )
            case status:
                return (
                    f"{self._where} refused to embed with {self._model} (HTTP {status}: "
                    f"{self._said(error)}). Check EMBEDDING_MODEL."
                )

    def _said(self, error: openai.APIStatusError) -> str:
        return self._plain(error.message)

    def _plain(self, text: str) -> str:
        """At most 200 characters in one line, without anything that looks like a key."""
        text = " ".join(text.replace(self._key, "***").split())
        return _KEY.sub("***", text)[:200]


def _is_too_large(error: openai.APIStatusError) -> bool:
    if error.status_code in (401, 403, 404):
        return False
    if error.status_code == 429:
        return "request too large" in error.message.lower()
    return error.status_code == 413 or bool(_TOO_LARGE.search(error.message))
