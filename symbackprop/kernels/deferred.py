"""`deferred`: the first layer's weights updated once a block of examples, by a closed form, with the same result."""

from __future__ import annotations

from dataclasses import replace

from sympy import Expr, Indexed, IndexedBase, Integer, Lt, Min, Symbol

from symbackprop.calculus.block_recurrence import Deferral
from symbackprop.expr.printing import identifier
from symbackprop.expr.symbols import array, index, name_of, size
from symbackprop.kernels.example import functions_of
from symbackprop.kernels.frame import DONE, ROW, copied, kernel_of_updates, names_of_update, over
from symbackprop.kernels.overlapped import rest_of_example
from symbackprop.kernels.plan import Plan, with_gram
from symbackprop.kernels.sweeps import PAST, SWEEP, first_updates, in_loops, matrices
from symbackprop.kernels.training_step import UPDATES, TrainingStep
from symbackprop.loops.ir import Accumulate, Argument, Assign, Break, If, Kernel, Loop, Row

BLOCK, COUNT = size("block"), size("count")


def deferred_kernel(step: TrainingStep, plan: Plan) -> Kernel:
    """Return the kernel that updates the first layer's weights once a block of examples."""
    deferral = plan.deferral
    assert isinstance(deferral, Deferral)
    functions = functions_of(replace(step, stages=with_gram(step.stages, deferral)), outlined=False)
    step, start, r = functions.step, index("start"), index("r")
    deferred = {e.name for e in deferral.after}
    others = [e for e in first_updates(step) if e.name not in deferred]
    example = (
        *names_of_update(step, start + r, inputs=False), *in_loops((deferral.read,), step.taken, PAST),
        *rest_of_example(functions, start + r, SWEEP), *in_loops((*others, *deferral.saved), step.taken),
        Accumulate(DONE, Integer(1)),
    )  # fmt: skip
    block = (
        Assign(COUNT, Min(BLOCK, UPDATES - start)), _gather(step, deferral, start, r),
        *matrices(deferral.before, step.taken), over(r, COUNT, example),
        Assign(COUNT, DONE - start), *matrices(deferral.after, step.taken),
        If(Lt(DONE, Min(start + BLOCK, UPDATES)), (Break(),)),
    )  # fmt: skip
    body = (over(start, UPDATES, block, BLOCK),)
    work = (*step.work(body, step.arguments()), *_block_arrays(step, deferral))
    doc = f"As `sgd`, the first layer's weights updated once a block, with the same result. {_in_words(deferral)}."
    return kernel_of_updates("sgd_deferred", doc, step, body, more=("block",), work=work)


def _in_words(deferral: Deferral) -> str:
    """Return what the letters of the block's arrays stand for, in the order in which they are computed."""
    W, h = identifier(deferral.read.name), identifier(name_of(deferral.input))
    names = [str(_inputs(deferral).label), *(e.name for e in (*deferral.before, *deferral.saved, *deferral.after))]
    words = {
        "H": "its inputs", "A": "these times the weights from before it", "G": "these times one another",
        "D": f"its d{W}", "K": f"how much of each d{W} {h}ᵀ the weights have by now",
        "p": "how much of those from before, less 1", "E": f"how much of each d{W} they have in the end",
    }  # fmt: skip
    of = {letter: [n for n in dict.fromkeys(map(identifier, names)) if n[0] == letter] for letter in words}
    shown = {letter: found[0] + ", ..." * (len(found) > 1) for letter, found in of.items() if found}
    return "; ".join(f"{name}: {words[letter]}" for letter, name in shown.items())


def _inputs(deferral: Deferral) -> IndexedBase:
    return min(deferral.before[-1].rhs.atoms(Indexed), key=str).base  # of their Gram matrix


def _gather(step: TrainingStep, deferral: Deferral, start: Expr, r: Symbol) -> Loop:
    """Copy the block's examples to contiguous rows."""
    X = step.examples[0]
    copy = copied(_inputs(deferral), r, array(X.name), ROW, X.sizes[1:])
    return Loop(r, COUNT, (Row("row", "order", start + r), copy), "H1[r,j] = x[j] of example r of the block")


def _block_arrays(step: TrainingStep, deferral: Deferral) -> tuple[Argument, ...]:
    """Return the arrays of the block, with room for a whole one where the last may be shorter."""
    arrays = [Argument(str(_inputs(deferral).label), (BLOCK, *step.examples[0].sizes[1:]))]
    for equation in (*deferral.before, *deferral.saved, *deferral.after):
        if isinstance(equation.lhs, Indexed) and not equation.is_update:
            of_axes = {axis.index: axis.size for axis in equation.over}
            sizes = (of_axes.get(i, BLOCK) for i in equation.lhs.indices)
            arrays.append(Argument(equation.name, tuple(BLOCK if n == COUNT else n for n in sizes)))
    return tuple(arrays)
