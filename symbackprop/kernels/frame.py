"""What kernels have around their equations in any order: examples by name, the check of losses, the step size."""

from __future__ import annotations

from sympy import Expr, IndexedBase, Integer, Symbol

from symbackprop.definitions.step_sizes import t
from symbackprop.expr.printing import formula
from symbackprop.expr.symbols import Finite, index, scalar
from symbackprop.kernels.training_step import TrainingStep, of_example, of_updates
from symbackprop.loops.ir import Accumulate, Argument, Assign, Body, Break, If, Kernel, Loop, Row, Statement

ROW, DONE, LOSSES = index("row"), index("done"), scalar("losses")


def names_of_example(step: TrainingStep, at: Expr) -> Body:
    """Return the names of the parts of an example, its inputs first, `at` in the arrays of examples."""
    return tuple(Row(of_example(argument).name, argument.name, at) for argument in step.examples)


def names_of_update(step: TrainingStep, n: Expr, *, inputs: bool = True) -> Body:
    """Return the names of what update `n` of a run has: its example, with or without its inputs, and masks."""
    masks = (Row(mask.name, of_updates(mask.name), n) for mask in step.masks)
    return (Row("row", "order", n), *names_of_example(step, ROW)[not inputs :], *masks)


def learn_from(loss: Expr) -> Body:
    """Return the statements that add up a loss, and leave the loop where it is not finite."""
    return (
        If(~Finite(loss), (Break(),), "nothing is learnt from a loss that is not finite"),
        Accumulate(LOSSES, loss),
    )


def scalars_of(step: TrainingStep, update: Expr) -> Body:
    """Return the statements that compute the step size of an update, where `update` were made before in this run."""
    return tuple(
        Assign(name, value.xreplace({t: t + update}), f"{name} = {formula(value, code=True)}")
        for name, value in step.scalars
    )


def over(counter: Symbol, stop: Expr, body: Body, length: Expr = Integer(1)) -> Loop:  # noqa: B008 (an immutable number)
    """Return a loop over examples, or over runs of them of some length, each of which meets what the last has left."""
    return Loop(counter, stop, body, "", Integer(0), length, ordered=True)


def kernel_of_updates(
    name: str, doc: str, step: TrainingStep, body: Body, *, more: tuple[str, ...] = (),
    counters: tuple[Symbol, ...] = (), work: tuple[Argument, ...] | None = None, aligned: bool = True,
) -> Kernel:  # fmt: skip
    """Return a kernel of updates: it counts the examples whose updates are done and adds up their losses.

    Its work arrays are those that the body fills, unless others are named.
    """
    arguments = step.arguments(*more)
    work = step.work(body, arguments) if work is None else work
    start = (Assign(LOSSES, Integer(0)), *(Assign(c, Integer(0)) for c in (*counters, DONE)))
    return Kernel(name, arguments, work, (*start, *body), (DONE, LOSSES), doc, aligned=aligned)


def copied(to: IndexedBase, r: Expr, of: IndexedBase, at: Expr, sizes: tuple[Expr, ...]) -> Statement:
    """Return what copies row `at` of one array, of the given sizes, to row `r` of another."""
    indices = tuple(map(index, "j" if len(sizes) == 1 else "cpqij"[: len(sizes)]))
    copy: Statement = Assign(to[(r, *indices)], of[(at, *indices)])
    for i, extent in reversed(list(zip(indices, sizes, strict=True))):
        copy = Loop(i, extent, (copy,))
    return copy
