"""Whether what was found has anything to do with a question, before a model is paid for it. Pure.

A search always ranks something. The gate lets pass whatever a model might find an answer in: it
closes only where a question of some words shares none of them with any page that was found, or of
three or more no more than one, and where words can tell, since the passages are in its language.
Distances of vectors would tell more, but each embedding model has its own.
"""

from collections import defaultdict
from collections.abc import Sequence

from index.language import language_of, likely_languages, searchable
from index.records import passage_text
from server.passages import Found
from server.texts import STEM, stems

SAMPLE = 400  # characters of a passage that tell its language


def is_relevant(question: str, telling_words: Sequence[str], found: Found) -> bool:
    """Whether the passages may answer the question, as far as its telling words say."""
    wanted = stems(" ".join(telling_words))
    if len(wanted) < 2 or not _can_be_judged(question, found):
        return bool(found)
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for hit, passage in found:
        text = passage_text(hit.page.title, passage.heading_path, passage.body)
        texts[hit.page.page_id].append(text)
    shared = max(_shared(wanted, "\n".join(of_page)) for of_page in texts.values())
    return shared > min(1, (len(wanted) - 1) // 2)


def _shared(wanted: set[str], text: str) -> int:
    """How many of the stems stand in the text; long ones also inside a compound word."""
    told, whole = stems(text), searchable(text)
    return sum(stem in told or (len(stem) == STEM and stem in whole) for stem in wanted)


def _can_be_judged(question: str, found: Found) -> bool:
    """Whether most passages are in the language of the question: others share no word with it."""
    languages = [language_of(passage.body[:SAMPLE]) for _, passage in found]
    asked = likely_languages(question)
    return 2 * sum(language in asked for language in languages) > len(languages)
