from email.message import EmailMessage

import pytest

from ingest.attachments.delimited import separator_of
from ingest.body.blocks import Block
from tests.ingest.attachments.files import markdown, read, reasons

_WORDS = "Größe der Kräne: 5 €, naïve"


def _blocks(kind: str, text: str) -> list[Block]:
    return [piece for piece in read(kind, text.encode()) if isinstance(piece, Block)]


@pytest.mark.parametrize(
    "data",
    [
        _WORDS.encode(),
        b"\xef\xbb\xbf" + _WORDS.encode(),
        _WORDS.encode("utf-16"),
        _WORDS.encode("utf-16-le"),
        _WORDS.encode("utf-16-be"),
        b"\xfe\xff" + _WORDS.encode("utf-16-be"),
        _WORDS.encode("utf-32"),
        _WORDS.encode("cp1252"),
    ],
)
def test_the_encoding_of_a_text_is_found_out(data: bytes) -> None:
    assert markdown("txt", data) == _WORDS


def test_a_character_cut_in_half_does_not_change_the_encoding() -> None:
    assert markdown("txt", ("ü" * 50).encode()[:-1]).startswith("ü" * 49)


def test_paragraphs_and_line_breaks_of_a_text_are_kept() -> None:
    assert markdown("txt", b"one\r\ntwo\r\n\r\n\r\n# three\r\n") == "one  \ntwo\n\n\\# three"


def test_bytes_that_are_no_text_are_named() -> None:
    assert reasons("txt", b"\x89PNG\r\n\x1a\n" + bytes(range(32)) * 9) == [
        "not a text: it holds binary data"
    ]


def test_control_characters_do_not_pass() -> None:
    assert markdown("txt", b"a\x00b and a long enough text around it" * 3).count("\x00") == 0


def test_only_so_many_characters_are_read() -> None:
    pieces = read("txt", b"word " * 1_000 + b"\n\n" + b"more " * 1_000, 6_000)

    assert "only its first 6,000 characters" in str(pieces[-1])
    assert sum(len(piece.markdown) for piece in pieces if isinstance(piece, Block)) <= 6_000


def test_markdown_comes_as_blocks() -> None:
    text = "Title\n=====\n\nText *here*.\n\nPart\n----\n\n- one\n- two\n\n```py\n# code\n===\n```\n"

    assert [(block.kind, block.level) for block in _blocks("md", text)] == [
        ("heading", 1),
        ("text", 0),
        ("heading", 2),
        ("list", 0),
        ("code", 0),
    ]


def test_comments_in_markdown_are_hidden_but_not_in_code() -> None:
    text = "a <!-- secret\n\nwords --> b\n\n```html\n<!-- kept -->\n```"

    shown = markdown("md", text.encode())

    assert "secret" not in shown
    assert "words" not in shown
    assert "<!-- kept -->" in shown


def test_a_table_and_a_rule_in_markdown_are_no_headings() -> None:
    text = "| a | b |\n|---|---|\n| 1 | 2 |\n\nText\n\n---\n\n- item\n---\n"

    assert all(block.kind != "heading" for block in _blocks("md", text))


def test_links_of_markdown_that_run_scripts_lead_nowhere() -> None:
    text = "[a](javascript:alert(1)) [b](https://x.example/y) ![c]( data:text/html,x)"

    shown = markdown("md", text.encode())

    assert "javascript:" not in shown
    assert "data:" not in shown
    assert "(https://x.example/y)" in shown


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b,c\n1,2,3\n", ","),
        ("a;b\n1,5;2\n2,5;3\n", ";"),
        ("a\tb\n1,0\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('"a, b";c\n"d, e";f\n', ";"),
        ("one column\nonly\n", ","),
    ],
)
def test_the_separator_is_found_out(text: str, separator: str) -> None:
    assert separator_of(text) == separator


def test_separated_values_become_a_table() -> None:
    data = 'Berth;Remark\nNorth;"closed\nin May"\nSouth;"a ""b"" | c"\n'

    assert markdown("csv", data.encode("cp1252")) == (
        '| Berth | Remark |\n| --- | --- |\n| North | closed<br>in May |\n| South | a "b" \\| c |'
    )


def test_a_separator_that_the_file_names_is_taken() -> None:
    assert markdown("csv", b"sep=|\na|b\n1,2|3\n").endswith("| 1,2 | 3 |")


def test_a_quote_that_never_ends_loses_no_words() -> None:
    text = markdown("csv", b'a,b\n"one,two\nthree,four\n')

    assert all(word in text for word in ("one", "two", "three", "four"))


