"""How far a formula of one number is from its exact value in float32, over all magnitudes; the same on every machine.

Truth is mpmath's value of the formula as derived. A candidate is computed in float32: sums, products, quotients and
square roots as IEEE 754 has them, each other function in float64 and rounded, so that no machine's float32 library has
a say in what is chosen.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
from mpmath import mp
from sympy import Abs, Add, Expr, Max, Min, Mul, Piecewise, Pow, S, Symbol, fraction
from sympy.core.function import Function
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, Not, Or

from symbackprop.notation import by_size, in_order, is_negative
from symbackprop.symbols import AtInfinity, plus, scaled

Array = np.ndarray[Any, Any]

BITS = 700  # a difference of numbers up to 1e38 whose result is 1e-38 keeps 53 bits
SATURATED = mp.ldexp(1, 2000)  # beyond it, exp is told to be its limit: exp(-exp(1e30)) would never end
NORMAL = 2.0**-126
WRONG = 1e9  # the error in ULP of a wrong NaN or infinity
LARGEST = float(np.finfo(np.float32).max)


def points(count: int, seed: int) -> Array:
    """Return float32 sorted: a third of them of every magnitude, a third spread over [-110, 110], and the largest.

    The last third is where exp(-x) leaves the normal range, from 40 to 110 on both sides: products lose digits there.
    """
    rng = np.random.default_rng(seed)
    third = count // 3
    bits = rng.integers(0, 0x7F800000, third, dtype=np.int64).astype(np.uint32).view(np.float32)
    signs = rng.choice(np.array([-1, 1], np.float32), third)
    middle = (220 * (np.arange(third) + rng.random(third)) / third - 110).astype(np.float32)
    edge = ((40 + 70 * (np.arange(third) + rng.random(third)) / third) * (-1) ** np.arange(third)).astype(np.float32)
    ends = np.array([LARGEST, -LARGEST, 0.75 * LARGEST, -0.75 * LARGEST, 1, -1], np.float32)
    return np.sort(np.concatenate([bits * signs, middle, edge, ends]))


def _exp(u: Any) -> Any:
    if u < -SATURATED:
        return mp.mpf(0)
    return mp.exp(min(u, SATURATED))


def _within(u: Any, bound: Any) -> Any:
    return max(-bound, min(u, bound))


_EXACT: dict[str, Callable[..., Any]] = {
    "exp": _exp,
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
    "erfc": lambda u: mp.erfc(_within(u, 1e4)),
    "normal": lambda u: mp.erfc(-_within(u, 1e4) / mp.sqrt(2)) / 2,
    "decay": lambda u: _exp(-abs(u)),
    "scaled": lambda m, h: m * h * h,
    "plus": operator.add,
}
_RELATIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
              "!=": operator.ne}  # fmt: skip


def exact(expr: Expr, at: Mapping[Expr, Any]) -> Any:
    """Return mpmath's value of an expression, NaN where there is none among the real numbers."""
    try:
        value = _exact(expr, at)
    except (ZeroDivisionError, ValueError, OverflowError):
        return mp.nan
    return value if isinstance(value, mp.mpf) else mp.mpf(value) if not isinstance(value, mp.mpc) else mp.nan


def _exact(expr: Any, at: Mapping[Expr, Any]) -> Any:
    if expr in at:
        return at[expr]
    if isinstance(expr, Piecewise):
        return next(_exact(e, at) for e, c in expr.args if _holds(c, at))
    if not expr.args:
        return expr._to_mpmath(mp.prec)  # noqa: SLF001 (SymPy's own way to mpmath's numbers)
    inner = [_exact(a, at) for a in expr.args]
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


def _holds(condition: Any, at: Mapping[Expr, Any]) -> bool:
    match condition:
        case Relational():
            return bool(_RELATIONS[condition.rel_op](*(_exact(a, at) for a in condition.args)))
        case And():
            return all(_holds(c, at) for c in condition.args)
        case Or():
            return any(_holds(c, at) for c in condition.args)
        case Not():
            return not _holds(condition.args[0], at)
    return not isinstance(condition, AtInfinity) and bool(condition)  # no number of mpmath's is infinite here


