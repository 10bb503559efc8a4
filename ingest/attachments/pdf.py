"""PDF files to blocks: the text layer of each page under the page's number."""

import contextlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from ingest.attachments.page_lines import blocks_of_page
from ingest.attachments.pieces import Lost, Pieces, UnreadableFile, heading

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

MISSING = "PDF files are read only with an extra: install confluence-mcp[attachments]"

# PDFium's number for it.
_WRONG_PASSWORD = 4
_MOST_BOOKMARKS = 5_000
_MOST_NAMED = 10


def read_pdf(data: bytes) -> Pieces:
    """Every page with text; pages that show something else are named as lost."""
    document = _open(data)
    titles = _titles(document)
    scanned: list[int] = []
    broken: list[int] = []
    for number, text in enumerate(_texts(document), 1):
        if text is None:
            broken.append(number)
        elif blocks := list(blocks_of_page(text, titles.get(number, ()))):
            yield heading(1, f"Page {number}")
            yield from blocks
        elif _shows_something(document, number):
            scanned.append(number)
    if scanned:
        yield Lost(f"no text layer on {_named(scanned, len(document))}, as in a scan")
    if broken:
        yield Lost(f"damaged: no text of {_named(broken, len(document))}")


def load() -> None:
    """Imports the library now, for a process that will not be able to later."""
    with contextlib.suppress(ImportError):
        importlib.import_module("pypdfium2")


def _open(data: bytes) -> "PdfDocument":
    try:
        from pypdfium2 import PdfDocument, PdfiumError
    except ImportError as error:
        raise UnreadableFile(MISSING) from error
    try:
        return PdfDocument(data)
    except PdfiumError as error:
        is_locked = error.err_code == _WRONG_PASSWORD
        reason = "protected by a password" if is_locked else "damaged, or not a PDF file"
        raise UnreadableFile(reason) from error


def _titles(document: "PdfDocument") -> Mapping[int, Sequence[str]]:
    """The bookmarks that lead to each page, by its number."""
    titles: dict[int, list[str]] = {}
    for bookmark in islice(document.get_toc(), _MOST_BOOKMARKS):
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        if index is not None:
            titles.setdefault(index + 1, []).append(bookmark.get_title())
    return titles


def _texts(document: "PdfDocument") -> Iterator[str | None]:
    """The text of each page, None for a page that cannot be read."""
    for index in range(len(document)):
        try:
            page = document[index]
            text = page.get_textpage()
        except RuntimeError:  # the library's own error
            yield None
            continue
        yield text.get_text_range()
        text.close()
        page.close()


def _shows_something(document: "PdfDocument", number: int) -> bool:
    return next(document[number - 1].get_objects(), None) is not None


def _named(numbers: Sequence[int], count: int) -> str:
    """Pages as people name them."""
    if len(numbers) == count:
        return "any page" if count > 1 else "its only page"
    more = f" and {len(numbers) - _MOST_NAMED} more" if len(numbers) > _MOST_NAMED else ""
    pages = ", ".join(map(str, numbers[:_MOST_NAMED])) + more
    return f"page {pages}" if len(numbers) == 1 else f"pages {pages}"
