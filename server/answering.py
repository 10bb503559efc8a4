"""From a question to an answer whose every citation is proven by the passage it names."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from index.access import Asker
from index.pages import Pages
from index.results import Filters, Hit
from index.search import Searcher
from server.llm import ChatModel, Message
from server.llm_errors import ChatRefused, ContextOverflow, CutOff
from server.metrics import ANSWER_SECONDS, ANSWERS
from server.model_calls import ModelCalls
from server.passages import Found, by_turns, within_budget
from server.progress import Progress, Steps
from server.prompts import question_messages
from server.proving import OUT_OF_FORM, Answer, Citation, OutOfForm, Status, proven_answer
from server.question_planning import planned
from server.relevance import is_relevant
from server.texts import estimated_tokens, excerpt

logger = logging.getLogger(__name__)

PAGES = 8
PASSAGES_PER_PAGE = 3
PASSAGE_BUDGET = 6_000  # tokens of page text that one answer may be made of
SHOWN = 5  # passages shown when there is no model to answer
QUOTE = 300  # characters
HISTORY_BUDGET = 3_000  # tokens of earlier turns that the chat model reads
ATTEMPTS = 2  # while pages are hidden or deleted under it
CHANGED = "Pages changed while the answer was made: ask again."
NOTHING_RELEVANT = "No page that was found has to do with the question; no model was asked."


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the searches for a question gave; `notes` are for the reader of any answer."""

    queries: Sequence[str]
    rankings: Sequence[Sequence[Hit]]
    found: Found
    is_relevant: bool
    notes: tuple[str, ...]

    @property
    def nearest(self) -> tuple[Hit, ...]:
        """The pages to look at where no answer is made of them."""
        return by_turns(self.rankings, PAGES)[:SHOWN]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with what the chat model is to know of the conversation."""

    asker: Asker
    question: str
    turns: Sequence[Message]
    filters: Filters


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

        No answer is made of a page that the asker may no longer read when it is given. Progress is
        told in four steps: searching, reading, writing, checking.
        """
        asked = _Asked(asker, question, recent(history, HISTORY_BUDGET), filters or Filters())
        calls = ModelCalls(self._chat) if self._chat else None
        steps = Steps(progress)
        started = time.monotonic()
        evidence = await self._search(asked, calls, steps)
        searched = time.monotonic()
        answer = await self._answered(asked, evidence, calls, steps)
        answer = replace(
            answer,
            notes=tuple(dict.fromkeys((*answer.notes, *evidence.notes))),
            tokens_in=calls.tokens_in if calls else 0,
            tokens_out=calls.tokens_out if calls else 0,
            seconds_searching=round(searched - started, 3),
            seconds_answering=round(time.monotonic() - searched, 3),
        )
        _note(answer, evidence, has_model=calls is not None)
        return answer

    async def _search(self, asked: _Asked, calls: ModelCalls | None, steps: Steps) -> _Evidence:
        """Passages for the question and each part of it, as it follows on what was said before."""
        await steps.searching(asked.question)
        queries = await planned(asked.question, asked.turns, calls)
        if queries != (asked.question,):
            await steps.searching(*queries)
        results = [
            await self._searcher.search(
                asked.asker, query, asked.filters, limit=PAGES, passages=PASSAGES_PER_PAGE
            )
            for query in queries
        ]
        rankings = [result.hits for result in results]
        notes = dict.fromkeys(note for result in results for note in result.notes)
        chunk_ids = {p.chunk_id for hits in rankings for hit in hits for p in hit.passages}
        text = "\n".join(queries)
        near, words = await self._pages.around(asked.asker, sorted(chunk_ids), text)
        found = within_budget(rankings, near, PASSAGE_BUDGET, PAGES)
        return _Evidence(queries, rankings, found, is_relevant(text, words, found), tuple(notes))

    async def _answered(
        self, asked: _Asked, evidence: _Evidence, calls: ModelCalls | None, steps: Steps
    ) -> Answer:
        """What the passages answer, without what it cost."""
        if not evidence.found:
            return Answer(Status.NOT_FOUND, "", ())
        if calls is None:
            return passages_only(asked.question, evidence.nearest)
        if not evidence.is_relevant:
            notes = (NOTHING_RELEVANT,)
            return Answer(Status.NOT_FOUND, "", (), nearest=evidence.nearest, notes=notes)
        return await self._made_of(asked, evidence, calls, steps)

    async def _made_of(
        self, asked: _Asked, evidence: _Evidence, calls: ModelCalls, steps: Steps
    ) -> Answer:
        """An answer from pages that are all shown once it is there; a model takes its time."""
        found, nearest = evidence.found, evidence.nearest
        for _ in range(ATTEMPTS):
            answer = await _written(asked, found, calls, steps)
            read = {hit.page.page_id for hit, _ in found}
            page_ids = read | {hit.page.page_id for hit in nearest}
            shown = await self._pages.shown(asked.asker, page_ids)
            nearest = tuple(hit for hit in nearest if hit.page.page_id in shown)
            if read <= shown:
                return replace(answer, nearest=() if answer.citations else nearest)
            found = [(hit, passage) for hit, passage in found if hit.page.page_id in shown]
            if not found:
                break
        return Answer(Status.NOT_FOUND, "", (), nearest=nearest, notes=(CHANGED,))


