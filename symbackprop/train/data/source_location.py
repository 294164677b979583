"""Where a value came from, so that an error can point at it: file, line or row, column."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symbackprop.train.protocol import Array


@dataclass(frozen=True)
class Place:
    """The name of an array and how to call one of its entries.

    >>> Place("iris.csv", lines=(2, 3), columns=("width",)).at(1, 0)
    "iris.csv line 3, column 'width'"
    >>> Place("X of iris.npz").at(1)
    'X of iris.npz row 1'
    """

    name: str
    lines: Sequence[int] = ()
    columns: Sequence[str] = ()

    def __str__(self) -> str:
        return self.name

    def at(self, row: int, column: int | None = None) -> str:
        """Return the place of one entry, of a whole row without a column."""
        where = f"line {self.lines[row]}" if len(self.lines) else f"row {row}"
        if column is None:
            return f"{self.name} {where}"
        return (
            f"{self.name} {where}, column {self.columns[column]!r}"
            if self.columns
            else (f"{self.name} {where}, column {column}")
        )


def check_finite(X: Array, place: Place) -> None:
    """Raise ValueError with row and column of the first NaN or infinity of a matrix."""
    with np.errstate(over="ignore", invalid="ignore"):
        if X.dtype.kind != "f" or np.isfinite(X.sum(dtype=np.float64)):
            return  # a finite sum has only finite terms: no mask as large as X is made
    bad = np.argwhere(~np.isfinite(X))
    if bad.size:
        i, j = (int(v) for v in bad[0])
        raise ValueError(f"{place.at(i, j)}: {X[i, j]}, expected a finite number; remove or fill it")


def is_number(text: str) -> bool:
    """Return whether text reads as a float, NaN and infinity included."""
    try:
        float(text)
    except ValueError:
        return False
    return True
