"""Spaces and lists of pages as text for a model. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from index.catalogue import Change, Leaf, SpaceContents
from index.results import PageInfo
from server.texts import NOTICE, one_line


def space_text(contents: SpaceContents) -> str:
    """A space as the tree of its pages."""
    space, shown = contents.space, len(contents.leaves)
    head = [
        f"# {one_line(space.name)}",
        one_line(space.url),
        f"space {one_line(space.key)}, {contents.size:,} pages",
    ]
    rest = (
        f"{shown:,} of {contents.size:,} pages are listed, from the top of the tree down: search "
        f"the others with spaces=[{one_line(space.key)!r}]."
    )
    return "\n\n".join(
        [
            "\n".join(head),
            NOTICE,
            "\n".join(map(_leaf, contents.leaves)) or "No page of it can be shown.",
            *([rest] if contents.size > shown > 0 else []),
        ]
    )


def _leaf(leaf: Leaf) -> str:
    page = leaf.page
    kind = [] if page.content_type == "page" else [page.content_type.value]
    facts = [*kind, f"page_id {page.page_id}", f"updated {_day(page.updated_at)}"]
    archived = ["archived"] if page.state == "archived" else []
    return f"{'  ' * leaf.depth}- {one_line(page.title)} ({', '.join([*facts, *archived])})"


def changes_text(changes: Sequence[Change], since: datetime) -> str:
    """Changed pages, one a line, in the order given."""
    return "\n".join(_change(change, since) for change in changes)


def _change(change: Change, since: datetime) -> str:
    page = change.page
    is_new = change.created_at is not None and change.created_at >= since
    facts = [
        "new" if is_new else f"version {page.version}",
        page.content_type.value,
        f"page_id {page.page_id}",
        _day(page.updated_at),
        *([f"by {one_line(page.author)}"] if page.author else []),
    ]
    return f"- {one_line(page.title)} ({', '.join(facts)}) {one_line(page.url)}"


def authors_text(pages: Iterable[PageInfo], most: int = 5) -> str:
    """Who changed pages last, whoever changed most of them first."""
    pages = list(pages)
    counted = Counter(page.author for page in pages if page.author)
    newest = {
        author: max(page.updated_at for page in pages if page.author == author)
        for author in counted
    }
    return "; ".join(
        f"{one_line(author)} ({number} {'page' if number == 1 else 'pages'}, last "
        f"{_day(newest[author])})"
        for author, number in counted.most_common(most)
    )


def _day(time: datetime) -> str:
    return time.date().isoformat()
