"""Files as the tests need them: PDF by hand, office files by the libraries that people use."""

import io
from collections.abc import Iterable, Mapping, Sequence
from zipfile import ZIP_DEFLATED, ZipFile

from docx.document import Document
from pptx.presentation import Presentation

from ingest.attachments.pieces import Lost, Piece
from ingest.attachments.readers import pieces_of
from ingest.body.blocks import Block

_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def read(kind: str, data: bytes, characters: int = 100_000) -> list[Piece]:
    """What the reader of a kind gives, in this process."""
    return list(pieces_of(kind, data, characters))


def markdown(kind: str, data: bytes) -> str:
    """A file as Markdown."""
    pieces = read(kind, data)
    return "\n\n".join(piece.markdown for piece in pieces if isinstance(piece, Block))


def reasons(kind: str, data: bytes) -> list[str]:
    """Why a file or a part of it is not read."""
    return [piece.reason for piece in read(kind, data) if isinstance(piece, Lost)]


def saved(document: Document | Presentation) -> bytes:
    """A document as the bytes of its file."""
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """An archive of parts by name."""
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def replaced(package: bytes, parts: Mapping[str, str | bytes]) -> bytes:
    """An archive with some of its parts replaced or added."""
    with ZipFile(io.BytesIO(package)) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    return zipped({**kept, **parts})


def part_of(package: bytes, name: str) -> str:
    """A part of an archive."""
    with ZipFile(io.BytesIO(package)) as archive:
        return archive.read(name).decode()


def bare_docx(body: str, **parts: str) -> bytes:
    """A DOCX file of raw XML: the inside of its body, and further parts by kind."""
    namespaces = (
        'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
        'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    )
    roots = {
        name: f"<w:{name} {namespaces}>{content}</w:{name}>" for name, content in parts.items()
    }
    document = f"<w:document {namespaces}><w:body>{body}</w:body></w:document>"
    return zipped(
        {
            "[Content_Types].xml": _CONTENT_TYPES,
            "_rels/.rels": relations({"officeDocument": "word/document.xml"}),
            "word/document.xml": document,
            "word/_rels/document.xml.rels": relations({name: f"{name}.xml" for name in parts}),
            **{f"word/{name}.xml": content for name, content in roots.items()},
        }
    )


def relations(targets: Mapping[str, str]) -> str:
    """A part that says what another one refers to, by kind."""
    entries = (
        f'<Relationship Id="r{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets.items())
    )
    return (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f"{''.join(entries)}</Relationships>"
    )


def pdf(pages: Sequence[Sequence[str]], bookmarks: Sequence[tuple[str, int]] = ()) -> bytes:
    """A PDF file with lines of text on each page, and bookmarks to page indexes."""
    count = len(pages)
    first = 4
    kids = " ".join(f"{first + 2 * index} 0 R" for index in range(count))
    outlines = first + 2 * count
    objects = [
        f"<</Type/Catalog/Pages 2 0 R/Outlines {outlines} 0 R>>",
        f"<</Type/Pages/Count {count}/Kids[{kids}]>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for index, lines in enumerate(pages):
        content = _content(lines)
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {first + 2 * index + 1} 0 R"
            "/Resources<</Font<</F1 3 0 R>>>>>>",
            f"<</Length {len(content.encode('cp1252'))}>>stream\n{content}\nendstream",
        ]
    last = outlines + len(bookmarks)
    objects.append(f"<</Type/Outlines/First {outlines + 1} 0 R/Last {last} 0 R>>")
    for place, (title, index) in enumerate(bookmarks, outlines + 1):
        following = f"/Next {place + 1} 0 R" if place < last else ""
        objects.append(
            f"<</Title({title})/Parent {outlines} 0 R{following}"
            f"/Dest[{first + 2 * index} 0 R/Fit]>>"
        )
    return pdf_of(objects)


def pdf_of(objects: Iterable[str], trailer: str = "") -> bytes:
    """A PDF file of objects; the first is its root."""
    data = b"%PDF-1.4\n"
    places: list[int] = []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n".encode("cp1252")
    entries = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(places) + 1
    return data + (
        f"xref\n0 {size}\n0000000000 65535 f \n{entries}"
        f"trailer\n<</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{len(data)}\n%%EOF"
    ).encode("cp1252")


def _content(lines: Sequence[str]) -> str:
    escaped = (line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)") for line in lines)
    shown = "".join(f"({line})Tj 0 -14 Td " for line in escaped)
    return f"BT /F1 11 Tf 50 740 Td {shown}ET"
