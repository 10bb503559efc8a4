"""E-mail files to blocks: who wrote to whom, the text, and the names of what was attached."""

from collections.abc import Iterator
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser

from ingest.attachments.encoded import decoded
from ingest.attachments.pieces import Lost, Piece, Pieces, UnreadableFile, heading
from ingest.attachments.plain_text import text_blocks
from ingest.attachments.web_page import html_blocks
from ingest.body.blocks import Block
from ingest.body.text import LINE_BREAK, one_line, prose

_SHOWN = ("From", "To", "Cc", "Date")
# What Python's parser of headers raises on some that are not as they should be.
_BAD_HEADER = (MessageError, ValueError, LookupError, AttributeError, TypeError)


def read_mail(data: bytes) -> Pieces:
    """A message under its subject; attachments are named, not read."""
    message = BytesParser(policy=policy.default).parsebytes(data)
    if not message.keys():
        raise UnreadableFile("not an e-mail: it has no headers")
    if subject := _header(message, "Subject"):
        yield heading(1, subject)
    fields = [(name, _header(message, name)) for name in _SHOWN]
    if lines := [f"{name}: {one_line(prose(value))}" for name, value in fields if value]:
        yield Block("text", LINE_BREAK.join(lines))
    attached: list[str] = []
    yield from _content(message, attached)
    if attached:
        names = ", ".join(one_line(prose(name)) for name in attached)
        yield Block("text", f"Attachments: {names}")


def _header(message: EmailMessage, name: str) -> str:
    try:
        value = str(message.get(name) or "")
    except _BAD_HEADER:
        value = next(
            (str(raw) for key, raw in message.raw_items() if key.lower() == name.lower()), ""
        )
    return " ".join(value.split())


def _content(part: EmailMessage, attached: list[str]) -> Iterator[Piece]:
    kind = part.get_content_type()
    name = _filename(part)
    if part.get_content_maintype() == "multipart":
        yield from _children(part, kind, attached)
    elif name or part.is_attachment() or kind not in ("text/plain", "text/html"):
        attached.append(name or _forwarded(part) or kind)
    else:
        yield from _text(part, kind)


def _children(part: EmailMessage, kind: str, attached: list[str]) -> Iterator[Piece]:
    children = _parts(part)
    if kind != "multipart/alternative":
        for child in children:
            yield from _content(child, attached)
        return
    for child in sorted(children, key=lambda child: child.get_content_type() != "text/plain"):
        pieces = list(_content(child, attached))
        if any(isinstance(piece, Block) for piece in pieces):
            yield from pieces
            return


def _parts(part: EmailMessage) -> list[EmailMessage]:
    return [child for child in part.iter_parts() if isinstance(child, EmailMessage)]


def _forwarded(part: EmailMessage) -> str:
    """The subject of a message inside the message."""
    if part.get_content_type() != "message/rfc822":
        return ""
    return next((_header(child, "Subject") for child in _parts(part)), "")


def _text(part: EmailMessage, kind: str) -> Iterator[Piece]:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return
    try:
        text = decoded(payload, _charset(part))
    except UnreadableFile as error:
        yield Lost(str(error))
        return
    yield from html_blocks(text, with_title=False) if kind == "text/html" else text_blocks(text)


def _charset(part: EmailMessage) -> str | None:
    try:
        charset = part.get_content_charset()
    except _BAD_HEADER:
        return None
    return None if charset == "us-ascii" else charset


def _filename(part: EmailMessage) -> str:
    try:
        return part.get_filename("")
    except _BAD_HEADER:
        return ""
