"""The exact value of a formula of numbers, by mpmath: to the bits the caller says, or with a bound of its error.

1 - 1/(1 + exp(-x)) at 869 is 0 to a thousand bits, and its logarithm -869. So a value that others are judged by has
a bound of its error (`precision.bounded`). Where that leaves too few digits it is computed again with more bits, as far
as they go.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import reduce
from typing import Any, NamedTuple

from mpmath import mp
from sympy import Expr, Function, Max, Min, Mul, Pow

from symbackprop.expr.evaluate import AtOnePlace
from symbackprop.expr.symbols import AtInfinity
from symbackprop.precision.bounded import Bound, UndecidedError, constants, digits_of, magnitude, with_bound

BITS = 700  # a difference of numbers up to 1e38 whose result is 1e-38 keeps 53 bits
STAGES = (200, 480, 1400, 2400, 4600)  # bits; (eˣ - 1 - x)/x² at the least float64 takes 4400
DIGITS = 80  # bits of a known value
BEYOND = 120  # binary orders below the least float where a value is as good as 0, above the largest as good as infinite


def exact(expr: Expr, at: Mapping[Expr, Any]) -> Any:
    """Return mpmath's value of an expression, NaN where there is none among the real numbers."""
    try:
        value = _Digits(at).value(expr)
    except (ZeroDivisionError, ValueError, OverflowError):
        return mp.nan
    return value if isinstance(value, mp.mpf) else mp.mpf(value)


class _Digits(AtOnePlace):
    """mpmath's real numbers; a value is noted, for the parts of a derivative come more than once."""

    def value(self, expr: Any) -> Any:
        if expr not in self.known:
            self.known[expr] = super().value(expr)
        if isinstance(self.known[expr], mp.mpc):
            raise ValueError(f"{expr} is not real")  # noqa: TRY004 (a value; (√-1)² is NaN to a kernel)
        return self.known[expr]

    def number(self, expr: Any) -> Any:
        return mp.mpf(expr._to_mpmath(mp.prec))  # noqa: SLF001 (SymPy's own way to mpmath's numbers)

    def product(self, expr: Mul) -> Any:
        values = [*self.values(expr)]
        return mp.zero if 0 in values else reduce(operator.mul, values)

    def power(self, expr: Pow) -> Any:
        base, power = self.values(expr)
        if expr.exp.is_Integer:
            return base ** int(expr.exp)
        return mp.sqrt(base) ** int(2 * expr.exp) if (2 * expr.exp).is_Integer else mp.power(base, power)

    def extreme(self, expr: Max | Min) -> Any:
        return (max if isinstance(expr, Max) else min)(self.values(expr))

    def function(self, expr: Function) -> Any:
        return digits_of(expr)(*self.values(expr))

    def truth(self, condition: Any) -> Any:
        return not isinstance(condition, AtInfinity) and super().truth(condition)  # no number here is infinite


class Known(NamedTuple):
    """A value, whether it has all its digits or is beyond the floats, and whether it is told from 0 or is 0 exactly."""

    value: Any
    is_known: bool = True
    has_sign: bool = True


class Truth:
    """The exact values of a formula of one number, each with many digits, 0 or infinite to floats; or undecided.

    An undecided value is what the formula saturates at, NaN where that would be read by a function that is not defined
    there. It says that the true value is finite, no more.

    Parameters
    ----------
    expr
        The formula.
    x
        Its number.
    fixed
        The values of its other symbols.
    limits
        Of the floats that its values are compared with: their digits, least and largest exponent.
    """

    def __init__(self, expr: Expr, x: Expr, fixed: Mapping[Any, Any], limits: tuple[int, int, int]) -> None:
        self.expr, self.x, self.fixed = expr, x, fixed
        digits, least, most = limits
        self.least, self.most = least - digits - BEYOND, most + BEYOND
        self.values: dict[Any, Known] = {}
        self.constants: list[Any] = []
        for bits in STAGES:
            with mp.workprec(bits):
                self.constants.append(constants(expr))
        self.stage = 0  # what one number needs, the next will need

    def __call__(self, value: Any) -> Any:
        """Return the value at a number, NaN where there is none."""
        return self.known(value).value

    def known(self, value: Any) -> Known:
        """Return the value at a number with what is known of it."""
        if value not in self.values:
            self.values[value] = self._found(value)
        return self.values[value]

    def _found(self, value: Any) -> Known:
        at = {s: (mp.mpf(v), None) for s, v in {**self.fixed, self.x: value}.items()}
        found, refused = Known(mp.nan, is_known=False), 0
        for stage in range(self.stage, len(STAGES)):
            self.stage = stage
            with mp.workprec(STAGES[stage]):
                try:
                    found = self._judged(*with_bound(self.expr, self.constants[stage] | at))
                except UndecidedError:
                    continue
                except (ZeroDivisionError, ValueError, OverflowError):
                    refused += 1
            if found.is_known or refused == 2:
                break
        return found

    def _judged(self, value: Any, bound: Bound) -> Known:
        """Return a value with what its bound says of it; the next gets fewer bits, if those would have done."""
        if bound is None:
            return Known(value)
        fewer = STAGES[self.stage] - STAGES[self.stage - 1] if self.stage else 0
        enough, would_do = (self._is_enough(magnitude(value), b) for b in (bound, bound + fewer))
        self.stage -= bool(self.stage and would_do)
        return Known(value, enough, bound < magnitude(value))

    def _is_enough(self, size: int, bound: int) -> bool:
        """Whether a value less than 2^size has all its digits, or is as good as 0 or infinite to floats."""
        return bound <= size - DIGITS or max(size, bound) < self.least or bound < size > self.most
