import pytest

from ingest.attachments.kinds import KINDS, kind_of


@pytest.mark.parametrize(
    ("filename", "kind"),
    [
        ("report.pdf", "pdf"),
        ("REPORT.PDF", "pdf"),
        ("minutes.v2.docx", "docx"),
        ("macros.docm", "docx"),
        ("talk.ppsx", "pptx"),
        ("budget.xlsm", "xlsx"),
        ("rows.tsv", "csv"),
        ("server.log", "txt"),
        ("README.markdown", "md"),
        ("page.htm", "html"),
        ("mail.eml", "eml"),
    ],
)
def test_the_extension_tells_the_kind(filename: str, kind: str) -> None:
    assert kind_of(filename, "application/octet-stream") == kind


def test_the_name_is_trusted_before_the_media_type() -> None:
    assert kind_of("rows.csv", "application/vnd.ms-excel") == "csv"


def test_the_media_type_tells_the_kind_of_a_name_that_does_not() -> None:
    assert kind_of("minutes", "application/pdf") == "pdf"
    assert kind_of("notes", "Text/Plain; charset=utf-8") == "txt"


@pytest.mark.parametrize("filename", ["picture.png", "old.doc", "archive.zip", "pdf", "", "."])
def test_other_files_are_not_read(filename: str) -> None:
    assert kind_of(filename, "application/octet-stream") is None


def test_every_kind_is_told_by_its_own_name() -> None:
    assert [kind_of(f"file.{kind}", "") for kind in KINDS] == list(KINDS)
