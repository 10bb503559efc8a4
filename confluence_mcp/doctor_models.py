"""The doctor on models: each is asked something small, and timed."""

from confluence_mcp.doctor_finding import Finding
from confluence_mcp.model_probes import (
    has_chat_model,
    probe_chat,
    probe_embedding,
    probe_reranker,
)
from index.embedder_choice import chosen_model
from index.status import Status
from server.settings import ServerSettings


async def examine_embeddings(settings: ServerSettings, status: Status | None) -> list[Finding]:
    """Whether the model that questions need answers, with as many numbers as the index has."""
    recorded = status.model if status else None
    model = recorded or chosen_model(settings, None)
    probe = await probe_embedding(settings, model)
    text = f"{model} answers in {probe.seconds * 1000:.0f} ms with {probe.dimension} numbers"
    expected = status.dimension if status else None
    if recorded and probe.dimension != expected:
        text += (
            f", but the index has {expected}: what answers is another model of that name. Set "
            "OPENAI_BASE_URL to the endpoint that filled the index, or reindex"
        )
        return [Finding("embeddings", False, text)]
    return [Finding("embeddings", True, text)]


async def examine_chat(settings: ServerSettings) -> list[Finding]:
    """Whether the model of answers answers."""
    if not has_chat_model(settings):
        text = "none is set, so that passages are shown instead of answers (OPENAI_API_KEY or "
        return [Finding("chat model", True, f"{text}OPENAI_BASE_URL, and CHAT_MODEL)")]
    probe = await probe_chat(settings)
    text = f"{settings.model_for_answers()} answers in {probe.seconds:.1f} s"
    return [Finding("chat model", True, text)]


async def examine_reranker(settings: ServerSettings) -> list[Finding]:
    """Whether the reranker answers, if there is one."""
    probe = await probe_reranker(settings)
    if probe is None:
        return []
    text = f"{settings.reranker_model or 'it'} scores two passages in {probe.seconds * 1000:.0f} ms"
    return [Finding("reranker", True, text)]
