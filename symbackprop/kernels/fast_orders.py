"""The fast schedules: the same updates as `sgd` in another order of computation, by passes over the same equations.

Every update is made as soon as the weights were read for the last time, and `fuse` turns the two sweeps into one.
Beyond that, `overlapped` joins the first layer's update with its next use, and `deferred` makes it once a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sympy import Expr, Indexed, Integer, Min, Symbol

from symbackprop.calculus.block_recurrence import Deferral
from symbackprop.definitions.network import Network
from symbackprop.definitions.step_sizes import t
from symbackprop.derivation.training_step import Stages
from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import split
from symbackprop.expr.reductions import Sum
from symbackprop.expr.symbols import Finite, array, array_of_integers, index, names_in, scalar, size
from symbackprop.kernels.plain import (
    arguments_of,
    copied,
    input_array,
    of_target,
    of_update,
    per_update,
    with_step,
    work_of,
)
from symbackprop.loops.calls import as_calls
from symbackprop.loops.im2col import with_patches
from symbackprop.loops.ir import Accumulate, Argument, Assign, Body, Break, If, Kernel, Loop, Row, Statement
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


def interleaved(stages: Stages) -> tuple[tuple[Equation, ...], ...]:
    """Return backward and update equations in groups, each update right after the last read of its weights."""
    groups: list[list[Equation]] = []
    waiting = list(with_step(stages.updates))
    backward = (*stages.backward, *stages.clipping)
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
    """Whether an update is one of the first layer's, which other schedules join with its next use."""
    return split(update.name)[1] == "1"


def piece(
    equations: Iterable[Equation], factors: Mapping[str, int], taken: frozenset[str], *, backwards: bool = False
) -> Body:
    """Return the loops of some equations, fused, hoisted, tiled and in scalars; calls of kernels for some of them."""
    made: list[Statement] = []
    waiting: list[Equation] = []
    for step in (s for equation in stabilise(equations) for s in as_calls(equation)):
        if isinstance(step, Equation):
            waiting.append(step)
            continue
        made += [*_loops(waiting, factors, taken, backwards=backwards), step]
        waiting = []
    return (*made, *_loops(waiting, factors, taken, backwards=backwards))


def _loops(
    equations: Iterable[Equation], factors: Mapping[str, int], taken: frozenset[str], *, backwards: bool
) -> Body:
    names = totals()
    body = tuple(s for e in equations for s in lower(e, names))
    body = hoist(fuse(share(body)), taken)
    try:
        body = tile(body, factors, backwards=backwards)
    except CannotTileError:
        return body
    return scalarize(body)


def matrices(equations: Iterable[Equation], taken: frozenset[str]) -> Body:
    """Return calls of tiled kernels for the products of matrices in some equations, and loops for the rest."""
    steps = (step for equation in equations for step in contract(equation))
    return tuple(s for step in steps for s in (piece((step,), {}, taken) if isinstance(step, Equation) else (step,)))


def with_gram(stages: Stages, deferral: Deferral) -> Stages:
    """Return the stages with Σⱼ xⱼ² of an example read from the block's Gram matrix."""
    gram = deferral.before[-1].lhs
    (r, _), h = gram.indices, deferral.input
    changed = (
        {s: gram.base[r, r] for s in e.rhs.atoms(Sum) if s.function == h.base[s.limits[0][0]] ** 2}
        for e in stages.clipping
    )
    clipping = (replace(e, rhs=e.rhs.xreplace(swap)) for e, swap in zip(stages.clipping, changed, strict=True))
    return replace(stages, clipping=tuple(clipping))


def _rest_of_example(
    network: Network, stages: Stages, n: Expr, taken: frozenset[str], sweep: Mapping[str, int]
) -> Body:
    """Return one example after its first pre-activation and up to its gradient: other layers, loss, backward sweeps."""
    *groups, last = interleaved(stages)
    backward = (*groups, last[:1])  # the others are the first layer's updates
    return (
        *piece((*stages.forward[1:], stages.loss), {}, taken),
        If(~Finite(stages.loss.lhs), (Break(),), "nothing is learnt from a loss that is not finite"),
        Accumulate(scalar("losses"), stages.loss.lhs),
        *per_update(network, t + n),
        *(s for group in backward for s in piece(group, sweep, taken, backwards=True)),
    )  # fmt: skip


def _first_updates(stages: Stages) -> tuple[Equation, ...]:
    """Return the last updates, of which the first layer's are last, biases before weights."""
    updates = interleaved(stages)[-1][1:]
    axes: list[int] = []
    for n, update in enumerate(updates):  # what follows from another update stays behind it
        touched = names_in(update.rhs) | {update.name}
        axes.append(max([len(update.over), *(axes[m] for m in range(n) if updates[m].name in touched)]))
    order = sorted(range(len(updates)), key=lambda n: (is_of_first_layer(updates[n]), axes[n]))
    return tuple(updates[n] for n in order)


