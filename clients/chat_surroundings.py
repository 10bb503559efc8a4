"""The sources of an answer made ready to show: the words that count, in the text around them."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import ValidationError

from chat_errors import WikiError
from chat_lookups import Outcome
from chat_panel import Shown
from chat_quotes import nearest_words, statements
from chat_results import READ, Citation, WholePage
from chat_sources import Source, Sources, without_layout

BLOCKS_BEFORE = 4
COMPARED_CHARACTERS = 60


class Wiki(Protocol):
    """An open connection to the MCP server."""

    async def call(self, tool: str, arguments: Mapping[str, object]) -> Outcome:
        """Calls a tool; a tool that fails is an outcome too. Raises WikiError."""
        ...


async def shown_sources(
    answer: str, cited: list[Source], known: Sources, wiki: Wiki
) -> list[Shown]:
    """Each source that an answer cites, with its quote or with the words nearest to the answer."""
    return [await _shown(answer, source, known, wiki) for source in cited]


async def _shown(answer: str, source: Source, known: Sources, wiki: Wiki) -> Shown:
    passage = source.passage
    if not isinstance(passage, Citation):
        near = nearest_words(statements(answer, source.number), passage.text)
        return Shown(source, near, _from_quote(passage.text, near[0] if near else ""))
    around = _known_around(passage, known) or await _read_around(passage, wiki)
    return Shown(source, [without_layout(passage.text)], _from_quote(around, passage.text))


def _known_around(citation: Citation, known: Sources) -> str:
    """What another look-up has shown of the place."""
    for source in known:
        passage = source.passage
        if isinstance(passage, Citation) or passage.page_id != citation.page_id:
            continue
        if _plain(citation.text) in _plain(passage.text):
            return passage.text
    return ""


async def _read_around(citation: Citation, wiki: Wiki) -> str:
    if not citation.page_id or citation.found_in == "comment":
        return ""
    arguments: dict[str, object] = {"page": citation.page_id}
    if citation.attachment:
        arguments["attachment"] = citation.attachment
    elif citation.heading_path:
        arguments["section"] = citation.heading_path[-1]
    try:
        outcome = await wiki.call(READ, arguments)
        page = WholePage.model_validate(outcome.structured or {})
    except (WikiError, ValidationError):
        # The answer stands without it: the quote has been checked by the server.
        return ""
    return page.text if _plain(citation.text) in _plain(page.text) else ""


def _from_quote(text: str, quote: str) -> str:
    """A text from a few paragraphs before a quote on, so that the quote is never cut off."""
    blocks = text.split("\n\n")
    wanted = _plain(quote)[:COMPARED_CHARACTERS]
    place = next((i for i, block in enumerate(blocks) if wanted in _plain(block)), 0)
    first = max(0, place - BLOCKS_BEFORE)
    return ("…\n\n" if first else "") + "\n\n".join(blocks[first:])


def _plain(markdown: str) -> str:
    return " ".join(without_layout(markdown).split()).casefold()
