"""Which embedding model to use: to read the one that filled the index, to fill the one set."""

import asyncio
import logging
from urllib.parse import urlsplit

from index.embedding_local import LOCAL, LOCAL_MODEL, LocalEmbedder
from index.embedding_multilingual import MULTILINGUAL, MULTILINGUAL_MODEL, MultilingualEmbedder
from index.embeddings import Embedder
from index.errors import ConfigurationError
from index.settings import IndexSettings

logger = logging.getLogger(__name__)

DEFAULT_ENDPOINT_MODEL = "text-embedding-3-small"
OPENAI_URL = "https://api.openai.com/v1"
# Sent where an endpoint needs no key, as with Ollama; the client refuses an empty one.
NO_KEY = "unused"
RECORDED_NAMES = {LOCAL: LOCAL_MODEL, MULTILINGUAL: MULTILINGUAL_MODEL}


async def open_embedder(
    settings: IndexSettings,
    recorded_model: str | None = None,
    recorded_dimension: int | None = None,
) -> Embedder:
    """The embedder to read an index with: that of the model that it records, whatever is set.

    Without one it is that of `chosen_model`. Nothing is loaded or asked yet. Raises
    ConfigurationError when the model cannot work with the other settings.
    """
    chosen = chosen_model(settings, recorded_model)
    if recorded_model is not None and chosen != recorded_model:
        logger.warning(
            "EMBEDDING_MODEL is %s, but the index was filled by %s, which embeds the questions: "
            "unset it, or change the model with `confluence-mcp reindex --embedding-model %s`",
            chosen,
            recorded_model,
            chosen,
        )
    return await embedder_of(settings, recorded_model or chosen, recorded_dimension)


async def embedder_of(
    settings: IndexSettings, model: str, expected_dimension: int | None = None
) -> Embedder:
    """The embedder of a model, by its recorded name; nothing is loaded or asked yet.

    Raises ConfigurationError when it is not bundled, or the settings lead to no endpoint.
    """
    if model == LOCAL_MODEL:
        return LocalEmbedder()
    if model == MULTILINGUAL_MODEL:
        return MultilingualEmbedder()
    if model.startswith((f"{LOCAL}:", f"{MULTILINGUAL}:")):
        raise ConfigurationError(
            f"This version does not bundle the embedding model {model}. Change the model with "
            f"`confluence-mcp reindex --embedding-model {LOCAL}` (or {MULTILINGUAL}), or set "
            "EMBEDDING_MODEL to it and fill the index anew with `confluence-mcp ingest --full`."
        )
    key, url = _key(settings, model), _base_url(settings)
    return await asyncio.to_thread(_endpoint, model, key, url, expected_dimension)


def chosen_model(settings: IndexSettings, recorded_model: str | None) -> str:
    """The name of the model to fill an index with, as the index records it.

    EMBEDDING_MODEL decides; unset, the model that the index recorded; for an empty index
    text-embedding-3-small when a key is set, else the bundled one.
    """
    default = DEFAULT_ENDPOINT_MODEL if settings.openai_api_key else LOCAL
    return recorded_name((settings.embedding_model or "").strip() or recorded_model or default)


def recorded_name(model: str) -> str:
    """The name under which the index records a model."""
    return RECORDED_NAMES.get(model, model)


def _endpoint(model: str, key: str, url: str, expected_dimension: int | None) -> Embedder:
    # Importing the client takes a second, which only those who use an endpoint should wait for.
    from index.embedding_endpoint import EndpointEmbedder

    return EndpointEmbedder(model, api_key=key, base_url=url, expected_dimension=expected_dimension)


def _key(settings: IndexSettings, model: str) -> str:
    key = settings.openai_api_key.get_secret_value().strip() if settings.openai_api_key else ""
    if not key and not settings.openai_base_url:
        raise ConfigurationError(
            f"The embedding model {model} is asked at an endpoint, but neither OPENAI_API_KEY nor "
            "OPENAI_BASE_URL is set. Set one of them, or take the bundled model: "
            f"EMBEDDING_MODEL={LOCAL} before the first ingest, later "
            f"`confluence-mcp reindex --embedding-model {LOCAL}`."
        )
    if not key.isascii() or any(character.isspace() for character in key):
        raise ConfigurationError(
            "OPENAI_API_KEY contains a space or a character that no key has. Copy it once more."
        )
    return key or NO_KEY


def _base_url(settings: IndexSettings) -> str:
    url = (settings.openai_base_url or OPENAI_URL).strip()
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ConfigurationError(
            "OPENAI_BASE_URL is not an http or https address, such as http://127.0.0.1:11434/v1."
        )
    return url
