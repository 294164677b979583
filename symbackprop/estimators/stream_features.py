"""Rows of a stream as arrays: features by position or by name, standardised by what was seen so far."""

import math
import warnings
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from symbackprop.estimators.running_moments import LARGEST, Running
from symbackprop.train.protocol import Array


class Rows:
    """The columns of a stream, and the row that came last.

    Parameters
    ----------
    scaling
        `Running`, or `Raw` for rows as they are.
    dtype
        Of the rows for kernels.
    most
        Features of mappings beyond so many different ones are ignored.

    Attributes
    ----------
    names
        Of the columns; None where rows are arrays.
    """

    def __init__(self, scaling: type[Running], dtype: str, most: int) -> None:
        self.most, self.names, self._scaled = most, None, scaling(0, dtype)
        self._columns: dict[Hashable, int] = {}
        self._order: tuple[Hashable, ...] = ()
        self._warned = False

    names: list[Hashable] | None

    def learn(self, x: Any) -> None:
        """Take a row to learn from; a feature with a name never seen gets a column, unless the row is refused."""
        before, names = self._scaled, None if self.names is None else len(self.names)
        gaps = isinstance(x, Mapping)
        try:
            if gaps:
                self._known(x)
                self._fill(x)
            else:
                self._copy(x)
            self._standardise(learn=True, gaps=gaps)
        except ValueError:
            if self._scaled is not before:
                self._forget(before, names)
            raise

    def look(self, x: Any) -> None:
        """Take a row to predict for; a feature with a name never seen is ignored."""
        gaps = isinstance(x, Mapping)
        if gaps:
            self._require_names()
            self._fill(x)
        else:
            self._copy(x)
        self._standardise(learn=False, gaps=gaps)

    @property
    def size(self) -> int:
        """How many columns there are."""
        return self._scaled.raw.size

    @property
    def row(self) -> Array:
        """The row for kernels, (1, size)."""
        return self._scaled.z

    def _standardise(self, *, learn: bool, gaps: bool) -> None:
        if wrong := self._scaled(learn=learn, gaps=gaps):
            name = wrong - 1 if self.names is None else repr(self.names[wrong - 1])
            raise _too_large(name, self._scaled.raw[wrong - 1])

    def _forget(self, before: Running, names: int | None) -> None:
        """Take columns back that a refused row brought."""
        self._scaled = before
        self.names = None if names is None or self.names is None else self.names[:names]
        self._columns = {name: j for j, name in enumerate(self.names or ())}
        self._order = tuple(self.names or ())

    def _copy(self, x: Any) -> None:
        """Take an array; the first one says how long all are."""
        if self.names is not None:
            raise ValueError(f"x is of the type {type(x).__name__}, but rows so far were mappings; expected a mapping")
        row = _numbers(x)
        if row.size != (self.size or max(1, row.size)):
            raise ValueError(f"x has {row.size} features, expected {self.size or 'at least one'} as before")
        if not self.size:
            self._scaled = self._scaled.grown(row.size)
        self._scaled.raw[:] = row

    def _known(self, x: Mapping[Any, Any]) -> None:
        """Give names that were never seen columns of their own, in an order that does not depend on that of x."""
        self._require_names()
        if x.keys() <= self._columns.keys() and self.size:
            return
        new = [name for name in x if name not in self._columns and _is_there(x[name])]
        for name in new:  # before a column is made
            if abs(_number(name, x[name])) > LARGEST:
                raise _too_large(repr(name), x[name])
        self.names = self.names or []
        room = self.most - len(self.names)
        if len(new) > room:
            self._warn(new)
        for name in sorted(new, key=str)[:room]:
            self._columns[name] = len(self.names)
            self.names.append(name)
        self._order = tuple(self.names)
        if (size := max(1, len(self.names))) != self.size:
            self._scaled = self._scaled.grown(size)

    def _require_names(self) -> None:
        if self.names is None and self.size:
            raise ValueError("x is a mapping, but rows so far were arrays; expected an array")

    def _fill(self, x: Mapping[Any, Any]) -> None:
        raw = self._scaled.raw
        if tuple(x) == self._order:
            try:
                raw[:] = [*x.values()]
            except (TypeError, ValueError):  # None or a text among them
                pass
            else:
                return
        raw[:] = math.nan
        for name, value in x.items():
            if (j := self._columns.get(name)) is not None:
                raw[j] = _number(name, value)

    def _warn(self, names: list[Any]) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"the feature {names[-1]!r} is ignored, and others like it: there are to be at most {self.most}; "
                "give a larger max_features", stacklevel=5,
            )  # fmt: skip


def _too_large(name: object, value: Any) -> ValueError:
    return ValueError(f"feature {name} is {value}, expected a finite number, at most {LARGEST:g}; nothing was learnt")


def _is_there(value: Any) -> bool:
    return value is not None and value == value  # noqa: PLR0124 (NaN differs from itself)


def _numbers(x: Any) -> Array:
    """Return a row as an array of one axis; ValueError where it is none."""
    try:
        row = np.asarray(x, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"x is {' '.join(repr(x).split()):.60}, expected a row of numbers, or a mapping") from None
    if row.ndim != 1:
        raise ValueError(f"x has shape {row.shape}, expected one row of numbers, of shape (features,), or a mapping")
    return row


def _number(name: Hashable, value: Any) -> float:
    if value is None:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"feature {name!r} is {value!r:.60}, expected a number; nothing was learnt") from None
