"""Bytes of unknown encoding to text."""

import codecs

from ingest.attachments.pieces import UnreadableFile
from ingest.body.names import FORBIDDEN

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE = 4096
_TEXT_CONTROLS = b"\t\n\x0b\x0c\r\x1b"
_CONTROLS = bytes(code for code in range(32) if code not in _TEXT_CONTROLS)


def decoded(data: bytes, named: str | None = None) -> str:
    """The text of a file with `\\n` line ends, without characters that no document may contain.

    A byte order mark goes before the encoding that the file was said to have, then UTF-8, then
    what Windows writes in Western Europe. Raises UnreadableFile for bytes that are no text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _cleaned(data[len(mark) :].decode(encoding, "replace"))
    if named and (text := _decoded_as(data, named)) is not None:
        return _cleaned(text)
    if encoding := _unmarked_utf16(data):
        return _cleaned(data.decode(encoding, "replace"))
    sample = data[:_SAMPLE]
    if len(sample) - len(sample.translate(None, _CONTROLS)) > len(sample) // 20 + 2:
        raise UnreadableFile("not a text: it holds binary data")
    return _cleaned(_utf8_or_windows(data))


def _decoded_as(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (LookupError, ValueError):
        return None


def _unmarked_utf16(data: bytes) -> str | None:
    """UTF-16 shows by its many zeros, all at even or all at odd places."""
    sample = data[: _SAMPLE // 2 * 2]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 4 < len(sample) or min(even, odd) * 50 > len(sample):
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _utf8_or_windows(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    # A few broken characters do not make a UTF-8 file another: it may be cut or pasted together.
    if broken and broken * 10 > sum(character > "\x7f" for character in text) - broken:
        return data.decode("cp1252", "replace")
    return text


def _cleaned(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return FORBIDDEN.sub(" ", text)
