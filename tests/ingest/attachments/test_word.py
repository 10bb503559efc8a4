import docx
from docx.shared import Inches

from ingest.body.blocks import Block
from tests.ingest.attachments.files import bare_docx, markdown, read, reasons, replaced, saved


def _paragraph(text: str, properties: str = "", run: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:rPr>{run}</w:rPr><w:t>{text}</w:t></w:r></w:p>"


def test_headings_paragraphs_and_tables_come_in_order() -> None:
    document = docx.Document()
    document.add_heading("Harbour rules", 0)
    document.add_heading("Berths", 1)
    document.add_paragraph("Berths are booked by the hour.")
    table = document.add_table(2, 2)
    for row, values in zip(table.rows, [("Berth", "Metres"), ("North 1", "120")], strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    document.add_heading("Cranes", 2)
    document.add_paragraph("Cranes are not.")

    assert markdown("docx", saved(document)) == (
        "# Harbour rules\n\n# Berths\n\nBerths are booked by the hour.\n\n"
        "| Berth | Metres |\n| --- | --- |\n| North 1 | 120 |\n\n"
        "## Cranes\n\nCranes are not."
    )


def test_headings_have_a_level_a_title_and_no_anchor() -> None:
    document = docx.Document()
    document.add_heading("Berths & cranes", 2)

    assert read("docx", saved(document)) == [
        Block("heading", "## Berths & cranes", 2, "Berths & cranes")
    ]


def test_a_style_based_on_a_heading_is_one() -> None:
    styles = (
        '<w:style w:styleId="berschrift3"><w:name w:val="heading 3"/></w:style>'
        '<w:style w:styleId="Kapitel"><w:name w:val="Kapitel"/>'
        '<w:basedOn w:val="berschrift3"/></w:style>'
    )
    body = _paragraph("Anlegen", '<w:pStyle w:val="Kapitel"/>')

    assert markdown("docx", bare_docx(body, styles=styles)) == "### Anlegen"


def test_lists_are_nested_and_numbered() -> None:
    numbering = (
        '<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/>'
        '<w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
        '<w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/><w:lvlText w:val="o"/></w:lvl></w:abstractNum>'
        '<w:num w:numId="7"><w:abstractNumId w:val="0"/></w:num>'
    )
    items = [("Announce", 0), ("by radio", 1), ("by mail", 1), ("Moor", 0)]
    body = "".join(
        _paragraph(text, f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="7"/></w:numPr>')
        for text, depth in items
    )

    text = markdown("docx", bare_docx(body + _paragraph("Done."), numbering=numbering))

    assert text == "1. Announce\n   - by radio\n   - by mail\n2. Moor\n\nDone."


def test_numbers_go_on_after_a_paragraph_between() -> None:
    numbering = (
        '<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/>'
        '<w:lvlText w:val="%1)"/></w:lvl></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    )
    item = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    body = _paragraph("One", item) + _paragraph("Between") + _paragraph("Two", item)

    text = markdown("docx", bare_docx(body, numbering=numbering))

    assert text == "1. One\n\nBetween\n\n2. Two"


def test_numbers_of_clauses_are_kept() -> None:
    numbering = (
        '<w:abstractNum w:abstractNumId="0">'
        '<w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/><w:lvlText w:val="%1"/></w:lvl>'
        '<w:lvl w:ilvl="1"><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>'
        '<w:lvl w:ilvl="2"><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%3)"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    )

    def item(depth: int) -> str:
        return f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="1"/></w:numPr>'

    body = (
        _paragraph("Berths", item(0) + '<w:outlineLvl w:val="0"/>')
        + _paragraph("Fees", item(1) + '<w:outlineLvl w:val="1"/>')
        + _paragraph("Liability", item(1) + '<w:outlineLvl w:val="1"/>')
        + _paragraph("for damage", item(2))
        + _paragraph("for delay", item(2))
    )

    text = markdown("docx", bare_docx(body, numbering=numbering))

    assert (
        text == "# 1 Berths\n\n## 1.1 Fees\n\n## 1.2 Liability\n\n- a) for damage\n- b) for delay"
    )


def test_hidden_and_deleted_text_is_left_out_and_inserted_text_kept() -> None:
    body = (
        _paragraph("secret", run="<w:vanish/>")
        + _paragraph("shown", run='<w:vanish w:val="0"/>')
        + "<w:p><w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:r><w:t xml:space='preserve'> text</w:t></w:r>"
        "</w:p>"
    )

    assert markdown("docx", bare_docx(body)) == "shown\n\nnew text"


def test_text_that_a_style_hides_is_left_out() -> None:
    styles = (
        '<w:style w:styleId="Base"><w:name w:val="Base"/><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:styleId="Under"><w:name w:val="U"/><w:basedOn w:val="Base"/></w:style>'
    )
    body = _paragraph("one", '<w:pStyle w:val="Under"/>') + _paragraph(
        "two", run='<w:rStyle w:val="Base"/>'
    )

    assert markdown("docx", bare_docx(body + _paragraph("three"), styles=styles)) == "three"


def test_content_controls_fields_and_formulas_keep_their_text() -> None:
    body = (
        "<w:sdt><w:sdtPr/><w:sdtContent>" + _paragraph("in a control") + "</w:sdtContent></w:sdt>"
        "<w:p><w:sdt><w:sdtContent><w:r><w:t>inline</w:t></w:r></w:sdtContent></w:sdt></w:p>"
        '<w:p><w:fldSimple w:instr=" PAGE "><w:r><w:t>12</w:t></w:r></w:fldSimple></w:p>'
        "<w:p><w:r><w:instrText>HYPERLINK x</w:instrText></w:r><w:r><w:t>field</w:t></w:r></w:p>"
        "<w:p><m:oMath><m:r><m:t>E=mc²</m:t></m:r></m:oMath></w:p>"
    )

    assert markdown("docx", bare_docx(body)).split("\n\n") == [
        "in a control",
        "inline",
        "12",
        "field",
        "E=mc²",
    ]


def test_a_text_box_is_read_once() -> None:
    box = f"<w:txbxContent>{_paragraph('in a box')}</w:txbxContent>"
    body = (
        "<w:p><w:r><w:t>before</w:t></w:r><w:r><mc:AlternateContent>"
        f"<mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
        "</mc:AlternateContent></w:r></w:p>"
    )

    assert markdown("docx", bare_docx(body)) == "before\n\nin a box"


def test_merged_cells_are_spelled_out() -> None:
    document = docx.Document()
    table = document.add_table(3, 3)
    for row, values in zip(table.rows, ["abc", "def", "ghi"], strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    table.cell(0, 1).merge(table.cell(0, 2)).text = "wide"
    table.cell(1, 0).merge(table.cell(2, 0)).text = "tall"

    assert markdown("docx", saved(document)) == (
        "| a | wide | wide |\n| --- | --- | --- |\n| tall | e | f |\n| tall | h | i |"
    )


def test_a_table_in_a_cell_keeps_its_words() -> None:
    document = docx.Document()
    table = document.add_table(2, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Berth", "Times"
    table.cell(1, 0).text = "North"
    inner = table.cell(1, 1).add_table(1, 2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "from 6", "to 22"

    assert markdown("docx", saved(document)).endswith("| North | from 6, to 22 |")


def test_links_keep_their_address_and_footnotes_their_place() -> None:
    notes = (
        '<w:footnote w:type="separator" w:id="-1"><w:p/></w:footnote>'
        f'<w:footnote w:id="2">{_paragraph("See the tariff.")}</w:footnote>'
    )
    body = (
        '<w:p><w:hyperlink r:id="h1" xmlns:r="r"><w:r><w:t>tariff</w:t></w:r></w:hyperlink>'
        '<w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    )
    document = bare_docx(body, footnotes=notes)
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="h1" Type="{office}/hyperlink" Target="https://x.example/t" '
        'TargetMode="External"/>'
        f'<Relationship Id="n" Type="{office}/footnotes" Target="footnotes.xml"/></Relationships>'
    )

    text = markdown("docx", replaced(document, {"word/_rels/document.xml.rels": relations}))

    assert text == "[tariff](https://x.example/t)[2]\n\n# Footnotes\n\n[2] See the tariff."


def test_comments_name_their_author() -> None:
    document = docx.Document()
    run = document.add_paragraph().add_run("Berths are free.")
    document.add_comment(run, text="Since when?", author="Ada", initials="A")

    assert markdown("docx", saved(document)) == (
        "Berths are free.\n\n# Comments\n\nAda: Since when?"
    )


def test_headers_and_footers_are_read_once() -> None:
    document = docx.Document()
    document.add_paragraph("Body")
    document.sections[0].header.paragraphs[0].text = "Tariff 2024-7"
    document.add_section()
    document.sections[1].header.is_linked_to_previous = False
    document.sections[1].header.paragraphs[0].text = "Tariff 2024-7"
    document.sections[1].left_margin = Inches(1)

    assert markdown("docx", saved(document)) == ("Body\n\n# Headers and footers\n\nTariff 2024-7")


def test_a_table_of_contents_does_not_tell_the_headings_again() -> None:
    styles = '<w:style w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>'
    body = _paragraph("Berths 3", '<w:pStyle w:val="TOC1"/>') + _paragraph("Text")

    assert markdown("docx", bare_docx(body, styles=styles)) == "Text"


def test_a_long_document_keeps_every_word_in_order() -> None:
    document = docx.Document()
    words = [f"word{number}" for number in range(1_500)]
    for start in range(0, 1_500, 3):
        style = "List Bullet" if start % 30 else None
        document.add_paragraph(" ".join(words[start : start + 3]) + " and" * 12, style)

    text = markdown("docx", saved(document))

    assert [word for word in text.split() if word.startswith("word")] == words


def test_a_damaged_part_costs_the_rest_and_is_named() -> None:
    body = "".join(_paragraph(f"line {number}") for number in range(5_000))
    document = bare_docx(body + "<w:p><w:r>")

    assert "line 0\n\nline 1\n\n" in markdown("docx", document)
    assert reasons("docx", document) == ["damaged: not read to its end"]


def test_an_old_or_locked_file_is_named() -> None:
    (reason,) = reasons("docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))

    assert reason.startswith("protected by a password")
