"""Asking a chat model at any OpenAI-compatible endpoint."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import openai
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from index.errors import ChatError

logger = logging.getLogger(__name__)

TIMEOUT = 120.0  # seconds for one answer, with all its retries
RETRIES = 3
SAID = 200  # characters of an endpoint's own words in an error


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model wrote and what it cost in tokens (0 where the endpoint does not say)."""

    text: str
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatModel:
    """One model at one endpoint; retries 429, 5xx and lost connections as the endpoint asks.

    An answer takes at most `timeout` seconds, retries included.
    """

    def __init__(
        self, model: str, *, api_key: str, base_url: str | None, timeout: float = TIMEOUT
    ) -> None:
        self.model = model
        self._key = api_key
        self._timeout = timeout
        self._client = AsyncOpenAI(
            api_key=api_key, base_url=base_url, timeout=timeout, max_retries=RETRIES
        )
        self._takes_json_mode = True

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def reply_json(self, messages: Sequence[Message]) -> Reply:
        """The model's reply, in JSON mode where the endpoint knows it; raises ChatError."""
        try:
            async with asyncio.timeout(self._timeout):
                return _reply(await self._complete(messages))
        except (TimeoutError, openai.APITimeoutError) as error:
            raise ChatError(
                f"The chat model {self.model} did not answer within {self._timeout:g} s: try "
                "again, or use search_confluence and get_page."
            ) from error
        except openai.APIError as error:
            # Not `from error`: its text may repeat the key, and a traceback would show it.
            raise self._explained(error) from None
        except (ValueError, TypeError, AttributeError) as error:
            # The client builds its answer without checking it, and JSON errors are ValueErrors.
            raise ChatError(
                "The chat endpoint answered with something that is no chat completion: check "
                "that OPENAI_BASE_URL ends where its API begins (often /v1)."
            ) from error

    def _explained(self, error: openai.APIError) -> ChatError:
        match error:
            case openai.AuthenticationError():
                return ChatError("The chat endpoint refused the key: check OPENAI_API_KEY.")
            case openai.PermissionDeniedError():
                return ChatError(
                    f"The chat endpoint does not let this key use the model {self.model}: check "
                    "OPENAI_API_KEY and CHAT_MODEL."
                )
            case openai.NotFoundError():
                return ChatError(
                    f"The chat endpoint has no model {self.model}: set CHAT_MODEL to one it "
                    "serves, and check OPENAI_BASE_URL."
                )
            case openai.RateLimitError(code="insufficient_quota"):
                return ChatError("The account behind OPENAI_API_KEY has no quota left: add credit.")
            case openai.RateLimitError():
                return ChatError(
                    "The chat endpoint is too busy, after every retry: try again in a minute."
                )
            case openai.BadRequestError(code="content_filter"):
                return ChatError(_REFUSED)
            case openai.APIStatusError():
                return ChatError(
                    f"The chat endpoint failed (HTTP {error.status_code}: {self._said(error)}): "
                    "try again later; if it lasts, check CHAT_MODEL."
                )
            case _:
                return ChatError(
                    "The chat endpoint cannot be reached: check OPENAI_BASE_URL and the network."
                )

    def _said(self, error: openai.APIError) -> str:
        return " ".join(error.message.replace(self._key, "***").split())[:SAID]

    async def _complete(self, messages: Sequence[Message]) -> ChatCompletion:
        sent = [_param(message) for message in messages]
        if self._takes_json_mode:
            try:
                return await self._client.chat.completions.create(
                    model=self.model, messages=sent, response_format={"type": "json_object"}
                )
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if "response_format" not in str(error):
                    raise
                logger.info("model=%s knows no JSON mode", self.model)
                self._takes_json_mode = False
        return await self._client.chat.completions.create(model=self.model, messages=sent)


def _param(message: Message) -> ChatCompletionMessageParam:
    match message.role:
        case "system":
            return {"role": "system", "content": message.content}
        case "user":
            return {"role": "user", "content": message.content}
        case "assistant":
            return {"role": "assistant", "content": message.content}


_REFUSED = "The chat model refused to answer this question: ask in other words, or read the pages."


def _reply(completion: ChatCompletion) -> Reply:
    if not completion.choices:
        raise ChatError("The chat model sent no answer: try again.")
    choice = completion.choices[0]
    if choice.finish_reason == "content_filter" or choice.message.refusal:
        raise ChatError(_REFUSED)
    if choice.finish_reason == "length":
        raise ChatError(
            "The chat model ran out of tokens before the answer was complete: ask for less at once."
        )
    usage = completion.usage
    return Reply(
        text=choice.message.content or "",
        tokens_in=usage.prompt_tokens if usage else 0,
        tokens_out=usage.completion_tokens if usage else 0,
    )
