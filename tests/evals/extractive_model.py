"""A scripted chat model that answers with sentences of the passages which reach it.

It knows nothing by itself: it takes the sentences, rows and items that share most of the rare words
of the question, quotes them word for word, and says `"found": false` where they share too few. So
an evaluation with it is as good as the passages that it is given, and as the proof of its quotes.

As a program it records how well that goes now:

    python -m tests.evals.extractive_model tests/evals/answers_baseline.json
"""

import json
import math
import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluence_mcp.command_line import main
from tests.openai_endpoint import openai_endpoint

ENOUGH = 0.4  # share of the weight of the question's words
TAKEN = 3  # sentences at most
WORTH = 0.75  # of the best one's score, for those after it

_PASSAGE = re.compile(r"^\[(\d+)\] [^\n]*\n<([\w-]+)>\n(.*?)\n</\2>$", re.MULTILINE | re.DOTALL)
_QUESTION = re.compile(r"^Question: (.*)\Z", re.MULTILINE | re.DOTALL)
_FOLLOWING = re.compile(r"^Last question: (.*)\Z", re.MULTILINE | re.DOTALL)
_EARLIER = re.compile(r"^user: (.*)$", re.MULTILINE)
_BLOCK = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?。])\s+|\n+")
_MARKER = re.compile(r"^\s*(?:(?:[-*>#]+|\d+\.|\[[ x]\])\s+)+|^```.*")
_WORD = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]|[^\W_]+")
_COMMON = frozenset(
    _WORD.findall(
        "a am an and any are as at be by can do does for from get have how i if in is it its last "
        "may me much must my not of on or our that the then there this to us was we what when "
        "where which who will with you your now please many long far der die das den dem ein eine "
        "ich ist im in und von wie viel viele was wer wo wann muss darf o a e que qual de do em na "
        "is er het een hoeveel zijn"
    )
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with the one after it, or a row; its words, and those of what is around it."""

    n: int
    parts: tuple[str, ...]
    words: frozenset[str]
    around: frozenset[str]

    @property
    def answer(self) -> str:
        """Each part with its number, rows without their bars."""
        plain = (", ".join(cell.strip() for cell in p.strip("|").split("|")) for p in self.parts)
        return "\n".join(f"- {part.strip(' ,')} [{self.n}]" for part in plain)


def extractive_reply(messages: Sequence[Mapping[str, Any]], _: object = None) -> str:
    """An answer in the agreed form, or what to search for; what asks for neither gets nothing."""
    asked = str(messages[-1]["content"])
    if following := _FOLLOWING.search(asked):
        earlier = _EARLIER.findall(asked)[-1:]
        return json.dumps({"queries": [" ".join([*earlier, following[1]])]})
    passages = _PASSAGE.findall(asked)
    question = _QUESTION.search(asked)
    if not passages or question is None:
        return "I only answer from passages."
    history = [str(message["content"]) for message in messages[1:-1] if message["role"] == "user"]
    sentences = [one for n, _, text in passages for one in _sentences(int(n), text)]
    chosen = _best(question[1], history[-1:], sentences)
    if not chosen:
        return json.dumps({"found": False, "answer": "", "citations": []})
    answer = "\n".join(one.answer for one in chosen)
    quotes = [{"n": one.n, "quote": " … ".join(one.parts)} for one in chosen]
    return json.dumps({"found": True, "answer": answer, "citations": quotes}, ensure_ascii=False)


def _sentences(n: int, text: str) -> list[Sentence]:
    """Those of a passage, whose first line tells where it stands; rows with names of columns."""
    path, _, body = text.partition("\n\n")
    above = _stems(path.rpartition("(")[0])
    sentences: list[Sentence] = []
    for block in _BLOCK.split(body):
        lines = block.strip().split("\n")
        if lines[0].startswith("|"):
            heads = above | _stems(lines[0])
            sentences += [Sentence(n, (row,), _stems(row), heads) for row in lines[2:]]
            continue
        parts = [part for part in map(_without_marker, _SENTENCE.split(block)) if len(part) > 8]
        for at, part in enumerate(parts):
            two = tuple(parts[at : at + 2])
            sentences.append(Sentence(n, two, _stems(part), above | _stems(two[-1])))
    return sentences


def _without_marker(text: str) -> str:
    return _MARKER.sub("", text).strip()


def _best(question: str, history: Sequence[str], sentences: Sequence[Sentence]) -> list[Sentence]:
    """What shares enough with the question, the best first; each passage once."""
    spread = Counter(word for one in sentences for word in one.words | one.around)
    weights = {word: math.log(1 + len(sentences) / (1 + spread[word])) for word in _stems(question)}
    for word in _stems(" ".join(history)) - weights.keys():
        weights[word] = 0.5 * math.log(1 + len(sentences) / (1 + spread[word]))
    whole = sum(weights.values()) or 1.0

    def score(one: Sentence) -> float:
        own = sum(weight for word, weight in weights.items() if word in one.words)
        above = sum(weight for word, weight in weights.items() if word in one.around - one.words)
        return (own + 0.6 * above) / whole

    ranked = sorted(((score(one), one) for one in sentences), key=lambda item: -item[0])
    best = ranked[0][0] if ranked else 0.0
    chosen: dict[int, Sentence] = {}
    for value, one in ranked:
        if value >= max(ENOUGH, WORTH * best):
            chosen.setdefault(one.n, one)
    return list(chosen.values())[:TAKEN]


def _stems(text: str) -> frozenset[str]:
    """Words without their ends, so that `boards` meets `board`."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = (word for word in _WORD.findall(plain) if word not in _COMMON)
    return frozenset(word if word[0].isdecimal() else word[:5] for word in words)


def record(path: str) -> int:
    """Writes a run on the sample space."""
    with openai_endpoint(reply=extractive_reply) as endpoint:
        os.environ |= {
            "OPENAI_BASE_URL": endpoint.url,
            "OPENAI_API_KEY": "test-key",
            "CHAT_MODEL": "extractive",
            "EMBEDDING_MODEL": "local",
        }
        return main(["eval", "--answers", "--json", path])


if __name__ == "__main__":
    sys.exit(record(sys.argv[1]))
