"""A cross-encoder of a few bytes, in ONNX by hand: its score counts the tokens that texts share."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
FLOAT, INT64 = 1, 7  # of TensorProto.DataType


def write_cross_encoder(folder: Path, words: Iterable[str], *, columns: int = 1) -> Path:
    """A folder as an export has it; the network gives `columns` numbers for each pair."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(_model(columns))
    _tokenizer(words).save(str(folder / "tokenizer.json"))
    return folder


def _tokenizer(words: Iterable[str]) -> Tokenizer:
    vocabulary = {word: n for n, word in enumerate(dict.fromkeys((*SPECIAL, *words)))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _model(columns: int) -> bytes:
    """ModelProto: IR version 8, opset 13, the graph. See onnx.proto for the numbers of fields."""
    return _field(1, 8) + _field(7, _graph(columns)) + _field(8, _field(2, 13))


def _graph(columns: int) -> bytes:
    nodes = [
        _node("Cast", ["attention_mask"], "mask", to=FLOAT),
        _node("Cast", ["token_type_ids"], "type", to=FLOAT),
        _node("Mul", ["type", "mask"], "in_passage"),
        _node("Sub", ["mask", "in_passage"], "in_query"),
        _node("Unsqueeze", ["input_ids", "axis_1"], "row"),
        _node("Unsqueeze", ["input_ids", "axis_2"], "column"),
        _node("Equal", ["row", "column"], "is_same"),
        _node("Cast", ["is_same"], "same", to=FLOAT),
        _node("Unsqueeze", ["in_query", "axis_1"], "query"),
        _node("Unsqueeze", ["in_passage", "axis_2"], "passage"),
        _node("MatMul", ["query", "same"], "shared"),
        _node("MatMul", ["shared", "passage"], "counted"),
        _node("Squeeze", ["counted", "axis_1"], "count"),
        _node("MatMul", ["count", "factors"], "logits"),
    ]
    factors = np.linspace(1 if columns == 1 else -1, 1, columns, dtype=np.float32)
    constants = [
        _tensor("axis_1", [1], INT64, np.array([1], dtype=np.int64).tobytes()),
        _tensor("axis_2", [1], INT64, np.array([2], dtype=np.int64).tobytes()),
        _tensor("factors", [1, columns], FLOAT, factors.tobytes()),
    ]
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    return b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, b"tiny"),
            *(_field(5, constant) for constant in constants),
            *(_field(11, _value(name, INT64)) for name in inputs),
            _field(12, _value("logits", FLOAT)),
        ]
    )


def _node(kind: str, inputs: list[str], output: str, *, to: int | None = None) -> bytes:
    attribute = b"" if to is None else _field(5, _field(1, b"to") + _field(3, to) + _field(20, 2))
    names = b"".join(_field(1, name.encode()) for name in inputs)
    return names + _field(2, output.encode()) + _field(4, kind.encode()) + attribute


def _tensor(name: str, shape: list[int], kind: int, raw: bytes) -> bytes:
    dims = b"".join(_field(1, size) for size in shape)
    return dims + _field(2, kind) + _field(8, name.encode()) + _field(9, raw)


def _value(name: str, kind: int) -> bytes:
    """A matrix whose size is open."""
    shape = b"".join(_field(1, _field(2, size)) for size in (b"batch", b"length"))
    tensor = _field(1, kind) + _field(2, shape)
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, value: int | bytes) -> bytes:
    """A field of protobuf: a number, or bytes with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
