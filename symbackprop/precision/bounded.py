"""A value of a formula with a bound of its error: pairs of mpmath's numbers and exponents of 2, node by node.

A function's error is its own rounding, and what the function is where its arguments are moved by theirs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import reduce
from typing import Any

from mpmath import mp
from sympy import Add, Expr, Function, Max, Min, Mul, Number, NumberSymbol, Pow
from sympy.core.relational import Relational

from symbackprop.expr.evaluate import RELATIONS, AtOnePlace
from symbackprop.expr.functions import NODES
from symbackprop.expr.symbols import AtInfinity

_FEW = 3  # bits that a function of mpmath's may lose
_NONE = -(10**9)  # the magnitude of 0: far below what occurs
Bound = int | None  # the exponent of 2 that is no less than an error; None: there is none


def with_bound(expr: Expr, known: Mapping[Expr, tuple[Any, Bound]]) -> tuple[Any, Bound]:
    """Return the value of a formula and its bound; the values of its symbols, and of further parts of it, are known.

    Raises
    ------
    UndecidedError
        If it depends on a number that is not told from another one.
    ValueError, ZeroDivisionError, OverflowError
        If it has no value among the real numbers.
    """
    return _Bounded(known).value(expr)


def constants(expr: Expr) -> dict[Expr, tuple[Any, Bound]]:
    """Return the numbers in a formula, which are the same everywhere, with their bounds."""
    numbers = _Bounded({})
    with suppress(UndecidedError, ZeroDivisionError, ValueError, OverflowError):
        for node in expr.atoms(Number, NumberSymbol, Pow, Function):
            if not node.free_symbols:
                numbers.value(node)
    return numbers.known


def digits_of(expr: Expr) -> Callable[..., Any]:
    """Return mpmath's function for a node."""
    name = type(expr).__name__
    return NODES[name].digits if name in NODES else getattr(mp, name)


class UndecidedError(Exception):
    """A value that is not told from 0, or a comparison that is not decided, to the bits there are."""


class _Bounded(AtOnePlace):
    """Pairs of a real number and the bound of its error, each noted."""

    def value(self, expr: Any) -> Any:
        found = self.known.get(expr)
        if found is None:
            found = self.known[expr] = super().value(expr)
        return found

    def number(self, expr: Any) -> Any:
        value = mp.mpf(expr._to_mpmath(mp.prec))  # noqa: SLF001 (SymPy's own way to mpmath's numbers)
        exactly = expr.is_Rational and expr.q & (expr.q - 1) == 0 and max(abs(expr.p), expr.q).bit_length() <= mp.prec
        return value, None if exactly else magnitude(value) - mp.prec

    def truth(self, condition: Any) -> Any:
        if isinstance(condition, AtInfinity):
            return False
        if not isinstance(condition, Relational):
            return super().truth(condition)
        (left, bound), (right, other) = self.values(condition)
        bounds = [b for b in (bound, other) if b is not None]
        if bounds and abs(left - right) <= mp.ldexp(2, max(bounds)):
            raise UndecidedError(condition)
        return RELATIONS[condition.rel_op](left, right)

    def sum(self, expr: Add) -> Any:
        parts = [*self.values(expr)]
        top, last, bound = _NONE, -_NONE, _NONE
        for value, error in parts:
            _, mantissa, exponent, bits = value._mpf_
            if mantissa:
                top, last = max(top, exponent + bits), min(last, exponent)
            if error is not None and error > bound:
                bound = error
        total, more = reduce(operator.add, (v for v, _ in parts)), len(parts).bit_length()
        if bound == _NONE and top + more - last <= mp.prec:
            return total, None
        return total, max(bound, top + more - mp.prec) + more

    def product(self, expr: Mul) -> Any:
        parts = [*self.values(expr)]
        if any(b is None and not v for v, b in parts):
            return mp.zero, None
        sizes, relative, length = 0, -mp.prec, 0
        for value, error in parts:
            _, mantissa, exponent, bits = value._mpf_
            size, length = exponent + bits if mantissa else _NONE, length + bits
            if error is not None:
                size, length = max(size, error + 1), mp.prec + 1
                relative = max(relative, error - size)
            sizes += size
        total = reduce(operator.mul, (v for v, _ in parts))
        return total, None if length <= mp.prec else sizes + relative + len(parts).bit_length() + 1

    def power(self, expr: Pow) -> Any:
        power = expr.args[1]
        if not power.is_Rational:
            return _with_bound(mp.power, [*self.values(expr)])
        base, bound = self.value(expr.args[0])
        if bound is not None and bound > magnitude(base) - 8 and not (power.is_Integer and power > 0):
            raise UndecidedError(expr)
        value = base ** int(power) if power.is_Integer else mp.power(base, self.number(power)[0])
        if isinstance(value, mp.mpc):
            raise ValueError(expr)  # noqa: TRY004 (a value; (√-1)² is NaN to a kernel)
        return value, _of_power(base, bound, power, value)

    def extreme(self, expr: Max | Min) -> Any:
        parts = [*self.values(expr)]
        value = (max if isinstance(expr, Max) else min)(v for v, _ in parts)
        return value, max((b for _, b in parts if b is not None), default=None)

    def function(self, expr: Function) -> Any:
        return _with_bound(digits_of(expr), [*self.values(expr)])


def magnitude(value: Any) -> int:
    """Return the least e for which |value| < 2^e."""
    _, mantissa, exponent, bits = value._mpf_  # mpmath's numbers as integers
    return exponent + bits if mantissa else _NONE


def _of_power(base: Any, bound: Bound, power: Any, value: Any) -> Bound:
    size, n = magnitude(base), int(abs(power)) + 1
    if bound is None:
        exactly = power.is_Integer and power > 0 and base._mpf_[3] * int(power) <= mp.prec
        return None if exactly or base == 0 else magnitude(value) - mp.prec + n.bit_length() + _FEW
    if bound <= size - 8:  # relative errors are multiplied
        return magnitude(value) + bound - size + n.bit_length() + 2
    return int(power) * (max(size, bound) + 1) + 2


def _with_bound(f: Callable[..., Any], parts: list[tuple[Any, Bound]]) -> tuple[Any, Bound]:
    """Return a function's value and the bound: of its own rounding, and of what it is where its arguments are moved."""
    values = [v for v, _ in parts]
    value = _real(f, values)
    steps = [(n, step) for n, (v, b) in enumerate(parts) for step in _steps(v, b)]
    moved = [_real(f, [*values[:n], values[n] + step, *values[n + 1 :]]) for n, step in steps]
    if moved and None in (value, *moved) and any(v is not None for v in (value, *moved)):
        raise UndecidedError(f)
    if value is None:
        raise ValueError(f)
    if not moved and (value == 0 or (value._mpf_[3] <= 2 and not any(values))):
        return value, None
    return value, max([magnitude(value) - mp.prec + _FEW, *(magnitude(v - value) + 1 for v in moved)]) + 2


def _real(f: Callable[..., Any], values: list[Any]) -> Any:
    """Return a function's value, None where it is no real number."""
    try:
        value = f(*values)
    except (ZeroDivisionError, ValueError, OverflowError):
        return None
    return value if isinstance(value, mp.mpf) and _is_finite(value) else None


def _is_finite(value: Any) -> bool:
    return bool(value._mpf_[1] or not value._mpf_[2])


def _steps(value: Any, bound: Bound) -> tuple[Any, ...]:
    """Return by how much an argument may lie aside: to both sides where that is no small part of it."""
    if bound is None:
        return ()
    step = mp.ldexp(1, bound)
    return (step,) if bound < magnitude(value) - 40 else (step, -step)