_FLOAT: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in ("exp", "log", "log1p", "expm1", "tanh", "sinh", "cosh", "sin", "cos")},
    **{name: np.vectorize(getattr(math, name), otypes=[float]) for name in ("erf", "erfc")},
    "atan": np.arctan,
    "gauss": lambda u: np.exp(-u * u / 2),
    "normal": lambda u: np.vectorize(math.erfc, otypes=[float])(-u / math.sqrt(2)) / 2,
    "decay": lambda u: np.exp(-abs(u)),
}


def in_float32(expr: Expr, at: Mapping[Expr, Array]) -> Array:
    """Return the float32 values of an expression at many points, in the order in which a kernel computes it."""
    with np.errstate(all="ignore"):
        return np.asarray(_float(expr, at), np.float32)


def _float(expr: Any, at: Mapping[Expr, Array]) -> Any:
    if expr in at:
        return at[expr]
    if expr.is_number:
        return np.float32(float(expr))
    match expr:
        case Add():
            return _float_sum(expr, at)
        case Mul():
            return -_float(-expr, at) if is_negative(expr) else _float_product(expr, at)
        case Pow():
            return _float_power(expr, at)
        case Piecewise():
            *pairs, last = expr.args
            made = _float(last.expr, at)
            for value, condition in reversed([(p.expr, p.cond) for p in pairs]):
                made = np.where(_float_truth(condition, at), _float(value, at), made)
            return made
        case Function() | Max() | Min():
            return _float_function(expr, at)
    raise NotImplementedError(type(expr).__name__)


def _float_function(expr: Expr, at: Mapping[Expr, Array]) -> Any:
    inner = [_float(a, at) for a in expr.args]
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
    return _FLOAT[type(expr).__name__](np.float64(inner[0])).astype(np.float32)


def _float_truth(condition: Any, at: Mapping[Expr, Array]) -> Any:
    match condition:
        case AtInfinity():
            return _float(condition.args[0], at) == np.inf
        case Relational():
            return _RELATIONS[condition.rel_op](*(_float(a, at) for a in condition.args))
        case And() | Or():
            join = np.logical_and if isinstance(condition, And) else np.logical_or
            return reduce(join, (_float_truth(c, at) for c in condition.args))
        case Not():
            return np.logical_not(_float_truth(condition.args[0], at))
    return bool(condition)


def _float_sum(expr: Add, at: Mapping[Expr, Array]) -> Any:
    """Return a sum, a number common to all its terms taken out of it, as the compiler may: x/2 + y/2 is (x + y)/2."""
    numbers = {abs(t.as_coeff_Mul()[0]) for t in expr.args}
    common = numbers.pop() if len(numbers) == 1 else S.One
    total = reduce(operator.add, (_float(t / common, at) for t in sorted(expr.args, key=by_size)))
    return total if common == 1 else total * np.float32(float(common))


def _float_product(expr: Mul, at: Mapping[Expr, Array]) -> Any:
    above, below = fraction(expr, exact=True)
    if not below.is_number:
        return _float(above, at) / _float(below, at)
    number = np.float32(float(expr.as_coeff_Mul()[0]))
    values = [_float(f, at) for f in in_order(expr)]
    total = reduce(operator.mul, values)
    # the compiler may take the number to any factor first: 2 x E is NaN where 2 x overflows and E is 0
    overflows = [np.isinf(number * v) & np.isfinite(v) for v in values]
    return np.where(reduce(np.logical_or, overflows), np.float32(np.nan), total) if len(values) > 2 else total


def _float_power(expr: Pow, at: Mapping[Expr, Array]) -> Any:
    base, power = expr.args
    if power.is_negative:
        return np.float32(1) / _float(base ** (-power), at)
    value = _float(base, at)
    if power == S.Half:
        return np.sqrt(value)
    if power.is_Integer and power <= 4:
        return reduce(operator.mul, [value] * int(power))
    if (2 * power).is_Integer:
        return _float(base ** (power - S.Half), at) * np.sqrt(value)
    return np.power(np.float64(value), np.float64(_float(power, at))).astype(np.float32)


