"""The picture of a search benchmark: how the slowest answers grow with the index."""

# The types of matplotlib are incomplete.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from benchmarks.search_report import Run

# Label, name of the times and style, which differ without colours.
LINES = (
    ("search_confluence over MCP HTTP", "call", "o-"),
    ("search statement", "statement", "s--"),
    ("floor: bare look-ups", "floor", "^:"),
)


def draw(runs: Sequence[Run], file: Path) -> None:
    """The 95th percentiles by size."""
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    sizes = [run.chunks for run in runs]
    for label, name, style in LINES:
        slowest = [run.calls[name]["p95"] for run in runs]
        axes.plot(sizes, slowest, style, color="black", label=label)
    axes.set(xscale="log", xlabel="chunks", ylabel="95th percentile, milliseconds")
    axes.set_ylim(bottom=0)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.grid(axis="y", color="0.85")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150)
    plt.close(figure)
