"""From an equation to the loops that compute it, the innermost over contiguous memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from sympy import Add, Dummy, Expr, Indexed, Integer, Piecewise, Sum, Symbol, collect, expand

from symbackprop.indices import Reduction, opaque, outermost
from symbackprop.loops.ir import Accumulate, Assign, Body, Loop, Statement
from symbackprop.symbols import scalar
from symbackprop.terms import Equation


def totals() -> Iterator[Symbol]:
    """Yield names for sums: total, total2, ..."""
    return (scalar("total" + (str(n) if n > 1 else "")) for n in count(1))


def lower(equation: Equation, names: Iterator[Symbol] | None = None) -> Body:
    """Return the loops that compute an equation; equations that will share loops share their `names` for sums.

    A sum that does not depend on the left side's indices is computed once, before them; one that does is accumulated
    in a scalar, or, where that makes the innermost loop run over contiguous memory, straight into the left side, row
    by row. The first statement carries the formula as its `why`.
    """
    made = _row_by_row(equation) or _element_by_element(equation, names or totals())
    return (replace(made[0], why=equation.written(code=True)), *made[1:])


def _element_by_element(equation: Equation, names: Iterator[Symbol]) -> Body:
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
    """Return v[j] = Σ_i M[i, j] ... with j innermost, None where that is not the better order."""
    nodes = outermost(equation.rhs, *Reduction)
    if not equation.over or len(nodes) != 1 or not isinstance(nodes[0], Sum):
        return None
    total, last = nodes[0], equation.over[-1]
    (terms, back) = opaque(expand_over(equation.rhs, total), Piecewise)
    term = next((t for t in Add.make_args(terms) if t.has(total)), None)
    index = total.limits[0][0]
    if term is None or total.has(equation.lhs.base) or outermost(total.function, *Reduction):
        return None
    if not (term / total).is_polynomial():
        return None
    if _contiguous(total.function, index, last.index) <= _contiguous(total.function, last.index, index):
        return None
    factor, rest = (term / total).xreplace(back), (terms - term).xreplace(back)
    row = Equation(equation.lhs, rest, (last,))
    start = () if rest == equation.lhs else _nest(row, (_store(row, rest),))
    body = _nest(row, (Accumulate(equation.lhs, factor * total.function),))
    for bound, low, high in total.limits:
        body = (Loop(bound, high + 1, body, "", low),)
    outer = Equation(equation.lhs, equation.rhs, equation.over[:-1])
    return _nest(outer, (*start, *body))


def expand_over(expr: Expr, total: Expr) -> Expr:
    """Return `expr` with the terms that hold the sum multiplied out and collected into one."""
    place = Dummy(real=True)
    flat, back = opaque(expr.xreplace({total: place}), Piecewise)
    return collect(expand(flat), place).xreplace({place: total, **back})


def _contiguous(expr: Expr, row: Symbol, column: Symbol) -> int:
    """Return how many matrices have their rows along one index and their columns along the other."""
    return sum(1 for e in expr.atoms(Indexed) if e.indices[-1] == column and row in e.indices[:-1])
