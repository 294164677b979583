"""Mini-batches of networks with sums over windows, one example after another: each keeps the product kernels busy.

Their steps are added up, and the parameters are updated by the mean.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import Add, Expr, Integer, Piecewise, expand

from symbackprop.expr.equations import Equation
from symbackprop.expr.indices import opaque
from symbackprop.expr.reductions import Reduction
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import Axis, array, index, names_in, scalar, size
from symbackprop.kernels.example import functions_of
from symbackprop.kernels.frame import learn_from, names_of_update, over, scalars_of
from symbackprop.kernels.sweeps import SWEEP, in_loops
from symbackprop.kernels.training_step import Equations, TrainingStep
from symbackprop.loops.ir import Accumulate, Argument, Assign, Body

COUNT, UPDATE, TOTAL = size("count"), index("update"), scalar("total_l")


def example_after_example(step: TrainingStep, start: Expr) -> tuple[Body, tuple[Argument, ...]]:
    """Return the update by a batch whose examples' steps are added up first, and the work arrays."""
    functions = functions_of(step, outlined=True)
    step, taken, r = functions.step, functions.step.taken, index("r")
    steps, means = _in_two(step)
    sums = tuple(Argument(_sum(a.name), a.sizes) for a in (*step.parameters, *step.state)
                 if _sum(a.name) in {e.name for e in steps})  # fmt: skip
    example = (
        *names_of_update(step, start + r), *functions.outputs(), *functions.losses(),
        Accumulate(TOTAL, step.stages.loss.lhs), *functions.slopes(), *in_loops(step.stages.clipping, taken),
        *in_loops(steps, taken, SWEEP, backwards=True),
    )  # fmt: skip
    body = (
        *scalars_of(step, UPDATE), *in_loops(map(_nothing_yet, sums), taken), Assign(TOTAL, Integer(0)),
        over(r, COUNT, example), *learn_from(TOTAL), *in_loops(means, taken),
    )  # fmt: skip
    return body, (*step.work(body, step.arguments()), *sums)


def terms_of(update: Equation, own: frozenset[str]) -> tuple[Expr, Expr]:
    """Return what an update adds that depends on examples, and what does not."""
    flat, back = opaque(update.rhs - update.lhs, Piecewise, *Reduction)
    terms = [term.xreplace(back) for term in Add.make_args(expand(flat))]
    of_examples = [term for term in terms if names_in(term) & own]
    return Add(*of_examples), Add(*(term for term in terms if term not in of_examples))


def _sum(parameter: str) -> str:
    return f"sum_{parameter}"


def _nothing_yet(of: Argument) -> Equation:
    axes = tuple(Axis(letter, n) for letter, n in zip("ijkpq", of.sizes, strict=False))
    return Equation(array(of.name)[tuple(a.index for a in axes)], Integer(0), axes)


def _in_two(step: TrainingStep) -> tuple[Equations, Equations]:
    """Return what adds up the steps of examples, and the updates by their mean and by what depends on no example."""
    own = {*(a.name for a in step.example), *(e.name for e in step.of_example)} - {e.name for e in step.updates}
    steps: list[Equation] = []
    means: list[Equation] = []
    added: set[str] = set()  # whose sum an update has taken
    for update in step.updates:
        if not update.is_update and names_in(update.rhs) & own:  # copied windows, of which an update is the sum
            own.add(update.name)
            steps.append(update)
            continue
        of_example, rest = terms_of(update, frozenset(own)) if update.is_update else (Integer(0), update.rhs)
        target = array(_sum(update.name))[getattr(update.lhs, "indices", ())] if update.is_update else update.lhs
        if of_example != 0:
            steps.append(replace(update, lhs=target, rhs=target + of_example))
        if update.is_scattered:
            continue
        has_sum = of_example != 0 or any(u.is_scattered and u.name == update.name for u in step.updates)
        if has_sum and update.name not in added:
            added.add(update.name)
            means.append(_by_mean(replace(update, lhs=target, rhs=rest), update.name))
        else:
            means.append(update)
    scattered = dict.fromkeys(u.name for u in step.updates if u.is_scattered and u.name not in added)
    sizes = {a.name: a.sizes for a in step.parameters}
    means += [_by_mean(_nothing_yet(Argument(_sum(name), sizes[name])), name) for name in scattered]
    return tuple(steps), tuple(means)


def _by_mean(rest: Equation, parameter: str) -> Equation:
    θ = array(parameter)[rest.lhs.indices]
    return Equation(θ, θ + rest.rhs + rest.lhs / COUNT, rest.over, Role.UPDATE)
