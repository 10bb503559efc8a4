"""An OpenAI-compatible embedding endpoint that takes its time, with vectors that mean nothing."""

import base64
import json
import random
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from multiprocessing.sharedctypes import Synchronized

from benchmarks.loopback import Answer, Asked

DIMENSION = 384
# The usual time of a hosted endpoint near by.
SECONDS_PER_REQUEST, SECONDS_PER_TEXT = 0.120, 0.0003

_VECTORS = 500


@dataclass(frozen=True, slots=True)
class EmbeddingService:
    """Answers POST /v1/embeddings, and counts requests and texts."""

    requests: "Synchronized[int]"
    texts: "Synchronized[int]"

    def __call__(self, asked: Asked) -> Answer:
        """Vectors as numbers or, as the client of OpenAI asks by itself, in base64."""
        body = json.loads(asked.body)
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        self.requests.value += 1
        self.texts.value += len(texts)
        rendered = _rendered(is_base64=body.get("encoding_format") == "base64")
        chosen = (rendered[zlib.crc32(text.encode()) % _VECTORS] for text in texts)
        data = ",".join(
            f'{{"object":"embedding","index":{index},"embedding":{vector}}}'
            for index, vector in enumerate(chosen)
        )
        tokens = sum(len(text) for text in texts) // 4
        usage = f'{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}'
        answer = f'{{"object":"list","model":"made-up","data":[{data}],"usage":{usage}}}'
        return Answer(answer.encode(), SECONDS_PER_REQUEST + SECONDS_PER_TEXT * len(texts))


@cache
def _rendered(*, is_base64: bool) -> list[str]:
    dice = random.Random(1)
    vectors = [[dice.gauss(0, 0.05) for _ in range(DIMENSION)] for _ in range(_VECTORS)]
    if not is_base64:
        return [json.dumps(vector) for vector in vectors]
    packed = (struct.pack(f"<{DIMENSION}f", *vector) for vector in vectors)
    return [json.dumps(base64.b64encode(data).decode()) for data in packed]
