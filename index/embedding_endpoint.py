"""Embeddings from OpenAI or any endpoint that speaks its API."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import openai
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from index.embeddings import Vector, embeddable, in_parallel, unit_vectors
from index.endpoint_calls import model_call
from index.endpoint_errors import EndpointErrors, RequestTooLarge
from index.endpoint_models import known_model
from index.errors import ModelMismatchError
from index.token_estimate import estimated_tokens
from index.traces import passed_on

logger = logging.getLogger(__name__)

# OpenAI takes 300,000 tokens a request; smaller requests fail and are repeated cheaper.
TOKENS_PER_REQUEST = 100_000
REQUESTS_AT_ONCE = 4
SHORTEST_TEXT = 64


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an answer, and how often to ask again.

    Between two requests the client waits as long as Retry-After says (up to two minutes), else
    half a second, doubled each time up to eight.
    """

    seconds: float
    retries: int

    def client(self, key: str, url: str) -> openai.AsyncOpenAI:
        """A client for an endpoint with this patience."""
        timeout = openai.Timeout(self.seconds, connect=min(self.seconds, 10.0))
        return openai.AsyncOpenAI(
            api_key=key, base_url=url, timeout=timeout, max_retries=self.retries
        )


class _EmbeddingJson(BaseModel):
    """The vector of one text."""

    model_config = ConfigDict(hide_input_in_errors=True)

    index: int
    embedding: list[float]


class _EmbeddingsJson(BaseModel):
    """The answer of an endpoint."""

    model_config = ConfigDict(hide_input_in_errors=True)

    data: list[_EmbeddingJson]
    usage: object = None

    @property
    def tokens(self) -> int:
        """What the endpoint says it read; 0 where it does not say."""
        match self.usage:
            case {"prompt_tokens": int(tokens)}:
                return tokens
            case _:
                return 0


# An ingest outlasts rate limits and slow local models; a reader does not wait.
FOR_PASSAGES = Patience(120.0, 6)
FOR_QUERIES = Patience(8.0, 1)


