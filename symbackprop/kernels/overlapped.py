"""`overlapped`: every update in the last sweep that reads its weights, the first layer's joined with its next use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sympy import Expr, Integer, Min

from symbackprop.calculus.block_recurrence import Deferral
from symbackprop.expr.symbols import array, array_of_integers, index
from symbackprop.kernels.example import ExampleFunctions, functions_of
from symbackprop.kernels.frame import DONE, ROW, kernel_of_updates, learn_from, names_of_update, over, scalars_of
from symbackprop.kernels.plan import Plan
from symbackprop.kernels.sweeps import ONE_ROW, SWEEP, first_updates, in_loops, interleaved
from symbackprop.kernels.training_step import UPDATES, TrainingStep
from symbackprop.loops.ir import Accumulate, Body, Kernel, Row


def overlapped_kernel(step: TrainingStep, plan: Plan) -> Kernel:
    """Return the kernel that joins the first layer's update after one example with its use for the next."""
    functions = functions_of(step, outlined=plan.outlined)
    if plan.outlined:
        return _of_products(functions)
    sweep = ONE_ROW if isinstance(plan.deferral, Deferral) else SWEEP  # which serves large networks better
    step, n, (first,) = functions.step, index("n"), functions.first
    next_input = {make("h^0"): make("x_next") for make in (array, array_of_integers)}  # a value, an index
    ahead = replace(first, rhs=first.rhs.xreplace(next_input))
    body = (
        *names_of_update(step, n), *rest_of_example(functions, n, sweep),
        Row("row", "order", Min(n + 1, UPDATES - 1)), Row("x_next", "X", ROW),
        *in_loops((*first_updates(step), ahead), step.taken, sweep), Accumulate(DONE, Integer(1)),
    )  # fmt: skip
    start = (Row("row", "order", Integer(0)), Row("h^0", "X", ROW), *in_loops((first,), step.taken))
    doc = "As `sgd`, the first layer's update and its next use in one sweep: the same updates."
    return kernel_of_updates("sgd_overlapped", doc, step, (*start, over(n, UPDATES, body)))


def rest_of_example(functions: ExampleFunctions, n: Expr, sweep: Mapping[str, int]) -> Body:
    """Return one example after its first pre-activation and up to its gradient: other layers, loss, backward sweeps."""
    step = functions.step
    *groups, last = interleaved(step)
    backward = (*groups, last[:1])  # the others are the first layer's updates
    sweeps = (s for group in backward for s in in_loops(group, step.taken, sweep, backwards=True))
    return (functions.forward, *functions.losses(), *learn_from(step.stages.loss.lhs), *scalars_of(step, n), *sweeps)


def _of_products(functions: ExampleFunctions) -> Kernel:
    """Return the kernel that computes sums over windows as products of matrices."""
    step, n = functions.step, index("n")
    body = (
        *names_of_update(step, n), *functions.outputs(), *functions.losses(), *learn_from(step.stages.loss.lhs),
        *scalars_of(step, n), *functions.slopes(), *in_loops(step.stages.clipping, step.taken),
        *in_loops(step.updates, step.taken, SWEEP, backwards=True), Accumulate(DONE, Integer(1)),
    )  # fmt: skip
    doc = "As `sgd`, sums over windows as products of matrices: the same updates."
    return kernel_of_updates("sgd_overlapped", doc, step, (over(n, UPDATES, body),))
