import io
import struct
from itertools import pairwise
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.attachments.kinds import KINDS
from ingest.attachments.pieces import Lost
from ingest.body.blocks import Block
from tests.ingest.attachments.files import bare_docx, markdown, pdf, read, reasons, replaced, zipped

_DOCX = bare_docx("<w:p><w:r><w:t>words</w:t></w:r></w:p>")
_SAMPLES = (
    _DOCX,
    pdf([["words"]], [("words", 0)]),
    b"Subject: words\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nwords\n--b--",
    b"<html><body><table><tr><td>words</table>",
    b"# words\n\n- `words`\n\n```\nwords",
    b'a;b\n"words";1\n',
)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.binary(max_size=300))
def test_random_bytes_never_raise(kind: str, data: bytes) -> None:
    assert all(isinstance(piece, Block | Lost) for piece in read(kind, data))


@given(
    kind=st.sampled_from(KINDS),
    sample=st.sampled_from(_SAMPLES),
    place=st.floats(0, 1, exclude_max=True),
    change=st.binary(max_size=8),
)
def test_damaged_files_never_raise(kind: str, sample: bytes, place: float, change: bytes) -> None:
    start = int(place * len(sample))

    read(kind, sample[:start] + change + sample[start + len(change) :])
    read(kind, sample[:start])


@given(text=st.text(max_size=200), kind=st.sampled_from(("txt", "md", "csv", "html", "eml")))
def test_any_text_gives_text_that_can_be_stored(text: str, kind: str) -> None:
    shown = markdown(kind, text.encode("utf-8", "surrogatepass"))

    assert "\x00" not in shown
    shown.encode()


@given(words=st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), min_size=1, max_size=60))
def test_no_word_of_a_page_is_lost_or_said_twice(words: list[str]) -> None:
    lines = [" ".join(words[at : at + 7]) for at in range(0, len(words), 7)]

    assert markdown("pdf", pdf([lines])).split()[3:] == words


def test_entities_that_multiply_are_not_expanded() -> None:
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in pairwise("abcdefghi")
    )
    document = (
        f"<!DOCTYPE x [{entities}]><w:document xmlns:w='w'><w:body><w:p><w:r><w:t>&i;words</w:t>"
        "</w:r></w:p></w:body></w:document>"
    )

    assert "haha" not in markdown("docx", replaced(_DOCX, {"word/document.xml": document}))


def test_an_entity_does_not_read_a_file_of_this_machine() -> None:
    document = (
        "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><w:document xmlns:w='w'><w:body>"
        "<w:p><w:r><w:t>words &a;</w:t></w:r></w:p></w:body></w:document>"
    )

    assert "root" not in markdown("docx", replaced(_DOCX, {"word/document.xml": document}))


def test_a_part_that_unpacks_to_far_too_much_is_left_out() -> None:
    body = "<w:p><w:r><w:t>words</w:t></w:r></w:p>"
    bomb = bare_docx(body, styles=" " * (65 * 1024 * 1024))

    assert len(bomb) < 200_000
    assert markdown("docx", bomb) == "words"
    assert reasons("docx", bomb) == ["damaged: styles.xml inside it is left out"]


def test_an_archive_that_unpacks_to_less_than_it_holds_is_read_no_further() -> None:
    body = "<w:p><w:r><w:t>words</w:t></w:r></w:p>" * 10_000
    bomb = bytearray(bare_docx(body))
    size = len(ZipFile(io.BytesIO(bomb)).read("word/document.xml"))
    understated = bytes(bomb).replace(struct.pack("<I", size), struct.pack("<I", 500))

    assert reasons("docx", understated) == ["damaged: not read to its end"]


def test_elements_nested_without_end_are_refused() -> None:
    nested = "<w:sdt><w:sdtContent>" * 100_000

    (reason,) = reasons("docx", bare_docx(nested))

    assert reason.startswith("damaged")


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx"])
def test_an_archive_that_is_no_office_file_is_named(kind: str) -> None:
    assert reasons(kind, zipped({"a.txt": "words"})) == ["damaged: no document inside"]


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx"])
def test_an_office_file_of_another_kind_gives_no_error(kind: str) -> None:
    for piece in read(kind, _DOCX):
        assert isinstance(piece, Block) or piece.reason


def test_styles_that_are_based_on_each_other_end() -> None:
    styles = (
        '<w:style w:styleId="A"><w:basedOn w:val="B"/></w:style>'
        '<w:style w:styleId="B"><w:basedOn w:val="A"/></w:style>'
    )
    body = '<w:p><w:pPr><w:pStyle w:val="A"/></w:pPr><w:r><w:t>words</w:t></w:r></w:p>'

    assert markdown("docx", bare_docx(body, styles=styles)) == "words"


def test_a_cell_that_spans_everything_costs_little() -> None:
    cell = (
        '<w:tc><w:tcPr><w:gridSpan w:val="999999999"/></w:tcPr>'
        "<w:p><w:r><w:t>words</w:t></w:r></w:p></w:tc>"
    )

    text = markdown("docx", bare_docx(f"<w:tbl><w:tr>{cell}{cell}</w:tr></w:tbl>"))

    assert len(text) < 5_000
