"""Mini-batches: the mean gradient of m examples, by the same equations with one more index, the example.

Every array of an example gets that index in front; parameters do not. Sums over examples appear in the updates alone.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import Expr, Indexed, IndexedBase, Integer, Min, Symbol

from symbackprop.expr.equations import Equation
from symbackprop.expr.reductions import Sum
from symbackprop.expr.symbols import LABEL, Axis, array, array_of_integers, index, name_of, size
from symbackprop.kernels.frame import DONE, ROW, copied, kernel_of_updates, learn_from, over, scalars_of
from symbackprop.kernels.outlined import TOTAL, UPDATE, example_after_example, terms_of
from symbackprop.kernels.plan import Plan
from symbackprop.kernels.sweeps import in_loops, matrices
from symbackprop.kernels.training_step import UPDATES, TrainingStep, array_of, of_example, of_updates, work_arrays
from symbackprop.loops.ir import Accumulate, Argument, Assign, Body, Kernel, Loop, Row
from symbackprop.precision.max_shift import stabilise

EXAMPLES = Axis("r", size("count"))
BATCH = size("batch")


def minibatch_kernel(step: TrainingStep, plan: Plan) -> Kernel:
    """Return the kernel that updates after every `batch` examples by their mean gradient."""
    start = index("start")
    learnt, work = example_after_example(step, start) if plan.outlined else _all_at_once(step, start)
    count = Assign(EXAMPLES.size, Min(BATCH, UPDATES - start))
    body = (count, *learnt, Accumulate(UPDATE, Integer(1)), Accumulate(DONE, EXAMPLES.size))
    doc = "Update after every `batch` examples of X[order], by the mean of their gradients."
    return kernel_of_updates("sgd_minibatch", doc, step, (over(start, UPDATES, body, BATCH),), more=("batch",),
                             counters=(UPDATE,), work=work)  # fmt: skip


def _all_at_once(step: TrainingStep, start: Expr) -> tuple[Body, tuple[Argument, ...]]:
    """Return the update by a batch, its examples side by side in matrices, and the work arrays."""
    equations = stabilise(step.of_example)
    arguments = (*step.example, *step.masks)
    own = frozenset([*(a.name for a in arguments), *(e.name for e in equations)])
    labels = {LABEL: array_of_integers(LABEL.name)[EXAMPLES.index]} if of_example(step.examples[1]).about else {}
    of_examples = [batched(replace(e, rhs=e.rhs.xreplace(labels)), own) for e in equations]
    updates = [mean_update(e, own) for e in step.updates]
    losses = Equation(TOTAL, Sum(_indexed(step.stages.loss.lhs, own), EXAMPLES.limits), ())
    body = (
        _gather(step, start), *matrices(of_examples, step.taken), *in_loops((losses,), step.taken),
        *learn_from(TOTAL), *scalars_of(step, UPDATE), *matrices(updates, step.taken),
    )  # fmt: skip
    work = [replace(a, sizes=(BATCH, *a.sizes)) for a in arguments]
    work += [replace(a, sizes=(BATCH, *a.sizes[1:])) for a in work_arrays(of_examples)]
    return body, (*work, *work_arrays(step.updates))


def batched(equation: Equation, own: frozenset[str]) -> Equation:
    """Return an equation for every example r of a batch; `own` names the arrays and scalars that an example has."""
    lhs, rhs = _indexed(equation.lhs, own), _indexed(equation.rhs, own)
    return replace(equation, lhs=lhs, rhs=rhs, over=(EXAMPLES, *equation.over))


def mean_update(update: Equation, own: frozenset[str]) -> Equation:
    """Return an update by the mean over the examples of what depends on them."""
    if update.is_scattered:  # example after example: each may add to other elements
        target = _indexed(update.lhs, own)
        step = _indexed(update.rhs - update.lhs, own) / EXAMPLES.size
        return replace(update, lhs=target, rhs=target + step, over=(EXAMPLES, *update.over))
    of_examples, rest = terms_of(update, own)
    if of_examples == 0:
        return update
    mean = Sum(_indexed(of_examples, own) / EXAMPLES.size, EXAMPLES.limits)
    return replace(update, rhs=update.lhs + rest + mean)


def _indexed(expr: Expr, own: frozenset[str]) -> Expr:
    """Put the example's index in front of the indices of what belongs to an example."""
    r = EXAMPLES.index
    if isinstance(expr, Indexed):
        indices = tuple(_indexed(i, own) for i in expr.indices)
        name = name_of(expr)
        return expr.base[(r, *indices)] if name in own and indices != (r,) else expr.base[indices]
    if isinstance(expr, Symbol):
        return array(expr.name)[r] if expr.name in own else expr
    if not expr.args or isinstance(expr, IndexedBase):
        return expr
    return expr.func(*(_indexed(a, own) for a in expr.args))


def _gather(step: TrainingStep, start: Expr) -> Loop:
    """Copy the batch's examples and targets to contiguous rows."""
    r = EXAMPLES.index
    copies = [copied(array_of(of), r, array_of(argument), ROW, of.sizes) for argument in step.examples
              for of in (of_example(argument),)]  # fmt: skip
    copies += [copied(array_of(m), r, array(of_updates(m.name)), start + r, m.sizes) for m in step.masks]
    return Loop(r, EXAMPLES.size, (Row("row", "order", start + r), *copies), "the examples of the batch, row by row")
