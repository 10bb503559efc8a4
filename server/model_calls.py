"""The calls of a chat model that one answer takes: within one time, and with one bill."""

import time
from collections.abc import Awaitable, Callable, Sequence

from server.llm import ChatModel, Message, Reply, Written
from server.llm_errors import too_late


class ModelCalls:
    """Calls of one model for one question; together they take no longer than one alone may."""

    def __init__(self, chat: ChatModel, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._chat = chat
        self._clock = clock
        self._until = clock() + chat.timeout
        self.tokens_in = 0
        self.tokens_out = 0

    async def reply(self, messages: Sequence[Message], written: Written | None = None) -> str:
        """What the model writes; raises ChatError."""
        return await self._asked(
            self._chat.reply_json(messages, written=written, seconds=self._left())
        )

    async def aside(self, messages: Sequence[Message], patience: float) -> str:
        """What the model writes on a smaller matter, asked once; raises ChatError."""
        seconds = min(patience, self._left())
        return await self._asked(self._chat.reply_json(messages, seconds=seconds))

    def _left(self) -> float:
        left = self._until - self._clock()
        if left <= 0:
            raise too_late(self._chat.model, self._chat.timeout)
        return left

    async def _asked(self, asking: Awaitable[Reply]) -> str:
        reply = await asking
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out
        return reply.text
