"""Running standardisation: every column less its mean so far, divided by its standard deviation so far."""

from math import isnan, sqrt
from typing import Self

import numpy as np
from numba import njit

from symbackprop.emit.machine_code import keep_machine_code

LARGEST = 1e150  # the square of a larger value might be infinite, and stay in the sum of squares


@njit(nogil=True)
def _standardise(raw, known, means, squares, z, learn, gaps):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write (v - mean)/deviation of each value to z[0]; first count the values where `learn`; return what is wrong + 1.

    Welford 1962: mean ← mean + (v - mean)/n, Σ(v - mean)² ← Σ(v - mean)² + (v - old mean)(v - new mean).
    """
    for j in range(raw.size):
        if abs(raw[j]) > LARGEST or (isnan(raw[j]) and not gaps):
            return j + 1
    for j in range(raw.size):
        v = raw[j]
        z[0, j] = 0
        if isnan(v):
            continue
        if learn:
            known[j] += 1
            apart = v - means[j]
            means[j] += apart / known[j]
            squares[j] += apart * (v - means[j])
        if squares[j] > 0:
            z[0, j] = (v - means[j]) / sqrt(squares[j] / known[j])
    return 0


keep_machine_code(_standardise)


class Running:
    """Means and deviations of columns, and the row that was standardised last.

    Parameters
    ----------
    columns
        How many.
    dtype
        Of the standardised row.

    Attributes
    ----------
    raw
        (columns,) float64, to be filled; NaN is a gap.
    z
        (1, columns), 0 where there is a gap or no spread yet.
    """

    def __init__(self, columns: int, dtype: str) -> None:
        self.raw, self.known, self.means, self.squares = (np.zeros(columns) for _ in range(4))
        self.z = np.zeros((1, columns), dtype)

    def __call__(self, *, learn: bool, gaps: bool = False) -> int:
        """Standardise `raw` to `z`, and count it where `learn`; return 0, or 1 + the column of a value not finite."""
        return int(_standardise(self.raw, self.known, self.means, self.squares, self.z, learn, gaps))

    def grown(self, columns: int) -> Self:
        """Return the same with more columns, of which nothing is known."""
        made = type(self)(columns, self.z.dtype.name)
        for name in ("known", "means", "squares"):
            getattr(made, name)[: self.raw.size] = getattr(self, name)
        return made

    def back(self, j: int = 0) -> tuple[float, float]:
        """Return mean and deviation of a column, 1 where there is no spread yet."""
        spread = sqrt(self.squares[j] / self.known[j]) if self.known[j] else 0.0
        return float(self.means[j]), spread or 1.0


class Raw(Running):
    """The same for values that are to stay as they are: nothing is known of them."""

    def __call__(self, *, learn: bool, gaps: bool = False) -> int:  # noqa: ARG002 (as in Running)
        """Copy `raw` to `z`, 0 for gaps; return 0, or 1 + the column of a value not finite."""
        if not np.isfinite(self.raw).all() and (not gaps or np.isinf(self.raw).any()):
            return 1 + int(np.flatnonzero(~np.isfinite(self.raw))[0])
        self.z[0] = np.nan_to_num(self.raw) if gaps else self.raw
        return 0
