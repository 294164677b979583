"""Targets of a stream: labels that may be new, or numbers that are standardised by what was seen so far."""

import math
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from symbackprop.estimators.running_moments import LARGEST, Running
from symbackprop.train.protocol import Array


class Labels:
    """The labels of a stream in the order in which they were seen.

    Attributes
    ----------
    names
        The labels.
    y
        (1,), the number of the last one.
    """

    def __init__(self, names: Iterable[Hashable] = ()) -> None:
        self.names = list(names)
        if not all(isinstance(name, Hashable) for name in self.names):
            raise ValueError(f"classes are {self.names!r:.60}, expected labels such as numbers or texts")
        self._numbers = {name: n for n, name in enumerate(self.names)}
        if len(self._numbers) < len(self.names):
            raise ValueError(f"classes are {self.names!r}, expected each label once")
        self.y = np.zeros(1, np.int64)

    @property
    def size(self) -> int:
        """How many labels there are."""
        return len(self.names)

    def check(self, y: Any) -> None:
        """Raise ValueError if y is no label."""
        try:
            known = y in self._numbers
        except TypeError:  # it has no hash
            raise ValueError(
                f"y is {' '.join(repr(y).split()):.60}, expected a label such as a number or a text; nothing was learnt"
            ) from None
        if not known and (y is None or (isinstance(y, float) and math.isnan(y))):
            raise ValueError(f"y is {y!r}, expected a label; nothing was learnt")

    def learn(self, y: Any) -> None:
        """Take a label."""
        at = self._numbers.get(y)
        if at is None:
            at = self._numbers[y] = len(self.names)
            self.names.append(y)
        self.y[0] = at

    def said(self, f: Array | None) -> Any:
        """Return the most probable label; None where nothing was learnt."""
        return None if f is None else self.names[int(f.argmax())]


class Values:
    """The numbers of a stream, one or several in a row.

    Parameters
    ----------
    scaling
        `Running`, or `Raw` for numbers as they are.
    dtype
        Of the target for kernels.

    Attributes
    ----------
    size
        How many numbers a target has, 0 before the first.
    y
        (1, size), the last target for kernels.
    """

    def __init__(self, scaling: type[Running], dtype: str) -> None:
        self.size = 0
        self._scaled = scaling(0, dtype)
        self._is_flat = True

    @property
    def y(self) -> Array:
        """The last target for kernels, (1, size)."""
        return self._scaled.z

    def check(self, y: Any) -> None:
        """Raise ValueError if y is not as many finite numbers as before."""
        try:
            values = np.atleast_1d(np.asarray(y))
            usable = values.dtype.kind in "biufO"
            values = values.astype(np.float64) if usable else values
        except (TypeError, ValueError, OverflowError):
            usable = False
        if not usable:
            raise ValueError(
                f"y is {' '.join(repr(y).split()):.60}, expected {self.size or 'finite'} numbers; nothing was learnt"
            )
        if values.ndim != 1 or (self.size and values.size != self.size) or not values.size:
            raise ValueError(f"y has shape {values.shape}, expected {self.size or 'some'} numbers; nothing was learnt")
        if not (abs(values) <= LARGEST).all():
            raise ValueError(f"y is {y}, expected finite numbers, at most {LARGEST:g}; nothing was learnt")

    def learn(self, y: Any) -> None:
        """Take a target that was checked."""
        if not self.size:
            self._is_flat, self.size = np.ndim(y) == 0, np.size(y)
            self._scaled = self._scaled.grown(self.size)
        self._scaled.raw[:] = y
        self._scaled(learn=True)

    def said(self, f: Array | None) -> Any:
        """Return outputs as numbers like the targets; 0 where nothing was learnt."""
        if f is None:
            return 0.0
        back = (self._scaled.back(j) for j in range(self.size))
        values = [mean + deviation * v for v, (mean, deviation) in zip(f.tolist(), back, strict=True)]
        return values[0] if self._is_flat else np.array(values)
