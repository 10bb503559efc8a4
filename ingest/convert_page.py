"""One page from its source to what the index stores. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from index.language import language_of
from index.records import Chunk, Page
from ingest.chunking import split
from ingest.sources.source import SourcePage
from ingest.storage_format import LinkContext, convert

# Raised whenever conversion or chunking change what comes out: pages stored by an older recipe are
# fetched and converted anew by the next run.
RECIPE = 1
# Tokens of a chunk with its title and heading path; see the README on retrieval quality.
CHUNK_TOKENS = 256

_FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_LANGUAGE_SAMPLE = 6_000


@dataclass(frozen=True, slots=True)
class Tree:
    """Where the pages of a site stand: parents and titles by page id, addresses by title."""

    parents: Mapping[str, str | None]
    titles: Mapping[str, str]
    urls: Mapping[tuple[str, str], str]

    def ancestors(self, page_id: str) -> tuple[str, ...]:
        """Page ids from the root down to the parent; a circle or a gap ends the path."""
        path: list[str] = []
        parent = self.parents.get(page_id)
        while parent is not None and parent in self.parents and parent not in path:
            path.append(parent)
            parent = self.parents[parent]
        return tuple(reversed(path))


def convert_page(
    source_page: SourcePage,
    space_key: str,
    tree: Tree,
    *,
    user_names: Mapping[str, str],
    attachment_url: Callable[[str, str], str],
    limit: int,
    count_tokens: Callable[[str], int],
) -> tuple[Page, Sequence[Chunk]]:
    """The page in Markdown and its chunks of at most `limit` tokens."""
    summary = source_page.summary
    context = LinkContext(
        space_key=space_key,
        page_url=lambda key, title: tree.urls.get((key or space_key, title)),
        attachment_url=lambda filename: attachment_url(summary.page_id, filename),
        user_name=user_names.get,
    )
    conversion = convert(source_page.storage, context)
    markdown = conversion.markdown
    page = Page(
        page_id=summary.page_id,
        content_type=summary.content_type,
        space_key=space_key,
        title=summary.title,
        url=summary.url,
        version=summary.version,
        state=summary.state,
        ancestors=tree.ancestors(summary.page_id),
        position=summary.position,
        labels=tuple(sorted({label.lower() for label in source_page.labels})),
        author=user_names.get(source_page.author) if source_page.author else None,
        created_at=source_page.created_at,
        updated_at=source_page.updated_at,
        language=page_language(summary.title, markdown),
        markdown=markdown,
        outline=conversion.outline,
        unreadable=conversion.unreadable,
    )
    chunks = split(summary.title, conversion.blocks, limit=limit, count_tokens=count_tokens)
    return page, chunks


def page_language(title: str, markdown: str) -> str:
    """The language of a page's prose; code says nothing about it."""
    prose = _FENCE.sub(" ", markdown[: 4 * _LANGUAGE_SAMPLE])
    return language_of(f"{title}\n{prose[:_LANGUAGE_SAMPLE]}")
