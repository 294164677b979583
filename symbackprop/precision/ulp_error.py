"""How far a formula of one number is from its exact value in floats, over all magnitudes.

Truth is mpmath's value of the formula as derived. A candidate is computed in the type of its points: sums, products,
quotients and square roots as IEEE 754 has them, each other function in a wider type and rounded, so that no machine's
library has a say in what is chosen. Where `long double` is no wider than float64 (Windows, macOS on ARM), its library
has a say of an ULP in float64.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial, reduce
from typing import Any

import numpy as np
from mpmath import mp
from sympy import Add, Expr, Function, Max, Min, Mul, Pow, S, Symbol

from symbackprop.expr.evaluate import Arithmetic, over_arrays
from symbackprop.expr.functions import NODES
from symbackprop.expr.printing import by_size, in_order, is_negative, quotient
from symbackprop.expr.symbols import AtInfinity, accurate_exp
from symbackprop.precision.points import at_edges, near_roots, points

Array = np.ndarray[Any, Any]

BITS = 700  # a difference of numbers up to 1e38 whose result is 1e-38 keeps 53 bits; float64 takes three times that
FORMATS = {"float32": (24, -125, 128), "float64": (53, -1021, 1024)}  # digits, least and largest exponent
WIDER: dict[str, Any] = {"float32": np.float64, "float64": np.longdouble}
WRONG = 1e9  # the error in ULP of a wrong NaN or infinity
OVERFLOWN = 4  # binary logarithm of the ULP below it by which infinity is an error of rounding
LARGEST = float(np.finfo(np.float32).max)


def exact(expr: Expr, at: Mapping[Expr, Any]) -> Any:
    """Return mpmath's value of an expression, NaN where there is none among the real numbers."""
    try:
        value = _Digits(at).value(expr)
    except (ZeroDivisionError, ValueError, OverflowError):
        return mp.nan
    return value if isinstance(value, mp.mpf) else mp.mpf(value)


class _Digits(Arithmetic):
    """mpmath's real numbers; a value is noted, for the parts of a derivative come more than once."""

    def value(self, expr: Any) -> Any:
        if expr not in self.known:
            self.known[expr] = super().value(expr)
        if isinstance(self.known[expr], mp.mpc):
            raise ValueError(f"{expr} is not real")  # noqa: TRY004 (a value; (√-1)² is NaN to a kernel)
        return self.known[expr]

    def number(self, expr: Any) -> Any:
        return expr._to_mpmath(mp.prec)  # noqa: SLF001 (SymPy's own way to mpmath's numbers)

    def pieces(self, pairs: list[tuple[Expr, Any]]) -> Any:
        return next(self.value(expr) for expr, condition in pairs if self.truth(condition))

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
        name = type(expr).__name__
        digits = NODES[name].digits if name in NODES else getattr(mp, name)
        return digits(*self.values(expr))

    def all(self, answers: Iterator[Any]) -> bool:
        return all(answers)

    def any(self, answers: Iterator[Any]) -> bool:
        return any(answers)

    def truth(self, condition: Any) -> Any:
        return not isinstance(condition, AtInfinity) and super().truth(condition)  # no number here is infinite


def computed(expr: Expr, at: Mapping[Expr, Array]) -> Array:
    """Return the values of an expression at many points, in their type, in the order in which a kernel computes it."""
    real = next(iter(at.values())).dtype
    with np.errstate(all="ignore"):
        return np.asarray(_Floats(at, real.type, WIDER[real.name]).value(expr), real)


