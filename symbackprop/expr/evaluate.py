"""Values of formulas over arrays, for looking at them: node by node, no code is made of what was typed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sympy import Add, And, Function, Max, Min, Mul, Not, Or, Piecewise, Pow, Symbol
from sympy.core.relational import Relational


def evaluated(expr: Any, at: Mapping[Any, Any]) -> Any:
    """Return the values of a formula, or of a condition, for arrays of values of its symbols.

    Raises
    ------
    ValueError
        If the formula has a function without known values.
    """
    if isinstance(expr, Piecewise):
        pieces = np.broadcast_arrays(*(evaluated(part, at) for pair in expr.args for part in pair.args))
        return np.select(pieces[1::2], pieces[0::2])
    parts = [evaluated(arg, at) for arg in expr.args]
    match expr:
        case Symbol():
            return at[expr]
        case Add():
            return sum(parts[1:], parts[0])
        case Mul():
            return math.prod(parts[1:], start=parts[0])
        case Pow():
            return parts[0] ** parts[1]
        case Max() | Min():
            return _extreme(np.fmax if isinstance(expr, Max) else np.fmin, parts)
        case Function():
            return _function(expr, parts)
    return _truth(expr, parts) if expr.is_Boolean or isinstance(expr, Relational) else complex(expr)


def _truth(expr: Any, parts: list[Any]) -> Any:
    match expr:
        case Relational():
            return getattr(np, _COMPARISONS[expr.rel_op])(np.real(parts[0]), np.real(parts[1]))
        case And() | Or():
            return (np.logical_and if isinstance(expr, And) else np.logical_or).reduce(np.broadcast_arrays(*parts))
        case Not():
            return np.logical_not(parts[0])
    return bool(expr)


def _extreme(choose: Callable[..., Any], parts: list[Any]) -> Any:
    found = np.real(parts[0])
    for part in parts[1:]:
        found = choose(found, np.real(part))
    return found + 1j * sum(abs(np.imag(part)) for part in parts)  # of what is not real there is no largest


_COMPARISONS = {
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "==": "equal",
    "!=": "not_equal",
}
_NUMPY = {"atan": "arctan", "asin": "arcsin", "acos": "arccos", "asinh": "arcsinh", "acosh": "arccosh",
          "atanh": "arctanh", "Abs": "abs"}  # fmt: skip


def _function(expr: Function, parts: list[Any]) -> Any:
    name = type(expr).__name__
    if name in {"erf", "erfc", "gamma"}:
        return np.vectorize(getattr(math, name), otypes=[complex])(np.real(parts[0]))
    found = getattr(np, _NUMPY.get(name, name), None)
    if not callable(found):
        raise ValueError(f"the formula {expr} has {name}, whose values are not known")  # noqa: TRY004 (a formula)
    return found(*parts)
