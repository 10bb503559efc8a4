"""Which spaces a run looks at, and which the index is to hold."""

import pytest

from ingest.settings import IngestSettings
from ingest.sync import Plan

SPACES = ("ENG", "HR", "OPS")


@pytest.mark.parametrize(
    ("configured", "only", "looked_at", "held"),
    [
        ("", (), {"ENG", "HR", "OPS"}, {"ENG", "HR", "OPS"}),
        ("eng,ops", (), {"ENG", "OPS"}, {"ENG", "OPS"}),
        ("", ("hr",), {"HR"}, {"ENG", "HR", "OPS"}),
        ("-hr", (" Ops ",), {"OPS"}, {"ENG", "OPS"}),
        ("eng", ("HR",), {"HR"}, {"ENG", "HR"}),
    ],
)
def test_a_run_over_some_spaces_holds_all_that_are_configured(
    configured: str, only: tuple[str, ...], looked_at: set[str], held: set[str]
) -> None:
    settings = IngestSettings.model_validate({"confluence_spaces": configured})

    plan = Plan.of(settings, only=frozenset(only))

    assert {key for key in SPACES if plan.looks_at(key)} == looked_at
    assert {key for key in SPACES if plan.admits(key)} == held
