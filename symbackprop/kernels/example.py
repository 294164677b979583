"""Functions of one example, which all kernels but `sgd` share, so that what an example computes is written once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from sympy import Basic, Expr, Symbol

from symbackprop.derivation.training_step import read_at
from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import identifier
from symbackprop.expr.symbols import index, names_in, scalar
from symbackprop.kernels.sweeps import fused, in_loops
from symbackprop.kernels.training_step import INTEGERS, Equations, TrainingStep, array_of, in_patches, work_arrays
from symbackprop.loops.ir import Argument, Body, Call, Kernel
from symbackprop.precision.max_shift import stabilise


@dataclass(frozen=True)
class ExampleFunctions:
    """How one example is computed.

    Attributes
    ----------
    step
        Its equations, with windows along short rows copied out.
    first
        In place: the first pre-activation, where an order of updates may compute it ahead.
    forward
        The call of a function: from there to the outputs.
    backward
        The call of a function, or in place where every order has its updates in between.
    """

    step: TrainingStep
    first: Equations
    forward: Call
    backward: Call | Equations

    def outputs(self, *, scalars: bool = True) -> Body:
        """Return the statements from the inputs to the outputs; the scalars on the way are kept or not."""
        call = self.forward if scalars else replace(self.forward, results=())
        return *in_loops(self.first, self.step.taken), call

    def losses(self, *, slopes: bool = True) -> Body:
        """Return the statements from the outputs to the loss, and what the way back reads of slopes."""
        return in_loops((*(self.step.stages.slopes if slopes else ()), self.step.stages.loss), self.step.taken)

    def slopes(self, updates: Equations = ()) -> Body:
        """Return the statements from the loss back, and further equations, in loops one after another."""
        if isinstance(self.backward, Call):
            return self.backward, *fused(updates, self.step.taken)
        return fused((*self.backward, *updates), self.step.taken)

    def at_elements(self) -> ExampleFunctions:
        """Return the same with gradients that have no axis in the arrays that a caller passes."""
        elements: dict[Expr, Expr] = dict(self.step.elements)
        objective = tuple(read_at(e, elements) for e in self.step.stages.objective)
        backward = (
            replace(self.backward, results=tuple(r.xreplace(elements) for r in self.backward.results))
            if isinstance(self.backward, Call)
            else tuple(read_at(e, elements) for e in self.backward)
        )
        step = replace(self.step, stages=replace(self.step.stages, objective=objective))
        return replace(self, step=step, backward=backward)


@lru_cache(maxsize=4)
def functions_of(step: TrainingStep, *, outlined: bool) -> ExampleFunctions:
    """Return how one example is computed; `outlined`, by two functions, forward and backward."""
    step = replace(step, stages=in_patches(step.stages))
    stages, dropout = step.stages, "_with_dropout" * bool(step.masks)
    updates = (*stages.clipping, *stages.updates, *stages.objective)
    first = () if outlined else stages.predicting[:1]
    start = "of_example" if outlined else f"from_{identifier(first[0].name)}"
    rest = stages.predicting[len(first) :]
    forward = _call(step, f"forward_{start}{dropout}", rest, (*stages.slopes, stages.loss, *stages.backward, *updates),
                    inline=not outlined)  # a call costs small networks 15 %
    if not outlined:
        return ExampleFunctions(step, first, forward, stages.backward)
    backward = _call(step, f"backward_{start}{dropout}", stages.backward, updates)
    return ExampleFunctions(step, first, forward, backward)


def _call(
    step: TrainingStep, name: str, equations: Equations, later: Iterable[Equation], *, inline: bool = False
) -> Call:
    """Return the call of a function of one example: it takes every array that it reads or fills, returns scalars."""
    equations = stabilise(equations)
    computed = {e.lhs: e.name for e in equations if isinstance(e.lhs, Symbol)}
    read = frozenset[str]().union(*(names_in(e.rhs) for e in later))
    results = tuple(lhs for lhs, name in computed.items() if name in read)
    used = {e.name for e in equations}.union(*(names_in(e.rhs) for e in equations)) - set(computed.values())
    arguments = tuple(a for a in _known(step) if a.name in used)
    arrays = dict.fromkeys(identifier(e.name) for e in equations if e.lhs not in computed)
    of = f" from {name.partition('_from_')[2].partition('_')[0]}" if "_from_" in name else ""
    doc = f"Compute {', '.join(arrays)} of one example{of}"
    doc += f"; return {', '.join(identifier(r.name) for r in results)}." if results else "."
    kernel = Kernel(name, arguments, (), in_loops(equations, step.taken), results, doc, inline=inline)
    return Call(kernel, tuple(map(_value, arguments)), results=results)


def _known(step: TrainingStep) -> Iterable[Argument]:
    """Return all that a function of one example may take."""
    equations = stabilise(step.of_example)
    scalars = (Argument(e.name, (), INTEGERS * bool(e.lhs.is_integer)) for e in equations if e.lhs.is_Symbol)
    work = work_arrays((*equations, *step.stages.updates))
    known = (*step.example, *step.masks, *step.parameters, *step.state, *work, *scalars)
    return {a.name: a for a in known}.values()


def _value(argument: Argument) -> Basic:
    if argument.sizes:
        return array_of(argument)
    return index(argument.name) if argument.about == INTEGERS else scalar(argument.name)

