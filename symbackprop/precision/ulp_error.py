"""How far a formula of one number is from its exact value in floats, over all magnitudes.

Truth is mpmath's value of the formula as derived. A candidate is computed in the type of its points: sums, products,
quotients and square roots as IEEE 754 has them, each other function in a wider type and rounded, so that no machine's
library has a say in what is chosen. Where `long double` is no wider than float64 (Windows, macOS on ARM), its library
has a say of an ULP in float64.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial, reduce
from typing import Any

import numpy as np
from mpmath import mp
from sympy import Abs, Add, Expr, Max, Min, Mul, Piecewise, Pow, S, Symbol
from sympy.core.function import Function
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, Not, Or

from symbackprop.expr.printing import by_size, in_order, is_negative, quotient
from symbackprop.expr.symbols import AtInfinity, accurate_exp, plus, scaled
from symbackprop.precision.points import at_edges, near_roots, points

Array = np.ndarray[Any, Any]

BITS = 700  # a difference of numbers up to 1e38 whose result is 1e-38 keeps 53 bits; float64 takes three times that
SATURATED = mp.ldexp(1, 2000)  # beyond it, exp is told to be its limit: exp(-exp(1e30)) would never end
FORMATS = {"float32": (24, -125, 128), "float64": (53, -1021, 1024)}  # digits, least and largest exponent
WIDER: dict[str, Any] = {"float32": np.float64, "float64": np.longdouble}
WRONG = 1e9  # the error in ULP of a wrong NaN or infinity
OVERFLOWN = 4  # binary logarithm of the ULP below it by which infinity is an error of rounding
LARGEST = float(np.finfo(np.float32).max)


def _exp(u: Any) -> Any:
    if u < -SATURATED:
        return mp.mpf(0)
    u = min(u, SATURATED)
    size = mp.frexp(u)[1]
    if size < 30:
        return mp.exp(u)
    with mp.workprec(mp.prec + size + 10):  # beside a huge integer, which mpmath would raise e to by multiplications
        return mp.exp(u + mp.ldexp(1, size - mp.prec))


def _within(u: Any, bound: Any) -> Any:
    return max(-bound, min(u, bound))


def _erfc(u: Any) -> Any:
    """Return erfc u, far out as the first term of its expansion: beside exp(u) it must not saturate earlier."""
    return mp.erfc(max(u, -_FAR)) if u < _FAR else _exp(-u * u) / (u * mp.sqrt(mp.pi))


_FAR = mp.ldexp(1, 80)  # beyond it that term is erfc to 160 bits


_EXACT: dict[str, Callable[..., Any]] = {
    "exp": _exp,
    "accurate_exp": _exp,
    "log": mp.log,
    "tanh": lambda u: mp.tanh(_within(u, SATURATED)),
    "sinh": lambda u: (_exp(u) - _exp(-u)) / 2 if abs(u) > 1 else mp.sinh(u),
    "cosh": lambda u: (_exp(u) + _exp(-u)) / 2,
    "Abs": abs,
    "Max": max,
    "Min": min,
    "sign": mp.sign,
    "log1p": lambda u: mp.log(1 + u),
    "expm1": lambda u: _exp(u) - 1,
    "gauss": lambda u: _exp(-u * u / 2),
    "erfc": _erfc,
    "normal": lambda u: _erfc(-u / mp.sqrt(2)) / 2,
    "decay": lambda u: _exp(-abs(u)),
    "scaled": lambda m, h: m * h * h,
    "plus": operator.add,
}
_RELATIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
              "!=": operator.ne}  # fmt: skip


def exact(expr: Expr, at: Mapping[Expr, Any]) -> Any:
    """Return mpmath's value of an expression, NaN where there is none among the real numbers."""
    try:
        value = _exact(expr, dict(at))
    except (ZeroDivisionError, ValueError, OverflowError):
        return mp.nan
    return value if isinstance(value, mp.mpf) else mp.mpf(value)


def _exact(expr: Any, known: dict[Expr, Any]) -> Any:
    """Return the value of an expression and note it, for the parts of a derivative come more than once."""
    if expr not in known:
        known[expr] = _evaluated(expr, known)
    if isinstance(known[expr], mp.mpc):
        raise ValueError(f"{expr} is not real")  # noqa: TRY004 (a value; (√-1)² is NaN to a kernel)
    return known[expr]


def _evaluated(expr: Any, known: dict[Expr, Any]) -> Any:
    if isinstance(expr, Piecewise):
        return next(_exact(e, known) for e, c in expr.args if _holds(c, known))
    if not expr.args:
        return expr._to_mpmath(mp.prec)  # noqa: SLF001 (SymPy's own way to mpmath's numbers)
    inner = [_exact(a, known) for a in expr.args]
    match expr:
        case Add():
            return sum(inner, mp.mpf(0))
        case Mul():
            return mp.zero if 0 in inner else reduce(operator.mul, inner)
        case Pow() if expr.exp.is_Integer:
            return inner[0] ** int(expr.exp)
        case Pow():
            return mp.sqrt(inner[0]) ** int(2 * expr.exp) if (2 * expr.exp).is_Integer else mp.power(*inner)
    name = type(expr).__name__
    return _EXACT[name](*inner) if name in _EXACT else getattr(mp, name)(*inner)


