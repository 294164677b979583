"""What in an equation of a layer becomes an equation of its own: sums within functions, and where a maximum is."""

from __future__ import annotations

from collections.abc import Mapping

from sympy import Add, Expr, Mul, Symbol, exp, floor

from symbackprop.expr.reductions import Sum, outermost


def at_place(target: Expr, bound: tuple[Symbol, ...], sizes: Mapping[Symbol, Expr]) -> dict[Symbol, Expr]:
    """Return each index of a maximum, from the one number that says where it is."""
    swap, rest = {}, target
    for i in reversed(bound[1:]):
        swap[i], rest = rest % sizes[i], floor(rest / sizes[i])
    swap[bound[0]] = rest
    return swap


def inner_sums(rhs: Expr) -> list[Expr]:
    """Return the sums that are not terms, or multiples of terms, of an equation: within functions and products.

    A sum of exponentials stays, so that it can be shifted by its maximum.
    """
    terms = [Mul(*(f for f in Mul.make_args(t) if not f.is_number)) for t in Add.make_args(rhs)]
    whole = {t for t in terms if isinstance(t, Sum)}
    inner: dict[Expr, None] = {}
    for term in terms:
        inside = [term.function] if term in whole else [term]
        for part in inside:
            nodes = outermost(part, Sum)
            inner |= {n: None for n in nodes if not _is_of_exponentials(n)}
    return list(inner)


def _is_of_exponentials(node: Expr) -> bool:
    return isinstance(node.function, exp)
