"""Asking a chat model at any OpenAI-compatible endpoint."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import openai
from openai import AsyncOpenAI, AsyncStream, omit
from openai.types import CompletionUsage
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessageParam,
    ChatCompletionStreamOptionsParam,
)
from openai.types.shared_params import ResponseFormatJSONObject

from index.endpoint_calls import Kinds, model_call
from index.errors import ChatError
from index.traces import passed_on
from server.llm_errors import (
    ChatRefused,
    ContextOverflow,
    CutOff,
    broken_off,
    cut_off,
    explained,
    no_completion,
    refused,
    too_late,
)

logger = logging.getLogger(__name__)

TIMEOUT = 120.0  # seconds for one answer, with all its retries
RETRIES = 3
STREAMS = 2  # times that a reply is begun which breaks off
JSON: ResponseFormatJSONObject = {"type": "json_object"}
USAGE: ChatCompletionStreamOptionsParam = {"include_usage": True}
KINDS: Kinds = {ChatRefused: "refused", ContextOverflow: "too_long", CutOff: "cut_off"}
OPTIONS = frozenset({"response_format", "stream_options"})  # which some endpoints do not know

Written = Callable[[int], Awaitable[None]]


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


@dataclass(slots=True)
class _Stream:
    """What of a streamed reply has come."""

    text: str = ""
    refusal: str = ""
    finish: str | None = None
    usage: CompletionUsage | None = None
    is_empty: bool = True

    def reply(self) -> Reply:
        """The whole of it; raises ChatError."""
        return _reply(self.text, self.refusal, self.finish, self.usage)


class ChatModel:
    """One model at one endpoint; retries 429, 5xx and lost connections as the endpoint asks.

    Replies are streamed where the endpoint can. One takes at most `timeout` seconds, retries
    included.
    """

    def __init__(
        self, model: str, *, api_key: str, base_url: str | None, timeout: float = TIMEOUT
    ) -> None:
        self.model = model
        self.timeout = timeout
        self._key = api_key
        self._client = AsyncOpenAI(
            api_key=api_key, base_url=base_url, timeout=timeout, max_retries=RETRIES
        )
        self._can = {*OPTIONS, "stream"}

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def reply_json(
        self,
        messages: Sequence[Message],
        *,
        written: Written | None = None,
        seconds: float | None = None,
    ) -> Reply:
        """The model's reply, in JSON mode where the endpoint knows it; raises ChatError.

        `written` is told now and then how many characters there are.
        """
        most = min(seconds or self.timeout, self.timeout)
        sent = [_param(message) for message in messages]
        try:
            with model_call("chat", self.model, str(self._client.base_url), kinds=KINDS) as call:
                async with asyncio.timeout(most):
                    reply = await self._replied(sent, written)
                call.cost(reply.tokens_in, reply.tokens_out)
                return reply
        except (TimeoutError, openai.APITimeoutError) as error:
            raise too_late(self.model, most) from error
        except openai.APIError as error:
            # Not `from error`: its text may repeat the key, and a traceback would show it.
            raise explained(error, self.model, self._key) from None
        except (ValueError, TypeError, AttributeError) as error:
            # The client builds its answer without checking it, and JSON errors are ValueErrors.
            raise no_completion() from error

    async def _replied(
        self, sent: Sequence[ChatCompletionMessageParam], written: Written | None
    ) -> Reply:
        for _ in range(STREAMS):
            if "stream" not in self._can:
                break
            stream = await self._streamed(sent, written)
            if stream is None:
                continue
            if not stream.is_empty:
                return stream.reply()
            logger.info("model=%s does not stream", self.model)
            self._can.discard("stream")
        else:
            raise broken_off()
        return _completed(await self._complete(sent))

    async def _streamed(
        self, sent: Sequence[ChatCompletionMessageParam], written: Written | None
    ) -> _Stream | None:
        """What came of a streamed reply; None where it broke off."""
        found = _Stream()
        chunks = await self._begin(sent)
        async with chunks:
            try:
                async for chunk in chunks:
                    found.is_empty = False
                    found.usage = chunk.usage or found.usage
                    for choice in chunk.choices[:1]:
                        found.text += choice.delta.content or ""
                        found.refusal += choice.delta.refusal or ""
                        found.finish = choice.finish_reason or found.finish
                    if written is not None:
                        await written(len(found.text))
            except openai.APITimeoutError:
                raise
            except openai.APIConnectionError:
                logger.info("model=%s a reply broke off", self.model)
                return None
        return found if found.finish or found.is_empty else None

    async def _begin(
        self, sent: Sequence[ChatCompletionMessageParam]
    ) -> AsyncStream[ChatCompletionChunk]:
        while True:
            try:
                return await self._client.chat.completions.create(
                    model=self.model,
                    messages=sent,
                    response_format=JSON if "response_format" in self._can else omit,
                    stream=True,
                    stream_options=USAGE if "stream_options" in self._can else omit,
                    extra_headers=passed_on(),
                )
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                self._do_without(error)

    async def _complete(self, sent: Sequence[ChatCompletionMessageParam]) -> ChatCompletion:
        while True:
            try:
                return await self._client.chat.completions.create(
                    model=self.model,
                    messages=sent,
                    response_format=JSON if "response_format" in self._can else omit,
                    extra_headers=passed_on(),
                )
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                self._do_without(error)

    def _do_without(self, error: openai.APIStatusError) -> None:
        """Leaves out what the endpoint does not know; raises an error of anything else anew."""
        named = {name for name in OPTIONS & self._can if name in str(error)}
        if not named:
            raise error
        logger.info("model=%s knows no %s", self.model, ", ".join(sorted(named)))
        self._can -= named


def _param(message: Message) -> ChatCompletionMessageParam:
    match message.role:
        case "system":
            return {"role": "system", "content": message.content}
        case "user":
            return {"role": "user", "content": message.content}
        case "assistant":
            return {"role": "assistant", "content": message.content}


def _completed(completion: ChatCompletion) -> Reply:
    if not completion.choices:
        raise ChatError("The chat model sent no answer: try again.")
    choice = completion.choices[0]
    message = choice.message
    return _reply(
        message.content or "", message.refusal or "", choice.finish_reason, completion.usage
    )


def _reply(text: str, refusal: str, finish: str | None, usage: CompletionUsage | None) -> Reply:
    if finish == "content_filter" or refusal:
        raise refused()
    if finish == "length":
        raise cut_off()
    return Reply(text, usage.prompt_tokens if usage else 0, usage.completion_tokens if usage else 0)
