"""Parts of a formula that are functions of one number: of an array element, of a difference, or of a product.

A part is a function of X such as g(a[j]) in an activation or g'(a[i]) in a gradient; in a loss, of X and the target T
beside it; where β is learnt, of the product X = β a[j], times a power of β or of a[j].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mpmath import mp
from sympy import Abs, Add, Expr, Function, Indexed, Mul, Piecewise, Pow, S, Symbol, expand

from symbackprop.expr.reductions import Place, Reduction
from symbackprop.expr.symbols import name_of, scalar
from symbackprop.precision.truth import exact

X, T = scalar("x"), scalar("t")
TARGET = "y"


@dataclass(frozen=True)
class Part:
    """A function of X (and T), what they stand for, and what it is multiplied by.

    Attributes
    ----------
    elements
        What is written for the elements that it reads, so that it becomes a function of X (and T).
    """

    f: Expr
    back: Mapping[Expr, Expr]
    elements: Mapping[Expr, Expr]
    outside: Expr = S.One

    def put_back(self, form: Expr) -> Expr:
        """Return a form of the function as it stands in the equation."""
        return self.outside * form.xreplace(self.back)


def part_of(expr: Expr, values: frozenset[str] = frozenset()) -> Part | None:
    """Return an expression as a function of X (and T); None where it is not one.

    A loss is a function of the difference of element and target, or else has to be linear in the target: then a form
    that is good for some targets is good for others. Of a product, X is rather a factor whose name is among `values`.
    """
    reads = expr.atoms(Indexed)
    targets = {e for e in reads if str(e.base.label) == TARGET}
    elements = reads - targets
    if expr.has(*Reduction, Place):
        return None
    if len(scalars := variables(expr)) == 2 and not targets:
        return _of_product(expr, scalars, values)
    if len(elements) != 1 or len(targets) > 1:
        return None
    back: dict[Expr, Expr] = dict(zip((X, T), (*elements, *targets), strict=False))
    made = expr.xreplace({e: x for x, e in back.items()})
    if not made.free_symbols <= {X, T}:
        return None
    if targets:
        shifted = made.xreplace({X: X + T})
        if not shifted.has(T):
            return Part(shifted, {X: back[X] - back[T]}, {back[X]: X + T, back[T]: T})
        if not made.is_polynomial(T) or made.diff(T, 2) != 0:
            return None
    return Part(made, back, {e: x for x, e in back.items()})


def variables(expr: Expr) -> list[Expr]:
    """Return the array elements and scalars that an expression reads."""
    reads = expr.atoms(Indexed)
    inside = {s for e in reads for s in e.free_symbols}
    return sorted([*reads, *(s for s in expr.free_symbols - inside if s.is_Symbol and not s.is_integer)], key=str)


def _of_product(expr: Expr, scalars: list[Expr], values: frozenset[str]) -> Part | None:
    """Return p^k F(u), u = p q, for the numbers p and q that an expression reads; None where it is no such product.

    It is found by values, as each step of a derivation is checked, and has to be defined where the expression is.
    """
    delicate = expr.atoms(Function) - expr.atoms(Piecewise, Abs) | {p for p in expr.atoms(Pow) if not p.exp.is_Integer}
    if not any(all(map(node.has, scalars)) for node in delicate):  # a quotient of polynomials stays as derived
        return None
    of_values = sorted(scalars, key=lambda q: name_of(q) not in values)
    found = [_power_times(expr, p, q) for q, p in (of_values, of_values[::-1])]
    return min((part for part in found if part), key=lambda part: part.f.count_ops(), default=None)


def _power_times(expr: Expr, p: Expr, q: Expr) -> Part | None:
    flat = expr.xreplace({p: _P, q: X})
    F = flat.xreplace({_P: S.One})
    if flat.free_symbols != {_P, X}:
        return None
    with mp.workprec(200):
        degree = next((k for k in _DEGREES if all(_agree(flat, F, k, *at) for at in _PLACES)), None)
        if degree is None or _is_less_defined(F, degree, flat):
            return None
    return Part(F, {X: p * q}, {p: S.One, q: X}, p**degree)


def _is_less_defined(F: Expr, degree: int, flat: Expr) -> bool:
    """Whether p^k F(p x) has no value where p or x is 0, though the formula has one."""
    divides = degree < 0 and not _has_none(flat, X, _P)
    return divides or (_has_none(F, _P, X) and not _has_none(flat, _P, X))


def _agree(flat: Expr, F: Expr, k: int, p: str, x: str) -> bool:
    """Whether f(p, x/p) = p^k F(x)."""
    at = {_P: mp.mpf(p), X: mp.mpf(x) / mp.mpf(p)}
    left, right = exact(flat, at), at[_P] ** k * exact(F, {X: mp.mpf(x)})
    return bool(abs(left - right) <= mp.mpf("1e-40") * abs(right))


def _has_none(f: Expr, kept: Expr, zero: Expr) -> bool:
    """Whether f has no value where one of its numbers is 0."""
    return bool(mp.isnan(exact(f, {kept: mp.mpf("0.8125"), zero: mp.mpf(0)})))


_P = scalar("p")
_DEGREES = (0, 1, -1, 2, -2, 3, -3)
_PLACES = (("1.75", "0.6875"), ("0.375", "-1.3125"), ("-1.25", "2.4375"), ("-0.625", "-0.3125"))


def multiplied_out(total: Expr) -> Part | None:
    """Return a sum that is one product when multiplied out: its part with functions, times powers of others."""
    product = expand(total) if isinstance(total, Add) and not total.has(*Reduction, Place) else S.One
    powers = [g for g in Mul.make_args(product) if isinstance(g.as_base_exp()[0], Indexed | Symbol)]
    found = part_of(product / Mul(*powers))
    if found is None or not powers:
        return None
    ones = dict.fromkeys((g.as_base_exp()[0] for g in powers), S.One)
    return replace(found, elements={**ones, **found.elements}, outside=Mul(*powers) * found.outside)


def groups(expr: Expr, part: Callable[[Expr], Part | None] = part_of) -> list[Expr]:
    """Return the terms or factors of an expression, those that `part` says are of one element together."""
    parts = [part(arg) if isinstance(arg, Expr) else None for arg in expr.args]
    products = [part.back[X] for part in parts if part and part.back[X].is_Mul]
    found: dict[Any, list[Expr]] = {}
    for n, (arg, of_arg) in enumerate(zip(expr.args, parts, strict=True)):
        key: Any = n if of_arg is None else of_arg.back[X]
        if isinstance(expr, Add) and of_arg is not None:  # terms of different degrees are no part together
            key = (key, of_arg.outside)
        if isinstance(expr, Mul) and of_arg is not None and arg.as_base_exp()[0] == key:
            key = next((u for u in products if key in u.args), key)  # a in a σ(β a)
        found.setdefault(key, []).append(arg)
    return [expr.func(*group) for group in found.values()]
