"""Mini-batches: the mean gradient of m examples, by the same equations with one more index, the example.

Every array of an example gets that index in front; parameters do not. Sums over examples appear in the updates alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Add, Expr, Indexed, IndexedBase, Integer, Min, Piecewise, Symbol, expand

from symbackprop.definitions.network import WEIGHT, Network
from symbackprop.definitions.step_sizes import t
from symbackprop.derivation.training_step import Stages
from symbackprop.expr.equations import Equation
from symbackprop.expr.indices import opaque
from symbackprop.expr.reductions import Reduction, Sum
from symbackprop.expr.symbols import (
    LABEL,
    Axis,
    Finite,
    array,
    array_of_integers,
    index,
    name_of,
    names_in,
    scalar,
    size,
)
from symbackprop.kernels.fast_orders import matrices, piece
from symbackprop.kernels.plain import (
    MINIBATCH,
    WEIGHTS,
    all_equations,
    arguments_of,
    copied,
    input_array,
    masks,
    of_updates,
    per_update,
    with_step,
    work_arrays,
)
from symbackprop.loops.ir import Accumulate, Argument, Assign, Break, If, Kernel, Loop, Row
from symbackprop.precision.max_shift import stabilise

EXAMPLES = Axis("r", size("count"))


def batched(equation: Equation, own: frozenset[str]) -> Equation:
    """Return an equation for every example r of a batch; `own` names the arrays and scalars that an example has."""
    made = Equation(_indexed(equation.lhs, own), _indexed(equation.rhs, own), equation.over, equation.why)
    return Equation(made.lhs, made.rhs, (EXAMPLES, *made.over), made.why)


def mean_update(update: Equation, own: frozenset[str]) -> Equation:
    """Return an update by the mean over the examples of what depends on them."""
    if update.is_scattered:  # example after example: each may add to other elements
        target = _indexed(update.lhs, own)
        step = _indexed(update.rhs - update.lhs, own) / EXAMPLES.size
        return Equation(target, target + step, (EXAMPLES, *update.over), update.why)
    of_examples, rest = terms_of(update, own)
    if of_examples == 0:
        return update
    mean = Sum(_indexed(of_examples, own) / EXAMPLES.size, EXAMPLES.limits)
    return Equation(update.lhs, update.lhs + rest + mean, update.over, update.why)


def terms_of(update: Equation, own: frozenset[str]) -> tuple[Expr, Expr]:
    """Return what an update adds that depends on examples, and what does not."""
    flat, back = opaque(update.rhs - update.lhs, Piecewise, *Reduction)
    terms = [term.xreplace(back) for term in Add.make_args(expand(flat))]
    of_examples = [term for term in terms if names_in(term) & own]
    return Add(*of_examples), Add(*(term for term in terms if term not in of_examples))


def minibatch_kernel(network: Network, stages: Stages) -> Kernel:
    """Return the kernel that updates after every `batch` examples by their mean gradient."""
    arguments = arguments_of(network, "batch")
    taken = frozenset(a.name for a in arguments)
    equations = stabilise(all_equations(stages))
    own = frozenset({"h^0", "y", WEIGHT, *masks(network), *(e.name for e in equations)})
    label = array_of_integers("y")[EXAMPLES.index]
    swap = {LABEL: label} if network.target_kind == "label" else {}
    per_example = [batched(Equation(e.lhs, e.rhs.xreplace(swap), e.over, e.why), own) for e in equations]
    updates = [mean_update(e, own) for e in with_step(stages.updates)]
    start, update, done = (index(n) for n in ("start", "update", "done"))
    batch, total = size("batch"), scalar("total_l")
    losses = Equation(total, Sum(_indexed(stages.loss.lhs, own), EXAMPLES.limits), ())
    body = (
        Assign(EXAMPLES.size, Min(batch, size("updates") - start)), _gather(network, start),
        *matrices(per_example, taken), *piece((losses,), {}, taken),
        If(~Finite(total), (Break(),), "nothing is learnt from a loss that is not finite"),
        Accumulate(scalar("losses"), total),
        *per_update(network, t + update),
        *matrices(updates, taken),
        Accumulate(update, Integer(1)), Accumulate(done, EXAMPLES.size),
    )  # fmt: skip
    first = tuple(Assign(s, Integer(0)) for s in (scalar("losses"), update, done))
    loop = Loop(start, size("updates"), body, "", Integer(0), batch, ordered=True)
    work = (*_work(network, per_example, batch), *work_arrays(updates, arguments))
    return Kernel("sgd_minibatch", arguments, work, (*first, loop), (done, scalar("losses")), MINIBATCH, aligned=True)


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


def _gather(network: Network, start: Expr) -> Loop:
    """Copy the batch's examples and targets to contiguous rows."""
    r, row = EXAMPLES.index, index("row")
    labels = network.target_kind == "label"
    kind, target = (array_of_integers, ()) if labels else (array, (network.output_size,))
    copies = [
        copied(input_array(network, "h^0"), r, input_array(network, "X"), row, network.input_sizes),
        copied(kind("y"), r, kind("Y"), row, target),
        *([copied(array(WEIGHT), r, array(WEIGHTS), row, ())] if network.weighted else []),
        *(copied(array(m), r, array(of_updates(m)), start + r, sizes) for m, sizes in masks(network).items()),
    ]
    return Loop(r, EXAMPLES.size, (Row("row", "order", start + r), *copies), "the examples of the batch, row by row")


def _work(network: Network, equations: Iterable[Equation], batch: Expr) -> tuple[Argument, ...]:
    outputs = network.output_size
    y = Argument("y", (batch,), "label") if network.target_kind == "label" else Argument("y", (batch, outputs))
    x = Argument("h^0", (batch, *network.input_sizes), "label" if network.reads_integers else "")
    found = {
        e.name: Argument(e.name, (batch, *e.shape[1:]), "label" if e.lhs.base.label.is_integer else "")
        for e in equations
        if not e.is_update
    }
    weight = (Argument(WEIGHT, (batch,)),) if network.weighted else ()
    own = (Argument(name, (batch, *sizes)) for name, sizes in masks(network).items())
    return (x, y, *weight, *own, *found.values())
