"""The rules of differentiation over arrays: partial (one equation), carry_out (the chain rule's sum).

Local partials by SymPy, the global chain by us. Every array access becomes a scalar, SymPy differentiates the scalar
formula, and the index equations "access index = wanted index" are solved, so that no delta ever has to be simplified.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase

from sympy import (
    Abs,
    Add,
    And,
    Derivative,
    DiracDelta,
    Dummy,
    Eq,
    Expr,
    Function,
    Heaviside,
    Indexed,
    Integer,
    Piecewise,
    S,
    Subs,
    Symbol,
    sign,
)  # fmt: skip

from symbackprop.calculus.ranges import proven, without_decided
from symbackprop.calculus.simplify import tidy
from symbackprop.expr.conditions import in_pieces, normalised
from symbackprop.expr.equations import Equation
from symbackprop.expr.indices import canonical, factor_out, fresh
from symbackprop.expr.reductions import Reduction, Sum, outermost
from symbackprop.expr.symbols import Axis, array, scalar


@dataclass(frozen=True)
class Read:
    """One place where an array is read: under which indices from where to where, at which, and the whole's slope."""

    bound: tuple[tuple[Expr, Expr, Expr], ...]
    indices: tuple[Expr, ...]
    slope: Expr


def desugar(expr: Expr) -> Expr:
    """Return `expr` with Max, Min and Heaviside as pieces; a tie goes to the first argument, Heaviside(0) = 0."""
    expr = in_pieces(normalised(expr))
    return expr.replace(lambda e: isinstance(e, Heaviside), lambda e: Piecewise((0, e.args[0] <= 0), (1, True)))


def slope(expr: Expr, place: Symbol) -> Expr:
    """Return d expr / d place, with the subgradient 0 of abs(u) at 0.

    Raises
    ------
    ValueError
        If SymPy finds no derivative, or one with a delta function or something infinite in it.
    """
    derivative = expr.replace(Abs, _magnitude).diff(place).replace(_magnitude, Abs)
    if derivative.has(DiracDelta, Derivative, Subs, *_INFINITE):
        raise ValueError(f"the formula {expr} has no derivative that a kernel could compute: {derivative}")
    return tidy(derivative) if derivative.has(place) else derivative


