"""From a question to an answer whose every citation is proven by the passage it names."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import zip_longest

from index.access import Asker
from index.pages import Pages
from index.results import Filters, Hit, Passage, SearchResult
from index.search import Searcher
from server.llm import ChatModel, Message, Reply
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
ATTEMPTS = 2  # while pages are hidden or deleted under it
CHANGED = "Pages changed while the answer was made: ask again."

Progress = Callable[[float, str], Awaitable[None]]


class Answerer:
    """Finds passages, asks the chat model, and keeps only what it can prove."""

    def __init__(self, searcher: Searcher, pages: Pages, chat: ChatModel | None) -> None:
        self._searcher = searcher
        self._pages = pages
        self._chat = chat

    async def answer(
        self,
        asker: Asker,
        question: str,
        *,
        history: Sequence[Message] = (),
        filters: Filters | None = None,
        progress: Progress,
    ) -> Answer:
        """Answers a question; raises BadRequest, EmbeddingError or ChatError.

        No answer is made of a page that the asker may no longer read when it is given.
        """
        await progress(1, "Searching the wiki")
        result = await self._search(asker, question, history, filters or Filters())
        if not result.hits:
            return Answer(Status.NOT_FOUND, "", (), notes=result.notes)
        if self._chat is None:
            return passages_only(question, result.hits)
        turns = recent(history, HISTORY_BUDGET)
        answer = await self._made_of(result.hits, asker, self._chat, question, turns, progress)
        logger.info("status=%s in=%d out=%d", answer.status, answer.tokens_in, answer.tokens_out)
        return answer

    async def _made_of(
        self,
        hits: Sequence[Hit],
        asker: Asker,
        chat: ChatModel,
        question: str,
        turns: Sequence[Message],
        progress: Progress,
    ) -> Answer:
        """An answer from pages that are all shown once it is there; a model takes its time."""
        cost = Reply("", 0, 0)
        for attempt in range(ATTEMPTS):
            found = within_budget(hits, PASSAGE_BUDGET)
            read = {hit.page.page_id for hit, _ in found}
            if not attempt:
                await progress(2, f"Reading {len(found)} passages of {len(read)} pages")
            reply = await chat.reply_json(question_messages(question, turns, found))
            cost = Reply(
                reply.text, cost.tokens_in + reply.tokens_in, cost.tokens_out + reply.tokens_out
            )
            shown = await self._pages.shown(asker, [hit.page.page_id for hit in hits])
            hits = [hit for hit in hits if hit.page.page_id in shown]
            if read <= shown:
                await progress(3, "Checking the quotes")
                return _costing(proven_answer(reply.text, found), cost, hits)
            if not hits:
                break
        return _costing(Answer(Status.NOT_FOUND, "", (), notes=(CHANGED,)), cost, hits)

    async def _search(
        self, asker: Asker, question: str, history: Sequence[Message], filters: Filters
    ) -> SearchResult:
        """Pages for the question, and by turns for it as it follows on the question before.

        "And for part-timers?" says nothing by itself; a change of subject is found by itself only.
        """
        asked = [turn.content[:EARLIER_QUESTION] for turn in history if turn.role == "user"][-1:]
        results = [
            await self._searcher.search(
                asker, text, filters, limit=PAGES, passages=PASSAGES_PER_PAGE
            )
            for text in (question, *(f"{earlier}\n{question}" for earlier in asked))
        ]
        return replace(results[0], hits=by_turns([result.hits for result in results], PAGES))


def _costing(answer: Answer, cost: Reply, hits: Sequence[Hit]) -> Answer:
    """With what it cost, and with the nearest pages where it cites none."""
    return replace(
        answer,
        nearest=() if answer.citations else tuple(hits[:SHOWN]),
        tokens_in=cost.tokens_in,
        tokens_out=cost.tokens_out,
    )


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
