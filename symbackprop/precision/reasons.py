"""Why a form is not accurate at a place: which of its parts passes on an error many times as large as its own.

1 - cos(x) has 2/x² times the relative error of cos(x), erfc(u) has 2 u² times that of u. A part's factor is found by
values: with that part larger by 2^-100 of itself, the form is so much larger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mpmath import mp
from sympy import Add, Dummy, Expr, Function, Mul, Piecewise, Pow

from symbackprop.expr.printing import formula
from symbackprop.precision.truth import exact

_STEP = mp.ldexp(1, -100)
_BITS = 1300
_MANY = 3  # times an error, from which on it is worth a word


def reason(form: Expr, at: Mapping[Expr, float]) -> str:
    """Return at which point a form is looked at, and the part whose error counts most there, in words."""
    place = ", ".join(f"{symbol} = {value:.3g}" for symbol, value in sorted(at.items(), key=str))
    with mp.workprec(_BITS):
        numbers = {symbol: mp.mpf(value) for symbol, value in at.items()}
        whole = exact(form, numbers)
        factors = [(_factor(form, part, whole, numbers), -part.count_ops(), part) for part in _parts(form, numbers)]
    times, _, part = max(factors, key=lambda found: found[:2], default=(mp.zero, 0, form))
    if not times >= _MANY:
        return f"at {place}"
    return f"at {place}, where an error of {formula(part)} counts {mp.nstr(times, 2)}-fold"


def _parts(form: Expr, at: Mapping[Expr, Any]) -> Iterator[Expr]:
    """Yield what is computed on the way to a form's value, what other cases have left out."""
    for node in form.args:
        if isinstance(node, Expr) and node.has(*at):
            if isinstance(node, Add | Mul | Pow | Function):
                yield node
            yield from _parts(node, at)
        elif isinstance(form, Piecewise):
            yield from _parts(node.args[0], at)


def _factor(form: Expr, part: Expr, whole: Any, at: Mapping[Expr, Any]) -> Any:
    """Return how many times the relative error of a part the form has."""
    place = Dummy(real=True)
    moved = exact(form.xreplace({part: place}), {**at, place: exact(part, at) * (1 + _STEP)})
    times = abs(moved / whole - 1) / _STEP if whole else mp.nan
    return times if mp.isfinite(times) else mp.zero
