"""hoist: what does not change in a loop is computed once before it.

Precondition: none. A subexpression moves only if it reads nothing that the loop writes, so its value is the same.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sympy import Add, Expr, Indexed, Mul, Pow, Symbol

from symbackprop.expr.printing import identifier
from symbackprop.expr.symbols import name_of, scalar
from symbackprop.loops.ir import Accumulate, Assign, Body, If, Loop, Statement, expressions, map_values, walk, written


def hoist(body: Body, taken: frozenset[str] = frozenset()) -> Body:
    """Return a body in which loop-invariant subexpressions stand before their loops; `taken` are names in use."""
    names = _Names(taken | written(body) | _read(body))
    return _hoist(body, names)


def _read(body: Body) -> frozenset[str]:
    found = {s for statement in walk(body) for e in expressions(statement) for s in e.free_symbols}
    return frozenset(s.name for s in found if isinstance(s, Symbol))


class _Names:
    """Readable names for what is moved: step * da1[i] becomes step_da1."""

    def __init__(self, taken: frozenset[str]) -> None:
        self.taken = {identifier(name) for name in taken}
        self.made: set[Expr] = set()

    def __call__(self, expr: Expr) -> Symbol:
        stem, n = _label(expr), 1
        while (name := stem + (str(n) if n > 1 else "")) in self.taken:
            n += 1
        self.taken.add(name)
        self.made.add(scalar(name))
        return scalar(name)


def _label(expr: Expr) -> str:
    match expr:
        case Indexed():
            return identifier(name_of(expr)) + "_" + "".join(re.sub(r"\W", "", str(i)) for i in expr.indices)
        case Symbol():
            return identifier(expr.name)
        case Pow() if expr.exp == -1:
            return "per_" + _label(expr.base)
        case Mul():
            parts = [_label(a).removesuffix("_i").removesuffix("_j") for a in expr.args if not a.is_number]
            times = [f"x{n}" for n in expr.args if n.is_Integer and n > 1]
            return "_".join([*sorted(parts, key=lambda p: (p != "step", p)), *times])
    return "constant"


def _hoist(body: Body, names: _Names) -> Body:
    made: list[Statement] = []
    for statement in body:
        match statement:
            case Loop():
                inner = _hoist(statement.body, names)
                before, inner = _split(inner, written(inner) | {statement.index.name}, names, _known(made, names))
                if before:
                    before[0] = replace(before[0], why=statement.why)
                made += [*before, replace(statement, body=inner, why="" if before else statement.why)]
            case If():
                made.append(replace(statement, body=_hoist(statement.body, names)))
            case _:
                made.append(statement)
    return tuple(made)


def _known(made: list[Statement], names: _Names) -> dict[Expr, Assign]:
    """Return what was moved into this body earlier and still has its value."""
    known: dict[Expr, Assign] = {}
    for n, statement in enumerate(made):
        if not isinstance(statement, Assign) or statement.target not in names.made:
            continue
        if _is_invariant(statement.value, written(tuple(made[n + 1 :]))):
            known[statement.value] = statement
    return known


def _split(
    body: Body, changing: frozenset[str], names: _Names, known: dict[Expr, Assign]
) -> tuple[list[Statement], Body]:
    """Return what can stand before a loop with this body, and what is left of the body."""
    before = dict(known)
    rest: list[Statement] = []
    same: dict[Expr, Expr] = {}
    for statement in body:
        match statement:
            case Assign(target, value) if target in names.made and _is_invariant(value, changing):
                same[target] = before.setdefault(value, statement).target
            case Assign() | Accumulate():
                value = _replace(statement.value, changing, before, names)
                rest.append(replace(statement, value=value))
            case _:
                rest.append(statement)
    moved = [a for value, a in before.items() if value not in known]
    return moved, map_values(tuple(rest), lambda value: value.xreplace(same))


def _replace(expr: Expr, changing: frozenset[str], before: dict[Expr, Assign], names: _Names) -> Expr:
    if _is_trivial(expr):
        return expr
    if _is_invariant(expr, changing):
        if expr not in before:
            before[expr] = Assign(names(expr), expr)
        return before[expr].target
    if isinstance(expr, Mul):
        still = [a for a in expr.args if _is_invariant(a, changing)]
        moving = [_replace(a, changing, before, names) for a in expr.args if a not in still]
        number, fixed = Mul(*still).as_coeff_Mul()
        number, fixed = (-1, -number * fixed) if number.is_negative else (1, number * fixed)
        return Mul(number, _replace(fixed, changing, before, names), *moving)
    if isinstance(expr, Add):
        return expr.func(*(_replace(a, changing, before, names) for a in expr.args))
    return expr


def _is_trivial(expr: Expr) -> bool:
    return expr.is_number or isinstance(expr, Symbol) or (-expr).is_Symbol


def _is_invariant(expr: Expr, changing: frozenset[str]) -> bool:
    read = {s.name for s in expr.free_symbols if isinstance(s, Symbol)}
    return not read & changing