class _magnitude(Function):
    """|u| of a u that is real: of another, such as √a, SymPy's derivative has arguments of complex numbers."""

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return the sign of u."""
        assert argindex == 1
        return sign(self.args[0])


_INFINITE = (S.NaN, S.Infinity, S.NegativeInfinity, S.ComplexInfinity)


def signs(expr: Expr) -> Expr:
    """Return `expr` with sign(u) written as pieces, 0 at 0."""
    return expr.replace(sign, lambda u: Piecewise((-1, u < 0), (1, u > 0), (0, True)))


def reads(expr: Expr, name: str) -> list[Read]:
    """Return every read of an array, or a scalar, in `expr`, whose bound indices must be fresh."""
    places = {node: Dummy(real=True) for node in outermost(expr, Indexed, *Reduction)}
    back = {dummy: node for node, dummy in places.items()}
    flat = expr.xreplace(places)
    accesses = []
    for node, place in places.items():
        if isinstance(node, Indexed):
            if str(node.base.label) == name:
                accesses.append(Read((), node.indices, slope(flat, place).xreplace(back)))
        elif isinstance(node, Sum):
            bound = tuple((index, low, high + 1) for index, low, high in reversed(node.limits))
            for inner in reads(node.function, name):
                outer = fresh(slope(flat, place).xreplace(back))  # it may hold this very sum, whose index we solve for
                accesses.append(Read((*bound, *inner.bound), inner.indices, outer * inner.slope))
        elif scalar(name) in node.free_symbols:
            raise ValueError(f"the derivative of {node} with respect to {name} is not known")
    if scalar(name) in flat.free_symbols:
        accesses.append(Read((), (), slope(flat, scalar(name)).xreplace(back)))
    return accesses


@dataclass(frozen=True)
class Term:
    """What one read of an array adds to its adjoint: as a sum for each element, and how it is added up.

    `value` holds for the wanted element. Where it is a sum with conditions on indices, `scattered` is the same as an
    update over the read's own indices, which visits only what is read; None elsewhere.
    """

    value: Expr
    scattered: Equation | None = None


def partial(equation: Equation, name: str, wanted: tuple[Axis, ...]) -> Expr:
    """Return ∂lhs/∂name[wanted] of one equation; its own indices stay free and must differ from those wanted."""
    rhs = fresh(desugar(equation.rhs))
    ranges = {axis.index: (Integer(0), axis.size - 1) for axis in equation.over}
    terms = (_solve(read, (), wanted, ranges)[0] for read in reads(rhs, name))
    return signs(canonical(Add(*terms)))


def carry_out(equation: Equation, adjoint: Expr, name: str, wanted: tuple[Axis, ...]) -> Expr:
    """Return Σ adjoint · ∂lhs/∂name[wanted] over the equation's axes, every solvable index solved.

    Parameters
    ----------
    equation
        q = rhs, in which the array `name` is read.
    adjoint
        ∂l/∂q at the equation's own indices.
    name, wanted
        The array and the axes with which its derivative is wanted.
    """
    return Add(*(term.value for term in contractions(equation, adjoint, name, wanted)))


def contractions(equation: Equation, adjoint: Expr, name: str, wanted: tuple[Axis, ...]) -> list[Term]:
    """Return the terms of `carry_out`, one for each read."""
    dummies = {axis.index: Dummy(axis.name, integer=True, nonnegative=True) for axis in equation.over}
    rhs = fresh(desugar(equation.rhs.xreplace(dummies)))
    variables = tuple((dummies[axis.index], Integer(0), axis.size) for axis in equation.over)
    terms = []
    for read in reads(rhs, name):
        whole = Read(read.bound, read.indices, adjoint.xreplace(dummies) * read.slope)
        value, exact = _solve(whole, variables, wanted, {})
        terms.append(Term(signs(canonical(value)), None if exact else _scatter(whole, variables, name)))
    return terms


def _scatter(read: Read, variables: tuple[tuple[Expr, Expr, Expr], ...], name: str) -> Equation | None:
    """Return ∂l/∂name[...] ← ∂l/∂name[...] + slope over all indices of a read, under names of their own."""
    everything = (*variables, *read.bound)
    ranges = {v: (low, stop - 1) for v, low, stop in everything}
    runs = {v for v, _, _ in everything}  # f[y] is one element, whatever is summed over
    if any(low != 0 for _, low, _ in everything) or not any(i.free_symbols & runs for i in read.indices):
        return None
    bound_inside = {limit[0].name for r in read.slope.atoms(*Reduction) for limit in r.limits}
    swap: dict[Expr, Expr] = {}
    over: list[Axis] = []
    for v, _, stop in everything:
        used = {axis.name for axis in over} | bound_inside
        letter = v.name if v.name not in used else next(n for n in ascii_lowercase if n not in used)
        over.append(Axis(letter, stop))
        swap[v] = over[-1].index
    target = array(f"∂l/∂{name}")[tuple(i.xreplace(swap) for i in read.indices)]
    slope_ = signs(without_decided(read.slope, ranges)).xreplace(swap)
    return Equation(target, target + slope_, tuple(over))


def _solve(
    read: Read, variables: tuple[tuple[Expr, Expr, Expr], ...], wanted: tuple[Axis, ...],
    around: dict[Expr, tuple[Expr, Expr]],
) -> tuple[Expr, bool]:  # fmt: skip
    """Sum a read over all variables subject to "read index = wanted index"; whether no condition is left in a sum.

    `around` are the ranges of indices that stay free beside those wanted.
    """
    limits = {index: (low, stop) for index, low, stop in (*variables, *read.bound)}
    expr, guards = read.slope, []
    open_ = list(zip(read.indices, (axis.index for axis in wanted), (axis.size for axis in wanted), strict=True))
    while open_:
        index, target, extent = open_.pop(0)
        free = next((v for v in limits if index.coeff(v) in {1, -1} and not (index - index.coeff(v) * v).has(v)), None)
        if free is None:
            guards.append(Eq(index, target))
            continue
        solution = (target - (index - index.coeff(free) * free)) / index.coeff(free)
        low, stop = limits.pop(free)
        if index != free or (low, stop) != (0, extent):
            guards += [g for g in (solution >= low, solution < stop) if g != True]  # noqa: E712 (a SymPy truth)
        expr = expr.xreplace({free: solution})
        guards = [g.xreplace({free: solution}) for g in guards]
        open_ = [(i.xreplace({free: solution}), t, n) for i, t, n in open_]
        limits = {v: tuple(end.xreplace({free: solution}) for end in ends) for v, ends in limits.items()}
    ranges = around | {axis.index: (Integer(0), axis.size - 1) for axis in wanted}
    ranges |= {v: (low, stop - 1) for v, (low, stop) in limits.items()}
    expr = without_decided(expr, ranges)
    guards = [g for g in (proven(g, ranges) for g in guards) if g != True]  # noqa: E712
    if guards:
        outside = expr if all(isinstance(g, Eq) for g in guards) else Integer(1)  # out of range it must not be read
        inside = Integer(1) if outside == expr else expr
        expr = outside * Piecewise((inside, And(*guards)), (Integer(0), True))
    for v, (low, stop) in reversed(limits.items()):
        expr = Sum(expr, (v, low, stop - 1)) if expr.has(v) else expr * (stop - low)
    return factor_out(expr), not guards or not limits