def test_html_gives_what_a_browser_shows() -> None:
    page = (
        "<!DOCTYPE html><html><head><title>Tariff</title><style>p{}</style></head><body>"
        "<script>var x = '<p>no</p>'</script><h2>Fees</h2><p onclick=x>North<br>10 &euro;"
        "<p hidden>secret</p><div style='DISPLAY : none'>secret</div>behind<!-- secret -->"
        "<table><tr><th>Berth<th>Fee<tr><td rowspan=2>North<td>1<tr><td>2</table>"
        "<ul><li>one<li>two</ul><p><o:p>odd</o:p> <a href='javascript:x'>link</a>"
    )

    assert markdown("html", page.encode()) == (
        "# Tariff\n\n## Fees\n\nNorth  \n10 €\n\nbehind\n\n"
        "| Berth | Fee |\n| --- | --- |\n| North | 1 |\n| North | 2 |\n\n- one\n- two\n\n"
        "odd link"
    )


def test_the_title_of_a_page_with_a_first_heading_is_left_out() -> None:
    page = b"<title>Site - Tariff</title><h1>Tariff</h1><p>Fees</p>"

    assert markdown("html", page) == "# Tariff\n\nFees"


@pytest.mark.parametrize(
    "head",
    [
        '<meta charset="iso-8859-2">',
        '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-2">',
    ],
)
def test_the_encoding_that_a_page_names_is_taken(head: str) -> None:
    assert markdown("html", f"{head}<p>łódź</p>".encode("iso-8859-2")) == "łódź"


def test_xhtml_with_a_declaration_is_read() -> None:
    page = '<?xml version="1.0" encoding="utf-8"?><html><body><p>łódź</p></body></html>'

    assert markdown("html", page.encode()) == "łódź"


def test_attributes_that_no_xml_may_have_do_no_harm() -> None:
    assert markdown("html", b'<p @click="x" 1="2" \xe2="y" :href="z">words</p>') == "words"


def test_deeply_nested_html_keeps_its_words() -> None:
    page = "<div>" * 20_000 + "inside" + "</div>" * 20_000 + "<p>after</p>"

    text = markdown("html", page.encode())

    assert "inside" in text
    assert "after" in text


def _mail() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Tariff für 2024"
    message["From"] = "Ada <ada@x.example>"
    message["To"] = "bob@x.example"
    message["Date"] = "Mon, 01 Jan 2024 10:00:00 +0000"
    return message


def test_a_mail_tells_who_wrote_what_and_names_its_attachments() -> None:
    message = _mail()
    message.set_content("Fees rise.\n\nSee the file.")
    message.add_alternative("<p>Fees <b>rise</b>.</p>", subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="täriff.pdf")

    assert markdown("eml", message.as_bytes()) == (
        "# Tariff für 2024\n\nFrom: Ada \\<ada@x.example>  \nTo: bob@x.example  \n"
        "Date: Mon, 01 Jan 2024 10:00:00 +0000\n\nFees rise.\n\nSee the file.\n\n"
        "Attachments: täriff.pdf"
    )


def test_a_mail_without_plain_text_gives_its_html() -> None:
    message = _mail()
    message.set_content("<h1>News</h1><p>Fees rise.</p>", subtype="html")

    assert markdown("eml", message.as_bytes()).endswith("# News\n\nFees rise.")


def test_a_forwarded_mail_is_named_by_its_subject() -> None:
    inner, message = _mail(), _mail()
    inner.set_content("inner words")
    del message["Subject"]
    message["Subject"] = "Fwd"
    message.set_content("Look.")
    message.add_attachment(inner)

    text = markdown("eml", message.as_bytes())

    assert text.endswith("Look.\n\nAttachments: Tariff für 2024")


def test_a_mail_in_an_unknown_encoding_is_read_all_the_same() -> None:
    data = b"Subject: x\nContent-Type: text/plain; charset=x-none\n\nGr\xc3\xbc\xc3\x9fe"

    assert markdown("eml", data) == "# x\n\nGrüße"


def test_parts_nested_without_end_cost_no_more_than_the_mail() -> None:
    nested = "".join(
        f'Content-Type: multipart/mixed; boundary="b{depth}"\n\n--b{depth}\n'
        for depth in range(300)
    )

    read("eml", ("Subject: x\n" + nested).encode())


def test_what_is_no_mail_is_named() -> None:
    assert reasons("eml", b"\n\nhello") == ["not an e-mail: it has no headers"]
