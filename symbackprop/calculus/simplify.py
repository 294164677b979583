"""Rewriting that keeps the value: expanded logarithms, tidy quotients, derivatives through the stored value."""

from __future__ import annotations

from collections.abc import Mapping
from math import comb
from typing import Any

from sympy import (
    Abs,
    Add,
    Dummy,
    Expr,
    Function,
    Indexed,
    Mul,
    Piecewise,
    Pow,
    cancel,
    exp,
    expand,
    expand_log,
    factor,
    log,
    sign,
    together,
)  # fmt: skip

from symbackprop.expr.equations import Equation
from symbackprop.expr.indices import canonical, factor_out, fresh, opaque, rebuild
from symbackprop.expr.reductions import Reduction, Sum, outermost

_FUNCTION_COST, _DIVISION_COST = 20, 4
_BREADTH = 200  # terms; what multiplies out to more is left as it is, for factoring it could take minutes


def cost(expr: Expr) -> int:
    """Return a rough count of the operations that evaluating `expr` takes, each function of the same argument once."""
    functions = {f for f in expr.atoms(Function) if not isinstance(f, Abs | Piecewise)}
    return _operations(expr) + sum(_FUNCTION_COST + _operations(f.args[0]) for f in functions)


def _operations(expr: Any) -> int:
    here = 0
    if isinstance(expr, Add | Mul):
        here = len([a for a in expr.args if a != -1]) - 1
    elif isinstance(expr, Pow) and not expr.is_number:
        here = _DIVISION_COST if expr.exp.is_negative else 0
        here += abs(int(expr.exp)) - 1 if expr.exp.is_Integer else _FUNCTION_COST
    if not expr.args or isinstance(expr, Indexed) or (isinstance(expr, Function) and not isinstance(expr, Piecewise)):
        return 0
    return here + sum(_operations(a) for a in expr.args)


def expand_logs(expr: Expr) -> Expr:
    """Return `expr` with log(uv/w) written log u + log v - log w, all of them taken as positive.

    Precondition: every logarithm's argument is a product of positive quantities, as probabilities are; the step that
    cites this rule is checked numerically like any other.
    """

    def split(node: Expr) -> Expr:
        flat, back = opaque(node.args[0], exp, Indexed, *Reduction, positive=True)
        return expand_log(log(together(flat)), force=True).xreplace(back)

    expanded = expr.replace(lambda e: isinstance(e, log), split)
    expanded = rebuild(expanded, lambda r: r.func(_expand(r.function), *r.limits))
    return rebuild(_expand(expanded).replace(_is_negated_sum, _push_minus), factor_out)


def _expand(expr: Expr) -> Expr:
    flat, back = opaque(expr, *Reduction)
    return min(expand(flat).xreplace(back), expr, key=cost)


def _is_negated_sum(expr: Expr) -> bool:
    return isinstance(expr, Mul) and len(expr.args) == 2 and expr.args[0] == -1 and isinstance(expr.args[1], Sum)


def _push_minus(expr: Expr) -> Expr:
    return Sum(expand(-expr.args[1].function), *expr.args[1].limits)


def tidy(expr: Expr) -> Expr:
    """Return the cheapest of a few equal forms of a quotient; pieces and sums are tidied each by itself."""
    flat, back = opaque(factor_out(expr), Piecewise, *Reduction)
    flat, scalars = opaque(flat, Indexed, *_functions(flat))
    unsigned = flat.replace(sign, lambda u: Abs(u) / u if u.is_Symbol else sign(u))  # u = 0 must stay without division
    arrays = [d for d, node in scalars.items() if isinstance(node, Indexed)]

    def expand_functions(e: Expr) -> Expr:
        outside, inside = e.as_independent(*(set(scalars) - set(arrays)), as_Add=False)
        return outside * expand(inside.xreplace(scalars))

    changes = (together, lambda e: factor(together(e)), expand_functions, cancel, expand)
    forms = [flat, *(f(unsigned) for f in changes if max(_breadth(flat)) <= _BREADTH)]
    signed = {form for node in flat.atoms(sign) for u in node.args for form in (u, u.xreplace(scalars))}
    whole = [form for form in forms if not any(p.exp.is_negative and p.base in signed for p in form.atoms(Pow))]
    best = min((form.xreplace(scalars) for form in whole or [flat]), key=cost)  # 1/|u| divides by u whatever one does
    return _flip(_logistic(best)).xreplace({d: _tidy_inside(node) for d, node in back.items()})


