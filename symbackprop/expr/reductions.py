"""What binds an index: a sum, a maximum, and where a maximum is."""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Dummy, Expr, Piecewise
from sympy.concrete.expr_with_limits import ExprWithLimits


class _Bound(ExprWithLimits):
    """Over a body of which what is within another reduction stays there.

    SymPy takes the pieces of a function out of it wherever they depend on the outer index, though the inner be bound.
    """

    def __new__(cls, body: Any, *limits: Any, **assumptions: Any) -> Any:
        if type(body) is cls:
            return cls(body.function, *body.limits, *limits)
        body = sympy.sympify(body, strict=True)  # a number of Python's, and never a text
        hidden = {node: Dummy(real=True) for node in outermost(body, *Reduction) if node.has(Piecewise)}
        reduction = super().__new__(cls, body.xreplace(hidden), *limits, **assumptions)
        back = {dummy: node for node, dummy in hidden.items()}
        return _with_body(reduction, reduction.function.xreplace(back)) if back else reduction


class Sum(_Bound, sympy.Sum):  # noqa: TID251 (here it is mended)
    """Σ of an expression over indices."""


class Maximum(_Bound):
    """The largest value of an expression over an index, as `Sum` is its sum."""


class Place(_Bound):
    """Where an expression is largest over its indices: the number of the first such place, counted row by row."""

    is_integer = True
    is_nonnegative = True


Reduction = (Sum, Maximum)


def _with_body(reduction: Expr, body: Expr) -> Expr:
    copy = Expr.__new__(type(reduction), body, *reduction.limits)
    copy.is_commutative = True
    return copy


def outermost(expr: Expr, *kinds: type) -> list[Expr]:
    """Return the nodes of some kinds that lie in no other such node."""
    if isinstance(expr, kinds):
        return [expr]
    nodes: dict[Expr, None] = {}
    for arg in expr.args:
        nodes.update(dict.fromkeys(outermost(arg, *kinds)))
    return list(nodes)
