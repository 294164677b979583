"""From an equation to the loops that compute it, the innermost over contiguous memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count

from sympy import Add, Basic, Dummy, Expr, Indexed, Integer, Ne, Or, Piecewise, Symbol, collect, expand

from symbackprop.expr.equations import Equation
from symbackprop.expr.indices import opaque
from symbackprop.expr.reductions import Place, Reduction, Sum, outermost
from symbackprop.expr.symbols import scalar
from symbackprop.loops.bounds import guarded, nest
from symbackprop.loops.ir import Accumulate, Assign, Body, If, Loop, Statement


def totals() -> Iterator[Symbol]:
    """Yield names for sums: total, total2, ..."""
    return (scalar("total" + (str(n) if n > 1 else "")) for n in count(1))


def lower(equation: Equation, names: Iterator[Symbol] | None = None) -> Body:
    """Return the loops that compute an equation; equations that will share loops share their `names` for sums.

    A sum that does not depend on the left side's indices is computed once, before them; one that does is accumulated
    in a scalar, or, where that makes the innermost loop run over contiguous memory, straight into the left side, row
    by row. The first statement carries the formula as its `why`.
    """
    made = (
        _place(equation)
        or _scattered(equation)
        or _row_by_row(equation)
        or _element_by_element(equation, names or totals())
    )
    return (replace(made[0], why=equation.written(code=True)), *made[1:])


def _place(equation: Equation) -> Body | None:
    """Return the loops that find where something is largest, the first such place where there are several.

    A NaN counts as largest: what is computed from it shows it.
    """
    here = equation.rhs
    if not isinstance(here, Place):
        return None
    best = scalar("largest")
    limits = list(reversed(here.limits))
    number: Expr = Integer(0)
    for index, low, high in limits:
        number = number * (high - low + 1) + index
    value = here.function
    found = (Assign(best, value), Assign(equation.lhs, number))
    body: Body = (If(Or(value > best, Ne(value, value, evaluate=False)), found),)
    for index, low, high in reversed(limits):
        body = (Loop(index, high + 1, body, "", low),)
    first = value.xreplace({index: low for index, low, _ in limits})
    return _nest(equation, (Assign(best, first), Assign(equation.lhs, Integer(0)), *body))


def _scattered(equation: Equation) -> Body | None:
    """Return the loops of an update of the elements to which an equation's indices lead.

    The loop whose turns are next to one another in memory is innermost, around it that which moves with it.
    """
    if not equation.is_scattered:
        return None
    value, conditions = guarded((equation.rhs - equation.lhs).expand())
    if any(outermost(value, kind) for kind in Reduction):
        return None
    ranges = [(axis.index, Integer(0), axis.size) for axis in equation.over]
    inner = innermost(equation.ranges, [equation.lhs, *value.atoms(Indexed)])
    last = next(r for r in ranges if r[0] == inner)
    widest = max(value.atoms(Indexed) or {equation.lhs}, key=lambda e: (len(e.indices), str(e)))
    first = [r for r in ranges if r != last and widest.has(r[0])]
    order = [*first, *(r for r in ranges if r != last and r not in first), last]
    return nest(order, conditions, (Accumulate(equation.lhs, value),))


def innermost(ranges: Mapping[Symbol, Expr], elements: Iterable[Indexed]) -> Symbol:
    """Return the index that moves along most rows; of several the one with most turns, and of these the last."""
    elements, order = list(elements), list(ranges)

    def key(i: Symbol) -> tuple[int, int, int]:
        turns = int(ranges[i]) if ranges[i].is_Integer else 0
        return contiguity(i, elements), turns, order.index(i)

    return max(order, key=key)


def contiguity(index: Symbol, elements: Iterable[Indexed]) -> int:
    """Return how many elements move to the next in memory with an index, less those that jump."""
    score = 0
    for element in elements:
        places = [i for i in element.indices if i.has(index)]
        if places == [element.indices[-1]] and places[0].coeff(index) == 1:
            score += 1
        elif places:
            score -= 1
    return score


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
    if equation.lhs not in Add.make_args(value):
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
    conditions: tuple[Basic, ...] = ()
    if isinstance(node, Sum):
        value, conditions = guarded(value)
    added = (*inner, Accumulate(total, value, "+" if isinstance(node, Sum) else "max"))
    return (Assign(total, first), *nest([(i, low, high + 1) for i, low, high in limits], conditions, added))


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
    if term is None or total.has(equation.lhs.base) or outermost(total.function, *Reduction):
        return None
    if not (term / total).is_polynomial() or (term / total).has(total) or (terms - term).has(total):
        return None  # not linear in the sum
    if not _rows_are_better(equation, total):
        return None
    factor, rest = (term / total).xreplace(back), (terms - term).xreplace(back)
    if factor.has(equation.lhs.base):  # it would be read again after it has changed
        return None
    row = Equation(equation.lhs, rest, (last,))
    start = () if rest == equation.lhs else _nest(row, (_store(row, rest),))
    value, conditions = guarded(total.function)
    ranges = [*((i, low, high + 1) for i, low, high in reversed(total.limits)), (last.index, Integer(0), last.size)]
    body = nest(ranges, conditions, (Accumulate(equation.lhs, factor * value),))
    outer = Equation(equation.lhs, equation.rhs, equation.over[:-1])
    return _nest(outer, (*start, *body))


def _rows_are_better(equation: Equation, total: Sum) -> bool:
    """Whether the last index of the left side is rather to be innermost than the last of the sum."""
    last, (bound, _, high) = equation.over[-1], total.limits[0]
    if bound == last.index:  # a sum of its own for every element
        return False
    ranges = {last.index: last.size, bound: high + 1}
    return innermost(ranges, [equation.lhs, *total.function.atoms(Indexed)]) == last.index


def expand_over(expr: Expr, total: Expr) -> Expr:
    """Return `expr` with the terms that hold the sum multiplied out and collected into one."""
    place = Dummy(real=True)
    flat, back = opaque(expr.xreplace({total: place}), Piecewise)
    return collect(expand(flat), place).xreplace({place: total, **back})