def _breadth(expr: Expr) -> tuple[int, int]:
    """Return how many terms numerator and denominator have, multiplied out over a common denominator."""
    if isinstance(expr, Add | Mul):
        above, below = 0 if isinstance(expr, Add) else 1, 1
        for n, d in map(_breadth, expr.args):
            above, below = (above * d + n * below if isinstance(expr, Add) else above * n), below * d
        return above, below
    if isinstance(expr, Pow) and expr.exp.is_Integer:
        n = abs(int(expr.exp))
        above, below = (comb(terms + n - 1, n) for terms in _breadth(expr.base))
        return (above, below) if expr.exp > 0 else (below, above)
    return 1, 1


def _logistic(expr: Expr) -> Expr:
    """Write a rational function of E = exp(u) that divides by a power of 1 + E as a polynomial in 1/(1 + E).

    The quotient E/(1 + E)² is inf/inf where E overflows; s(1 - s) with s = 1/(1 + E) is 0.
    """
    atoms = list(expr.atoms(exp))
    if len(atoms) != 1 or not any(p.base == 1 + atoms[0] and p.exp <= -2 for p in expr.atoms(Pow)):
        return expr
    s = Dummy(positive=True)
    quotient = factor(cancel(expr.xreplace({atoms[0]: (1 - s) / s})))
    return _flip(quotient).xreplace({s: 1 / (1 + atoms[0])}) if quotient.is_polynomial(s) else expr


def _flip(expr: Expr) -> Expr:
    """Write -u (v - 1) as u (1 - v)."""
    if not isinstance(expr, Mul) or not expr.as_coeff_Mul()[0].is_negative:
        return expr
    for factor_ in expr.args:
        if isinstance(factor_, Add) and any(t.as_coeff_Mul()[0].is_negative for t in factor_.args):
            return Mul(*(-factor_ if a == factor_ else a for a in (-expr).args))
    return expr


def _functions(expr: Expr) -> set[type]:
    return {type(f) for f in expr.atoms(Function)} - {Abs, sign, Piecewise}


def _tidy_inside(node: Expr) -> Expr:
    if isinstance(node, Piecewise):
        return Piecewise(*((tidy(e), c) for e, c in node.args))
    return node.func(tidy(node.function), *node.limits)


def invert(g: Expr, atom: Expr, value: Expr) -> Expr | None:
    """Return `atom` from ``g(atom) = value`` where a chain of inverse operations finds it, else None."""
    while g != atom:
        inside = [a for a in g.args if a.has(atom)]
        if len(inside) != 1:
            return None
        u = inside[0]
        if isinstance(g, Add | Mul):
            value = value - (g - u) if isinstance(g, Add) else value / (g / u)
        elif isinstance(g, log):
            value = exp(value)
        elif isinstance(g, Pow) and g.exp == -1:
            value = 1 / value
        else:
            return None
        g = u
    return value


def fold(expr: Expr, definition: Equation) -> Expr:
    """Return `expr` with functions of a replaced by the stored h, where ``h = g(a)`` defines h and that is cheaper.

    In softmax, sigmoid, tanh, softplus, ELU ... some function E of a can be found from h: exp(a) = f Σ exp(a),
    exp(-a) = (1-f)/f, tanh(a) = h. Putting that into a derivative often leaves a polynomial in h: 1 - h².

    Notes
    -----
    Equal in exact arithmetic only: in float32 1 - h² is 0 beyond abs(a) = 10. Where that loses digits `precision.apply`
    computes another form.
    """
    best = expr
    if not isinstance(definition.lhs, Indexed):
        return best
    for candidate in _candidates(canonical(expr), canonical(definition.rhs), definition):
        form = tidy(candidate)
        if cost(form) <= cost(best) and _denominators(form) <= _denominators(expr) and not _mixes(form, definition):
            best = form
    return best


