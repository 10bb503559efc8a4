"""A source as the panel beside the answer shows it: where it stands, how old, and its words."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from chat_results import Citation, Passage
from chat_sources import (
    Source,
    as_plain_text,
    link_to,
    snippet,
    with_whole_colons,
    without_images,
)

SHOWN_CHARACTERS = 6_000
DAYS_OF_A_MONTH, DAYS_OF_A_YEAR = 30.44, 365.25


@dataclass(frozen=True, slots=True)
class Shown:
    """A source to show; `around` is the text that its quotes stand in, if more is known of it."""

    source: Source
    quotes: Sequence[str] = ()
    around: str = ""


def age(day: str, today: date) -> str:
    """How long ago a day is, such as `3 years ago`; empty if it is no day."""
    try:
        days = (today - date.fromisoformat(day)).days
    except ValueError:
        return ""
    if days < 1:
        return "today"
    if days < 2 * DAYS_OF_A_MONTH:
        return "yesterday" if days == 1 else f"{days} days ago"
    if days < 2 * DAYS_OF_A_YEAR:
        return f"{int(days / DAYS_OF_A_MONTH)} months ago"
    return f"{int(days / DAYS_OF_A_YEAR)} years ago"


def facts(passage: Passage, today: date) -> str:
    """Space, age and state of a page, as far as they are known, in Markdown."""
    changed = age(passage.updated_at, today)
    parts = (
        f"Space {passage.space_key}" if passage.space_key else "",
        f"changed {changed} ({passage.updated_at})" if changed else "",
    )
    known = as_plain_text(" · ".join(part for part in parts if part))
    return " · ".join(part for part in (known, "**archived**" if passage.archived else "") if part)


def to_side_view(shown: Shown, today: date) -> str:
    """Title, place, age, link, the words that count, and then the text that they stand in.

    The page's own text comes after the first rule; the script of the page marks the words in it.
    """
    passage = shown.source.passage
    around = _bounded(shown.around or passage.text)
    parts = [
        f"## {as_plain_text(passage.title or 'Untitled page')}",
        as_plain_text(" › ".join(passage.path)),
        facts(passage, today),
        link_to(passage, "Open in Confluence") if passage.url else "",
    ]
    if shown.quotes:
        parts.append(_said_of(passage))
        parts += ["> " + as_plain_text(quote) for quote in shown.quotes]
    if not _is_all(shown.quotes, around):
        parts += ["---", with_whole_colons(without_images(around))]
    return "\n\n".join(part for part in parts if part)


def address_of(view: bytes) -> str:
    """An address that holds the text itself.

    A panel that had to fetch its text would stay empty when the chat is busy, and fail when the
    session of the page has ended.
    """
    return f"data:text/markdown;charset=utf-8;base64,{b64encode(view).decode()}"


def to_passage_list(sources: list[Source], today: date) -> str:
    """Found passages for reading, for a chat without a model."""
    return "\n".join(
        f"{source.marker} **{link_to(source.passage, source.place)}** "
        f"{facts(source.passage, today)}\n{snippet(source.passage.text)}\n"
        for source in sources
    )


def _said_of(passage: Passage) -> str:
    if isinstance(passage, Citation):
        return "**Quoted, word for word**"
    return "**Nearest to what the answer says**"


def _is_all(quotes: Sequence[str], text: str) -> bool:
    return " ".join(" ".join(quotes).split()) == " ".join(text.split())


def _bounded(text: str) -> str:
    text = text.strip()
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return text[:SHOWN_CHARACTERS].rsplit(maxsplit=1)[0] + " …"
