"""One small question to each model, which tells whether it answers, and how fast."""

import time
from dataclasses import dataclass

from index.embedder_choice import embedder_of
from index.errors import RerankingError
from index.reranker_choice import open_reranker
from server.llm import ChatModel, Message
from server.settings import ServerSettings

QUESTION = "How do I get access?"
PASSAGES = ("Access is granted by the team that owns the system.", "The canteen opens at noon.")
REQUEST = 'Reply with this JSON and nothing else: {"ok": true}'
CHAT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Probe:
    """How long the answer took; `dimension` is how many numbers a vector has, 0 without any."""

    seconds: float
    dimension: int = 0


async def probe_embedding(settings: ServerSettings, model: str) -> Probe:
    """Embeds a question by a model, by its recorded name; EmbeddingError, ConfigurationError."""
    embedder = await embedder_of(settings, model)
    try:
        dimension = await embedder.dimension()
        await embedder.embed_query("warm")  # the bundled ones load with the first question
        started = time.monotonic()
        await embedder.embed_query(QUESTION)
        return Probe(time.monotonic() - started, dimension)
    finally:
        await embedder.close()


def has_chat_model(settings: ServerSettings) -> bool:
    """Whether answers are made by a model, which takes a name and an endpoint."""
    has_endpoint = settings.openai_api_key is not None or settings.openai_base_url is not None
    return has_endpoint and settings.model_for_answers() is not None


async def probe_chat(settings: ServerSettings) -> Probe:
    """Has the chat model say a word; raises ChatError."""
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else "none"
    model = ChatModel(
        settings.model_for_answers() or "", api_key=key, base_url=settings.openai_base_url
    )
    started = time.monotonic()
    try:
        await model.reply_json([Message("user", REQUEST)], seconds=CHAT_SECONDS)
    finally:
        await model.close()
    return Probe(time.monotonic() - started)


async def probe_reranker(settings: ServerSettings) -> Probe | None:
    """Has the reranker score two passages; None where there is none. Raises RerankingError."""
    key = settings.reranker_api_key.get_secret_value() if settings.reranker_api_key else ""
    async with open_reranker(
        settings.reranker, model=settings.reranker_model, api_key=key
    ) as reranker:
        if reranker is None:
            return None
        started = time.monotonic()
        scores = await reranker.scores(QUESTION, PASSAGES)
        if len(scores) != len(PASSAGES):
            raise RerankingError(f"{len(scores)} scores came for {len(PASSAGES)} passages.")
        return Probe(time.monotonic() - started)
