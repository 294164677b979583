"""Inputs and targets as a network sees them: brought to a like size by the rows seen so far, and outputs back again."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from symbackprop.train.data.scaling import Scaling, scaling_of
from symbackprop.train.protocol import Array

_STEPS = 1024  # of a mean in its range and of a deviation: the order in which rows were summed leaves no trace


@dataclass(frozen=True, eq=False)
class Spread:
    """Of columns: how many rows were seen, their mean, Σ(v - mean)², the least and the largest value.

    Attributes
    ----------
    rows
        The sum of their weights.
    mean, squares, low, high
        float64 arrays of shape (columns,).
    """

    rows: float
    mean: Array
    squares: Array
    low: Array
    high: Array

    @classmethod
    def empty(cls, columns: int) -> Self:
        """Return the spread of no row."""
        nothing, most = np.zeros(columns), np.full(columns, np.inf)
        return cls(0.0, nothing, nothing, most, -most)

    def joined(self, X: Array, weight: Array | None = None) -> "Spread":
        """Return the spread of the rows so far and of others, (N, columns); a row of weight ω counts as ω of them.

        By Chan, Golub and LeVeque 1979: of two sets with n and m rows whose means differ by d,
        Σ(v - mean)² is the sum of both and d² nm/(n + m).
        """
        if weight is not None:
            X, weight = X[weight > 0], weight[weight > 0]
        X = np.asarray(X, np.float64)
        new = float(len(X) if weight is None else weight.sum())
        rows = self.rows + new
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.average(X, axis=0, weights=weight)
            off = np.square(X - mean)
            squares = (off if weight is None else weight[:, None] * off).sum(axis=0)
            apart = mean - self.mean
            return Spread(
                rows,
                self.mean + apart * (new / rows),
                self.squares + squares + np.square(apart) * (self.rows * new / rows),
                np.minimum(self.low, X.min(axis=0)),
                np.maximum(self.high, X.max(axis=0)),
            )

    def inputs(self) -> Scaling:
        """Return what centres each column and makes it three units wide, as `train.data.scaling.fit_inputs`."""
        with np.errstate(over="ignore"):
            return self._scaling((self.high - self.low) / 3)

    def outputs(self) -> Scaling:
        """Return what brings each column to mean 0 and standard deviation 1."""
        with np.errstate(over="ignore", invalid="ignore"):
            fraction, exponent = np.frexp(np.sqrt(self.squares / self.rows))
        return self._scaling(np.ldexp(np.rint(fraction * _STEPS) / _STEPS, exponent))

    def _scaling(self, scale: Array) -> Scaling:
        with np.errstate(over="ignore", invalid="ignore"):
            width = np.where(self.high > self.low, self.high - self.low, 1.0)
            shift = self.low + width * (np.rint((self.mean - self.low) / width * _STEPS) / _STEPS)
        return scaling_of(self.low, self.high, shift, scale)


@dataclass(frozen=True, eq=False)
class Units:
    """The units of a network's inputs and outputs beside those of the data.

    Attributes
    ----------
    inputs, outputs
        The spread of the rows so far; None where columns stay as they are.
    """

    inputs: Spread | None
    outputs: Spread | None

    @property
    def are_known(self) -> bool:
        """Whether rows were seen, or none need be."""
        return all(spread is None or spread.rows > 0 for spread in (self.inputs, self.outputs))

    def seeing(self, X: Array, y: Array, weight: Array | None = None) -> "Units":
        """Return the units after further rows.

        Parameters
        ----------
        X, y
            (N, inputs) and (N, outputs), finite numbers.
        weight
            (N,), not negative, or None where all are 1.

        Raises
        ------
        ValueError
            If a column is too wide for float64.
        """
        made = Units(
            None if self.inputs is None else self.inputs.joined(X, weight),
            None if self.outputs is None else self.outputs.joined(y, weight),
        )
        _ = made.input_scaling, made.output_scaling  # which refuse what is too wide
        return made

    @cached_property
    def input_scaling(self) -> Scaling | None:
        """Inputs in the data's units ↦ inputs in the network's."""
        return None if self.inputs is None else self.inputs.inputs()

    @cached_property
    def output_scaling(self) -> Scaling | None:
        """Targets in the data's units ↦ targets in the network's."""
        return None if self.outputs is None else self.outputs.outputs()

    def scale_inputs(self, X: Array, dtype: Any) -> Array:
        """Return inputs in the network's units, (N, inputs), of the dtype."""
        if self.input_scaling is None:
            return np.ascontiguousarray(X, dtype)
        return self.input_scaling.apply(X, dtype)

    def scale_targets(self, y: Array) -> Array:
        """Return targets in the network's units."""
        return y if self.output_scaling is None else self.output_scaling.apply(y)

    def restore(self, f: Array) -> Array:
        """Return outputs of the network, (N, outputs), in the data's units."""
        return f if self.output_scaling is None else self.output_scaling.undo(f)
