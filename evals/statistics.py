"""How sure a mean or a difference is. Pure, and the same for the same numbers every time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
SEED = 20_260_101
_AT_ONCE = 250  # resamples
_ROUNDING = 1e-12

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over questions with its 95 % interval."""

    mean: float
    low: float
    high: float


def estimates(columns: Sequence[Sequence[float]]) -> list[Estimate]:
    """The means of columns of equal length, with bootstrap intervals over their rows."""
    values = np.array(columns, dtype=np.float64).T
    draws = np.random.default_rng(SEED)
    rows = len(values)
    # How often each row is drawn: a mean of a resample is then a product of matrices.
    means = np.concatenate(
        [
            draws.multinomial(rows, np.full(rows, 1 / rows), size=_AT_ONCE) @ values / rows
            for _ in range(RESAMPLES // _AT_ONCE)
        ]
    )
    low, high = np.quantile(means, (0.025, 0.975), axis=0)
    return [
        Estimate(float(mean), float(least), float(most))
        for mean, least, most in zip(values.mean(axis=0), low, high, strict=True)
    ]


def chances(columns: Sequence[Sequence[float]]) -> list[float]:
    """Of each column of paired differences how likely so large a mean is by chance alone.

    Two-sided sign-flip test: each difference might as well have had the other sign. Smucker, Allan
    & Carterette, A Comparison of Statistical Significance Tests for Information Retrieval
    Evaluation (2007).
    """
    values = np.array(columns, dtype=np.float64).T
    draws = np.random.default_rng(SEED)
    seen = np.abs(values.sum(axis=0)) - _ROUNDING
    as_large = np.zeros(values.shape[1])
    for _ in range(RESAMPLES // _AT_ONCE):
        signs = draws.choice((-1.0, 1.0), size=(_AT_ONCE, len(values)))
        as_large += (np.abs(signs @ values) >= seen).sum(axis=0)
    return [float(chance) for chance in (as_large + 1) / (RESAMPLES + 1)]
