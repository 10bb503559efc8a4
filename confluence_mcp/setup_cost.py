"""What embedding a wiki costs, in money or time, before it is done."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TypeVar

from index.embedder_choice import embedder_of
from index.records import passage_text
from index.settings import IndexSettings
from index.token_estimate import estimated_tokens
from ingest.chunking import split
from ingest.convert_page import CHUNK_TOKENS, page_address
from ingest.sources.source import Deployment, SourcePage
from ingest.storage_format import LinkContext, convert

Page = TypeVar("Page")

# Dollars for a million tokens at the providers themselves, as their price lists had them then.
PRICES_OF = date(2026, 7, 3)
PRICES = {
    "text-embedding-3-small": 0.02,
    "text-embedding-3-large": 0.13,
    "text-embedding-ada-002": 0.10,
    "gemini-embedding-001": 0.15,
}
MOST_TIMED = 48  # passages with which a bundled model is timed


@dataclass(frozen=True, slots=True)
class Survey:
    """Pages of the chosen spaces, and passages of some of them; a lower bound if not `is_whole`."""

    pages: int
    is_whole: bool
    sampled_pages: int
    passages: tuple[str, ...]

    @property
    def all_passages(self) -> int:
        """About how many there are of all pages."""
        return self._of_all(len(self.passages))

    @property
    def all_tokens(self) -> int:
        """About how many tokens they have, rather too many than too few."""
        return self._of_all(sum(map(estimated_tokens, self.passages)))

    def _of_all(self, of_sample: int) -> int:
        return round(self.pages * of_sample / self.sampled_pages) if self.sampled_pages else 0

    def summary(self) -> str:
        """For a person."""
        pages = f"{'' if self.is_whole else 'more than '}{self.pages:,} pages"
        if not self.sampled_pages:
            return pages
        return (
            f"{pages}, about {self.all_passages:,} passages, {self.all_tokens:,} tokens "
            f"(judged by {self.sampled_pages} of them, without comments and attachments)"
        )


def passages_of(page: SourcePage, site_url: str, deployment: Deployment) -> list[str]:
    """What of a page would be embedded, cut as the ingest cuts it."""
    title = page.summary.title
    links = LinkContext(
        space_key=page.summary.space_key,
        page_url=partial(page_address, site_url),
        attachment_url=lambda _: None,
        user_name=lambda _: None,
        page_title=title,
        deployment=deployment,
    )
    blocks = convert(page.storage, links).blocks
    chunks = split(title, blocks, limit=CHUNK_TOKENS, count_tokens=estimated_tokens)
    return [passage_text(title, chunk.heading_path, chunk.body) for chunk in chunks]


def price_of(model: str, survey: Survey) -> float | None:
    """Dollars for all passages; None where no price is known."""
    price = PRICES.get(model.rsplit("/", 1)[-1])
    return None if price is None else survey.all_tokens / 1_000_000 * price


async def seconds_for(settings: IndexSettings, model: str, survey: Survey) -> float | None:
    """How long a bundled model takes for all passages, by a try on this machine."""
    timed = survey.passages[:MOST_TIMED]
    if not timed:
        return None
    embedder = await embedder_of(settings, model)
    try:
        await embedder.embed_passages(timed[:1])  # it loads itself first
        started = time.monotonic()
        await embedder.embed_passages(timed)
        return (time.monotonic() - started) / len(timed) * survey.all_passages
    finally:
        await embedder.close()


def shown_price(dollars: float) -> str:
    """In words, to the cent."""
    return f"about ${dollars:,.2f}" if dollars >= 0.01 else "less than a cent"


def shown_seconds(seconds: float) -> str:
    """In words, roundly."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 120 else f"about {minutes / 60:.1f} hours"


def spread(pages: Sequence[Page], most: int) -> list[Page]:
    """Some of the pages, evenly from first to last."""
    step = max(1, len(pages) // most)
    return list(pages[::step][:most])
