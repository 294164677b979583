"""Conditions on indices as bounds of loops, so that nothing is visited only to be left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sympy import And, Basic, Eq, Expr, Ge, Gt, Indexed, Integer, Le, Lt, Max, Min, Mul, Piecewise, S, Symbol

from symbackprop.loops.ir import Body, If, Loop

Range = tuple[Symbol, Expr, Expr]  # an index, its first value, and the one after its last


def guarded(value: Expr) -> tuple[Expr, tuple[Basic, ...]]:
    """Return a product without the conditions on indices under which it is not 0, and these.

    >>> from symbackprop.expr.symbols import Axis, array
    >>> i, h = Axis("i", Integer(3)).index, array("h")
    >>> guarded(2 * Piecewise((h[i - 1], i > 0), (0, True)))
    (2*h[i - 1], (i > 0,))
    """
    factors: list[Expr] = []
    conditions: list[Basic] = []
    for factor in Mul.make_args(value):
        if isinstance(factor, Piecewise) and len(factor.args) == 2 and factor.args[1].expr == 0 and _is_about_indices(
            factor.args[0].cond
        ):  # fmt: skip
            factors.append(factor.args[0].expr)
            conditions += And.make_args(factor.args[0].cond)
        else:
            factors.append(factor)
    return Mul(*factors), tuple(conditions)


def _is_about_indices(condition: Any) -> bool:
    return not condition.has(Indexed) and all(s.is_integer for s in condition.free_symbols)


def nest(ranges: Sequence[Range], conditions: Sequence[Basic], body: Body) -> Body:
    """Return loops, the first outermost, around a body, for those values of the indices that fulfil the conditions.

    Each condition bounds the innermost loop whose index it has; one that bounds none is asked for in the body.
    """
    left = list(conditions)
    made = body
    for n, (index, low, stop) in reversed(list(enumerate(ranges))):
        later = {i for i, _, _ in ranges[n + 1 :]}
        mine = [c for c in left if index in c.free_symbols and not c.free_symbols & later]
        start, end = low, stop
        for condition in mine:
            found = _bound(condition, index)
            if found is not None:
                left.remove(condition)
                start, end = _larger(start, found[0]), _smaller(end, found[1])
            else:
                left.remove(condition)
                made = (If(condition, made),)
        made = (Loop(index, end, made, "", start),)
    return (If(And(*left), made),) if left else made


def _larger(one: Expr, other: Expr | None) -> Expr:
    return one if other is None else Max(one, other)


def _smaller(one: Expr, other: Expr | None) -> Expr:
    return one if other is None else Min(one, other)


def _bound(condition: Basic, index: Symbol) -> tuple[Expr | None, Expr | None] | None:
    """Return from where and up to where an index fulfils a condition; None where that is no range."""
    if not isinstance(condition, Ge | Gt | Le | Lt | Eq):
        return None
    difference = (condition.lhs - condition.rhs).expand()
    factor = difference.coeff(index)
    rest = (difference - factor * index).expand()
    if factor not in {1, -1} or rest.has(index):
        return None
    edge = -rest if factor == 1 else rest  # where both sides are equal
    if isinstance(condition, Eq):
        return edge, edge + 1
    strict = Integer(1) if isinstance(condition, Gt | Lt) else S.Zero
    if isinstance(condition, Ge | Gt) == (factor == 1):
        return edge + strict, None
    return None, edge + 1 - strict
