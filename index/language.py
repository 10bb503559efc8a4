"""Which language a text is in, and how Postgres' text search reads it."""

import re
import unicodedata
from collections.abc import Collection
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

# Languages with a text search configuration of their own in a stock Postgres 15 or later. All
# others, and text without a language, are read by `simple`: words as written, nothing dropped.
CONFIGURATIONS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "es": "spanish", "eu": "basque", "fi": "finnish", "fr": "french",
    "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
KNOWN = frozenset(CONFIGURATIONS) | {"ja", "ko", "zh", "pl", "cs", "uk", "th", "vi", "he"}

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# Runs of scripts that are written without spaces: kana, Han, Hangul, Thai.
_UNSPACED = re.compile(
    "[\u0e00-\u0e7f\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f]+"
)
# Words joined by signs: ticket keys, hosts, paths, versions, `client/server`.
_JOINED = re.compile(r"(?<![^\W_])[^\W_]++(?:[-_.:/@\\][^\W_]++)+")
# Where a word begins inside another: `max|Pool|Size`, `HTTP|Server|V2`, but not `IDs`.
_HUMP = re.compile(
    "(?<=[a-z\u00df-\u00ff])(?=[A-Z\u00c0-\u00de])"
    r"|(?<=[A-Z0-9])(?=[A-Z][a-z])(?![A-Z]s(?![^\W_]))"
)
_HUMPED = re.compile(rf"(?<![^\W_])[^\W_]+?(?:{_HUMP.pattern})[^\W_]++")
_JOINT = re.compile(r"[-_.:/@\\]")
_SIGN = re.compile(r"[\s\x00-/:-@\[-`{-\xbf\u2000-\u206f\u3000-\u303f]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)+")
_VERSION = re.compile(r"[vV](\d+(?:\.\d+)+)")
# How much likelier (natural logarithm) a language must be for another to be ruled out: of English
# questions cut to two words none is then held for German, of German ones 4 in 100 for English.
_BEYOND_DOUBT = 3.0
_QUESTION_SAMPLE = 1_000


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE)


def language_of(text: str, among: Collection[str] = KNOWN) -> str:
    """The most likely ISO 639-1 code among the given; "" for a text without letters."""
    if not any(character.isalpha() for character in text):
        return ""
    ranked = _identifier().rank(text)
    return next((code for code, _ in ranked if code in among), "")


def likely_languages(text: str, among: Collection[str] = KNOWN) -> frozenset[str]:
    """Those of the given languages that a text may be in; short texts leave many open."""
    sample = text[:_QUESTION_SAMPLE]
    if not any(character.isalpha() for character in sample):
        return frozenset(among)
    ranked = [(code, score) for code, score in _identifier().rank(sample) if code in among]
    if not ranked:
        return frozenset()
    best = ranked[0][1]
    return frozenset(code for code, score in ranked if best - score <= _BEYOND_DOUBT)


def configuration_of(language: str) -> str:
    """The Postgres text search configuration that reads a language."""
    return CONFIGURATIONS.get(language, "simple")


def clean(text: str) -> str:
    """The text without what Postgres cannot store or the reader cannot see (NUL, C0 controls)."""
    return _CONTROL.sub(" ", text)


def searchable(text: str) -> str:
    """The text as the lexical leg reads it, in lower case and one form of each character.

    Postgres' parser takes a whole run of Han or kana for one word, so that nothing inside it would
    be found: runs are cut into overlapping pairs of characters, which measures as well as word
    segmentation. It takes `client/server` and `db-eu-1.example` for one word too, and the number
    in `TB-4031` for a negative one: joined words, and those with a capital inside, are given in
    parts and in one piece.
    """
    normal = unicodedata.normalize("NFKC", clean(text))
    in_parts = _HUMPED.sub(_in_humps, _JOINED.sub(_in_parts, normal)).lower()
    return _UNSPACED.sub(lambda run: f" {_pairs(run[0])} ", in_parts)


def written_words(text: str) -> set[str]:
    """The words of letters alone, 3 to 40 of them, in a text prepared by `searchable`."""
    return {word for word in _SIGN.split(text) if 3 <= len(word) <= 40 and word.isalpha()}


def _in_parts(joined: re.Match[str]) -> str:
    word = joined[0]
    parts = _JOINT.split(word)
    is_compound = "-".join(parts) == word and not any(character.isdigit() for character in word)
    if is_compound or _NUMBER.fullmatch(word):
        return word  # the parser knows these
    if version := _VERSION.fullmatch(word):
        return f"{version[1]} {''.join(parts)}"
    return " ".join((*parts, "".join(parts).lower()))


def _in_humps(humped: re.Match[str]) -> str:
    """A single letter is no word: `IPv4` and `eMail` stay whole."""
    parts: list[str] = []
    for part in _HUMP.split(humped[0]):
        if parts and 1 in (len(part), len(parts[-1])):
            parts[-1] += part
        else:
            parts.append(part)
    return " ".join((*parts, humped[0])) if len(parts) > 1 else humped[0]


def _pairs(run: str) -> str:
    if len(run) == 1:
        return run
    return " ".join(run[at : at + 2] for at in range(len(run) - 1))