class _Floats(Arithmetic):
    """What a kernel does, with arrays of one type; `wider` is that in which functions are computed."""

    def __init__(self, at: Mapping[Expr, Array], real: Any, wider: Any) -> None:
        super().__init__(at)
        self.real, self.wider = real, wider

    def value(self, expr: Any) -> Any:
        return self.number(expr) if expr.is_number and expr not in self.known else super().value(expr)

    def number(self, expr: Any) -> Any:
        return self.real(str(expr.evalf(25)) if self.real is np.longdouble else float(expr))

    def pieces(self, pairs: list[tuple[Expr, Any]]) -> Any:
        *others, (last, _) = pairs
        chosen = self.value(last)
        for value, condition in reversed(others):
            chosen = np.where(self.truth(condition), self.value(value), chosen)
        return chosen

    def function(self, expr: Function) -> Any:
        if isinstance(expr, accurate_exp):
            read = {u: self.wider(self.value(u)) for u in expr.reads()}
            wide = _Floats(read, self.wider, self.wider)
            return np.exp(wide.value(expr.args[0])).astype(self.real)
        name = type(expr).__name__
        if name not in NODES:
            raise NotImplementedError(name)
        known, values = NODES[name], [*self.values(expr)]
        if known.rational:  # an operation, as IEEE 754 has it
            return over_arrays(known)(*values)
        return over_arrays(known)(*map(self.wider, values)).astype(self.real)

    def truth(self, condition: Any) -> Any:
        if isinstance(condition, AtInfinity):
            return self.value(condition.args[0]) == np.inf
        return super().truth(condition)

    def sum(self, expr: Add) -> Any:
        """Return a sum, a fraction common to all its terms taken out, as the compiler may: x/2 + y/2 is (x + y)/2."""
        numbers = {abs(t.as_coeff_Mul()[0]) for t in expr.args}
        common = numbers.pop() if len(numbers) == 1 and max(numbers) < 1 else S.One
        total = reduce(operator.add, (self.value(t / common) for t in sorted(expr.args, key=by_size)))
        return total if common == 1 else total * self.real(float(common))

    def product(self, expr: Mul) -> Any:
        if is_negative(expr):
            return -self.value(-expr)
        above, below = quotient(expr)
        if not below.is_number:
            return self.value(above) / self.value(below)
        number = self.real(float(expr.as_coeff_Mul()[0]))
        values = [self.value(f) for f in in_order(expr)]
        total = reduce(operator.mul, values)
        # the compiler may take the number to any factor first: 2 x E is NaN where 2 x overflows and E is 0
        overflows = [np.isinf(number * v) & np.isfinite(v) & ~np.isinf(total) for v in values]
        nan = self.real(np.nan)
        return np.where(reduce(np.logical_or, overflows), nan, total) if len(values) > 2 else total

    def power(self, expr: Pow) -> Any:
        base, power = expr.args
        if power.is_negative:
            return self.real(1) / self.value(base ** (-power))
        value = self.value(base)
        if power == S.Half:
            return np.sqrt(value)
        if power.is_Integer and power <= 4:
            return reduce(operator.mul, [value] * int(power))
        if power.is_Integer:
            half = self.value(base ** (power // 2))
            return half * half * value if power % 2 else half * half
        if (2 * power).is_Integer:
            return self.value(base ** (power - S.Half)) * np.sqrt(value)
        if (3 * power).is_Integer:
            whole, rest = divmod(int(3 * power), 3)
            root = np.cbrt(self.wider(value)).astype(self.real)
            return reduce(operator.mul, [root] * rest) * (self.value(base**whole) if whole else self.real(1))
        return np.power(self.wider(value), self.wider(self.value(power))).astype(self.real)


def ulps(value: float, truth: Any, precision: int = 24, least: int = -125, most: int = 128) -> float:
    """Return the error of a float in units in the last place of its exact value; WRONG where it alone is not finite.

    Infinity counts as the power of 2 that follows on the largest float, and is WRONG where that is far from the true
    value. A true value below the normal range is measured in units of the smallest subnormal.
    """
    if mp.isnan(truth):
        return 0.0
    bound = mp.ldexp(1, most)
    if math.isnan(value) or (math.isinf(value) and abs(truth) < bound * (1 - mp.ldexp(1, OVERFLOWN - precision))):
        return WRONG
    target, found = (max(-bound, min(v, bound)) for v in (truth, mp.mpf(value)))
    exponent = max(mp.frexp(target)[1], least) if target else least
    return min(float(abs(found - target) / mp.ldexp(1, exponent - precision)), WRONG / 10)


@dataclass(frozen=True)
class Sample:
    """Points of one type, the exact values there, and which of them count: in the normal range, off the roots."""

    at: Mapping[Expr, Array]
    truths: tuple[Any, ...]
    counts: Array

    def errors(self, expr: Expr) -> Array:
        """Return the error of a formula in ULP at each point; 0 where a point does not count, unless it is WRONG."""
        values = np.broadcast_to(computed(expr, self.at), len(self.truths))
        limits = FORMATS[values.dtype.name]
        with mp.workprec(2 * limits[0]):
            found = np.array([ulps(float(v), t, *limits) for v, t in zip(values, self.truths, strict=True)])
        return np.where(self.counts | (found == WRONG), found, 0.0)


@dataclass(frozen=True)
class Samples:
    """Points of several types; what holds for a formula has to hold in each."""

    parts: tuple[Sample, ...]

    def points(self, x: Symbol) -> Array:
        """Return all points, as float64."""
        return np.concatenate([part.at[x].astype(np.float64) for part in self.parts])

    def at(self, n: int) -> dict[Expr, float]:
        """Return the numbers of one point."""
        for part in self.parts:
            if n < len(part.truths):
                return {symbol: float(values[n]) for symbol, values in part.at.items()}
            n -= len(part.truths)
        raise IndexError(n)

    def errors(self, expr: Expr) -> Array:
        """Return the errors at all points, as `Sample.errors` does."""
        return np.concatenate([part.errors(expr) for part in self.parts])


def sample(
    expr: Expr, x: Symbol, targets: Mapping[Symbol, tuple[float, ...]], count: int, seed: int, dtype: str = "float32"
) -> Sample:
    """Return points of x (and of the targets, each value with all of x) with the exact values of `expr` there."""
    grid: list[dict[Symbol, float]] = [{}]
    for symbol, values in targets.items():
        grid = [{**old, symbol: v} for old in grid for v in values]
    parts = []
    with mp.workprec(BITS if dtype == "float32" else 3 * BITS):
        for fixed in grid:
            xs, truths, counts = _on_line(expr, x, fixed, points(count, seed, dtype))
            parts.append(({x: xs, **{s: np.full_like(xs, v) for s, v in fixed.items()}}, truths, counts))
    blocks, values, counts = zip(*parts, strict=True)
    at = {s: np.concatenate([block[s] for block in blocks]) for s in blocks[0]}
    return Sample(at, tuple(v for part in values for v in part), np.concatenate(counts))


def _on_line(expr: Expr, x: Symbol, fixed: Mapping[Symbol, float], xs: Array) -> tuple[Array, list[Any], Array]:
    """Return points of x, more where the values leave the normal range, the exact values, and which points count."""
    given = {s: mp.mpf(v) for s, v in fixed.items()}
    truth = cache(partial(exact_at, expr, x, given))
    xs = with_edges(xs, truth)
    truths = [truth(float(v)) for v in xs]
    near = near_roots(xs, truths, truth)
    least = mp.ldexp(1, FORMATS[xs.dtype.name][1] - 1)
    return xs, truths, ~near & np.array([not mp.isnan(t) and abs(t) >= least for t in truths])


def with_edges(xs: Array, f: Callable[[float], Any]) -> Array:
    """Return sorted points of one type, and further ones where the values of f leave the normal range of the type."""
    _, least, most = FORMATS[xs.dtype.name]
    return np.union1d(xs, at_edges(xs, f, (mp.ldexp(1, least - 1), mp.ldexp(1, most))))


def exact_at(expr: Expr, x: Expr, fixed: Mapping[Any, Any], value: Any) -> Any:
    """Return the exact value, with more bits where x is tiny or huge: in (eˣ - 1 - x)/x² twice x's exponent cancels."""
    at = mp.mpf(value)
    with mp.workprec(max(mp.prec * 3 // 5, 4 * abs(mp.frexp(at)[1]) + 64)):
        return exact(expr, {x: at, **fixed})
