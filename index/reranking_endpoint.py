"""Re-ranking at an HTTP endpoint that speaks the API of Cohere and Jina, or that of TEI."""

from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

import httpx
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter

from index.embeddings import embeddable
from index.errors import ConfigurationError, RerankingError

PATIENCE = httpx.Timeout(10.0, connect=3.0)
# What endpoints answer to a request in the form of the others: a field is missing, or is unknown.
OTHER_FORM = (400, 422)


class _ScoreJson(BaseModel):
    """The score of one passage."""

    model_config = ConfigDict(hide_input_in_errors=True)

    index: int
    score: FiniteFloat = Field(validation_alias=AliasChoices("relevance_score", "score"))


class _ResultsJson(BaseModel):
    """The answer of Cohere, Jina, vLLM and llama.cpp; TEI gives the list alone."""

    model_config = ConfigDict(hide_input_in_errors=True)

    results: list[_ScoreJson]


_ANSWER: TypeAdapter[_ResultsJson | list[_ScoreJson]] = TypeAdapter(_ResultsJson | list[_ScoreJson])


class EndpointReranker:
    """A model at an endpoint; safe to share between concurrent tasks.

    Cohere, Jina, vLLM and llama.cpp want `documents`, Text Embeddings Inference wants `texts`:
    which of them the endpoint knows is found out with the first request.
    """

    def __init__(self, url: str, *, model: str | None = None, api_key: str = "") -> None:
        self.name = _without_secrets(url)
        self._url = _rerank_url(url)
        self._model = {"model": model} if model else {}
        self._has_texts: bool | None = None
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.AsyncClient(headers=headers, timeout=PATIENCE)

    async def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """The endpoint's scores in the order of the passages; nothing is tried again."""
        texts = [embeddable(passage) for passage in passages]
        response = await self._posted(query, texts, has_texts=self._has_texts is True)
        if response.status_code in OTHER_FORM and self._has_texts is None:
            other = await self._posted(query, texts, has_texts=True)
            if other.is_success:
                self._has_texts, response = True, other
        elif response.is_success and self._has_texts is None:
            self._has_texts = False
        if not response.is_success:
            raise RerankingError(self._refusal(response.status_code))
        return self._read(response.content, len(texts))

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _posted(self, query: str, texts: list[str], *, has_texts: bool) -> httpx.Response:
        passages = {"texts": texts, "truncate": True} if has_texts else {"documents": texts}
        try:
            return await self._http.post(
                self._url, json={**self._model, "query": embeddable(query), **passages}
            )
        except httpx.HTTPError as error:
            # Its text may name what the address holds.
            raise RerankingError(
                f"cannot ask {self.name} ({type(error).__name__}): check RERANKER, and that the "
                "endpoint is running and reachable from here"
            ) from error

    def _refusal(self, status: int) -> str:
        advice = {
            401: "check RERANKER_API_KEY",
            403: "check RERANKER_API_KEY and RERANKER_MODEL",
            404: "check that RERANKER is the address of its /rerank, and RERANKER_MODEL",
            413: "it takes no 30 passages at once",
            429: "it limits the rate",
        }.get(status, "see its log" if status >= 500 else "check RERANKER_MODEL")
        return f"{self.name} answered HTTP {status}: {advice}"

    def _read(self, content: bytes, expected: int) -> list[float]:
        try:
            answer = _ANSWER.validate_json(content)
        except ValueError as error:
            # Not `from error`: its text may repeat what was sent.
            raise RerankingError(
                f"{self.name} answered with something that is no list of scores "
                f"({type(error).__name__}): check that RERANKER is the address of its /rerank"
            ) from None
        scores = answer.results if isinstance(answer, _ResultsJson) else answer
        found = sorted(scores, key=lambda one: one.index)
        if [one.index for one in found] != list(range(expected)):
            raise RerankingError(
                f"{self.name} scored {len(found)} of {expected} passages, or numbered them wrongly"
            )
        return [one.score for one in found]


def _rerank_url(url: str) -> str:
    """The address itself, or the /rerank below it."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if not path.endswith(("/rerank", "/reranking")):
        path += "/rerank"
    return urlunsplit(parts._replace(path=path))


def _without_secrets(url: str) -> str:
    """Host and path: users and queries of an address may be secrets."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = None, ""
    if parts is None or not parts.hostname:
        raise ConfigurationError(
            "RERANKER is no http or https address, such as http://127.0.0.1:8080/rerank."
        )
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')}"
