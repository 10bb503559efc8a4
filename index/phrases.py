"""Phrases in quotation marks: what a question asks for word for word."""

import re
import unicodedata
from typing import LiteralString

from index.language import clean, searchable

MAX_PHRASES = 8
MAX_PHRASE = 300  # characters; what is longer is no phrase

# A straight mark does not open behind a letter or number (5" wide), nor before a space.
_QUOTED = re.compile(
    r'(?<![0-9A-Za-z])"(?=\S)([^"]+)(?<=\S)"'
    "|“([^“”]+)”|„([^„“”]+)[“”]|«([^«»]+)»|»([^«»]+)«|「([^「」]+)」|『([^『』]+)』"
)

# Gives `phrasing` (is_asked), whether chunks must have a phrase, and `phrased` (chunk_id,
# page_ref), the chunks of pages shown to the asker that have all of them. Parameters are
# `phrase_values`, besides those of `QUESTION_TERMS`, which go before this.
PHRASED: LiteralString = """
-- A phrase of stop words alone is no phrase.
quoted AS MATERIALIZED (
    SELECT spoken(phrase) AS phrase, words
    FROM unnest(%(phrases)s::text[], %(phrase_words)s::text[]) AS given (phrase, words)
    WHERE EXISTS (
        SELECT FROM unnest(%(configurations)s::text[]) AS name
        WHERE to_tsvector(name::regconfig, words) <> ''::tsvector)
),
phrasing AS MATERIALIZED (SELECT EXISTS (SELECT FROM quoted) AS is_asked),
phrase_term AS MATERIALIZED (
    SELECT array_agg(term_id) AS terms,
           ('{' || string_agg(term_id || ':1', ',' ORDER BY term_id)
            || '}/1000000000')::sparsevec AS vector
    FROM (
        SELECT DISTINCT label, term_id(label, stem.lexeme) AS term_id
        FROM quoted, configuration, unnest(to_tsvector(name, words)) AS stem
    ) AS term GROUP BY label
),
-- Very many chunks have the words of some phrases: those are read that have them most.
phrased AS MATERIALIZED (
    SELECT DISTINCT chunk_id, page_ref FROM (
        SELECT chunk_id, page_ref, title FROM phrase_term CROSS JOIN LATERAL (
            SELECT chunk_id, page_ref, weights FROM chunk_term WHERE term_ids @> terms LIMIT 20000
        ) AS having_words CROSS JOIN LATERAL (
            SELECT title FROM shown_page
            WHERE shown_page.page_ref = having_words.page_ref OFFSET 0) AS page
        ORDER BY weights <#> vector LIMIT 1000
    ) AS found CROSS JOIN LATERAL (
        SELECT spoken(title) || spoken(array_to_string(heading_path, ' / ')) || spoken(body) AS text
        FROM shown_chunk WHERE shown_chunk.chunk_id = found.chunk_id OFFSET 0) AS chunk
    WHERE NOT EXISTS (SELECT FROM quoted WHERE strpos(chunk.text, phrase) = 0)
),
"""


def phrases_in(text: str) -> list[str]:
    """The phrases that a question has in quotation marks; a mark without its other is a sign."""
    found = [next(filter(None, match.groups())) for match in _QUOTED.finditer(text)]
    return [phrase for phrase in found if len(phrase) <= MAX_PHRASE][:MAX_PHRASES]


def phrase_values(text: str) -> dict[str, list[str] | None]:
    """The parameters `phrases` and `phrase_words` of a question, NULL where it has none."""
    phrases = [phrase for phrase in map(clean, phrases_in(text)) if _words(phrase)]
    if not phrases:
        return {"phrases": None, "phrase_words": None}
    return {"phrases": phrases, "phrase_words": [" ".join(_words(phrase)) for phrase in phrases]}


def _words(phrase: str) -> list[str]:
    """What chunks that have the phrase are sure to be found by.

    Words with digits may be read as one with their neighbours (`2.3.1`, `tb4031`), and count only
    where there are no others.
    """
    normal = unicodedata.normalize("NFKC", phrase)
    words = "".join(_letter_or_space(character) for character in normal).lower().split()
    if not words:
        return []
    sure = [word for word in words if not any(character.isdigit() for character in word)]
    return searchable(" ".join(sure) if sure else normal).split()


def _letter_or_space(character: str) -> str:
    return character if unicodedata.category(character)[0] in "LMN" else " "
