"""Rewriting of derived formulas to forms that neither overflow nor cancel; the value stays the same.

Three rules, each of which checks itself like a derivation step: the shift of a sum of exponentials by its maximum, the
split of log(1 + exp u) by the sign of u, and the primitives log1p and expm1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sympy import Add, Dummy, Expr, Indexed, Piecewise, S, Sum, exp, expand_log, log
from sympy.codegen.cfunctions import expm1, log1p

from symbackprop.indices import Reduction, canonical, factor_out, named, rebuild
from symbackprop.symbols import Axis, Maximum, array, scalar
from symbackprop.terms import Equation


def stabilise(equations: Iterable[Equation]) -> tuple[Equation, ...]:
    """Return equations of the same values in forms that are safe to compute in floating point.

    Parameters
    ----------
    equations
        In the order in which they are computed; named intermediates are put before their first use.
    """
    shifted = shift_by_maximum(tuple(equations))
    return tuple(Equation(e.lhs, by_rules(e.rhs), e.over, e.why) for e in shifted)


def by_rules(rhs: Expr) -> Expr:
    """Return a formula with its logarithms split and its primitives named."""
    return primitives(split_log(rhs))


def shift_by_maximum(equations: tuple[Equation, ...]) -> tuple[Equation, ...]:
    """Shift every Σ exp(u) by m = max u: exp(u) = M exp(u - m), M = exp(m), wherever M cancels or meets a logarithm."""
    given = equations
    equations = tuple(Equation(e.lhs, canonical(e.rhs), e.over, e.why) for e in equations)
    before = {e.lhs: (e.rhs, own) for e, own in zip(equations, given, strict=True)}
    sums = {s: None for e in equations for s in _outer_first(e.rhs.atoms(Sum)) if isinstance(s.function, exp)}
    for n, total in enumerate(sums):
        mark = str(n + 1) if n else ""
        equations = _shift(equations, total, mark)
    same = [before[e.lhs][1] if e.lhs in before and before[e.lhs][0] == e.rhs else None for e in equations]
    return tuple(own or replace(e, rhs=named(e.rhs)) for e, own in zip(equations, same, strict=True))


def _outer_first(sums: Iterable[Expr]) -> list[Expr]:
    """Sort sums so that none comes after one within it; the same way in every process."""
    return sorted(sums, key=lambda s: (-s.count_ops(), str(s)))


def _shift(equations: tuple[Equation, ...], total: Sum, mark: str) -> tuple[Equation, ...]:
    index, low, high = total.limits[0]
    axis = Axis("i", high + 1)
    u = total.function.args[0]
    m, s, e = scalar(f"m{mark}"), scalar(f"s{mark}"), array(f"e{mark}")
    bound = {limit[0] for q in equations for r in q.rhs.atoms(*Reduction) for limit in r.limits}
    if (u.free_symbols - {index}) & (bound | {a.index for q in equations for a in q.over}):
        return equations  # the sum is another one for each value of an index around it
    M = Dummy("M", positive=True)
    changed = [_with_shift(q.rhs, (total, s * M), (u, index, e), M, m) for q in equations]
    if all(made is None for made in changed):
        return equations
    u_i = u.xreplace({index: axis.index})
    extra = (
        Equation(m, Maximum(u_i, (axis.index, low, high)), (), "shift by the maximum"),
        Equation(e[axis.index], exp(u_i - m), (axis,), "shift by the maximum"),
        Equation(s, axis.sum(lambda i: e[i]), (), "shift by the maximum"),
    )
    first = next(n for n, made in enumerate(changed) if made is not None)
    both = zip(equations, changed, strict=True)
    rest = [q if made is None else Equation(q.lhs, made, q.over, q.why) for q, made in both]
    return (*rest[:first], *extra, *rest[first:])


def _with_shift(rhs: Expr, total: tuple[Expr, Expr], term: tuple[Expr, Expr, Expr], M: Expr, m: Expr) -> Expr | None:
    """Return the shifted right side, or None where the sum does not occur or M does not go away."""
    u, index, e = term
    if not rhs.has(total[0]):
        return None
    made = rhs.xreplace({total[0]: total[1]})
    for access in made.atoms(Indexed):
        for read in u.atoms(Indexed):
            if access.base == read.base and read.indices == (index,):
                here = u.xreplace({index: access.indices[0]})
                made = made.replace(
                    lambda x, here=here: isinstance(x, exp) and (x.args[0] / here).is_Integer,
                    lambda x, here=here, at=access.indices[0]: (e[at] * M) ** (x.args[0] / here),
                )
    made = rebuild(made, factor_out)
    made = made.replace(log, lambda v: expand_log(log(v), force=False)).xreplace({log(M): m})
    return None if made.has(M) else made


def split_log(rhs: Expr) -> Expr:
    """Write log(1 + exp u) as u + log(1 + exp(-u)) where u > 0, so that exp never overflows."""

    def is_softplus(node: Expr) -> bool:
        if not isinstance(node, log) or not isinstance(node.args[0], Add) or len(node.args[0].args) != 2:
            return False
        one, other = node.args[0].args
        return one == 1 and isinstance(other, exp)

    def split(node: Expr) -> Expr:
        u = node.args[0].args[1].args[0]
        return Piecewise((u + log(1 + exp(-u)), u > 0), (log(1 + exp(u)), True))

    return rhs.replace(is_softplus, split)


def primitives(rhs: Expr) -> Expr:
    """Write log(1 + u) as log1p(u) and exp(u) - 1 as expm1(u), which keep their digits where u is small."""

    def exponential(node: Expr) -> Expr:
        for term in node.args:
            number, function = term.as_coeff_Mul()
            if isinstance(function, exp) and -number in node.args:
                rest = node - term + number
                return rest + number * expm1(function.args[0])
        return node

    made = rhs.replace(lambda e: isinstance(e, Add), exponential)
    return made.replace(
        lambda e: isinstance(e, log) and isinstance(e.args[0], Add) and S.One in e.args[0].args,
        lambda e: log1p(e.args[0] - 1),
    )
