"""scalarize: in an innermost loop, every element is loaded once and stored once.

Precondition, checked: within one turn, two elements of an array that the body writes differ by constants in their
indices: they are the same or never meet; no index is a scalar that the body changes. What is read under conditions
alone stays there: without them there may be no such element.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from sympy import Expr, Indexed, Piecewise, Symbol

from symbackprop.expr.printing import identifier
from symbackprop.expr.symbols import name_of, names_in, scalar
from symbackprop.loops.ir import (
    Accumulate,
    Assign,
    Body,
    If,
    Loop,
    Statement,
    expressions,
    map_values,
    walk,
    written,
)


def scalarize(body: Body) -> Body:
    """Return a body whose innermost loops work in scalars."""
    taken = {n for s in walk(body) for e in expressions(s) for n in names_in(e)} | written(body)
    return _scalarize(body, frozenset(map(identifier, taken)))


def _scalarize(body: Body, taken: frozenset[str]) -> Body:
    made: list[Statement] = []
    for statement in body:
        match statement:
            case Loop() if all(isinstance(s, Assign | Accumulate) for s in statement.body):
                made.append(replace(statement, body=_in_scalars(_merge(statement.body), taken)))
            case Loop() | If():
                made.append(replace(statement, body=_scalarize(statement.body, taken)))
            case _:
                made.append(statement)
    return tuple(made)


def _merge(body: Body) -> Body:
    """Add up what is accumulated into the same element by different statements."""
    made: list[Statement] = []
    for statement in body:
        at = _earlier(made, statement)
        if at is None:
            made.append(statement)
        else:
            made[at] = replace(made[at], value=made[at].value + statement.value)  # type: ignore[union-attr]
    return tuple(made)


def _earlier(made: list[Statement], statement: Statement) -> int | None:
    """Return where an element is added to, if nothing since then touches it or changes what is to be added now."""
    if not (_is_sum(statement) and isinstance(statement.target, Indexed)):  # type: ignore[union-attr]
        return None
    for n in range(len(made) - 1, -1, -1):
        other = made[n]
        if _touches(other.target, expressions(statement)):  # type: ignore[union-attr]
            return None
        if _is_sum(other) and other.target == statement.target:  # type: ignore[union-attr]
            return n
        if _touches(statement.target, (*expressions(other), other.target)):  # type: ignore[union-attr]
            return None
    return None


def _is_sum(statement: Statement) -> bool:
    return isinstance(statement, Accumulate) and statement.op == "+"


def _touches(target: Expr, exprs: tuple[Expr, ...]) -> bool:
    """Whether some expressions read what may be `target`."""
    if not isinstance(target, Indexed):
        return any(e.has(target) for e in exprs)
    read = {e for expr in exprs for e in expr.atoms(Indexed) if e.base == target.base}
    return any(e == target or _may_meet(e, target) for e in read)


def _in_scalars(body: Body, taken: frozenset[str]) -> Body:
    assigns = [s for s in body if isinstance(s, Assign | Accumulate)]
    counts = Counter(e for s in assigns for e in sorted(s.value.atoms(Indexed), key=_in_order))
    counts.update(s.target for s in assigns if isinstance(s, Accumulate) and isinstance(s.target, Indexed))
    stored = Counter(s.target for s in assigns if isinstance(s.target, Indexed))
    bases = {e.base for e in stored}
    changed = {s.target for s in assigns if isinstance(s.target, Symbol)}
    if any(e.free_symbols & changed for e in (*counts, *stored)):
        return body
    if any(_may_meet(e, t) for e in counts for t in stored if e != t and e.base == t.base):
        return body
    exists = {*stored}.union(*(_read_always(s.value) for s in assigns))
    swap: dict[Expr, Expr] = {}
    for element, times in counts.items():
        once = element.base not in bases or (stored[element] == 1 and _is_of_several(element, assigns))
        if times > 1 and element in exists and once:
            swap[element] = scalar(_label(element, taken | {s.name for s in swap.values()}))
    loads = tuple(Assign(target, element) for element, target in swap.items() if _is_read_first(element, assigns))
    made = [
        replace(s, target=s.target.xreplace(swap)) if isinstance(s, Assign | Accumulate) else s
        for s in map_values(body, lambda value: value.xreplace(swap))
    ]
    return (*loads, *made, *(Assign(element, swap[element]) for element in stored if element in swap))


def _read_always(expr: Expr) -> set[Indexed]:
    """Return the elements that an expression reads whatever its conditions are."""
    if isinstance(expr, Piecewise):
        branches = [_read_always(value) for value, _ in expr.args]
        return _read_always(expr.args[0][1]) | set.intersection(*branches)
    own = {expr} if isinstance(expr, Indexed) else set()
    return own.union(*map(_read_always, expr.args))


def _in_order(element: Indexed) -> tuple[str, ...]:
    return (name_of(element), *map(str, element.indices))


def _is_of_several(element: Indexed, body: list[Assign | Accumulate]) -> bool:
    """Whether several statements read or write an element; one alone loads and stores it once as it is."""
    return sum(element in {s.target, *s.value.atoms(Indexed)} for s in body) > 1


def _is_read_first(element: Indexed, body: list[Assign | Accumulate]) -> bool:
    """Whether the value of an element from before a body is read in it."""
    first = next(s for s in body if element in {s.target, *s.value.atoms(Indexed)})
    return isinstance(first, Accumulate) or first.target != element or first.value.has(element)


def _may_meet(one: Indexed, other: Indexed) -> bool:
    """Whether two elements of one array could be the same although they are written differently."""
    differences = [a - b for a, b in zip(one.indices, other.indices, strict=True)]
    return not any(d.is_number and d != 0 for d in differences)


def _label(element: Indexed, taken: frozenset[str]) -> str:
    """Return a name for a loaded element: H1[r + 2, j] becomes H1_r2j."""
    marks = (re.sub(r"\W", "", str(i).replace("-", "m")) for i in element.indices)
    name = f"{identifier(name_of(element))}_{''.join(marks)}"
    while name in taken:
        name += "_"
    return name
