"""`sgd` in the order of the lecture, from top to bottom; `forward`, `loss` and `backward` beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sympy import Integer

from symbackprop.expr.equations import Equation
from symbackprop.expr.symbols import index, scalar
from symbackprop.kernels.example import functions_of
from symbackprop.kernels.frame import (
    DONE,
    kernel_of_updates,
    learn_from,
    names_of_example,
    names_of_update,
    over,
    scalars_of,
)
from symbackprop.kernels.plan import Plan
from symbackprop.kernels.training_step import UPDATES, N, TrainingStep
from symbackprop.loops.ir import Accumulate, Argument, Assign, Body, Kernel, Row
from symbackprop.loops.lower import lower
from symbackprop.loops.passes.cse import share
from symbackprop.loops.passes.hoist import hoist
from symbackprop.precision.max_shift import stabilise


def sgd_kernel(step: TrainingStep, _plan: Plan) -> Kernel:
    """Return the kernel of per-example updates, in the order of the lecture."""
    n, stages = index("n"), step.stages
    body = (
        *names_of_update(step, n), *_loops(step.of_example), *learn_from(stages.loss.lhs), *scalars_of(step, n),
        *_loops(step.updates), Accumulate(DONE, Integer(1)),
    )  # fmt: skip
    doc = "Update after each example of X[order]; return how many, and the sum of their losses."
    kernel = kernel_of_updates("sgd", doc, step, (over(n, UPDATES, body),), aligned=False)
    return replace(kernel, body=hoist(share(kernel.body), step.taken))


def _loops(equations: Iterable[Equation]) -> Body:
    """Return the loops of equations, one after another."""
    return tuple(s for e in stabilise(equations) for s in lower(e))


def forward_kernel(step: TrainingStep, plan: Plan) -> Kernel:
    """Return the kernel that writes the outputs of a run of examples."""
    functions = functions_of(step, outlined=plan.outlined)
    n, outputs = index("n"), functions.outputs(scalars=False)
    arguments = (step.examples[0], *step.parameters, step.outputs)
    work = functions.step.work(outputs, (*arguments, Argument("f")))
    rows = (names_of_example(step, n)[0], Row("f", step.outputs.name, n))
    doc = "Write the outputs of every example of X to F."
    return Kernel("forward", arguments, work, (over(n, N, (*rows, *outputs)),), (), doc)


def loss_kernel(step: TrainingStep, plan: Plan) -> Kernel:
    """Return the kernel of the mean loss."""
    n, mean, functions = index("n"), scalar("mean"), functions_of(step, outlined=plan.outlined)
    arguments = (*step.examples, *step.parameters)
    example = (*functions.outputs(), *functions.losses(slopes=False))
    body = (*names_of_example(step, n), *example, Accumulate(mean, step.stages.loss.lhs))
    whole = (Assign(mean, Integer(0)), over(n, N, body))
    doc = "Return the mean loss of the examples, without the penalty."
    return Kernel("loss", arguments, functions.step.work(example, arguments), whole, (mean / N,), doc)


def backward_kernel(step: TrainingStep, plan: Plan) -> Kernel:
    """Return the kernel of all parameter gradients for one example."""
    functions = functions_of(step, outlined=plan.outlined).at_elements()
    step = functions.step
    arguments = (*step.example, *step.parameters, *step.gradients, *step.penalties)
    body = (*functions.outputs(), *functions.losses(), *functions.slopes(step.stages.objective))
    doc = "Write the gradient of l + λΩ for one example to the arrays dW1, db1, ...; return l."
    return Kernel("backward", arguments, step.work(body, arguments), body, (step.stages.loss.lhs,), doc)
