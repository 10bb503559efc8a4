"""Whether quotes stand word for word in the pages they are said to be from, as the index has them.

Apart from the product's own proof on purpose: from the stored text, by other means.
"""

import re
import unicodedata
from collections.abc import Sequence

from index.access import Asker, read_as
from index.database import Database

PAGE_TEXTS = """
SELECT title || E'\\n' || markdown FROM shown_page WHERE page_id = %(page_id)s
UNION ALL
SELECT concat_ws(E'\\n', title, array_to_string(heading_path, E'\\n'), body)
FROM shown_chunk JOIN shown_page USING (page_ref) WHERE page_id = %(page_id)s
UNION ALL
SELECT string_agg(body, E'\\n' ORDER BY shown_chunk.position)
FROM shown_chunk JOIN shown_page USING (page_ref) WHERE page_id = %(page_id)s
GROUP BY kind, item_id
"""
LEFT_OUT = re.compile(r"\[?(?:…|\.{3})\]?")
_NO_TEXT = re.compile(r"\]\([^)\s]*\)|<br ?/?>")
_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[\u3000-\U0003ffff]|[^\W\d_]+|%")


class PageTexts:
    """The texts of pages that an asker may read, each read once."""

    def __init__(self, database: Database, asker: Asker) -> None:
        self._database = database
        self._asker = asker
        self._texts: dict[str, Sequence[str]] = {}

    async def have(self, page_id: str, quote: str) -> bool:
        """Whether a quote stands in the page, its comments or its attachments."""
        if page_id not in self._texts:
            async with read_as(self._database, self._asker) as connection:
                rows = await connection.execute(PAGE_TEXTS, {"page_id": page_id})
                self._texts[page_id] = [row[0] async for row in rows]
        return any(is_verbatim(quote, text) for text in self._texts[page_id])


def is_verbatim(quote: str, text: str) -> bool:
    """Whether the words of a quote follow each other in the text.

    What `…` leaves out may lie between.
    """
    line = _line(text)
    position = 0
    parts = [part for part in map(_line, LEFT_OUT.split(quote)) if part.strip()]
    for part in parts:
        found = line.find(part, position)
        if found < 0:
            return False
        position = found + len(part) - 1
    return bool(parts)


def _line(text: str) -> str:
    """The words, without signs and mark-up, each between blanks."""
    plain = unicodedata.normalize("NFKC", _NO_TEXT.sub("] ", text)).casefold()
    return f" {' '.join(_WORD.findall(plain))} "
