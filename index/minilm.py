"""all-MiniLM-L6-v2 (int8) on onnxruntime: token ids in, sentence vectors out. Blocking."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

MAX_TOKENS = 256


class Named(Protocol):
    """An input of a network."""

    @property
    def name(self) -> str:
        """What the network calls it."""
        ...


class Session(Protocol):
    """What is used of onnxruntime's InferenceSession, which ships without types."""

    def get_inputs(self) -> Sequence[Named]:
        """What the network takes."""
        ...

    def run(
        self, output_names: list[str], inputs: dict[str, NDArray[np.int64]]
    ) -> list[NDArray[np.float32]]:
        """The outputs of that name, in order; all of them when none is named."""
        ...


def open_tokenizer(path: Path) -> Tokenizer:
    """The model's word pieces with [CLS] and [SEP], neither cut nor padded."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def open_session(path: Path) -> Session:
    """The network, one core for each call. Safe to run from several threads."""
    runtime = import_module("onnxruntime")  # a third of a second, paid at the first use
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def truncated(ids: list[int]) -> list[int]:
    """The first 256 ids, closed by the [SEP] that ended the whole."""
    return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]


def sentence_vectors(session: Session, batch: Sequence[list[int]]) -> NDArray[np.float32]:
    """One row for each list of ids: the mean of its tokens' last hidden states."""
    ids = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    [hidden] = session.run(["last_hidden_state"], inputs)
    weights = mask[:, :, None].astype(np.float32)
    return (hidden * weights).sum(axis=1) / weights.sum(axis=1)
