"""Re-ranking by a cross-encoder in a folder, with a real network on onnxruntime."""

from pathlib import Path

import pytest

from index.errors import ConfigurationError, RerankingError
from index.reranker_choice import open_reranker
from index.reranking_local import LocalReranker
from tests.index.tiny_cross_encoder import write_cross_encoder

pytestmark = pytest.mark.anyio

QUERY = "how do I restart the billing service"
WORDS = [*QUERY.lower().split(), "vpn", "needs", "a", "certificate"]
PASSAGES = [
    "The VPN needs a certificate",
    "Restart the billing service",
    "",
    "The billing VPN",
    *["restart"] * 20,
]


@pytest.mark.parametrize("columns", [1, 2])
async def test_passages_that_share_more_with_the_question_score_higher(
    tmp_path: Path, columns: int
) -> None:
    folder = write_cross_encoder(tmp_path / "model", WORDS, columns=columns)

    async with open_reranker(str(folder)) as reranker:
        assert reranker is not None
        scores = await reranker.scores(QUERY, PASSAGES)

    shared = [1, 4, 0, 2, *[1] * 20]
    # The separator is in the question and in "(empty)", whose words nobody knows.
    assert [score / columns - scores[2] / columns for score in scores] == shared


async def test_scores_do_not_depend_on_what_else_is_asked(tmp_path: Path) -> None:
    reranker = LocalReranker.open(write_cross_encoder(tmp_path / "model", WORDS))

    together = await reranker.scores(QUERY, PASSAGES)
    alone = [(await reranker.scores(QUERY, [passage]))[0] for passage in PASSAGES]
    await reranker.close()

    assert together == alone


async def test_long_texts_are_cut_to_what_the_network_reads(tmp_path: Path) -> None:
    reranker = LocalReranker.open(write_cross_encoder(tmp_path / "model", WORDS))

    short, long = await reranker.scores("restart " * 5_000, ["restart", "restart " * 5_000])
    await reranker.close()

    assert 0 < short < long <= 256 * 256


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json"])
async def test_a_folder_without_a_part_is_refused(tmp_path: Path, missing: str) -> None:
    folder = write_cross_encoder(tmp_path / "model", WORDS)
    (folder / missing).unlink()

    with pytest.raises(ConfigurationError, match=f"has no {missing}"):
        async with open_reranker(str(folder)):
            pass


@pytest.mark.parametrize("broken", ["model.onnx", "tokenizer.json"])
async def test_a_broken_part_is_refused(tmp_path: Path, broken: str) -> None:
    folder = write_cross_encoder(tmp_path / "model", WORDS)
    (folder / broken).write_bytes(b"no model at all")

    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        async with open_reranker(str(folder)):
            pass


async def test_a_network_with_other_outputs_is_no_cross_encoder(tmp_path: Path) -> None:
    reranker = LocalReranker.open(write_cross_encoder(tmp_path / "model", WORDS, columns=3))

    with pytest.raises(RerankingError, match=r"shape \(1, 3\)"):
        await reranker.scores(QUERY, PASSAGES[:1])
    await reranker.close()


async def test_nothing_is_chosen_without_a_setting() -> None:
    for nothing in (None, "", " "):
        async with open_reranker(nothing) as reranker:
            assert reranker is None
