"""The reader of each kind of file, and the text that a file gives within its limit."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from ingest.attachments import pdf
from ingest.attachments.delimited import read_csv
from ingest.attachments.mail import read_mail
from ingest.attachments.pieces import Lost, Pieces, UnreadableFile
from ingest.attachments.plain_text import read_markdown, read_text
from ingest.attachments.slides import read_pptx
from ingest.attachments.web_page import read_html
from ingest.attachments.word import read_docx
from ingest.attachments.workbook import read_xlsx
from ingest.body.blocks import Block
from ingest.body.markdown_blocks import fence_of
from ingest.body.names import FORBIDDEN

_READERS: Mapping[str, Callable[[bytes], Pieces]] = {
    "pdf": pdf.read_pdf,
    "docx": read_docx,
    "pptx": read_pptx,
    "xlsx": read_xlsx,
    "csv": read_csv,
    "txt": read_text,
    "md": read_markdown,
    "html": read_html,
    "eml": read_mail,
}


def pieces_of(kind: str, data: bytes, characters: int) -> Pieces:
    """What a file holds, up to a number of characters. Raises MemoryError only."""
    left = characters
    try:
        for piece in _READERS[kind](data):
            if isinstance(piece, Lost):
                yield piece
                continue
            block = _cleaned(piece)
            if len(block.markdown) > left:
                yield from () if left < 1 else (_cut(block, left),)
                yield Lost(f"only its first {characters:,} characters are read")
                return
            yield block
            left -= len(block.markdown) + 2
    except UnreadableFile as error:
        yield Lost(str(error))
    except MemoryError:
        raise
    except Exception as error:  # a file that no reader foresaw costs its own rest, no more
        yield Lost(f"damaged, or not of the kind that its name says ({type(error).__name__})")


def _cleaned(block: Block) -> Block:
    markdown = FORBIDDEN.sub(" ", block.markdown)
    return replace(block, markdown=markdown, title=FORBIDDEN.sub(" ", block.title))


def _cut(block: Block, length: int) -> Block:
    """The beginning of a block, up to the end of a line where there is one."""
    text = block.markdown[:length]
    text = text[: text.rfind("\n")] if "\n" in text else text
    if block.kind == "code":
        text += "\n" + fence_of(block.markdown.split("\n", 1)[0])
    return replace(block, markdown=text)