def _note(answer: Answer, evidence: _Evidence, *, has_model: bool) -> None:
    """What an answer was made of, for the metrics, and what a model's cost, for the log."""
    ANSWERS.labels(answer.status).inc()
    ANSWER_SECONDS.labels("searching").observe(answer.seconds_searching)
    ANSWER_SECONDS.labels("answering").observe(answer.seconds_answering)
    logger.log(
        logging.INFO if has_model else logging.DEBUG,
        "status=%s searches=%d passages=%d tokens_in=%d tokens_out=%d searching=%.3fs "
        "answering=%.3fs",
        answer.status,
        len(evidence.queries),
        len(evidence.found),
        answer.tokens_in,
        answer.tokens_out,
        answer.seconds_searching,
        answer.seconds_answering,
    )


async def _written(asked: _Asked, found: Found, calls: ModelCalls, steps: Steps) -> Answer:
    """The proven part of what the model writes, asked anew where that helps.

    Out of the agreed form or too long: once more. More than it can read: with half of the passages
    and without the earlier turns.
    """
    turns, again, kept = asked.turns, False, list(found)
    await steps.reading([hit.page.title for hit, _ in kept], len(kept))
    while True:
        messages = question_messages(asked.question, turns, kept, again=again)
        try:
            reply = await calls.reply(messages, steps.written)
            await steps.checking()
            return proven_answer(reply, kept, asked.question)
        except ChatRefused as error:
            return Answer(Status.NOT_FOUND, "", (), notes=(str(error),))
        except ContextOverflow:
            if len(kept) == 1:
                raise
            turns, kept = (), kept[: (len(kept) + 1) // 2]
        except CutOff:
            if again:
                raise
            again = True
        except OutOfForm:
            if again:
                return Answer(Status.NOT_FOUND, "", (), notes=(OUT_OF_FORM,))
            again = True


def recent(history: Sequence[Message], budget: int) -> list[Message]:
    """The last turns of a conversation that fit into a budget of tokens."""
    kept: list[Message] = []
    for turn in reversed(history):
        budget -= estimated_tokens(turn.content)
        if budget < 0:
            break
        kept.append(turn)
    return kept[::-1]


def passages_only(question: str, hits: Sequence[Hit]) -> Answer:
    """The best passages themselves, for want of a chat model."""
    citations = tuple(
        Citation(n, hit, hit.passages[0], excerpt(hit.passages[0].body, question, QUOTE))
        for n, hit in enumerate(hits[:SHOWN], start=1)
    )
    note = "No chat model is configured (CHAT_MODEL, OPENAI_API_KEY): these are passages."
    return Answer(Status.PASSAGES_ONLY, "", citations, notes=(note,))
