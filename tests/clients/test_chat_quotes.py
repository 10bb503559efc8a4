"""Words of a passage that an answer rests on."""

from chat_quotes import nearest_words, statements

PASSAGE = """# Days

You get **30 days** a year.
Up to [five days](https://x.invalid) carry over until the end of March.

| Land | Days |
| --- | --- |
| Portugal | 22 working days and 3 more |
"""


def test_a_statement_is_the_sentence_that_gives_the_number() -> None:
    answer = "First. You may carry five days over [1][2]. In Portugal it is 25. [3]\n- Ask [1]"

    assert statements(answer, 1) == ["You may carry five days over .", "- Ask "]
    assert statements(answer, 3) == ["In Portugal it is 25 ."]
    assert statements(answer, 9) == []


def test_the_nearest_sentence_is_given_without_its_markdown() -> None:
    near = nearest_words(["At most five days can be carried over until March"], PASSAGE)

    assert near == ["Up to five days carry over until the end of March."]


def test_a_row_of_a_table_can_be_nearest() -> None:
    assert nearest_words(["Portugal has 22 working days"], PASSAGE) == [
        "Portugal · 22 working days and 3 more"
    ]


def test_two_statements_come_in_the_order_of_the_passage() -> None:
    near = nearest_words(["five days carry over", "30 days a year"], PASSAGE)

    assert near == [
        "You get 30 days a year.",
        "Up to five days carry over until the end of March.",
    ]


def test_words_of_something_else_are_not_claimed_to_be_near() -> None:
    assert nearest_words(["The rota changes on Monday", "", "days"], PASSAGE) == []
    assert nearest_words(["anything at all"], "") == []
