"""Bound indices, handled so that none is ever captured: all fresh while we compute, all named when we are done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from string import ascii_lowercase
from typing import Any

from sympy import Basic, Dummy, Expr, Mul

from symbackprop.expr.reductions import Reduction, Sum, outermost
from symbackprop.expr.symbols import Axis
from symbackprop.expr.symbols import index as index_of


def rebuild(expr: Basic, change: Callable[[Expr], Expr]) -> Any:
    """Return `expr` with `change` applied to every reduction, the innermost first."""
    if not expr.args or not expr.has(*Reduction):
        return expr
    if isinstance(expr, Reduction):
        return change(expr.func(rebuild(expr.function, change), *expr.limits))
    return expr.func(*(rebuild(a, change) for a in expr.args))


def fresh(expr: Expr) -> Expr:
    """Return `expr` with every bound index renamed to a dummy of its own."""

    def rename(reduction: Expr) -> Expr:
        swap = {limit[0]: Dummy(limit[0].name, integer=True, nonnegative=True) for limit in reduction.limits}
        limits = [(swap[i], low, high) for i, low, high in reduction.limits]
        return reduction.func(reduction.function.xreplace(swap), *limits)

    return rebuild(expr, rename)


def canonical(expr: Expr) -> Expr:
    """Return `expr` with each bound index named by how deep its reduction reaches, so that equal sums are equal."""

    def rename(reduction: Expr) -> Expr:
        depth = len(reduction.function.atoms(*Reduction))
        swap = {limit[0]: index_of(f"·{depth}{n}") for n, limit in enumerate(reduction.limits)}
        limits = [(swap[i], low, high) for i, low, high in reduction.limits]
        return reduction.func(reduction.function.xreplace(swap), *limits)

    return rebuild(expr, rename)


def named(expr: Expr, over: Iterable[Axis] = ()) -> Any:
    """Return `expr` with its bound indices called i, j, r ..., none of them free around it nor the index of an axis.

    `over` are the axes for which it is computed: their indices need not occur in it.
    """
    return _name_bound(expr, frozenset(axis.name for axis in over))


def _name_bound(expr: Expr, used: frozenset[str]) -> Any:
    if not expr.args or not expr.has(*Reduction):
        return expr
    used |= {s.name for s in expr.free_symbols if s.is_integer}
    if not isinstance(expr, Reduction):
        return expr.func(*(_name_bound(a, used) for a in expr.args))
    swap = {}
    for index, _, _ in expr.limits:
        swap[index] = index_of(next(n for n in (*"ijrsuvpq", *ascii_lowercase) if n not in used))
        used |= {swap[index].name}
    return expr.func(
        _name_bound(expr.function.xreplace(swap), used), *((swap[i], low, high) for i, low, high in expr.limits)
    )


def factor_out(expr: Expr) -> Expr:
    """Return `expr` with the factors that do not depend on the index taken out of each sum: Σ c v[i] = c Σ v[i]."""

    def take(reduction: Expr) -> Expr:
        if not isinstance(reduction, Sum):
            return reduction
        indices = [limit[0] for limit in reduction.limits]
        outside: list[Expr] = []
        inside: list[Expr] = []
        for factor in Mul.make_args(reduction.function):
            (inside if factor.has(*indices) else outside).append(factor)
        return Mul(*outside, Sum(Mul(*inside), *reduction.limits)) if inside and outside else reduction

    return rebuild(expr, take)


def opaque(expr: Expr, *kinds: type, **assumptions: bool) -> tuple[Expr, dict[Expr, Expr]]:
    """Return `expr` with its outermost nodes of some kinds replaced by scalars, and how to put them back."""
    back = {Dummy(**(assumptions or {"real": True})): node for node in outermost(expr, *kinds)}
    return expr.xreplace({node: dummy for dummy, node in back.items()}), back
