"""Which embedding model to use: the one that is set, else the one that filled the index."""

import asyncio
from urllib.parse import urlsplit

from index.embedding_local import LOCAL, LOCAL_MODEL, LocalEmbedder
from index.embedding_multilingual import MULTILINGUAL, MULTILINGUAL_MODEL, MultilingualEmbedder
from index.embeddings import Embedder
from index.errors import ConfigurationError
from index.settings import IndexSettings

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
    """The embedder to read or fill an index with; nothing is loaded or asked yet.

    EMBEDDING_MODEL decides; unset, the model that the index recorded; for an empty index
    text-embedding-3-small when a key is set, else the bundled one. Raises ConfigurationError
    when the choice cannot work with the other settings.
    """
    model = chosen_model(settings, recorded_model)
    if model == LOCAL_MODEL:
        return LocalEmbedder()
    if model == MULTILINGUAL_MODEL:
        return MultilingualEmbedder()
    if model.startswith((f"{LOCAL}:", f"{MULTILINGUAL}:")):
        raise ConfigurationError(
            f"This version does not bundle the embedding model {model}. Set EMBEDDING_MODEL to "
            f"{LOCAL} or {MULTILINGUAL} and fill the index anew with "
            "`confluence-mcp ingest --full`."
        )
    expected = recorded_dimension if model == recorded_model else None
    key, url = _key(settings, model), _base_url(settings)
    return await asyncio.to_thread(_endpoint, model, key, url, expected)


def chosen_model(settings: IndexSettings, recorded_model: str | None) -> str:
    """The name of the model to use, as the index records it."""
    default = DEFAULT_ENDPOINT_MODEL if settings.openai_api_key else LOCAL
    chosen = (settings.embedding_model or "").strip() or recorded_model or default
    return RECORDED_NAMES.get(chosen, chosen)


def _endpoint(model: str, key: str, url: str, expected_dimension: int | None) -> Embedder:
    # Importing the client takes a second, which only those who use an endpoint should wait for.
    from index.embedding_endpoint import EndpointEmbedder

    return EndpointEmbedder(model, api_key=key, base_url=url, expected_dimension=expected_dimension)


def _key(settings: IndexSettings, model: str) -> str:
    key = settings.openai_api_key.get_secret_value().strip() if settings.openai_api_key else ""
    if not key and not settings.openai_base_url:
        chosen = "is set" if settings.embedding_model else "filled the index"
        raise ConfigurationError(
            f"The embedding model {model} {chosen}, but neither OPENAI_API_KEY nor OPENAI_BASE_URL "
            f"is. Set one of them, or EMBEDDING_MODEL={LOCAL} for the bundled model (an index "
            "filled by another one is then filled anew with `confluence-mcp ingest --full`)."
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
