"""Tasks of the server, as a person is asked for what they need."""

import pytest
from chat_tasks import ICON, Needed, Question, Task, question_for, question_from

COMPARE = Task("compare_pages", "Compare two pages", needs=(Needed("first"), Needed("second")))


def test_a_task_is_remembered_in_few_words_and_asked_again_as_it_was() -> None:
    question = question_for(COMPARE, {"first": "ENG:VPN", "second": "ENG:Old VPN"})

    assert question.text == "Compare two pages: ENG:VPN; ENG:Old VPN"
    assert question_from(question.as_payload()) == question
    assert question_from(Question("How?").as_payload()) == Question("How?")


@pytest.mark.parametrize("given", [None, "x", ["first"], {"first": 1}])
def test_what_the_page_sends_back_in_another_form_is_a_plain_question(given: object) -> None:
    payload = {"question": "How?", "task": "compare_pages", "given": given}

    assert question_from(payload) == Question("How?")


def test_a_task_of_another_server_has_an_icon_as_well() -> None:
    assert Task("x", "X").icon == ICON != COMPARE.icon
