"""Values of formulas, node by node: one walk for every kind of numbers, and no code is made of what was typed.

An `Arithmetic` says what differs: what a number is, how a sum is added up, which piece counts.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any

import numpy as np
from sympy import Add, And, Basic, Expr, Function, Max, Min, Mul, Not, Or, Piecewise, Pow
from sympy.core.relational import Relational

from symbackprop.expr.functions import NODES, Elementary

RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class Arithmetic(ABC):
    """A way of computing: the values of formulas in one kind of numbers."""

    def __init__(self, at: Mapping[Any, Any]) -> None:
        self.known = {**at}

    def value(self, expr: Any) -> Any:
        """Return the value of a formula."""
        if expr in self.known:
            return self.known[expr]
        if not expr.args:
            return self.number(expr)
        match expr:
            case Add():
                return self.sum(expr)
            case Mul():
                return self.product(expr)
            case Pow():
                return self.power(expr)
            case Piecewise():
                return self.pieces([(pair.expr, pair.cond) for pair in expr.args])
            case Max() | Min():
                return self.extreme(expr)
            case Function():
                return self.function(expr)
        return self.other(expr)

    def truth(self, condition: Any) -> Any:
        """Return whether a condition holds."""
        match condition:
            case Relational():
                return RELATIONS[condition.rel_op](*self.values(condition))
            case And():
                return self.all(self.truth(c) for c in condition.args)
            case Or():
                return self.any(self.truth(c) for c in condition.args)
            case Not():
                return np.logical_not(self.truth(condition.args[0]))
        return bool(condition)

    def values(self, expr: Basic) -> Iterator[Any]:
        """Yield the values of the arguments of a node."""
        return map(self.value, expr.args)

    @abstractmethod
    def number(self, expr: Any) -> Any:
        """Return a constant."""

    @abstractmethod
    def pieces(self, pairs: list[tuple[Expr, Any]]) -> Any:
        """Return the value of the first piece whose condition holds."""

    @abstractmethod
    def function(self, expr: Function) -> Any:
        """Return an elementary function of its arguments."""

    def sum(self, expr: Add) -> Any:
        """Return a sum."""
        return reduce(operator.add, self.values(expr))

    def product(self, expr: Mul) -> Any:
        """Return a product."""
        return reduce(operator.mul, self.values(expr))

    def power(self, expr: Pow) -> Any:
        """Return a power."""
        return operator.pow(*self.values(expr))

    def extreme(self, expr: Max | Min) -> Any:
        """Return the largest or the smallest argument."""
        return reduce(NODES[type(expr).__name__].array, self.values(expr))

    def all(self, answers: Iterator[Any]) -> Any:
        """Return whether every answer is yes."""
        return reduce(np.logical_and, answers)

    def any(self, answers: Iterator[Any]) -> Any:
        """Return whether some answer is yes."""
        return reduce(np.logical_or, answers)

    def other(self, expr: Any) -> Any:
        """Return the value of what is none of the above."""
        raise NotImplementedError(type(expr).__name__)


class AtOnePlace(Arithmetic):
    """A way of computing with single numbers: a condition holds or does not, and one piece is computed."""

    def pieces(self, pairs: list[tuple[Expr, Any]]) -> Any:
        """Return the value of the first piece whose condition holds."""
        return next(self.value(expr) for expr, condition in pairs if self.truth(condition))

    def all(self, answers: Iterator[Any]) -> bool:
        """Return whether every answer is yes."""
        return all(answers)

    def any(self, answers: Iterator[Any]) -> bool:
        """Return whether some answer is yes."""
        return any(answers)


def over_arrays(function: Elementary, kind: type = float) -> Callable[..., Any]:
    """Return NumPy's function; where it has none Python's, element by element, NaN or infinite where that raises."""
    return function.array or np.vectorize(_without_errors(function.number), otypes=[kind])


def _without_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of Python's that gives NaN or infinity where it would raise, as a compiled one does."""

    def value(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except ValueError:
            return np.nan
        except OverflowError:
            return np.inf

    return value


def evaluated(expr: Any, at: Mapping[Any, Any]) -> Any:
    """Return the values of a formula, or of a condition, for arrays of values of its symbols.

    Raises
    ------
    ValueError
        If the formula has a function without known values.
    """
    over_complex = _Complex(at)
    return over_complex.truth(expr) if expr.is_Boolean or isinstance(expr, Relational) else over_complex.value(expr)


class _Complex(Arithmetic):
    """Arrays of complex numbers, in which what is not real shows."""

    def number(self, expr: Any) -> Any:
        return complex(expr)

    def truth(self, condition: Any) -> Any:
        if isinstance(condition, Relational):
            return RELATIONS[condition.rel_op](*map(np.real, self.values(condition)))
        return super().truth(condition)

    def pieces(self, pairs: list[tuple[Expr, Any]]) -> Any:
        values = [(self.value(expr), self.truth(condition)) for expr, condition in pairs]
        parts = np.broadcast_arrays(*(part for pair in values for part in pair))
        return np.select(parts[1::2], parts[0::2])

    def extreme(self, expr: Max | Min) -> Any:
        values = [*self.values(expr)]
        best = reduce(np.fmax if isinstance(expr, Max) else np.fmin, map(np.real, values))
        return best + 1j * sum(abs(np.imag(v)) for v in values[1:])  # of what is not real there is no largest

    def function(self, expr: Function) -> Any:
        name = type(expr).__name__
        if name not in NODES:
            raise ValueError(f"the formula {expr} has {name}, whose values are not known")
        known, values = NODES[name], [*self.values(expr)]
        if not known.takes_complex:
            values = [*map(np.real, values)]
        return over_arrays(known, complex)(*values)
