"""Vectors of the shape that an embedding model gives to texts, for generated indexes.

Clusters as far from each other as 384 dimensions allow are all alike: beyond its own cluster a
vector has no neighbours that would be nearer than the rest. What all-MiniLM-L6-v2 makes of 800
sections of software documentation is not so: any two have a cosine of 0.22 +- 0.14, and bits agree
with cosines by a correlation of 0.92 (here +- 0.13 and 0.91; in such clusters +- 0.05 and 0.67).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.index.generated_index import blocks

DOMAINS = 40
DECAY = 0.7  # of the variance along the axes, by a power of their rank
OF_DOMAIN, OF_TOPIC, OF_CHUNK, OF_QUESTION = 0.6, 0.6, 0.7, 0.8

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Meaning:
    """Random directions, some of which are much likelier than others."""

    axes: Floats

    @classmethod
    def draw(cls, random: np.random.Generator, dimension: int) -> "Meaning":
        """Axes of unequal lengths, none of them along one number of the vectors."""
        lengths = np.arange(1, dimension + 1) ** (-DECAY / 2)
        turned = np.linalg.qr(random.standard_normal((dimension, dimension)))[0]
        axes = (lengths / np.linalg.norm(lengths))[:, None] * turned
        return cls(axes.astype(np.float32))

    def some(self, random: np.random.Generator, count: int) -> Floats:
        """Vectors with a length of about 1."""
        return random.standard_normal((count, len(self.axes)), np.float32) @ self.axes

    def of_chunks(self, random: np.random.Generator, topics: Numbers, dimension: int) -> Floats:
        """Vectors for chunks; topics with numbers next to each other are of one domain."""
        assert dimension == len(self.axes)
        count = int(topics.max()) + 1
        domains = self.some(random, DOMAINS)[np.arange(count) * DOMAINS // count]
        centres = (OF_DOMAIN * domains + OF_TOPIC * self.some(random, count)).astype(np.float32)
        vectors = np.empty((len(topics), dimension), np.float32)
        for block in blocks(len(topics)):
            vectors[block] = OF_CHUNK * self.some(random, len(topics[block]))
            vectors[block] = unit(vectors[block] + centres[topics[block]])
        return vectors

    def near(self, random: np.random.Generator, vector: Floats) -> Floats:
        """What a question might have that this vector answers."""
        return unit(vector + OF_QUESTION * self.some(random, 1)[0])


def unit(vectors: Floats) -> Floats:
    """The same directions at a length of 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