class EndpointEmbedder:
    """A model of an OpenAI-compatible endpoint; safe to share between concurrent tasks.

    `expected_dimension` is what the index recorded, if it did: vectors of another size raise
    ModelMismatchError, as do vectors whose size changes under way.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str,
        base_url: str,
        expected_dimension: int | None = None,
        for_passages: Patience = FOR_PASSAGES,
        for_queries: Patience = FOR_QUERIES,
    ) -> None:
        self._model = model
        self._known = known_model(model)
        self._dimension = expected_dimension
        self._errors = EndpointErrors(model, base_url, api_key)
        self._passage_client = for_passages.client(api_key, base_url)
        self._query_client = for_queries.client(api_key, base_url)
        self._slots = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._requests = 0

    @property
    def model(self) -> str:
        """The model's name at the endpoint."""
        return self._model

    @property
    def passage_tokens(self) -> int:
        """What the model reads, where known; else 512, which nearly all models read."""
        return self._known.passage_tokens

    @property
    def languages(self) -> frozenset[str] | None:
        """English alone for models known to be so; None otherwise."""
        return self._known.languages

    @property
    def requests(self) -> int:
        """How many were answered so far, with those before them that had to be repeated."""
        return self._requests

    async def dimension(self) -> int:
        """The recorded size, or that of the first vector; asks the endpoint when there is none."""
        if self._dimension is None:
            return len(await self.embed_query("dimension"))
        return self._dimension

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """One vector for each text, in order.

        A request refused as too large is split; a single text that is too long is cut and logged.
        """
        prefixed = [self._known.passage_prefix + embeddable(text) for text in texts]
        vectors: dict[int, list[Vector]] = {}

        async def embed(batch: range) -> None:
            chosen = prefixed[batch.start : batch.stop]
            async with self._slots:
                vectors[batch.start] = await self._embedded(chosen, self._passage_client)

        batches = _batches(prefixed, self._known.texts_per_request)
        await in_parallel(embed, batches, workers=REQUESTS_AT_ONCE)
        return [vector for start in sorted(vectors) for vector in vectors[start]]

    async def embed_query(self, text: str) -> Vector:
        """The vector of a question."""
        texts = [self._known.query_prefix + embeddable(text)]
        return (await self._embedded(texts, self._query_client))[0]

    def count_tokens(self, text: str) -> int:
        """An estimate from the characters, rather too high than too low."""
        return estimated_tokens(self._known.passage_prefix + text)

    async def close(self) -> None:
        """Closes the connections."""
        await self._passage_client.close()
        await self._query_client.close()

    async def _embedded(self, texts: list[str], client: openai.AsyncOpenAI) -> list[Vector]:
        try:
            return await self._asked(texts, client)
        except RequestTooLarge as refusal:
            if len(texts) == 1:
                return await self._embedded([self._shortened(texts[0], refusal)], client)
        half = len(texts) // 2
        first = await self._embedded(texts[:half], client)
        return first + await self._embedded(texts[half:], client)

    async def _asked(self, texts: list[str], client: openai.AsyncOpenAI) -> list[Vector]:
        operation = "embed_question" if client is self._query_client else "embed_passages"
        try:
            with model_call(operation, self._model, str(client.base_url)) as call:
                # The client would ask for base64 by itself, which not every endpoint can give, and
                # takes ten times as long as pydantic to read an answer of numbers.
                response = await client.embeddings.with_raw_response.create(
                    model=self._model,
                    input=texts,
                    encoding_format="float",
                    extra_headers=passed_on(),
                )
                self._requests += 1 + response.retries_taken
                answer = _EmbeddingsJson.model_validate_json(response.content)
                rows = _rows(answer, len(texts))
                call.cost(answer.tokens)
        except openai.APIError as error:
            # Not `from error`: its text may repeat the key, and a traceback would show it.
            raise self._errors.explained(error) from None
        except ValueError as error:  # pydantic's errors are some too
            raise self._errors.malformed(str(error)) from error
        self._check_size(rows.shape[1])
        return unit_vectors(rows, self._model)

    def _check_size(self, size: int) -> None:
        if self._dimension is None:
            self._dimension = size
        elif size != self._dimension:
            raise ModelMismatchError(
                f"The embedding model {self._model} gave vectors of {size} numbers where "
                f"{self._dimension} were expected: another model answers under this name. Correct "
                "OPENAI_BASE_URL or EMBEDDING_MODEL, or fill the index anew with "
                "`confluence-mcp ingest --full`."
            )

    def _shortened(self, text: str, refusal: RequestTooLarge) -> str:
        if len(text) <= SHORTEST_TEXT:
            raise self._errors.too_large() from refusal
        kept = max(SHORTEST_TEXT, len(text) * 2 // 3)
        logger.warning(
            "text too long for the embedding model, its end is not embedded: "
            "model=%s characters=%d kept=%d",
            self._model,
            len(text),
            kept,
        )
        return text[:kept]


def _batches(texts: Sequence[str], most: int) -> Iterator[range]:
    """Runs of texts that fit into one request."""
    start, tokens = 0, 0
    for index, text in enumerate(texts):
        more = estimated_tokens(text)
        if index > start and (index - start == most or tokens + more > TOKENS_PER_REQUEST):
            yield range(start, index)
            start, tokens = index, 0
        tokens += more
    if start < len(texts):
        yield range(start, len(texts))


def _rows(answer: _EmbeddingsJson, expected: int) -> NDArray[np.float64]:
    """The vectors in the order of the texts; raises ValueError unless each has its own."""
    found = sorted(answer.data, key=lambda item: item.index)
    if [item.index for item in found] != list(range(expected)):
        raise ValueError(f"{len(found)} vectors for {expected} texts, or wrongly numbered ones")
    rows = np.array([item.embedding for item in found], dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError("vectors without numbers")
    return rows
