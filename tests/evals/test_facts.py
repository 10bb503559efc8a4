"""Facts are found however they are written, and quotes only where they stand."""

import pytest

from evals.facts import states
from evals.quotes import is_verbatim


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ("15 December 2026", "compulsory from **2026-12-15**, no later"),
        ("2026-12-15", "Ab dem 15. Dezember 2026 gilt das."),
        ("2026-12-15", "on December 15th, 2026"),
        ("2026-12-15", "15.12.2026"),
        ("2026年12月15日", "until 15 Dec 2026"),
        ("15 de dezembro de 2026", "2026-12-15"),
        ("15 January", "by 15 January 2027 at the latest"),
        ("1,500 EUR", "bis zu 1.500 Euro"),
        ("1,500 EUR", "It is €1500 a year."),
        ("9,400", "EUR 9’400, that is 9'400"),
        ("0.40", "0,4 EUR je Kilometer"),
        ("24.50 EUR", "EUR 24.5"),
        ("8%", "8 per cent"),
        ("99.9%", "99,9 Prozent"),
        ("six places", "There are 6 places."),
        ("4", "Vier Wochen"),
        ("7 Wochen", "**7 Wochen** vor Beginn"),
        ("0.5 m", "the margin is 0.5m"),
        ("+31 10 555 0121", "+31 (10) 555-0121"),
        ("quayctl pause --all", "run `quayctl pause --all` first"),
        ("grey button", "press the [grey button](https://a.example/b)"),
        ("12か所", "対象は12か所です"),
    ],
)
def test_a_fact_is_stated_however_it_is_written(fact: str, text: str) -> None:
    assert states(text, [fact])


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ("27 days", "127 days"),
        ("8%", "28%"),
        ("8%", "8.5%"),
        ("300", "1,300"),
        ("5", "0.5 m, 1.5"),
        ("15 December 2026", "15 December 2027"),
        ("2026-12-15", "2026-12-16"),
        ("15 January", "15 June"),
        ("165 EUR", "165 USD, not EUR"),
        ("Ines", "Inesita"),
        ("10 May", "for 10 may be too many"),
        ("four", "forty"),
    ],
)
def test_what_is_nearly_a_fact_states_nothing(fact: str, text: str) -> None:
    assert not states(text, [fact])


def test_any_alternative_will_do() -> None:
    assert states("Turn the Wi-Fi off.", ["off the network", "Wi-Fi off"])
    assert not states("Turn the laptop off.", ["off the network", "Wi-Fi off"])


def test_a_number_before_a_month_that_is_a_verb_is_no_date() -> None:
    assert states("up to 10 may be carried over", ["10"])


PAGE = """## Rest

After a call between 23:00 and 06:00: **11 hours without work** from the moment you close
the [laptop](https://a.example/x).

| Duty | Rate |
| --- | --- |
| **Primary** | 420 EUR |
| Secondary | 1,900.50 EUR<br>gross |

予約は9時間ずれて表示されました。
"""


@pytest.mark.parametrize(
    "quote",
    [
        "11 hours without work from the moment you close the laptop",
        "| **Primary** | 420 EUR |",
        "Primary: 420 EUR",
        "Secondary 1,900.50 EUR gross",
        "After a call between 23:00 and 06:00 … close the laptop",
        "After a call [...] the moment you close",
        "9時間ずれて",
    ],
)
def test_a_quote_is_found_without_its_signs(quote: str) -> None:
    assert is_verbatim(quote, PAGE)


@pytest.mark.parametrize(
    "quote",
    [
        "",
        "…",
        "11 hours with work",
        "1 hours without work",
        "close the laptop … After a call",
        "Secondary 420 EUR",
        "Secondary 1,900",
        "https://a.example/x",
        "8時間ずれて",
    ],
)
def test_a_quote_with_other_words_is_not_found(quote: str) -> None:
    assert not is_verbatim(quote, PAGE)
