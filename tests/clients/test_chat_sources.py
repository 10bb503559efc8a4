"""Numbers of sources, and page text that stays text."""

import pytest
from chat_results import Passage
from chat_sources import (
    Sources,
    link_to,
    renumbered,
    snippet,
    with_single_markers,
    with_whole_colons,
    without_images,
)

VACATION = Passage(
    page_id="101",
    title="Vacation",
    url="https://wiki.invalid/pages/101#carry-over",
    space_key="PEOPLE",
    heading_path=("Days", "Carry-over"),
    updated_at="2026-03-02T10:00:00Z",
    text="Five days carry over.",
)


def test_a_passage_that_is_met_again_keeps_its_number() -> None:
    sources = Sources()
    sources.add(VACATION)
    sources.add(VACATION.model_copy(update={"text": "Another passage of that page."}))

    again = sources.add(VACATION.model_copy())

    assert again.number == 1
    assert len(sources) == 2


def test_cited_sources_come_in_the_order_of_their_first_mention() -> None:
    sources = Sources()
    for number in range(1, 13):
        sources.add(VACATION.model_copy(update={"text": str(number)}))

    cited = sources.cited_in("In 2026 [12, 2] so [2] and [99], but not [1](https://x.invalid).")

    assert [source.number for source in cited] == [12, 2]


def test_several_numbers_in_one_bracket_become_several_markers() -> None:
    assert with_single_markers("Five days [1, 2].") == "Five days [1][2]."


def test_numbers_of_an_answer_are_exchanged_all_at_once() -> None:
    assert renumbered("a [1] b [2] c [1,2] d [7]", {1: 2, 2: 1}) == "a [2] b [1] c [2][1] d (7)"


def test_images_of_every_form_become_text() -> None:
    markdown = "![a](https://x.invalid/a) ![b][c] !![d](https://x.invalid/d)"

    assert "![" not in without_images(markdown)


def test_a_snippet_gives_no_sign_a_meaning() -> None:
    text = snippet(
        "# Rota\n- **Ada** keeps [it](https://x.invalid) <b>\n![x](https://x.invalid) ![y][z]"
    )

    assert text == "Rota Ada keeps it \\<b\\> x !\\[y\\]\\[z\\]"


def test_a_snippet_of_a_table_keeps_its_cells_apart() -> None:
    text = snippet("| Level | Told |\n| --- | :-: |\n| SEV3 | \\#eng \\<only> |")

    assert text == "Level · Told SEV3 · \\#eng \\<only\\>"


def test_a_link_leads_only_to_the_web() -> None:
    script = VACATION.model_copy(update={"url": "javascript:alert(1)"})
    broken = VACATION.model_copy(update={"url": "https://x.invalid/a b>c"})

    assert link_to(script, "Open") == "Open"
    assert link_to(broken, "Open [it]") == "[Open \\[it\\]](<https://x.invalid/a%20b%3Ec>)"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("KEY:Title, std::vector and 10:30", "KEY\\:Title, std\\:\\:vector and 10:30"),
        ("see `KEY:Title` and https://x.invalid", "see `KEY:Title` and https://x.invalid"),
        ("```yaml\nkey:value\n```\nkey:value", "```yaml\nkey:value\n```\nkey\\:value"),
        ("```\nnever:closed", "```\nnever:closed"),
        (":::warning\nx\n:::", "\\:\\:\\:warning\nx\n:::"),
    ],
)
def test_colons_outside_of_code_do_not_swallow_what_follows(written: str, kept: str) -> None:
    assert with_whole_colons(written) == kept