def in_patches(stages: Stages) -> Stages:
    """Return the equations of an example with windows along short rows copied out, for kernels that are to be fast."""
    forward, backward, updates = with_patches(stages.forward, (stages.backward, stages.updates))
    return replace(stages, forward=forward, backward=backward, updates=updates)


def deferred_kernel(network: Network, stages: Stages, deferral: Deferral) -> Kernel:
    """Return the kernel that updates the first layer's weights once a block of examples, with the same result."""
    stages = with_gram(stages, deferral)
    arguments = arguments_of(network, "block")
    taken = frozenset(a.name for a in arguments)
    updates, block, count = size("updates"), size("block"), size("count")
    start, r, done = (index(name) for name in ("start", "r", "done"))
    deferred = {e.name for e in deferral.after}
    others = [e for e in _first_updates(stages) if e.name not in deferred]
    per_example = (
        Row("row", "order", start + r), *of_target(network, index("row")), *of_update(network, start + r),
        *piece((deferral.read,), PAST, taken), *_rest_of_example(network, stages, start + r, taken, SWEEP),
        *piece((*others, *deferral.saved), {}, taken), Accumulate(done, Integer(1)),
    )  # fmt: skip
    blocks = (
        Assign(count, Min(block, updates - start)), _gather(network, deferral, start, r, count),
        *matrices(deferral.before, taken),
        Loop(r, count, per_example, ordered=True), Assign(count, done - start), *matrices(deferral.after, taken),
        If(done < Min(start + block, updates), (Break(),)),
    )  # fmt: skip
    whole = (*_nothing_done(), Loop(start, updates, blocks, "", Integer(0), block, ordered=True))
    work = (*work_of(stages, arguments), *_block_arrays(network, deferral, block))
    doc = "As `sgd`, the first layer's weights updated once a block: the same updates, see the header."
    return Kernel("sgd_deferred", arguments, work, whole, (done, scalar("losses")), doc, aligned=True)


def _nothing_done() -> Body:
    return (Assign(scalar("losses"), Integer(0)), Assign(index("done"), Integer(0)))


def _inputs(deferral: Deferral) -> Indexed:
    return min(deferral.before[-1].rhs.atoms(Indexed), key=str)  # of their Gram matrix


def _gather(network: Network, deferral: Deferral, start: Expr, r: Symbol, count: Expr) -> Loop:
    """Copy the block's examples to contiguous rows."""
    copy = copied(_inputs(deferral).base, r, input_array(network, "X"), index("row"), network.input_sizes)
    return Loop(r, count, (Row("row", "order", start + r), copy), "H1[r,j] = x[j] of example r of the block")


def _block_arrays(network: Network, deferral: Deferral, block: Expr) -> tuple[Argument, ...]:
    """Return the arrays of the block, with room for a whole one where the last may be shorter."""
    made = [Argument(str(_inputs(deferral).base.label), (block, *network.input_sizes))]
    for equation in (*deferral.before, *deferral.saved, *deferral.after):
        sizes = {axis.index: axis.size for axis in equation.over}
        if isinstance(equation.lhs, Indexed) and not equation.is_update:
            found = (sizes.get(i, block) for i in equation.lhs.indices)
            made.append(Argument(equation.name, tuple(block if n == size("count") else n for n in found)))
    return tuple(made)


def overlapped_kernel(network: Network, stages: Stages, sweep: Mapping[str, int]) -> Kernel:
    """Return the kernel that joins the first layer's update after one example with its use for the next.

    `sweep` says how many rows are taken at a time: ONE_ROW for small networks, SWEEP for large ones.
    """
    arguments = arguments_of(network)
    taken = frozenset(a.name for a in arguments)
    updates, n, row, done = size("updates"), *map(index, ("n", "row", "done"))
    first = stages.forward[0]
    ahead = Equation(
        first.lhs,
        first.rhs.xreplace({make("h^0"): make("x_next") for make in (array, array_of_integers)}),  # a value, an index
        first.over,
        first.why,
    )
    body = (
        Row("row", "order", n), Row("h^0", "X", row), *of_target(network, row), *of_update(network, n),
        *_rest_of_example(network, stages, n, taken, sweep),
        Row("row", "order", Min(n + 1, updates - 1)), Row("x_next", "X", row),
        *piece((*_first_updates(stages), ahead), sweep, taken), Accumulate(done, Integer(1)),
    )  # fmt: skip
    start = (Row("row", "order", Integer(0)), Row("h^0", "X", row), *piece((first,), {}, taken))
    whole = (*_nothing_done(), *start, Loop(n, updates, body, ordered=True))
    doc = "As `sgd`, the first layer's update and its next use in one sweep: the same updates."
    work = work_of(stages, arguments)
    return Kernel("sgd_overlapped", arguments, work, whole, (done, scalar("losses")), doc, aligned=True)
