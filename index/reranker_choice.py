"""Which reranker to use: none, one at an endpoint, or one in a folder."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from index.errors import ConfigurationError
from index.reranking import Reranker
from index.reranking_endpoint import EndpointReranker
from index.reranking_local import LocalReranker


@asynccontextmanager
async def open_reranker(
    target: str | None, *, model: str | None = None, api_key: str = ""
) -> AsyncGenerator[Reranker | None]:
    """The reranker at an http(s) address or in a folder; None without either.

    An endpoint is not asked yet, a folder is loaded. Raises ConfigurationError when it cannot be.
    """
    reranker = await _chosen((target or "").strip(), model, api_key.strip())
    try:
        yield reranker
    finally:
        if reranker is not None:
            await reranker.close()


async def _chosen(target: str, model: str | None, api_key: str) -> Reranker | None:
    if not target:
        return None
    if not target.lower().startswith(("http://", "https://")):
        return await asyncio.to_thread(LocalReranker.open, Path(target))
    if not api_key.isascii() or any(character.isspace() for character in api_key):
        raise ConfigurationError(
            "RERANKER_API_KEY contains a space or a character that no key has. Copy it once more."
        )
    return EndpointReranker(target, model=model, api_key=api_key)
