"""From a question to an answer whose every citation is proven by the passage it names."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import zip_longest

from index.results import Filters, Hit, Passage, SearchResult
from index.search import Searcher
from server.llm import ChatModel, Message
from server.prompts import question_messages
from server.proving import Answer, Citation, Status, proven_answer
from server.texts import estimated_tokens, excerpt

logger = logging.getLogger(__name__)

PAGES = 8
PASSAGES_PER_PAGE = 3
PASSAGE_BUDGET = 4_000  # tokens of page text that one answer may be made of
SHOWN = 5  # passages shown when there is no model to answer
QUOTE = 300  # characters
EARLIER_QUESTION = 500  # characters of the question before that help to find what this one means
HISTORY_BUDGET = 3_000  # tokens of earlier turns that the chat model reads

Progress = Callable[[float, str], Awaitable[None]]


class Answerer:
    """Finds passages, asks the chat model, and keeps only what it can prove."""

    def __init__(self, searcher: Searcher, chat: ChatModel | None) -> None:
        self._searcher = searcher
        self._chat = chat

    async def answer(
        self,
        question: str,
        *,
        history: Sequence[Message] = (),
        filters: Filters | None = None,
        progress: Progress,
    ) -> Answer:
        """Answers a question; raises BadRequest, EmbeddingError or ChatError."""
        await progress(1, "Searching the wiki")
        result = await self._search(question, history, filters or Filters())
        found = within_budget(result.hits, PASSAGE_BUDGET)
        if not found:
            return Answer(Status.NOT_FOUND, "", (), notes=result.notes)
        if self._chat is None:
            return passages_only(question, result.hits)
        pages = len({hit.page.page_id for hit, _ in found})
        await progress(2, f"Reading {len(found)} passages of {pages} pages")
        asked = question_messages(question, recent(history, HISTORY_BUDGET), found)
        reply = await self._chat.reply_json(asked)
        await progress(3, "Checking the quotes")
        answer = proven_answer(reply.text, found)
        logger.info("status=%s in=%d out=%d", answer.status, reply.tokens_in, reply.tokens_out)
        return replace(
            answer,
            nearest=() if answer.citations else result.hits[:SHOWN],
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
        )

    async def _search(
        self, question: str, history: Sequence[Message], filters: Filters
    ) -> SearchResult:
        """Pages for the question, and by turns for it as it follows on the question before.

        "And for part-timers?" says nothing by itself; a change of subject is found by itself only.
        """
        asked = [turn.content[:EARLIER_QUESTION] for turn in history if turn.role == "user"][-1:]
        results = [
            await self._searcher.search(text, filters, limit=PAGES, passages=PASSAGES_PER_PAGE)
            for text in (question, *(f"{earlier}\n{question}" for earlier in asked))
        ]
        return replace(results[0], hits=by_turns([result.hits for result in results], PAGES))


def by_turns(rankings: Sequence[Sequence[Hit]], limit: int) -> tuple[Hit, ...]:
    """The best of every ranking, then their second ones, each page once."""
    chosen: dict[tuple[str, str], Hit] = {}
    for hits in zip_longest(*rankings):
        for hit in hits:
            if hit is not None:
                chosen.setdefault((hit.page.space_key, hit.page.page_id), hit)
    return tuple(chosen.values())[:limit]


def recent(history: Sequence[Message], budget: int) -> list[Message]:
    """The last turns of a conversation that fit into a budget of tokens."""
    kept: list[Message] = []
    for turn in reversed(history):
        budget -= estimated_tokens(turn.content)
        if budget < 0:
            break
        kept.append(turn)
    return kept[::-1]


def within_budget(hits: Sequence[Hit], budget: int) -> list[tuple[Hit, Passage]]:
    """Passages, the best of every page first, then their second ones, while the budget lasts."""
    ranked = sorted(
        ((rank, hit, passage) for hit in hits for rank, passage in enumerate(hit.passages)),
        key=lambda item: item[0],
    )
    found: list[tuple[Hit, Passage]] = []
    for _, hit, passage in ranked:
        budget -= estimated_tokens(passage.body)
        if budget < 0 and found:
            break
        found.append((hit, passage))
    return found


def passages_only(question: str, hits: Sequence[Hit]) -> Answer:
    """The best passages themselves, for want of a chat model."""
    citations = tuple(
        Citation(n, hit, hit.passages[0], excerpt(hit.passages[0].body, question, QUOTE))
        for n, hit in enumerate(hits[:SHOWN], start=1)
    )
    note = "No chat model is configured (CHAT_MODEL, OPENAI_API_KEY): these are passages."
    return Answer(Status.PASSAGES_ONLY, "", citations, notes=(note,))
