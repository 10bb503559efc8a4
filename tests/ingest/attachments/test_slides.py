from pptx import Presentation
from pptx.chart.data import ChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.presentation import Presentation as Deck
from pptx.shapes.placeholder import SlidePlaceholder
from pptx.slide import Slide
from pptx.util import Inches

from tests.ingest.attachments.files import markdown, part_of, replaced, saved

_PLACE = (Inches(1), Inches(1), Inches(4), Inches(2))


def _slide(deck: Deck, title: str, *lines: tuple[int, str]) -> Slide:
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    assert slide.shapes.title is not None
    slide.shapes.title.text_frame.text = title
    body = slide.placeholders[1]
    assert isinstance(body, SlidePlaceholder)
    for index, (level, line) in enumerate(lines):
        frame = body.text_frame
        paragraph = frame.add_paragraph() if index else frame.paragraphs[0]
        paragraph.text, paragraph.level = line, level
    return slide


def test_each_slide_stands_under_its_number_and_title() -> None:
    deck = Presentation()
    _slide(deck, "Berths", (0, "North"), (1, "120 metres"), (0, "South"))
    _slide(deck, "Cranes", (0, "None."))

    assert markdown("pptx", saved(deck)) == (
        "# Slide 1: Berths\n\n- North\n  - 120 metres\n- South\n\n# Slide 2: Cranes\n\nNone."
    )


def test_tables_groups_and_text_boxes_are_read() -> None:
    deck = Presentation()
    slide = _slide(deck, "Berths")
    table = slide.shapes.add_table(2, 2, *_PLACE).table
    for index, value in enumerate(["Berth", "Metres", "North", "120"]):
        table.cell(index // 2, index % 2).text = value
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(*_PLACE).text_frame.text = "in a group"

    assert markdown("pptx", saved(deck)) == (
        "# Slide 1: Berths\n\n| Berth | Metres |\n| --- | --- |\n| North | 120 |\n\nin a group"
    )


def test_merged_cells_of_a_table_are_spelled_out() -> None:
    deck = Presentation()
    table = _slide(deck, "Berths").shapes.add_table(2, 2, *_PLACE).table
    table.cell(0, 0).merge(table.cell(0, 1))
    table.cell(0, 0).text, table.cell(1, 0).text, table.cell(1, 1).text = "wide", "a", "b"

    assert "| wide | wide |\n| --- | --- |\n| a | b |" in markdown("pptx", saved(deck))


def test_notes_belong_to_their_slide() -> None:
    deck = Presentation()
    notes = _slide(deck, "Berths", (0, "North")).notes_slide.notes_text_frame
    assert notes is not None
    notes.text = "Mention the tariff."

    assert markdown("pptx", saved(deck)).endswith("North\n\n## Notes\n\nMention the tariff.")


def test_hidden_slides_and_shapes_are_left_out() -> None:
    deck = Presentation()
    _slide(deck, "Draft", (0, "secret"))
    box = _slide(deck, "Berths", (0, "North")).shapes.add_textbox(*_PLACE)
    box.text_frame.text = "hidden"
    package = saved(deck)
    names = [f"ppt/slides/slide{number}.xml" for number in (1, 2)]
    draft, shown = (part_of(package, name) for name in names)
    draft = draft.replace("<p:sld ", '<p:sld show="0" ')
    shown = shown.replace(f'name="{box.name}"', f'name="{box.name}" hidden="1"')

    text = markdown("pptx", replaced(package, dict(zip(names, (draft, shown), strict=True))))

    assert text == "# Slide 2: Berths\n\nNorth"


def test_a_chart_is_a_table() -> None:
    deck = Presentation()
    data = ChartData()
    data.categories = ["North", "South"]
    data.add_series("Calls", (12, 7.5))  # pyright: ignore[reportUnknownMemberType] # untyped there
    _slide(deck, "Calls").shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *_PLACE, data)

    assert "|  | Calls |\n| --- | --- |\n| North | 12 |\n| South | 7.5 |" in markdown(
        "pptx", saved(deck)
    )


def test_slides_come_in_their_order_not_in_that_of_their_files() -> None:
    deck = Presentation()
    _slide(deck, "Second")
    _slide(deck, "First")
    package = saved(deck)
    listing = part_of(package, "ppt/presentation.xml")
    start, end = listing.index("<p:sldId "), listing.index("</p:sldIdLst>")
    first, second = (f"<p:sldId {one}" for one in listing[start:end].split("<p:sldId ")[1:])

    turned = listing[:start] + second + first + listing[end:]

    assert markdown("pptx", replaced(package, {"ppt/presentation.xml": turned})) == (
        "# Slide 1: First\n\n# Slide 2: Second"
    )
