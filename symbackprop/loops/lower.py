"""From an equation to the loops that compute it, the innermost over contiguous memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from sympy import Add, Expr, Indexed, Integer, Piecewise, Sum, Symbol, expand

from symbackprop.indices import Reduction, opaque, outermost
from symbackprop.loops.ir import Accumulate, Assign, Body, Loop, Statement
from symbackprop.notation import formula
from symbackprop.symbols import scalar
from symbackprop.terms import Equation


def lower(equation: Equation) -> Body:
    """Return the loops that compute an equation.

    A sum that does not depend on the left side's indices is computed once, before them; one that does is accumulated
    in a scalar, or, where that makes the innermost loop run over contiguous memory, straight into the left side, row
    by row. The first statement carries the formula as its `why`.
    """
    made = _row_by_row(equation) or _element_by_element(equation)
    sign = "←" if equation.is_update else "="
    why = f"{formula(equation.lhs, code=True)} {sign} {formula(equation.rhs, code=True)}"
    return (replace(made[0], why=why), *made[1:])


def _element_by_element(equation: Equation) -> Body:
    names = (scalar("total" + (str(n) if n > 1 else "")) for n in count(1))
    indices = [axis.index for axis in equation.over]
    before: list[Statement] = []
    inside: list[Statement] = []
    value = equation.rhs
    for node in outermost(equation.rhs, *Reduction):
        if node == equation.rhs and not equation.over:
            return _reduce(node, equation.lhs, names)
        total = next(names)
        (inside if node.free_symbols & set(indices) else before).extend(_reduce(node, total, names))
        value = value.xreplace({node: total})
    inside.append(_store(equation, value))
    return (*before, *_nest(equation, tuple(inside)))


def _store(equation: Equation, value: Expr) -> Statement:
    if not equation.is_update:
        return Assign(equation.lhs, value)
    flat, back = opaque(value - equation.lhs, Piecewise, Indexed)
    return Accumulate(equation.lhs, expand(flat).xreplace(back))


def _reduce(node: Expr, total: Expr, names: Iterator[Symbol]) -> Body:
    """Return the statements that leave a sum or a maximum in the scalar `total`."""
    limits, body = list(reversed(node.limits)), node.function
    while type(body) is type(node):
        limits += reversed(body.limits)
        body = body.function
    inner: list[Statement] = []
    value = body
    for nested in outermost(body, *Reduction):
        part = next(names)
        inner += _reduce(nested, part, names)
        value = value.xreplace({nested: part})
    first: Expr = Integer(0)
    if not isinstance(node, Sum):
        first = body.xreplace({index: low for index, low, _ in limits})
    loop: Body = (*inner, Accumulate(total, value, "+" if isinstance(node, Sum) else "max"))
    for index, low, high in reversed(limits):
        loop = (Loop(index, high + 1, loop, "", low),)
    return (Assign(total, first), *loop)


def _nest(equation: Equation, body: Body) -> Body:
    for axis in reversed(equation.over):
        body = (Loop(axis.index, axis.size, body),)
    return body


def _row_by_row(equation: Equation) -> Body | None:
    """Return v[j] = Σ_i M[i, j] ... with i outermost, None where that is not the better order."""
    sums = [term for term in Add.make_args(equation.rhs) if isinstance(term, Sum)]
    if equation.is_update or not equation.over or len(outermost(equation.rhs, *Reduction)) != 1 or len(sums) != 1:
        return None
    (total,) = sums
    index, last = total.limits[0][0], equation.over[-1].index
    if _contiguous(total.function, last) <= _contiguous(total.function, index) or outermost(total.function, *Reduction):
        return None
    start = _nest(equation, (Assign(equation.lhs, equation.rhs - total),))
    body = _nest(equation, (Accumulate(equation.lhs, total.function),))
    for bound, low, high in total.limits:
        body = (Loop(bound, high + 1, body, "", low),)
    return (*start, *body)


def _contiguous(expr: Expr, index: Symbol) -> int:
    """Return how many matrices are read along their rows when `index` runs."""
    return sum(1 for e in expr.atoms(Indexed) if len(e.indices) > 1 and e.indices[-1] == index)