def ulps(value: float, truth: Any, precision: int = 24, least: int = -125, most: int = 128) -> float:
    """Return the error of a float in units in the last place of its exact value; WRONG where it alone is not finite.

    A true value above the largest float may be that float or infinity; one below the normal range is measured in
    units of the smallest subnormal.
    """
    if mp.isnan(truth):
        return 0.0
    bound = mp.ldexp(1, most)
    if math.isnan(value) or (math.isinf(value) and abs(truth) < bound * (1 - mp.ldexp(1, -precision))):
        return WRONG
    target, found = (max(-bound, min(v, bound)) for v in (truth, mp.mpf(value)))
    exponent = max(mp.frexp(target)[1], least) if target else least
    return min(float(abs(found - target) / mp.ldexp(1, exponent - precision)), WRONG / 10)


@dataclass(frozen=True)
class Sample:
    """Points in float32, the exact values there, and which of them count: those in the normal range, off the roots."""

    at: Mapping[Expr, Array]
    truths: tuple[Any, ...]
    counts: Array

    def errors(self, expr: Expr) -> Array:
        """Return the error of a formula in ULP at each point; 0 where a point does not count, unless it is WRONG."""
        values = np.broadcast_to(in_float32(expr, self.at), len(self.truths))
        with mp.workprec(BITS):
            found = np.array([ulps(float(v), t) for v, t in zip(values, self.truths, strict=True)])
        return np.where(self.counts | (found == WRONG), found, 0.0)


def sample(expr: Expr, x: Symbol, targets: Mapping[Symbol, tuple[float, ...]], count: int, seed: int) -> Sample:
    """Return points of x (and of the targets, each value with all of x) with the exact values of `expr` there."""
    xs = points(count, seed)
    grid: list[dict[Expr, Array]] = [{x: xs}]
    for symbol, values in targets.items():
        grid = [{**old, symbol: np.full_like(xs, v)} for old in grid for v in values]
    truths: list[Any] = []
    counts: list[Array] = []
    with mp.workprec(BITS):
        for block in grid:
            fixed = {s: mp.mpf(float(v[0])) for s, v in block.items() if s != x}
            made = [exact(expr, {x: mp.mpf(float(v)), **fixed}) for v in xs]
            near = near_roots(xs, made, partial(_at, expr, x, fixed))
            counts.append(~near & np.array([not mp.isnan(t) and abs(t) >= NORMAL for t in made]))
            truths += made
    at = {s: np.concatenate([block[s] for block in grid]) for s in grid[0]}
    return Sample(at, tuple(truths), np.concatenate(counts))


def _at(expr: Expr, x: Symbol, fixed: Mapping[Expr, Any], value: Any) -> Any:
    return exact(expr, {x: value, **fixed})


def near_roots(xs: Array, truths: list[Any], f: Callable[[Any], Any], within: float = 0.25) -> Array:
    """Return which of some sorted points are within a quarter of a root of f beside 0: no form has few ULP there."""
    near = np.zeros(xs.size, bool)
    for n in range(xs.size - 1):
        if np.sign(xs[n]) == np.sign(xs[n + 1]) != 0 and mp.sign(truths[n]) * mp.sign(truths[n + 1]) < 0:
            low, high = mp.mpf(float(xs[n])), mp.mpf(float(xs[n + 1]))
            for _ in range(30):
                middle = (low + high) / 2
                low, high = (middle, high) if mp.sign(f(middle)) == mp.sign(truths[n]) else (low, middle)
            with np.errstate(over="ignore"):  # the largest floats are far from everything
                near |= abs(np.float64(xs) - float(low)) <= within * abs(float(low))
        elif truths[n] == 0 and xs[n] != 0:  # a point that is a root has no change of sign beside it
            near |= abs(xs.astype(np.longdouble) - xs[n]) <= within * abs(xs[n].astype(np.longdouble))
    return near
