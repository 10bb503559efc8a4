"""From a question to an answer whose every citation is proven by the passage it names."""

import json
import logging
import re
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ValidationError

from index.results import Filters, Hit, Passage
from index.search import Searcher
from server.llm import ChatModel, Message
from server.prompts import question_messages
from server.texts import estimated_tokens, excerpt

logger = logging.getLogger(__name__)

PAGES = 8
PASSAGES_PER_PAGE = 3
PASSAGE_BUDGET = 4_000  # tokens of page text that one answer may be made of
SHOWN = 5  # passages shown when there is no model to answer
QUOTE = 300  # characters
SHORTEST_QUOTE = 8  # characters; less proves nothing

Progress = Callable[[float, str], Awaitable[None]]


class Status(StrEnum):
    """How a question ended."""

    ANSWERED = "answered"
    NOT_FOUND = "not_found"
    PASSAGES_ONLY = "passages_only"


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage with the words of it that prove a statement; `n` is its number in the answer."""

    n: int
    hit: Hit
    passage: Passage
    quote: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with `[n]` markers, empty unless answered; `nearest` are pages to look at."""

    status: Status
    text: str
    citations: tuple[Citation, ...]
    nearest: tuple[Hit, ...] = ()
    notes: tuple[str, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0


Found = Sequence[tuple[Hit, Passage]]


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
        asked_before = [turn.content for turn in history if turn.role == "user"][-1:]
        result = await self._searcher.search(
            "\n".join([*asked_before, question]), filters, limit=PAGES, passages=PASSAGES_PER_PAGE
        )
        found = within_budget(result.hits, PASSAGE_BUDGET)
        if not found:
            return Answer(Status.NOT_FOUND, "", (), notes=result.notes)
        if self._chat is None:
            return passages_only(question, result.hits)
        await progress(2, f"Reading {len(found)} passages of {len(result.hits)} pages")
        reply = await self._chat.reply_json(question_messages(question, history, found))
        await progress(3, "Checking the quotes")
        answer = proven_answer(reply.text, found)
        logger.info("status=%s in=%d out=%d", answer.status, reply.tokens_in, reply.tokens_out)
        return Answer(
            answer.status,
            answer.text,
            answer.citations,
            nearest=() if answer.citations else result.hits[:SHOWN],
            notes=answer.notes,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
        )


def within_budget(hits: Sequence[Hit], budget: int) -> list[tuple[Hit, Passage]]:
    """Passages, the best of every page first, then their second ones, while the budget lasts."""
    ranked = sorted(
        ((rank, hit, passage) for hit in hits for rank, passage in enumerate(hit.passages)),
        key=lambda item: (item[0], -item[1].score),
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


class _Quote(BaseModel):
    n: int
    quote: str


class _Reply(BaseModel):
    found: bool = True
    answer: str = ""
    citations: list[_Quote] = []


_MARKER = re.compile(r"\s?\[(\d+(?:\s*,\s*\d+)*)\]")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|<?https?://[^\s>)\]]+>?")


def proven_answer(reply: str, found: Found) -> Answer:
    """The model's answer with only those markers whose quote stands in the passage they name."""
    parsed = _parse(reply)
    if parsed is None:
        note = "The chat model's reply was not in the agreed form."
        return Answer(Status.NOT_FOUND, "", (), notes=(note,))
    if not parsed.found:
        return Answer(Status.NOT_FOUND, "", ())
    quotes = {
        item.n: item.quote.strip()
        for item in parsed.citations
        if 0 < item.n <= len(found) and is_quote_of(item.quote, found[item.n - 1])
    }
    text, order = _renumber(_LINK.sub(r"\1", parsed.answer), quotes)
    if not order:
        note = "The chat model's answer had no provable citation and was dropped."
        return Answer(Status.NOT_FOUND, "", (), notes=(note,))
    citations = tuple(
        Citation(n, *found[number - 1], quotes[number]) for n, number in enumerate(order, start=1)
    )
    return Answer(Status.ANSWERED, text, citations)


def _parse(reply: str) -> _Reply | None:
    """The JSON object in a reply, also when it is wrapped in prose or a code fence."""
    start, end = reply.find("{"), reply.rfind("}")
    try:
        return _Reply.model_validate(json.loads(reply[start : end + 1], strict=False))
    except (ValueError, ValidationError):
        return None


def _renumber(answer: str, quotes: dict[int, str]) -> tuple[str, list[int]]:
    """Markers of proven passages numbered by first use; all others are taken out."""
    order: list[int] = []

    def marker(match: re.Match[str]) -> str:
        numbers = [int(number) for number in match[1].split(",")]
        kept = [number for number in numbers if number in quotes]
        order.extend(number for number in dict.fromkeys(kept) if number not in order)
        return "".join(f" [{order.index(number) + 1}]" for number in kept)

    text = _MARKER.sub(marker, answer)
    return text.strip(), order


def is_quote_of(quote: str, source: tuple[Hit, Passage]) -> bool:
    """Whether the words of a quote stand, in order, in the passage or its headings."""
    hit, passage = source
    wanted = _plain(quote)
    text = "\n".join((hit.page.title, *passage.heading_path, passage.body))
    return len(wanted) >= SHORTEST_QUOTE and wanted in _plain(text)


_SIGNS = re.compile(r"[\s*_`~|>#\\\"'“”„‘’«»\-‐-―…\[\]()]+")


def _plain(text: str) -> str:
    """Letters, digits and other signs without what Markdown and typography add; case folded."""
    return _SIGNS.sub(" ", unicodedata.normalize("NFKC", text)).casefold().strip()
