"""What a run of the search benchmark told: tables and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from benchmarks.search_cells import Found
from benchmarks.search_times import Summary


@dataclass(frozen=True, slots=True)
class Run:
    """All that was measured of an index of one size; times in milliseconds, sizes in bytes."""

    chunks: int
    dimension: int
    at: datetime
    load: float
    kinds: Mapping[str, Summary]
    cells: Sequence[Found]
    calls: Mapping[str, Summary]
    rates: Mapping[str, Summary]
    naive: Mapping[str, Summary]
    disk: Mapping[str, int]
    memory: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        """For a file."""
        return {
            **{"chunks": self.chunks, "dimension": self.dimension, "load": self.load},
            **{"at": self.at.isoformat(timespec="seconds"), "kinds": self.kinds},
            "cells": [_cell(found) for found in self.cells],
            **{"calls": self.calls, "rates": self.rates, "naive": self.naive},
            **{"disk": self.disk, "memory": self.memory},
        }


def show(run: Run) -> None:
    """Prints everything."""
    floor = run.calls["floor"]
    print(f"\n# {run.chunks:,} chunks of {run.dimension} numbers, load {run.load:.1f}")
    _show_times("one after another", run.calls, floor)
    call, parts = run.calls["call"], ("statement", "embedding")
    over = call["p50"] - sum(run.calls[name]["p50"] for name in parts)
    above = call["p50"] - run.calls["embedding"]["p50"]
    print(f"a call takes {over:.1f} ms more than statement and embedding; without the embedding")
    print(f"it takes {above / floor['p50']:.2f} times the floor")
    _show_times("by kind of question", run.kinds, floor)
    _show_cells(run.cells, floor)
    print(f"\n{'callers at once':24}{'per second':>11}{'refused':>9}{'p50':>9}{'p95':>9}{'p99':>9}")
    for name, rate in run.rates.items():
        told = "".join(f"{rate.get(p, 0):>9.1f}" for p in ("refused", "p50", "p95", "p99"))
        print(f"{name:24}{rate['per_second']:>11.1f}{told}")
    if run.naive:
        _show_times("beside the usual recipe", run.naive, floor)
        ours, naive = run.naive["beside it"], run.naive["naive recipe"]
        print(f"ours answers {naive['p50'] / ours['p50']:.1f} times as many questions a second")
    _show_sizes(run)


def _show_times(title: str, times: Mapping[str, Summary], floor: Summary) -> None:
    print(f"\n{title:24}{'p50':>9}{'p95':>9}{'p99':>9}{'cpu p50':>9}{'cpu p95':>9}", end="")
    print(f"{'of floor: p50':>15}{'p95':>7}{'cpu':>7}")
    for name, told in times.items():
        columns = ("p50", "p95", "p99", "cpu_p50", "cpu_p95")
        row = "".join(f"{told.get(column, float('nan')):>9.1f}" for column in columns)
        print(f"{name:24}{row}{told['p50'] / floor['p50']:>15.2f}", end="")
        print(f"{told['p95'] / floor['p95']:>7.2f}{_ratio(told, floor):>7.2f}")


def _ratio(told: Summary, floor: Summary) -> float:
    """Of the times of a core."""
    return told.get("cpu_p50", float("nan")) / floor.get("cpu_p50", float("nan"))


def _show_cells(cells: Sequence[Found], floor: Summary) -> None:
    print(f"\n{'asker or filter':24}{'about':>9}{'chunks':>10}{'recall@10':>10}", end="")
    print(f"{'p50':>9}{'p95':>9}{'cpu p50':>9}{'cpu p95':>9}{'of floor':>9}{'cpu':>7}")
    for found in cells:
        told = _cell(found)
        columns = ("p50", "p95", "cpu_p50", "cpu_p95")
        times = found.times.summary()
        print(
            f"{told['name']:24}{told['about']:>9}{told['chunks']:>10,}{told['recall']:>10.3f}",
            end="",
        )
        print("".join(f"{times.get(column, float('nan')):>9.1f}" for column in columns), end="")
        print(f"{times['p50'] / floor['p50']:>9.2f}{_ratio(times, floor):>7.2f}")


def _cell(found: Found) -> dict[str, str | int | float]:
    return {
        "name": found.cell.name,
        "about": "what they see" if found.cell.is_inside else "anything",
        "chunks": int(found.cell.shown.sum()),
        "recall": round(float(np.mean(found.recalls)), 4),
        **found.times.summary(),
    }


def _show_sizes(run: Run) -> None:
    print(f"\n{'on disk':32}{'MB':>9}{'bytes a chunk':>15}")
    for name, size in {**run.disk, "all": sum(run.disk.values())}.items():
        print(f"{name:32}{size / 1e6:>9.1f}{size / run.chunks:>15.0f}")
    print(", ".join(f"{name} {value:,.0f}" for name, value in run.memory.items()))
