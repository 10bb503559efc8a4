"""What went wrong at a chat endpoint, in words that help to go on; never with the key."""

import re

import openai

from index.errors import ChatError

SAID = 200  # characters of an endpoint's own words in an error

_TOO_LONG = re.compile(
    r"context[ _](length|size|window)|maximum.{0,40}(tokens|length)|too (long|many tokens)"
    r"|(prompt|input|request).{0,40}(exceeds|too large)|reduce the length",
    re.IGNORECASE,
)


class ChatRefused(ChatError):
    """The model, or a filter before or behind it, does not answer this question."""


class ContextOverflow(ChatError):
    """The model does not read as much as it was sent."""


class CutOff(ChatError):
    """The model may not write as much as the answer takes."""


def refused() -> ChatRefused:
    """For a question that is not answered whatever the passages say."""
    return ChatRefused(
        "The chat model refused to answer this question: ask in other words, or read the pages."
    )


def cut_off() -> CutOff:
    """For a reply that ends before it is complete."""
    return CutOff(
        "The chat model ran out of tokens before the answer was complete: ask for less at once."
    )


def too_late(model: str, seconds: float) -> ChatError:
    """For a model that takes too long, all its retries included."""
    return ChatError(
        f"The chat model {model} did not answer within {seconds:g} s: try again, or use "
        "search_confluence and get_page."
    )


def no_completion() -> ChatError:
    """For an answer of status 200 that the client cannot read."""
    return ChatError(
        "The chat endpoint answered with something that is no chat completion: check that "
        "OPENAI_BASE_URL ends where its API begins (often /v1)."
    )


def broken_off() -> ChatError:
    """For a stream that ends early, again and again."""
    return ChatError(
        "The connection to the chat endpoint broke off while it answered: try again; if it lasts, "
        "check the network and any proxy before OPENAI_BASE_URL."
    )


def explained(error: openai.APIError, model: str, key: str) -> ChatError:
    """The error to raise instead of one of the client."""
    match error:
        case openai.AuthenticationError():
            return ChatError("The chat endpoint refused the key: check OPENAI_API_KEY.")
        case openai.PermissionDeniedError():
            return ChatError(
                f"The chat endpoint does not let this key use the model {model}: check "
                "OPENAI_API_KEY and CHAT_MODEL."
            )
        case openai.NotFoundError():
            return ChatError(
                f"The chat endpoint has no model {model}: set CHAT_MODEL to one it serves, and "
                "check OPENAI_BASE_URL."
            )
        case openai.RateLimitError() if not _is_too_long(error):
            return _limited(error)
        case openai.APIConnectionError():
            return ChatError(
                "The chat endpoint cannot be reached: check OPENAI_BASE_URL and the network."
            )
        case _:
            return _failed(error, key)


def _limited(error: openai.RateLimitError) -> ChatError:
    if error.code == "insufficient_quota":
        return ChatError("The account behind OPENAI_API_KEY has no quota left: add credit.")
    return ChatError("The chat endpoint is too busy, after every retry: try again in a minute.")


def _failed(error: openai.APIError, key: str) -> ChatError:
    if error.code == "content_filter":
        return refused()
    said = " ".join(error.message.replace(key, "***").split())[:SAID]
    if _is_too_long(error):
        return ContextOverflow(
            f"The chat model reads less than this question takes ({said}): ask for less at once, "
            "or set CHAT_MODEL to a model with a longer context."
        )
    status = f"HTTP {error.status_code}: " if isinstance(error, openai.APIStatusError) else ""
    return ChatError(
        f"The chat endpoint failed ({status}{said}): try again later; if it lasts, check "
        "CHAT_MODEL."
    )


def _is_too_long(error: openai.APIError) -> bool:
    status = error.status_code if isinstance(error, openai.APIStatusError) else 0
    if error.code == "context_length_exceeded" or status == 413:
        return True
    if status == 429:
        return "request too large" in error.message.lower()
    return status < 500 and bool(_TOO_LONG.search(error.message))