def _mixes(expr: Expr, definition: Equation) -> bool:
    """Whether functions of a and of h = g(a) meet: where one overflows the other is 0, as in sinh(a) exp(-h)."""
    stored = definition.lhs.base.label
    read = {e.base.label for e in definition.rhs.atoms(Indexed)} - {stored}
    called = [f.free_symbols for f in expr.atoms(Function) if not isinstance(f, Abs | Piecewise)]
    return any(stored in s for s in called) and any(read & s for s in called)


def _candidates(expr: Expr, g: Expr, definition: Equation) -> list[Expr]:
    if isinstance(g, Piecewise):
        return [_fold_pieces(expr, g, definition)]
    g, sums = opaque(g, Sum, positive=True)
    expr = expr.xreplace({node: dummy for dummy, node in sums.items()})
    reads = outermost(g, Indexed)
    if {read.indices for read in reads} != {definition.lhs.indices}:  # a, and what each unit has learnt
        return []
    if g in reads:
        return [_replace_reads(expr, g, definition)]
    candidates = []
    for atom in sorted((f for f in g.atoms(Function) if f.has(*reads)), key=str):
        place = Dummy(real=True)
        solved = invert(g.xreplace({atom: place}), place, definition.lhs)
        if solved is not None:
            read = next(read for read in reads if atom.has(read))
            rewritten = _replace_atom(expr, atom, solved, definition, read, sums)
            candidates.append(rebuild(rewritten, _distribute).xreplace(sums))
    return candidates


def _distribute(reduction: Expr) -> Expr:
    return factor_out(reduction.func(tidy(reduction.function), *reduction.limits))


def _replace_atom(
    expr: Expr, atom: Expr, solved: Expr, definition: Equation, read: Indexed, sums: Mapping[Expr, Expr]
) -> Expr:
    """Replace the atom wherever the array is read, whatever the index; exp(2u) is exp(u)².

    `sums` are what dummies in `solved` stand for: one that differs from element to element is that of the element read.
    """
    for access in [e for e in expr.atoms(Indexed) if e.base == read.base]:
        swap = dict(zip(definition.lhs.indices, access.indices, strict=True))
        moved = {i for i, at in swap.items() if i != at}
        there = {d: fresh(node).xreplace(swap) for d, node in sums.items() if node.free_symbols & moved}
        here, value = atom.xreplace(swap), solved.xreplace(swap).xreplace(there)
        expr = expr.xreplace({here: value})
        if isinstance(here, exp):
            u = here.args[0]
            expr = expr.replace(
                lambda e, u=u: isinstance(e, exp) and (e.args[0] / u).is_Integer,
                lambda e, u=u, value=value: value ** (e.args[0] / u),
            )
    return expr


def _replace_reads(expr: Expr, read: Indexed, definition: Equation) -> Expr:
    base = definition.lhs.base
    return expr.xreplace({e: base[e.indices] for e in expr.atoms(Indexed) if e.base == read.base})


def _fold_pieces(expr: Expr, g: Piecewise, definition: Equation) -> Expr:
    """Fold each piece of `expr` by the piece of `g` that holds there, whatever the index."""
    indices = definition.lhs.indices
    bases = {e.base for e in g.atoms(Indexed) if e.indices == indices}
    swaps = [dict(zip(indices, e.indices, strict=True)) for e in expr.atoms(Indexed) if e.base in bases]

    def pieces(node: Piecewise) -> Expr:
        folded = []
        for e, c in node.args:
            holding = [piece for piece, condition in g.args if any(condition.xreplace(swap) == c for swap in swaps)]
            folded.append((fold(e, Equation(definition.lhs, holding[0], definition.over)) if holding else e, c))
        return Piecewise(*folded)

    return expr.replace(lambda e: isinstance(e, Piecewise), pieces)


def _denominators(expr: Expr) -> set[Expr]:
    """Return what an expression divides by, where arrays or parameters are involved: a new divisor could be zero."""
    divisors = {p.base for p in expr.atoms(Pow) if p.exp.is_negative}
    return {d for d in divisors if d.has(Indexed) or not all(s.is_positive for s in d.free_symbols)}
