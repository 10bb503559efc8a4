"""An OpenAI-compatible embedding endpoint that can be told to fail or to hang."""

import json
from dataclasses import dataclass
from enum import IntEnum
from multiprocessing.sharedctypes import Synchronized

from benchmarks.loopback import Answer, Asked
from tests.openai_endpoint import word_vector

MODEL = "words"
SECONDS = 0.02  # as one near by
HANGS = 3_600.0


class Mood(IntEnum):
    """What the endpoint does."""

    WELL = 0
    FAILS = 1
    HANGS = 2


@dataclass(frozen=True, slots=True)
class MoodyEmbeddings:
    """Answers POST /v1/embeddings; texts that share words are near each other."""

    mood: "Synchronized[int]"

    def __call__(self, asked: Asked) -> Answer:
        """Vectors, an error 500, or nothing for an hour."""
        if self.mood.value == Mood.FAILS:
            return Answer({"error": {"message": "out of order", "type": "server_error"}}, 0, 500)
        given = json.loads(asked.body)["input"]
        texts = [given] if isinstance(given, str) else given
        data = [
            {"object": "embedding", "index": index, "embedding": word_vector(text)}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        answer = {"object": "list", "model": MODEL, "data": data, "usage": usage}
        return Answer(answer, HANGS if self.mood.value == Mood.HANGS else SECONDS)
