"""The chat model behind any OpenAI-compatible endpoint, as a stream of text and tool calls."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import openai
from openai.types.chat import (
    ChatCompletionChunk,
    ChatCompletionMessageFunctionToolCallParam,
    ChatCompletionMessageParam,
    ChatCompletionToolUnionParam,
)
from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall
from pydantic import TypeAdapter, ValidationError

from chat_errors import ModelError
from chat_settings import OPENAI_URL, ChatSettings

TIMEOUT = 120.0
RETRIES = 3
ARGUMENTS = TypeAdapter(dict[str, object])

Message = ChatCompletionMessageParam
Tool = ChatCompletionToolUnionParam
Writer = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class ToolCall:
    """A call that the model asks for; `arguments` is JSON as the model wrote it."""

    call_id: str = ""
    name: str = ""
    arguments: str = ""

    def parsed(self) -> Mapping[str, object] | None:
        """The arguments, or None when they are no JSON object."""
        try:
            return ARGUMENTS.validate_json(self.arguments or "{}")
        except ValidationError:
            return None


@dataclass(slots=True)
class Reply:
    """What the model said in one round; `finish_reason` is None when the stream broke off."""

    text: str = ""
    calls: dict[int, ToolCall] = field(default_factory=dict[int, ToolCall])
    finish_reason: str | None = None

    def add(self, chunk: ChatCompletionChunk) -> str:
        """Takes in the next piece of the stream and returns its text."""
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self.finish_reason = choice.finish_reason or self.finish_reason
        for piece in choice.delta.tool_calls or ():
            self._add_call(piece)
        self.text += choice.delta.content or ""
        return choice.delta.content or ""

    def _add_call(self, piece: ChoiceDeltaToolCall) -> None:
        call = self.calls.setdefault(piece.index, ToolCall())
        call.call_id = piece.id or call.call_id
        if piece.function is not None:
            call.name = piece.function.name or call.name
            call.arguments += piece.function.arguments or ""

    def as_message(self) -> Message:
        """The reply as it goes back to the model in the next round."""
        if not self.calls:
            return {"role": "assistant", "content": self.text}
        return {
            "role": "assistant",
            "content": self.text or None,
            "tool_calls": [_call_param(call) for call in self.calls.values()],
        }


def _call_param(call: ToolCall) -> ChatCompletionMessageFunctionToolCallParam:
    # An endpoint refuses a conversation whose arguments are not JSON, even its own.
    arguments = call.arguments if call.arguments and call.parsed() is not None else "{}"
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


class ChatModel:
    """One model at one endpoint; safe to share between conversations."""

    def __init__(self, name: str, settings: ChatSettings) -> None:
        key = settings.openai_api_key
        self.name = name
        self._url = settings.openai_base_url or OPENAI_URL
        self._client = openai.AsyncOpenAI(
            api_key=key.get_secret_value() if key else "none",
            base_url=self._url,
            timeout=TIMEOUT,
            max_retries=RETRIES,
        )

    async def close(self) -> None:
        """Ends the connections to the endpoint."""
        await self._client.close()

    async def reply(
        self, messages: list[Message], tools: list[Tool], write: Writer, *, may_call: bool
    ) -> Reply:
        """The next reply, its text given to `write` as it comes; raises ModelError."""
        reply = Reply()
        try:
            opening = self._client.chat.completions.create(
                model=self.name,
                messages=messages,
                tools=tools,
                tool_choice="auto" if may_call else "none",
                stream=True,
            )
            async with await opening as stream:
                async for chunk in stream:
                    if text := reply.add(chunk):
                        await write(text)
        except openai.OpenAIError as error:
            raise ModelError(self._explain(error)) from error
        return reply

    def _explain(self, error: openai.OpenAIError) -> str:
        match error:
            case openai.APIConnectionError():
                return (
                    f"The chat model at {self._url} cannot be reached. Check OPENAI_BASE_URL and "
                    "whether the endpoint is running."
                )
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return f"The endpoint {self._url} refused the key. Check OPENAI_API_KEY."
            case openai.NotFoundError():
                return (
                    f"The endpoint {self._url} has no model {self.name!r}. Set CHAT_MODEL to one "
                    "that it has."
                )
            case openai.RateLimitError():
                return (
                    "The chat model's endpoint takes no more requests now: its rate limit or "
                    "quota is used up. Wait a little, or check your plan."
                )
            case openai.APIStatusError():
                return (
                    f"The chat model {self.name!r} failed with status {error.status_code}. If this "
                    "goes on, check that CHAT_MODEL names a model that can call tools."
                )
            case _:
                return f"The answer of the chat model {self.name!r} could not be read. Ask again."
