"""The words of a body that cannot be converted: without structure, but not lost."""

from bs4 import BeautifulSoup

from ingest.body.blocks import Block
from ingest.body.names import ENDLESS_NUMBER, FORBIDDEN
from ingest.body.text import escaped, guarded


def words_only(storage: str) -> list[Block]:
    """Every line of text as a paragraph."""
    readable = ENDLESS_NUMBER.sub("", FORBIDDEN.sub("", storage))
    text = BeautifulSoup(readable, "html.parser").get_text("\n")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [Block("text", guarded(escaped(line))) for line in lines if line]
