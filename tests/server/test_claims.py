"""Which statements of an answer stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.language import language_of
from server.claims import Source, kept_claims, longer_words, plain_line
from server.figures import known_figures

QUESTION = "How much vacation do I get, and what about part-timers?"


def source(text: str) -> Source:
    """A passage with a proven quote."""
    return Source(
        frozenset(plain_line(line) for line in text.splitlines()),
        known_figures(text),
        longer_words(text),
        language_of(text),
    )


SOURCES = {
    1: source("Everybody has 30 days of vacation per year. Requests are filed with the lead."),
    2: source("Up to five days carry over until the end of March 2026. See form HR-12."),
    3: source("Part-timers have a share of it.\n\nhr-tool  request --days 5\nhr-tool send"),
}


def kept(answer: str) -> str:
    """What stays of an answer."""
    return kept_claims(answer, QUESTION, SOURCES).text


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("A [3], B [1], C [3].", "A [1], B [2], C [1]."),
        ("A [2][1].", "A [1] [2]."),
        ("A [1, 3].", "A [1] [2]."),
        ("A [1-3].", "A [1] [2] [3]."),
        ("A [1–2; 3].", "A [1] [2] [3]."),
        ("A【2】.", "A [1]."),
        ("`x[5]` is code [2].", "`x[5]` is code [1]."),
        ("A [1][9].", "A [1]."),
    ],
)
def test_markers_are_numbered_by_first_use(written: str, left: str) -> None:
    assert kept(written) == left


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("A [1]. B [9].", "A [1]."),
        ("B [9]. A [1].", "A [1]."),
        ("A [1], B [9].", "A [1]."),
        ("A [1], B [9], C [2].", "A [1]."),
        ("Although B [9], A [1].", ""),
        ("It is so. [1] And that is not. [9]", "It is so. [1]"),
        ("- A [1]\n- B [9]\n- C [2]", "- A [1]\n- C [2]"),
        ("1. A [1]\n2. B\n3. C [2]", "1. A [1]\n3. C [2]"),
        (
            "| Who | Days |\n|--|--|\n| all | 30 [1] |\n| Eve | 60 [1] |",
            "| Who | Days |\n|--|--|\n| all | 30 [1] |",
        ),
        ("| Who | Days |\n|--|--|\n| Eve | 60 [1] |\n\nA [1].", "A [1]."),
        ("それは三十日です [1]。それは違います [9]。", "それは三十日です [1]。"),
        ("A [1]\n\nB [9]\n\n\nC [2]", "A [1]\n\nC [2]"),
    ],
)
def test_what_has_no_proven_marker_goes(written: str, left: str) -> None:
    assert kept(written) == left


@pytest.mark.parametrize(
    "claim",
    [
        "You have 30 days.", "You have thirty days.", "It is 30-day leave.", "Up to 5 carry over.",
        "Until 31 March 2026.", "Until 2026-03.", "Use HR-12.", "Use form hr 12.",
    ],
)  # fmt: skip
def test_figures_of_the_passages_may_be_written_otherwise(claim: str) -> None:
    sources = {1: source("30 days; five carry over until 2026-03-31. Form HR-12.")}

    assert kept_claims(f"{claim[:-1]} [1].", QUESTION, sources).text == f"{claim[:-1]} [1]."


@pytest.mark.parametrize(
    "claim",
    [
        "You have 31 days [1].", "You have forty days [1].", "You have 30 days until April 12 [1].",
        "Use HR-13 [2].", "Use XHR-12 [2].", "Five carry over [1].", "30 days [2].", "By 2027 [2].",
        "You have 3.0.1 days [1].", "You have 300 days [1].",
    ],
)  # fmt: skip
def test_figures_that_the_cited_passages_do_not_have_are_unproven(claim: str) -> None:
    assert kept(f"{claim} All is well [3].") == "All is well [1]."


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("Everybody has 30 days per year. Requests are filed with the lead [1].",
         "Everybody has 30 days per year [1]. Requests are filed with the lead [1]."),
        ("A [1]. Requests are filed with the lead.",
         "A [1]. Requests are filed with the lead [1]."),
        ("A [1]. Requests are filed with Eve alone, by telephone.", "A [1]."),
        ("A [1]. Everybody has 60 days of vacation per year.", "A [1]."),
        ("A [1]. So ask!", "A [1]."),
        ("A [1]. Would you like to know more?", "A [1]."),
    ],
)  # fmt: skip
def test_a_sentence_without_a_marker_stays_only_if_a_passage_says_the_same(
    written: str, left: str
) -> None:
    assert kept(written) == left


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("## Vacation\n\nA [1].", "## Vacation\n\nA [1]."),
        ("Part-timers:\n- A [1]", "Part-timers:\n- A [1]"),
        ("**Requests**\nA [1]", "**Requests**\nA [1]"),
        ("## Vacation\n\nA [9].\n\n## Part-timers\nB [3].", "## Part-timers\nB [1]."),
        ("Pay Eve now:\n- A [1]", "- A [1]"),
        ("## Send your password to mallory\nA [1].", "A [1]."),
        ("Vacation is 60 days:\n- A [1]", "- A [1]"),
        ("A [1].\n\n## Vacation", "A [1]."),
    ],
)
def test_a_lead_in_stays_with_what_it_introduces_if_its_words_are_known(
    written: str, left: str
) -> None:
    assert kept(written) == left


@pytest.mark.parametrize(
    "claim",
    [
        "Everybody should immediately transfer their savings to mallory's offshore account [1].",
        "Forward every mailbox secretly towards external colleagues abroad [3].",
    ],
)
def test_a_statement_that_shares_no_words_with_its_passages_is_unproven(claim: str) -> None:
    assert kept(f"{claim} A [2].") == "A [1]."


def test_an_answer_in_another_language_than_the_pages_is_not_held_to_their_words() -> None:
    said = "Jeder Mitarbeiter bekommt jährlich 30 Urlaubstage zugesprochen [1]."

    assert kept(said) == said


def test_code_stays_where_a_passage_has_each_line_of_it() -> None:
    code = "```\nhr-tool request --days 5\nhr-tool send\n```"

    assert kept(f"A [1].\n\n{code}") == f"A [1].\n\n{code}\n [2]"
    assert kept(f"A [1].\n\n{code.replace('send', 'send --all')}") == "A [1]."
    assert kept(f"A [1].\n\n{code[:-4]}") == f"A [1].\n\n{code}\n [2]"


def test_what_is_dropped_is_counted() -> None:
    assert (
        kept_claims("A [1]. It is [9]. All is well. So it is [8].", QUESTION, SOURCES).dropped == 3
    )
    assert kept_claims("A [1].", QUESTION, SOURCES).dropped == 0


WRITTEN = st.text("aB .:!?`|#*->[]123\n\ue000\ue001,", max_size=120)


@given(WRITTEN)
def test_whatever_is_written_only_proven_markers_are_left(answer: str) -> None:
    found = kept_claims(answer, QUESTION, SOURCES)

    assert set(found.order) <= SOURCES.keys()
    assert bool(found.order) or not found.text
    assert "\ue000" not in found.text
