"""cse: an expensive subexpression that occurs twice in one value is computed once, under a name.

Precondition: the values hold no reductions; `lower` has turned them into loops. What is only read where a condition on
indices holds stays where it is.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import Dummy, Expr, Function, Piecewise, Pow, cse

from symbackprop.loops.ir import Accumulate, Assign, Body, If, Loop, Statement
from symbackprop.reductions import outermost
from symbackprop.symbols import scalar


def share(body: Body) -> Body:
    """Return a body in which functions and quotients that a value uses twice are assigned first."""
    made: list[Statement] = []
    for statement in body:
        match statement:
            case Assign() | Accumulate():
                shared, value = _shared(statement.value)
                made += [*shared, replace(statement, value=value)]
            case Loop() | If():
                made.append(replace(statement, body=share(statement.body)))
            case _:
                made.append(statement)
    return tuple(made)


def _shared(value: Expr) -> tuple[list[Assign], Expr]:
    guarded = {Dummy(real=True): p for p in outermost(value, Piecewise) if _guards_reads(p)}
    found, (rest,) = cse([value.xreplace({p: place for place, p in guarded.items()})], list=True)
    keep: list[Assign] = []
    back: dict[Expr, Expr] = {}
    for name, expr in found:
        expr_ = expr.xreplace(back)
        if _is_dear(expr_):
            target = scalar(f"shared{len(keep) + 1}" if keep else "shared")
            keep.append(Assign(target, expr_.xreplace(guarded)))
            back[name] = target
        else:
            back[name] = expr_
    return keep, rest.xreplace(back).xreplace(guarded)


def _guards_reads(choice: Expr) -> bool:
    """Whether a choice depends on an index: what it reads may not exist where it is not chosen."""
    conditions = [c for p in choice.atoms(Piecewise) for _, c in p.args]
    return any(s.is_integer for c in conditions for s in c.free_symbols)


def _is_dear(expr: Expr) -> bool:
    return any(isinstance(e, Function) and not isinstance(e, Piecewise) for e in [expr]) or (
        isinstance(expr, Pow) and bool(expr.exp.is_negative)
    )
