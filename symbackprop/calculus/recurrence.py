"""A weight's updates as a linear recurrence S ← M S + c δhᵀ, where they are one: what a block may be deferred by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Add, Dummy, Expr, Indexed, Integer, Mul, collect, expand

from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import identifier, split
from symbackprop.expr.reductions import Sum
from symbackprop.expr.symbols import name_of

OUTER = Dummy("δh", real=True)  # δᵢhⱼ, in an assignment of a recurrence
Assignment = tuple[Indexed, Expr]


@dataclass(frozen=True)
class Recurrence:
    """The parts of an update and of the read a = rest + W h that it serves.

    Attributes
    ----------
    weight
        W[i, j], as it is read.
    assignments
        In their order: W, or what is kept beside it, and its new value, linear in all of these and in OUTER.
    delta, input
        The factors of the outer product.
    rest
        Of the read.
    """

    weight: Indexed
    assignments: tuple[Assignment, ...]
    delta: Expr
    input: Expr
    rest: Expr

    @property
    def states(self) -> tuple[Indexed, ...]:
        """The weight, and what is kept beside it."""
        return (self.weight, *(target for target, _ in self.assignments if target != self.weight))

    def mark(self, state: Indexed) -> str:
        """Return a short name: nothing for the weight, v for vW."""
        return split(name_of(state))[0].removesuffix(split(name_of(self.weight))[0]).rstrip("_")


@dataclass(frozen=True)
class Refusal:
    """Why an order of computation is not to be had."""

    reason: str


def recurrence_of(updates: Sequence[Equation], read: Equation) -> Recurrence | Refusal:
    """Return the recurrence of a weight's updates, or why they cannot be deferred.

    Parameters
    ----------
    updates
        W[i, j] ← ..., and what else is assigned for each of its elements, in order, with every gradient written out.
    read
        The pre-activation that reads W.
    """
    read_one = next((u for u in updates if read.rhs.has(u.lhs.base)), updates[0])
    W, name, states = read_one.lhs, identifier(read_one.name), [u.lhs for u in updates]
    if any(len(u.lhs.indices) != 2 or u.is_scattered or u.lhs.indices != W.indices for u in updates):
        return Refusal(f"{name} is no matrix whose elements are all updated alike")
    parts = [_linear(u, states) for u in updates]
    if refused := next((part for part in parts if isinstance(part, Refusal)), None):
        return refused
    sums = [term for term in Add.make_args(read.rhs) if isinstance(term, Sum) and term.has(W.base)]
    if len(sums) != 1 or not _is_product(sums[0].function, W) or (read.rhs - sums[0]).has(W.base):
        return Refusal(f"{identifier(read.name)} is not {name} times the layer below")
    (h,) = (f for f in Mul.make_args(sums[0].function) if f != W)
    linear = [part for part in parts if not isinstance(part, Refusal)]
    outer = [_outer(rest, W, h) for _, rest in linear]
    deltas = {δ for _, δ in outer if δ is not None}
    if len(deltas) != 1 or any(δ is None and factor != 0 for factor, δ in outer):
        return Refusal(f"the gradient of {name} is not an outer product with the layer below")
    values = (value + factor * OUTER for (value, _), (factor, _) in zip(linear, outer, strict=True))
    return Recurrence(W, tuple(zip(states, values, strict=True)), deltas.pop(), h, read.rhs - sums[0])


def _linear(update: Equation, states: Sequence[Indexed]) -> tuple[Expr, Expr] | Refusal:
    """Return the part of an assignment that is linear in the states, and the rest; where there is none, why."""
    name = identifier(update.name)
    flat = collect(expand(update.rhs), states, evaluate=False)
    if set(flat) - {*states, 1} or any(e.has(*(s.base for s in states)) for e in flat.values()):
        return Refusal(f"the update of {name} is not linear in {name}")
    rest = flat.pop(Integer(1), Integer(0))
    if any(factor.atoms(Indexed) for factor in flat.values()):
        return Refusal(f"the factor of {name} in its update differs from weight to weight")
    return Add(*(factor * state for state, factor in flat.items())), rest


def _outer(rest: Expr, W: Indexed, h: Expr) -> tuple[Expr, Expr | None]:
    """Return c and δ of c δᵢhⱼ; no δ where there is nothing, or where it is something else."""
    rows, columns = _split(rest, W)
    if rows is None or columns != h:
        return rest, None
    factor, δ = rows.as_independent(Indexed, as_Add=False)
    return factor, δ


def _is_product(product: Expr, W: Indexed) -> bool:
    """Whether an expression is W[i, j] times one element of another array."""
    others = [f for f in Mul.make_args(product) if f != W]
    return len(Mul.make_args(product)) == 2 and len(others) == 1 and isinstance(others[0], Indexed) and (
        others[0].base != W.base
    )  # fmt: skip


def _split(outer: Expr, W: Indexed) -> tuple[Expr | None, Expr | None]:
    """Return the factors of an outer product that depend on the row and on the column of W."""
    i, j = W.indices
    rows, columns = outer.as_independent(j, as_Add=False)
    return (None, None) if columns.has(i) or isinstance(outer, Add) else (rows, columns)


def forces(recurrence: Recurrence) -> dict[Indexed, Expr]:
    """Return the coefficients of an outer product right after its own update: the assignments from nothing."""
    known: dict[Expr, Expr] = {state: Integer(0) for state in recurrence.states} | {OUTER: Integer(1)}
    for target, value in recurrence.assignments:
        known[target] = expand(value.xreplace(known))
    return {state: known[state] for state in recurrence.states}
