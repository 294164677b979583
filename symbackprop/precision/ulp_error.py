"""How far a formula of one number is from its exact value in floats, over all magnitudes.

Truth is mpmath's value of the formula as derived. A candidate is computed in the type of its points: sums, products,
quotients and square roots as IEEE 754 has them, each other function in a wider type and rounded, so that no machine's
library has a say in what is chosen. Where `long double` is no wider than float64 (Windows, macOS on ARM), its library
has a say of an ULP in float64.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
from mpmath import mp
from sympy import Add, Expr, Function, Mul, Pow, S, Symbol

from symbackprop.expr.evaluate import Arithmetic, over_arrays
from symbackprop.expr.functions import NODES
from symbackprop.expr.printing import by_size, in_order, is_negative, quotient
from symbackprop.expr.symbols import AtInfinity, accurate_exp
from symbackprop.precision.points import at_edges, near_roots, points
from symbackprop.precision.truth import Truth

Array = np.ndarray[Any, Any]

FORMATS = {"float32": (24, -125, 128), "float64": (53, -1021, 1024)}  # digits, least and largest exponent
WIDER: dict[str, Any] = {"float32": np.float64, "float64": np.longdouble}
WRONG = 1e9  # the error in ULP of a wrong NaN or infinity
OVERFLOWN = 4  # binary logarithm of the ULP below it by which infinity is an error of rounding
WORK = 200  # bits in which exact values are compared
LARGEST = float(np.finfo(np.float32).max)


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


@dataclass(frozen=True)
class Ruler:
    """True values, each as 2^e (u + v) with two floats u and v, to measure the errors of floats of one type by.

    Infinity counts as the power of 2 that follows on the largest float, and is WRONG where that is far from the true
    value. A true value below the normal range is measured in units of the smallest subnormal.
    """

    exponents: Array
    high: Array
    low: Array
    may_be_infinite: Array
    limits: tuple[int, int, int]

    def errors(self, values: Array) -> Array:
        """Return the errors of floats in units in the last place; WRONG where they alone are not finite."""
        digits, _, most = self.limits
        given = values.astype(np.float64)
        with np.errstate(all="ignore"):
            one = np.ldexp(np.sign(given), most - self.exponents)
            scaled = np.where(np.isinf(given), one, np.ldexp(given, -self.exponents))
            found = np.minimum(np.ldexp(abs((scaled - self.high) - self.low), digits), WRONG / 10)
        wrong = np.isnan(given) | (np.isinf(given) & ~self.may_be_infinite)
        return np.where(np.isnan(self.high), 0.0, np.where(wrong, WRONG, found))


def ruler(truths: Iterable[Any], limits: tuple[int, int, int]) -> Ruler:
    """Return what floats are measured by, from their true values to more digits, and their limits (see `FORMATS`)."""
    digits, least, most = limits
    with mp.workprec(WORK):
        bound = mp.ldexp(1, most)
        within = [t if mp.isnan(t) else max(-bound, min(t, bound)) for t in truths]
        exponents = [max(int(mp.frexp(t)[1]), least) if mp.isfinite(t) and t else least for t in within]
        parts = [mp.ldexp(t, -e) for t, e in zip(within, exponents, strict=True)]
        high = np.array([float(t) for t in parts])
        low = np.array([float(t - h) for t, h in zip(parts, high, strict=True)])
        almost = bound * (1 - mp.ldexp(1, OVERFLOWN - digits))
        return Ruler(np.array(exponents), high, low, np.array([abs(t) >= almost for t in within]), limits)


@dataclass(frozen=True)
class Sample:
    """Points of one type, the exact values there, and which of them count: in the normal range, off the roots."""

    at: Mapping[Expr, Array]
    truths: tuple[Any, ...]
    counts: Array

    def errors(self, expr: Expr) -> Array:
        """Return the error of a formula in ULP at each point; 0 where a point does not count, unless it is WRONG."""
        found = self.ruler.errors(np.broadcast_to(computed(expr, self.at), len(self.truths)))
        return np.where(self.counts | (found == WRONG), found, 0.0)

    @cached_property
    def ruler(self) -> Ruler:
        """What the floats at the points are measured by."""
        return ruler(self.truths, FORMATS[next(iter(self.at.values())).dtype.name])


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
    for fixed in grid:
        truth = Truth(expr, x, fixed, FORMATS[dtype])
        parts.append(known_at(truth, with_edges(points(count, seed, dtype), truth)))
    at = {s: np.concatenate([part.at[s] for part in parts]) for s in parts[0].at}
    return Sample(at, tuple(v for part in parts for v in part.truths), np.concatenate([part.counts for part in parts]))


def known_at(truth: Truth, xs: Array) -> Sample:
    """Return sorted points with the exact values there."""
    least = mp.ldexp(1, FORMATS[xs.dtype.name][1] - 1)
    known = [truth.known(float(v)) for v in xs]
    with mp.workprec(WORK):
        near = near_roots(xs, [k.value if k.has_sign else mp.nan for k in known], truth)
        counts = ~near & np.array([k.is_known and abs(k.value) >= least for k in known])
    fixed = {s: np.full_like(xs, v) for s, v in truth.fixed.items()}
    return Sample({truth.x: xs, **fixed}, tuple(k.value for k in known), counts)


def with_edges(xs: Array, f: Callable[[float], Any]) -> Array:
    """Return sorted points of one type, and further ones where the values of f leave the normal range of the type."""
    _, least, most = FORMATS[xs.dtype.name]
    return np.union1d(xs, at_edges(xs, f, (mp.ldexp(1, least - 1), mp.ldexp(1, most))))
