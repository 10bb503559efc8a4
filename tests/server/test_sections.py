"""Sections of a page."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import BadRequest
from index.records import ContentType, Heading, State
from index.results import PageInfo, StoredPage
from server.sections import heading_paths, section_bounds


def page_of(*headings: tuple[int, str], title: str = "Guide") -> StoredPage:
    """A page of these headings, each with a line of text below it."""
    markdown, outline = "Intro.\n\n", list[Heading]()
    for level, name in headings:
        outline.append(Heading(level, name, name.replace(" ", "-"), len(markdown)))
        markdown += f"{'#' * level} {name}\n\nText of {name}.\n\n"
    info = PageInfo(
        "1", title, "https://w.example/1", "ENG", ContentType.PAGE, 1, State.LIVE, None,
        datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    return StoredPage(info, (), None, markdown, tuple(outline), (), (), ())


GUIDE = page_of(
    (1, "Deploy"), (2, "Steps"), (3, "Details"), (1, "Undo"), (2, "Steps"), (2, "Who may, and why?")
)  # fmt: skip


def section(page: StoredPage, name: str | None) -> str:
    """The Markdown of a section."""
    start, end = section_bounds(page, name)
    return page.markdown[start:end]


def test_no_section_is_the_whole_page() -> None:
    assert section(GUIDE, None) == GUIDE.markdown


def test_a_section_ends_at_the_next_heading_of_its_level_or_above() -> None:
    assert section(GUIDE, "Deploy").endswith("Text of Details.\n\n")
    assert section(GUIDE, "Details") == "### Details\n\nText of Details.\n\n"


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("Steps", 1),
        ("steps", 1),
        ("## Steps", 1),
        ("Undo > Steps", 4),
        ("Guide > Undo > Steps", 4),
        ("guide > undo  > STEPS", 4),
        ("Elsewhere > Details", 2),
        ("Who-may,-and-why?", 5),
        ("who may", 5),
    ],
)
def test_a_heading_is_found_by_path_title_anchor_or_part(name: str, at: int) -> None:
    assert section_bounds(GUIDE, name)[0] == GUIDE.outline[at].offset


def test_a_heading_named_like_its_page_is_found() -> None:
    page = page_of((1, "Guide"), (2, "Steps"), title="Guide")

    assert section(page, "Guide > Steps").startswith("## Steps")
    assert section(page, "Guide").startswith("# Guide")


@pytest.mark.parametrize("name", ["Costs", " ", "#", "Steps > Deploy > Costs"])
def test_an_unknown_heading_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(BadRequest, match="Headings: Deploy; Steps; Details; Undo; "):
        section_bounds(GUIDE, name)


def test_a_page_without_headings_says_so() -> None:
    with pytest.raises(BadRequest, match="Headings: none"):
        section_bounds(page_of(), "Costs")


def test_of_very_many_headings_some_are_named() -> None:
    page = page_of(*((2, f"Heading {n}") for n in range(100)))

    with pytest.raises(BadRequest, match=r"Heading 39; \.\.\.\.$"):
        section_bounds(page, "Costs")


def test_paths_follow_the_levels_even_where_some_are_left_out() -> None:
    outline = page_of((3, "A"), (5, "B"), (4, "C"), (1, "D"), (2, "E")).outline

    assert heading_paths(outline) == [("A",), ("A", "B"), ("A", "C"), ("D",), ("D", "E")]


@given(st.lists(st.tuples(st.integers(1, 6), st.text(max_size=6)), max_size=8), st.text(max_size=6))
def test_a_section_is_always_inside_its_page(headings: list[tuple[int, str]], name: str) -> None:
    page = page_of(*headings)

    try:
        start, end = section_bounds(page, name)
    except BadRequest:
        return

    assert 0 <= start < end <= len(page.markdown)
