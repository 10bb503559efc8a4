"""Whether a text states a fact, however it writes numbers, dates and money. Pure."""

import re
import unicodedata
from collections.abc import Sequence

# English, German, Dutch, French, Spanish, Portuguese.
_MONTHS = (
    "january januar januari janvier enero janeiro jan",
    "february februar februari février febrero fevereiro feb",
    "march märz maart mars marzo março mar",
    "april avril abril apr",
    "may mai mei mayo maio",
    "june juni juin junio junho jun",
    "july juli juillet julio julho jul",
    "august augustus août agosto aug",
    "september septembre septiembre setembro sep",
    "october oktober octobre octubre outubro oct okt",
    "november novembre noviembre novembro nov",
    "december dezember décembre diciembre dezembro dec dez",
)
_MONTH = {name: n for n, names in enumerate(_MONTHS, start=1) for name in names.split()}
_COUNTED = (
    "zero null",
    "one eins",
    "two zwei",
    "three drei",
    "four vier",
    "five fünf",
    "six sechs",
    "seven sieben",
    "eight acht",
    "nine neun",
    "ten zehn",
    "eleven elf",
    "twelve zwölf",
)
_NUMBER = {word: str(n) for n, words in enumerate(_COUNTED) for word in words.split()}
_NAMES = "|".join(sorted(_MONTH, key=len, reverse=True))

_TARGET = re.compile(r"\]\([^)\s]*\)|<br ?/?>")
_ISO = re.compile(r"(?<!\d)(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?!\d)")
_DOTTED = re.compile(r"(?<![\d.])(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})(?!\d)")
_SIGNS = re.compile(r"(?:(?P<year>\d{4})年)?(?P<month>\d{1,2})月(?P<day>\d{1,2})日")
_DAY_FIRST = re.compile(
    rf"(?<!\d)(?P<day>\d{{1,2}})(?:\.|st|nd|rd|th)?\s+(?:of\s+|de\s+)?(?P<month>{_NAMES})\b\.?"
    r"(?:,?\s+(?:de\s+)?(?P<year>\d{4})(?!\d))?",
    re.IGNORECASE,
)
_MONTH_FIRST = re.compile(
    rf"\b(?P<month>{_NAMES})\b\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)"
    r"(?:,?\s+(?P<year>\d{4})(?!\d))?",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:[,.'\u00a0\u202f]\d{3})+(?![\d])")
_DECIMAL = re.compile(r"(?<![\d.,])(\d+)[.,](\d{1,4})(?![\d]|[.,]\d)")
_EUROS = re.compile(r"€|\beuros?\b")
_MONEY = re.compile(r"\beur\s*(\d+(?:\.\d+)?)")
_PER_CENT = re.compile(r"\bper ?cent\b|\bprozent\b|\bprocent\b")
_WORD = re.compile(r"date\d{4}|\d+(?:\.\d+)?|[\u3000-\U0003ffff]|[^\W\d_]+|%")


def states(text: str, alternatives: Sequence[str]) -> bool:
    """Whether the words of any of the alternatives stand in the text, one after the other."""
    line = f" {' '.join(words(text))} "
    return any(f" {' '.join(words(one))} " in line for one in alternatives)


def words(text: str) -> list[str]:
    """Words and numbers in a form that is the same for all ways to write them.

    `1,500` and `1.500` are `1500`, `0,40` is `0.4`, `€ 5` is `5 eur`, `six` is `6`; 15 December
    2026 and 2026-12-15 are `date1215 2026`, so that the day without the year is found in it.
    """
    text = _TARGET.sub("] ", text)
    text = _THOUSANDS.sub(lambda match: re.sub(r"\D", "", match[0]), text)
    text = unicodedata.normalize("NFKC", text)
    for pattern in (_ISO, _DOTTED, _SIGNS, _DAY_FIRST, _MONTH_FIRST):
        text = pattern.sub(_date, text)
    text = _DECIMAL.sub(_decimal, text).casefold()
    text = _MONEY.sub(r"\1 eur", _EUROS.sub(" eur ", _PER_CENT.sub("%", text)))
    found: list[str] = _WORD.findall(text)
    return [_NUMBER.get(word, word) for word in found]


def _date(match: re.Match[str]) -> str:
    name, year = match["month"], match["year"] or ""
    month = int(name) if name.isdecimal() else _MONTH[name.casefold()]
    # "10 may be" is no date.
    if name == "may" or not (1 <= month <= 12 and 1 <= int(match["day"]) <= 31):
        return match[0]
    return f" date{month:02}{int(match['day']):02} {year} "


def _decimal(match: re.Match[str]) -> str:
    fraction = match[2].rstrip("0")
    return f"{match[1]}.{fraction}" if fraction else match[1]
