"""Equations as loops in a fast order: fused, in register tiles, every update in the last sweep that reads its weights.

`fuse` makes one sweep of an update and the last read of its weights where they are neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sympy import Expr, Indexed

from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import split
from symbackprop.expr.symbols import names_in
from symbackprop.kernels.training_step import Equations, TrainingStep
from symbackprop.loops.calls import as_calls
from symbackprop.loops.ir import Body, Statement
from symbackprop.loops.lower import lower, totals
from symbackprop.loops.matmul import contract
from symbackprop.loops.passes.cse import share
from symbackprop.loops.passes.fuse import fuse
from symbackprop.loops.passes.hoist import hoist
from symbackprop.loops.passes.scalarize import scalarize
from symbackprop.loops.passes.tile import CannotTileError, tile
from symbackprop.precision.max_shift import stabilise

SWEEP = {"i": 3}  # rows of W that are read and updated while one row of the layer below is loaded
ONE_ROW = {"i": 1}  # short rows: the compiler's checks before a loop over several cost more than they save
PAST = {"s": 4}  # earlier examples of a block
_NONE: Mapping[str, int] = MappingProxyType({})


def in_loops(
    equations: Iterable[Equation], taken: frozenset[str], factors: Mapping[str, int] = _NONE, *, backwards: bool = False
) -> Body:
    """Return the loops of some equations, fused, hoisted, tiled and in scalars; calls of kernels for some of them."""
    body: list[Statement] = []
    waiting: list[Equation] = []
    for step in (s for equation in stabilise(equations) for s in as_calls(equation)):
        if isinstance(step, Equation):
            waiting.append(step)
            continue
        body += [*fused(waiting, taken, factors, backwards=backwards), step]
        waiting = []
    return (*body, *fused(waiting, taken, factors, backwards=backwards))


def fused(
    equations: Iterable[Equation], taken: frozenset[str], factors: Mapping[str, int] = _NONE, *, backwards: bool = False
) -> Body:
    """Return the loops of some equations, all of them in place."""
    names = totals()
    body = tuple(s for e in equations for s in lower(e, names))
    body = hoist(fuse(share(body)), taken)
    try:
        body = tile(body, factors, backwards=backwards)
    except CannotTileError:
        return body
    return scalarize(body)


def matrices(equations: Iterable[Equation], taken: frozenset[str]) -> Body:
    """Return calls of tiled kernels for the products of matrices in some equations, and for the rest loops, not fused:
    over the rows of a matrix they are vectorised as one.
    """
    steps = (step for equation in equations for step in contract(equation))
    return tuple(s for step in steps for s in (in_loops((step,), taken) if isinstance(step, Equation) else (step,)))


def interleaved(step: TrainingStep) -> tuple[Equations, ...]:
    """Return backward and update equations in groups, each update right after the last read of its weights."""
    groups: list[list[Equation]] = []
    waiting = list(step.updates)
    backward = (*step.stages.backward, *step.stages.clipping)
    for n, equation in enumerate(backward):
        groups.append([equation])
        unknown = {e.name for e in backward[n + 1 :]}  # an array that is added to is not known before the last of it
        later = {i for e in backward[n + 1 :] for i in _arrays(e.rhs)}
        last = n == len(backward) - 1
        still: list[Equation] = []
        for update in waiting:
            behind = names_in(update.rhs) & {e.name for e in still}  # what it reads is to be updated first
            ready = update.name not in later and not behind and not names_in(update.rhs) & unknown
            (groups[-1] if ready and (last or not is_of_first_layer(update)) else still).append(update)
        waiting = still
    return tuple(map(tuple, groups))


def _arrays(expr: Expr) -> set[str]:
    return {str(e.base.label) for e in expr.atoms(Indexed)}


def is_of_first_layer(update: Equation) -> bool:
    """Whether an update is one of the first layer's, which other orders join with its next use."""
    return split(update.name)[1] == "1"


def first_updates(step: TrainingStep) -> Equations:
    """Return the last updates, of which the first layer's are last, biases before weights."""
    updates = interleaved(step)[-1][1:]
    axes: list[int] = []
    for n, update in enumerate(updates):  # what follows from another update stays behind it
        touched = names_in(update.rhs) | {update.name}
        axes.append(max([len(update.over), *(axes[m] for m in range(n) if updates[m].name in touched)]))
    order = sorted(range(len(updates)), key=lambda n: (is_of_first_layer(updates[n]), axes[n]))
    return tuple(updates[n] for n in order)