def _holds(condition: Any, known: dict[Expr, Any]) -> bool:
    match condition:
        case Relational():
            return bool(_RELATIONS[condition.rel_op](*(_exact(a, known) for a in condition.args)))
        case And():
            return all(_holds(c, known) for c in condition.args)
        case Or():
            return any(_holds(c, known) for c in condition.args)
        case Not():
            return not _holds(condition.args[0], known)
    return not isinstance(condition, AtInfinity) and bool(condition)  # no number of mpmath's is infinite here


def _normal(u: Any) -> Any:
    """Return erfc(-u)/2 of numbers with more digits than a float64: its slope times what those are more."""
    near = np.float64(u)
    return (np.vectorize(math.erfc, otypes=[float])(-near) + np.exp(-u * u) * (u - near) * 2 / math.sqrt(math.pi)) / 2


def _without_errors(function: Callable[[float], float]) -> Callable[[float], float]:
    """Return a function of Python's that gives NaN or infinity where it would raise, as a compiled one does."""

    def value(u: float) -> float:
        try:
            return function(u)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return value


_FLOAT: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(np, name)
        for name in ("exp", "log", "log1p", "expm1", "tanh", "sinh", "cosh", "sin", "cos", "tan", "sign")
    },
    **{name: getattr(np, f"arc{name[1:]}") for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
    **{name: np.vectorize(_without_errors(getattr(math, name)), otypes=[float]) for name in ("erf", "erfc", "gamma")},
    "gauss": lambda u: np.exp(-u * u / 2),
    "normal": lambda u: _normal(u / np.sqrt(u.dtype.type(2))),
    "decay": lambda u: np.exp(-abs(u)),
    "stored": lambda u: u,
}


def computed(expr: Expr, at: Mapping[Expr, Array]) -> Array:
    """Return the values of an expression at many points, in their type, in the order in which a kernel computes it."""
    real = next(iter(at.values())).dtype
    with np.errstate(all="ignore"):
        return np.asarray(_Arithmetic(at, real.type, WIDER[real.name]).value(expr), real)


@dataclass(frozen=True)
class _Arithmetic:
    """What a kernel does, with arrays of one type; `wider` is that in which functions are computed."""

    at: Mapping[Expr, Array]
    real: Any
    wider: Any

    def value(self, expr: Any) -> Any:
        if expr in self.at:
            return self.at[expr]
        if expr.is_number:
            return self.real(str(expr.evalf(25)) if self.real is np.longdouble else float(expr))
        match expr:
            case Add():
                return self._sum(expr)
            case Mul():
                return -self.value(-expr) if is_negative(expr) else self._product(expr)
            case Pow():
                return self._power(expr)
            case Piecewise():
                *pairs, last = expr.args
                made = self.value(last.expr)
                for value, condition in reversed([(p.expr, p.cond) for p in pairs]):
                    made = np.where(self._truth(condition), self.value(value), made)
                return made
            case Function() | Max() | Min():
                return self._function(expr)
        raise NotImplementedError(type(expr).__name__)

    def _function(self, expr: Expr) -> Any:
        if isinstance(expr, accurate_exp):
            read = {u: self.wider(self.value(u)) for u in expr.reads()}
            wide = _Arithmetic(read, self.wider, self.wider)
            return np.exp(wide.value(expr.args[0])).astype(self.real)
        inner = [self.value(a) for a in expr.args]
        match expr:
            case Abs():
                return abs(inner[0])
            case Max() | Min():
                return reduce(np.maximum if isinstance(expr, Max) else np.minimum, inner)
            case scaled():
                m, h = inner
                return (m * h) * h
            case plus():
                return inner[0] + inner[1]
        if type(expr).__name__ not in _FLOAT:
            raise NotImplementedError(type(expr).__name__)
        return _FLOAT[type(expr).__name__](self.wider(inner[0])).astype(self.real)

    def _truth(self, condition: Any) -> Any:
        match condition:
            case AtInfinity():
                return self.value(condition.args[0]) == np.inf
            case Relational():
                return _RELATIONS[condition.rel_op](*(self.value(a) for a in condition.args))
            case And() | Or():
                join = np.logical_and if isinstance(condition, And) else np.logical_or
                return reduce(join, (self._truth(c) for c in condition.args))
            case Not():
                return np.logical_not(self._truth(condition.args[0]))
        return bool(condition)

    def _sum(self, expr: Add) -> Any:
        """Return a sum, a fraction common to all its terms taken out, as the compiler may: x/2 + y/2 is (x + y)/2."""
        numbers = {abs(t.as_coeff_Mul()[0]) for t in expr.args}
        common = numbers.pop() if len(numbers) == 1 and max(numbers) < 1 else S.One
        total = reduce(operator.add, (self.value(t / common) for t in sorted(expr.args, key=by_size)))
        return total if common == 1 else total * self.real(float(common))

    def _product(self, expr: Mul) -> Any:
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

    def _power(self, expr: Pow) -> Any:
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
