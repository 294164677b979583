"""cse: an expensive subexpression that occurs twice in one value is computed once, under a name.

Precondition: the values hold no reductions; `lower` has turned them into loops. What is only read where a condition on
indices holds stays where it is, and what Python's own functions, which may raise, compute where a condition holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sympy import Dummy, Expr, Function, Indexed, Piecewise, Pow, cse

from symbackprop.expr.functions import NODES
from symbackprop.expr.printing import SHARED
from symbackprop.expr.reductions import outermost
from symbackprop.expr.symbols import accurate_exp, scalar
from symbackprop.loops.ir import Accumulate, Assign, Body, If, Loop, Statement


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
    guarded = {Dummy(real=True): p for p in outermost(value, Piecewise) if _guards_reads(p) or _may_raise(p)}
    kinds: dict[Expr, Any] = {}
    hidden = _without_exponents(value.xreplace({p: place for place, p in guarded.items()}), kinds)
    found, (rest,) = cse([hidden], list=True)
    found, rest = [(name, _with_exponents(e, kinds)) for name, e in found], _with_exponents(rest, kinds)
    chosen = bool(value.atoms(Piecewise) - set(guarded.values()))
    keep: list[Assign] = []
    back: dict[Expr, Expr] = {}
    for name, expr in found:
        value = expr.xreplace(back)
        is_dear = _is_function(value) or (isinstance(value, Pow) and bool(value.exp.is_negative))
        if chosen and isinstance(value, Pow) and not value.base.is_positive:
            is_dear = False  # it may be 0 where it does not divide
        if isinstance(value, Pow) and _is_function(value.base):
            value, is_dear = _kept(value.base, keep, guarded) ** value.exp, True
        back[name] = _kept(value, keep, guarded) if is_dear else value
    return keep, rest.xreplace(back).xreplace(guarded)


def _without_exponents(expr: Expr, kinds: dict[Expr, Any]) -> Expr:
    """Return an expression with each exponential that is compensated as a function of what it reads, its kind noted.

    What its exponent computes is no part to share: as a value it would have lost what is compensated.
    """
    swap = {}
    for node in outermost(expr, accurate_exp):
        reads = list(dict.fromkeys(node.reads()))
        kind = node.xreplace({u: scalar(f"_{n}") for n, u in enumerate(reads)})
        function = kinds.setdefault(kind, Function(f"exponential{len(kinds)}", real=True))
        swap[node] = function(*(_without_exponents(u, kinds) for u in reads))
    return expr.xreplace(swap)


def _with_exponents(expr: Expr, kinds: Mapping[Expr, Any]) -> Expr:
    """Return an expression with its compensated exponentials as they were."""
    for kind, function in kinds.items():

        def written(*reads: Expr, kind: Expr = kind) -> Expr:
            return kind.xreplace({scalar(f"_{n}"): u for n, u in enumerate(reads)})

        expr = expr.replace(function, written)
    return expr


def _guards_reads(choice: Expr) -> bool:
    """Whether a choice depends on an index: what it reads may not exist where it is not chosen."""
    conditions = [c for p in choice.atoms(Piecewise) for _, c in p.args]
    values = [c.xreplace({e: Dummy(real=True) for e in c.atoms(Indexed)}) for c in conditions]
    return any(s.is_integer for c in values for s in c.free_symbols)


def _may_raise(choice: Expr) -> bool:
    """Whether a choice has functions that Python's `math` does not compute of every number."""
    return any(NODES[name].raises for f in choice.atoms(Function) if (name := type(f).__name__) in NODES)


def _kept(value: Expr, keep: list[Assign], guarded: Mapping[Expr, Expr]) -> Expr:
    """Return the name under which a value is computed first."""
    target = scalar(f"{SHARED}{len(keep) + 1}" if keep else SHARED)
    keep.append(Assign(target, value.xreplace(guarded)))
    return target


def _is_function(expr: Expr) -> bool:
    return isinstance(expr, Function) and not isinstance(expr, Piecewise)
