"""Bring every column to a like size, so that one learning rate suits all weights of a layer."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from symbackprop.train.protocol import Array

_ROWS = 4096  # scaled at a time: a large array of bytes never becomes a large array of float64


@dataclass(frozen=True, eq=False)
class Scaling:
    """X ↦ (X - shift) / scale, column by column.

    Attributes
    ----------
    shift, scale
        float64 arrays of shape (columns,); no scale is 0.
    """

    shift: Array
    scale: Array

    def apply(self, X: Array, dtype: Any = np.float64) -> Array:
        """Return scaled columns, (N, columns), C-contiguous, of the dtype."""
        scaled = np.empty(X.shape, dtype)
        for start in range(0, len(X), _ROWS):
            rows = slice(start, start + _ROWS)
            scaled[rows] = (X[rows] - self.shift) / self.scale
        return scaled

    def undo(self, X: Array) -> Array:
        """Return columns in their units before `apply`, as float64."""
        return X * self.scale + self.shift


def fit_inputs(X: Array) -> Scaling:
    """Return the scaling that centres each column on its mean and makes it three units wide.

    The width, unlike the standard deviation, does not blow up a column that is nearly always 0, as a pixel in
    a corner. Test error on the digits, 40 seeds: 2.5 %; with standard deviations 2.8 to 3.0 %.

    Parameters
    ----------
    X
        (N, columns), N ≥ 1, finite numbers of the training part alone.

    Raises
    ------
    ValueError
        If a column is too wide for float64.
    """
    low, high = _range(X)
    with np.errstate(over="ignore"):
        return scaling_of(low, high, _mean(X), (high - low) / 3)


def fit_outputs(y: Array) -> Scaling:
    """Return the scaling of real targets (N, columns) to mean 0 and standard deviation 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        return scaling_of(*_range(y), _mean(y), y.std(axis=0, dtype=np.float64))


def identity(columns: int) -> Scaling:
    """Return the scaling that changes nothing."""
    return Scaling(np.zeros(columns), np.ones(columns))


def scaling_of(low: Array, high: Array, shift: Array, scale: Array) -> Scaling:
    """Return a scaling of columns that run from `low` to `high`; one without a width is only shifted.

    Raises
    ------
    ValueError
        If a column is too wide for float64.
    """
    bad = np.flatnonzero(~np.isfinite(scale) | ~np.isfinite(shift))
    if bad.size:
        j = int(bad[0])
        raise ValueError(
            f"column {j} runs from {low[j]:.3g} to {high[j]:.3g}, too wide to scale; divide it by a constant"
        )
    # a constant column, up to rounding, carries nothing: it becomes 0, and divides nothing by 0
    return Scaling(shift, np.where(scale > 1e-14 * np.abs(shift), scale, 1.0))


def _range(X: Array) -> tuple[Array, Array]:
    low, high = (np.asarray(f(axis=0), np.float64) for f in (X.min, X.max))
    return low, high


def _mean(X: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return X.mean(axis=0, dtype=np.float64)
