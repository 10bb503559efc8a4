"""Asking a chat model at any OpenAI-compatible endpoint."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import openai
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from index.errors import ChatError

logger = logging.getLogger(__name__)

TIMEOUT = 120.0  # seconds for one answer
RETRIES = 3


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
    """One model at one endpoint; retries time-outs, 429 and 5xx as the endpoint asks."""

    def __init__(self, model: str, *, api_key: str, base_url: str | None) -> None:
        self.model = model
        self._client = AsyncOpenAI(
            api_key=api_key, base_url=base_url, timeout=TIMEOUT, max_retries=RETRIES
        )
        self._takes_json_mode = True

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def reply_json(self, messages: Sequence[Message]) -> Reply:
        """The model's reply, in JSON mode where the endpoint knows it; raises ChatError."""
        try:
            completion = await self._complete(messages)
        except openai.AuthenticationError as error:
            raise ChatError("The chat endpoint refused the key: check OPENAI_API_KEY.") from error
        except openai.NotFoundError as error:
            raise ChatError(
                f"The chat endpoint has no model {self.model}: set CHAT_MODEL to one it serves."
            ) from error
        except openai.RateLimitError as error:
            raise ChatError(
                "The chat endpoint is out of quota or too busy: try again later."
            ) from error
        except openai.APITimeoutError as error:
            raise ChatError(f"The chat model did not answer within {TIMEOUT:.0f} s.") from error
        except openai.APIConnectionError as error:
            raise ChatError(
                "The chat endpoint cannot be reached: check OPENAI_BASE_URL and the network."
            ) from error
        except openai.APIStatusError as error:
            raise ChatError(f"The chat endpoint failed ({error.status_code}).") from error
        return _reply(completion)

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


def _reply(completion: ChatCompletion) -> Reply:
    if not completion.choices:
        raise ChatError("The chat model sent no answer.")
    choice = completion.choices[0]
    if choice.finish_reason == "content_filter" or choice.message.refusal:
        raise ChatError("The chat model refused to answer this question.")
    if choice.finish_reason == "length":
        raise ChatError("The chat model ran out of tokens before the answer was complete.")
    usage = completion.usage
    return Reply(
        text=choice.message.content or "",
        tokens_in=usage.prompt_tokens if usage else 0,
        tokens_out=usage.completion_tokens if usage else 0,
    )
