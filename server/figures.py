"""Numbers, dates and identifiers of a text, however they are written. Pure."""

import re
import unicodedata
from collections.abc import Iterator

_TOKEN = re.compile(r"[^\W_]+(?:[-_./:,'’@][^\W_]+)*")
_PIECE = re.compile(r"[/,:.@]")
_NUMBER = re.compile(r"\d+(?:[.,:'’]\d+)*")
_THOUSANDS = re.compile(r"\d{1,3}(?:[.,'’]\d{3})+")
_SIGN = re.compile(r"[-_./:,'’@]")
_HAN = re.compile("[一二三四五六七八九十百千]+")
# A space, narrow or not, between thousands.
_SPACED = re.compile(r"(?<=\d)[\u00a0\u202f\u2009](?=\d{3}(?!\d))")

_WORDS = {
    1: "one eins ein eine einen einem einer un une uno una",
    2: "two zwei deux dos", 3: "three drei trois tres", 4: "four vier quatre cuatro",
    5: "five fünf cinq cinco", 6: "six sechs seis", 7: "seven sieben sept siete",
    8: "eight acht huit ocho", 9: "nine neun neuf nueve", 10: "ten zehn dix diez",
    11: "eleven elf onze once", 12: "twelve zwölf douze doce", 13: "thirteen dreizehn",
    14: "fourteen vierzehn quatorze catorce", 15: "fifteen fünfzehn quinze quince",
    16: "sixteen sechzehn", 17: "seventeen siebzehn", 18: "eighteen achtzehn",
    19: "nineteen neunzehn", 20: "twenty zwanzig vingt veinte", 30: "thirty dreißig trente treinta",
    40: "forty vierzig quarante cuarenta", 50: "fifty fünfzig cinquante cincuenta",
    60: "sixty sechzig soixante sesenta", 70: "seventy siebzig", 80: "eighty achtzig",
    90: "ninety neunzig", 100: "hundred hundert cent cien", 1000: "thousand tausend mille mil",
}  # fmt: skip
_MONTHS = (
    "january januar janvier enero", "february februar février febrero", "march märz mars marzo",
    "april avril abril", "may mai mayo", "june juni juin junio", "july juli juillet julio",
    "august août agosto", "september septembre septiembre", "october oktober octobre octubre",
    "november novembre noviembre", "december dezember décembre diciembre",
)  # fmt: skip
_BY_WORD = {word: str(number) for number, words in _WORDS.items() for word in words.split()}
_BY_MONTH = {word: str(at) for at, words in enumerate(_MONTHS, start=1) for word in words.split()}
# Smaller ones are articles and pronouns, too, and some are other words in another language.
_NOT_COUNTED = {"once", "elf", "mil", "mille", "cent", "sept", "dix", "six"}
_COUNTED = {
    word: number
    for word, number in _BY_WORD.items()
    if int(number) > 2 and word not in _NOT_COUNTED
}


def known_figures(text: str) -> frozenset[str]:
    """All figures of a text in every form that they may be repeated in."""
    text = _normal(text)
    found: set[str] = set()
    for token in _TOKEN.findall(text):
        for word in (token, *_PIECE.split(token), *token.split("-")):
            found |= {_squeezed(word)} if not word[:1].isdecimal() else set()
            found |= {number for number in (_BY_WORD.get(word), _BY_MONTH.get(word)) if number}
        for part in _NUMBER.findall(token):
            found |= {figure for form in _forms(part) for figure in form}
            if len(_SIGN.split(part)) > 2:  # a date, or a version
                found |= {_plain(piece) for piece in _SIGN.split(part)}
    found |= {str(_value(run)) for run in _HAN.findall(text)}
    return frozenset(found)


def has_figures(claim: str, known: frozenset[str]) -> bool:
    """Whether every number, date and identifier of a claim is known."""
    return all(any(form <= known for form in forms) for forms in _claimed(_normal(claim)))


def _claimed(claim: str) -> Iterator[list[frozenset[str]]]:
    """Each figure of a claim in its forms, any of which has all that must be known."""
    for token in _TOKEN.findall(claim):
        if number := _COUNTED.get(token):
            yield [frozenset({number})]
        elif _is_name(token):
            pieces = frozenset(
                _squeezed(piece) for piece in _PIECE.split(token) if _has_digit(piece)
            )
            yield [frozenset({_squeezed(token)}), pieces]
        elif _has_digit(token):
            for part in _NUMBER.findall(token):
                yield _forms(part)


def _is_name(token: str) -> bool:
    """Whether it is an identifier, such as `TB-4031`: letters come first, then digits."""
    return token[0].isalpha() and _has_digit(token)


def _has_digit(text: str) -> bool:
    return any(character.isdecimal() for character in text)


def _forms(number: str) -> list[frozenset[str]]:
    """How a number may be read: `1.200` as thousands or a fraction, `31.3.2026` by its parts."""
    parts = _SIGN.split(number)
    forms = [frozenset({".".join(map(_plain, parts))})]
    if _THOUSANDS.fullmatch(number):
        forms.append(frozenset({_plain("".join(parts))}))
    if len(parts) > 2:
        forms.append(frozenset(map(_plain, parts)))
    if len(parts) == 2 and not parts[1].strip("0"):  # 10:00, 3.0
        forms.append(frozenset({_plain(parts[0])}))
    return forms


def _plain(digits: str) -> str:
    return digits.lstrip("0") or "0"


def _squeezed(word: str) -> str:
    return _SIGN.sub("", word)


def _normal(text: str) -> str:
    return _SPACED.sub("", unicodedata.normalize("NFKC", _SPACED.sub("", text))).casefold()


def _value(run: str) -> int:
    """The number that a few Han characters write: 三十 is 30, 二百五 is 205."""
    total, digit = 0, 0
    for character in run:
        value = int(unicodedata.numeric(character))
        if value < 10:
            digit = value
        else:
            total += (digit or 1) * value
            digit = 0
    return total + digit
