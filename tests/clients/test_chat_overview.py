"""What a server lists, and the questions that come of it."""

from chat_overview import GENERAL, Listed, Overview, overview_of, starter_questions

SPACE = Listed("confluence://space/ENG", "Engineering")
MINE = Listed("confluence://space/~j%20doe", "Jo")
PAGE = Listed("confluence://page/7", "On-call handbook")


def test_spaces_and_pages_are_told_apart_from_other_resources() -> None:
    overview = overview_of([SPACE, MINE, PAGE, PAGE, Listed("file:///etc/passwd", "passwd")], [])

    assert overview.spaces == {"ENG": "Engineering", "~j doe": "Jo"}
    assert overview.pages == ("On-call handbook",)


def test_only_a_server_that_would_list_spaces_can_be_empty() -> None:
    listing = overview_of([], ["confluence://page/{page_id}", "confluence://space/{key}"])

    assert listing.is_empty
    assert not overview_of([], ["confluence://page/{page_id}"]).is_empty
    assert not overview_of([PAGE], ["confluence://space/{key}"]).is_empty


def test_starters_ask_for_pages_and_then_for_spaces() -> None:
    questions = starter_questions(overview_of([MINE, SPACE, PAGE], []))

    assert questions == [
        "What does “On-call handbook” say?",
        "What is the space “Engineering” about?",
    ]


def test_without_anything_listed_starters_are_general() -> None:
    too_long = Overview(pages=("x" * 200,))

    assert starter_questions(Overview()) == starter_questions(too_long) == list(GENERAL)
