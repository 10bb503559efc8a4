"""A person's filters, which win against whatever the model asks for."""

from datetime import date

import pytest
from chat_filters import ANY_TIME, ChatFilters, filters_from
from chat_results import ANSWER, READ, SEARCH, Passage

TODAY = date(2026, 11, 22)
PEOPLE = ChatFilters(("PEOPLE", "ENG"), date(2026, 1, 31))


def test_without_filters_a_call_stays_as_it_is() -> None:
    asked = {"query": "vpn", "spaces": ["OPS"], "updated_after": "2020-01-01"}

    assert ChatFilters().applied_to(SEARCH, asked) == asked
    assert not ChatFilters()


@pytest.mark.parametrize("tool", [SEARCH, ANSWER])
@pytest.mark.parametrize("asked", [None, [], "ENG", ["OPS"], [7], {"ENG": 1}])
def test_a_model_cannot_leave_the_spaces_of_the_person(tool: str, asked: object) -> None:
    limited = PEOPLE.applied_to(tool, {"spaces": asked})

    assert limited["spaces"] == ["PEOPLE", "ENG"]


def test_a_model_may_look_at_less_than_the_person_allows() -> None:
    limited = PEOPLE.applied_to(SEARCH, {"spaces": [" eng", "OPS"], "updated_after": "2026-06-01"})

    assert limited == {"spaces": ["ENG"], "updated_after": "2026-06-01"}


@pytest.mark.parametrize("asked", [None, "", "2019-05-05", "last year", 7])
def test_a_model_cannot_look_at_older_pages(asked: object) -> None:
    limited = PEOPLE.applied_to(SEARCH, {"updated_after": asked})

    assert limited["updated_after"] == "2026-01-31"


@pytest.mark.parametrize(
    ("space", "day", "is_admitted"),
    [
        ("people", "2026-01-31", True),
        ("PEOPLE", "2026-01-30", False),
        ("OPS", "2026-06-01", False),
        ("", "2026-06-01", False),
        ("ENG", "", False),
    ],
)
def test_a_page_outside_is_not_read_by_its_name(space: str, day: str, is_admitted: bool) -> None:
    page = Passage(space_key=space, updated_at=day)

    refusal = PEOPLE.refusal_of(READ, page)

    assert (refusal is None) is is_admitted
    assert refusal is None or "in PEOPLE and ENG, changed since 2026-01-31" in refusal


@pytest.mark.parametrize(
    ("spaces", "period", "expected"),
    [
        (None, None, ChatFilters()),
        ([], ANY_TIME, ChatFilters()),
        ("ENG", "tomorrow", ChatFilters()),
        ([" ENG ", "", "ENG", "~jdoe"], "7", ChatFilters(("ENG", "~jdoe"), date(2026, 11, 15))),
    ],
)
def test_settings_become_filters(spaces: object, period: object, expected: ChatFilters) -> None:
    assert filters_from(spaces, period, TODAY) == expected
