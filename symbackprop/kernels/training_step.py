"""All that a kernel builder takes: the equations of one update, and the arguments that hold what they read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from sympy import Expr, Indexed, IndexedBase

from symbackprop.definitions import update_rules
from symbackprop.definitions.resolved import WEIGHT, ResolvedNetwork
from symbackprop.definitions.step_sizes import t, α
from symbackprop.derivation.training_step import Stages
from symbackprop.expr.equations import Equation
from symbackprop.expr.symbols import LABEL, array, array_of_integers, scalar, size
from symbackprop.loops.im2col import with_patches
from symbackprop.loops.ir import Argument, Body, written
from symbackprop.precision.max_shift import stabilise

Equations = tuple[Equation, ...]
STEP = scalar("step")
WEIGHTS = "sample_weight"
N, UPDATES = size("N"), size("updates")
INTEGERS = "integers"  # what an array holds whose elements are class numbers or rows of a table


@dataclass(frozen=True)
class TrainingStep:
    """The equations of one update, with the arguments of kernels.

    Attributes
    ----------
    stages
        The equations.
    examples, example
        X, Y and the weights of a run of examples; those of one.
    masks
        Of one example, where units are left out.
    parameters, state
        What an update changes.
    gradients, penalties
        What `backward` takes beside an example and the parameters.
    elements
        Where in `gradients` those are that have no axis.
    settings
        The numbers of an update: the learning rate, hyperparameters, t.
    scalars
        What is computed of them for each update, the step size first.
    outputs
        The array that `forward` fills.
    """

    stages: Stages
    examples: tuple[Argument, ...]
    masks: tuple[Argument, ...]
    parameters: tuple[Argument, ...]
    state: tuple[Argument, ...]
    gradients: tuple[Argument, ...]
    penalties: tuple[Argument, ...]
    elements: tuple[tuple[Expr, Expr], ...]
    settings: tuple[Argument, ...]
    scalars: tuple[tuple[Expr, Expr], ...]
    outputs: Argument

    @property
    def example(self) -> tuple[Argument, ...]:
        """What kernels of one example take: its inputs, its target, and its weight."""
        return tuple(map(of_example, self.examples))

    @cached_property
    def updates(self) -> Equations:
        """The updates, with the step size of this update under its name, so that it is computed once."""
        return with_step(self.stages.updates)

    @property
    def of_example(self) -> Equations:
        """What one example computes, forward and backward."""
        return (*self.stages.forward, self.stages.loss, *self.stages.backward, *self.stages.clipping)

    @cached_property
    def taken(self) -> frozenset[str]:
        """The names that what is computed beside the equations may not have."""
        return self.stages.names.union(a.name for a in (*self.arguments(), *self.gradients))

    def arguments(self, *more: str) -> tuple[Argument, ...]:
        """Return the arguments of a kernel of updates: data, order, masks, parameters, state, settings, `more`."""
        drawn = (Argument(of_updates(mask.name), (UPDATES, *mask.sizes)) for mask in self.masks)
        return (
            *self.examples, Argument("order", (UPDATES,)), *drawn, *self.parameters, *self.state, *self.settings,
            *map(Argument, more),
        )  # fmt: skip

    def work(self, body: Body, arguments: Iterable[Argument]) -> tuple[Argument, ...]:
        """Return the arrays that a body fills and no argument holds, in the order of the equations."""
        filled = written(body) - {a.name for a in arguments}
        return tuple(a for a in work_arrays((*self.of_example, *self.stages.updates)) if a.name in filled)


def training_step_of(network: ResolvedNetwork, stages: Stages) -> TrainingStep:
    """Return what the kernels of a network are made of."""
    sizes = {θ.name: θ.sizes for θ in network.parameters}
    alone = (f"∂l/∂{θ.name}" for θ in network.parameters if not θ.axes)
    return TrainingStep(
        stages=stages,
        examples=example_arguments(network),
        masks=tuple(Argument(name, of) for name, of in masks(network).items()),
        parameters=tuple(Argument(name, of, "parameter") for name, of in sizes.items()),
        state=state(network),
        gradients=tuple(Argument(f"∂l/∂{name}", of) for name, of in sizes.items()),
        penalties=tuple(map(Argument, network.penalties)),
        elements=tuple((scalar(name), array(name)[0]) for name in alone),
        settings=tuple(map(Argument, (α.name, *network.hyperparameters, t.name))),
        scalars=tuple(scalars_of_update(network).items()),
        outputs=Argument("F", (N, network.output_size)),
    )


def in_patches(stages: Stages) -> Stages:
    """Return the equations with windows along short rows copied out, for kernels that are to be fast."""
    forward, backward, updates = with_patches(stages.forward, (stages.backward, stages.updates))
    return replace(stages, forward=forward, backward=backward, updates=updates)


def with_step(equations: Iterable[Equation]) -> Equations:
    """Name the step size of this update, so that it is computed once."""
    return tuple(replace(e, rhs=e.rhs.xreplace({α: STEP})) for e in equations)


def work_arrays(equations: Iterable[Equation]) -> tuple[Argument, ...]:
    """Return the arrays that some equations write, each once, but for those that they update."""
    arrays = {
        e.name: Argument(e.name, e.shape, INTEGERS if e.lhs.base.label.is_integer else "")
        for e in stabilise(equations)
        if isinstance(e.lhs, Indexed) and not e.is_update
    }
    return tuple(arrays.values())


def state(network: ResolvedNetwork) -> tuple[Argument, ...]:
    """Return what training keeps beside the parameters as arguments of a kernel."""
    return tuple(Argument(name, θ.sizes, "state") for θ in network.parameters for name in θ.state)


def example_arguments(network: ResolvedNetwork) -> tuple[Argument, ...]:
    """Return the arguments that hold a run of examples: X, Y, and their weights where they have any."""
    X = Argument("X", (N, *network.input_sizes), INTEGERS if network.reads_integers else "")
    labels = network.target_kind == "label"
    Y = Argument("Y", (N,), INTEGERS) if labels else Argument("Y", (N, network.output_size))
    return (X, Y, *((Argument(WEIGHTS, (N,)),) if network.weighted else ()))


def of_example(argument: Argument) -> Argument:
    """Return what an example has of one of the arguments that hold a run of them."""
    name = {"X": "h^0", "Y": LABEL.name, WEIGHTS: WEIGHT}[argument.name]
    return Argument(name, argument.sizes[1:], argument.about)


def masks(network: ResolvedNetwork) -> dict[str, tuple[Expr, ...]]:
    """Return the names of the masks that dropout multiplies with, and their sizes for one example."""
    return {name: tuple(axis.size for axis in axes) for name, axes in network.masks.items()}


def of_updates(mask: str) -> str:
    """Return the name of the array that has a mask for every update."""
    return mask.replace("^", "s^")


def scalars_of_update(network: ResolvedNetwork) -> dict[Expr, Expr]:
    """Return the scalars of update t: its step size, and its share in an average where one is kept."""
    share = {update_rules.share: update_rules.SHARE} if network.update.average else {}
    return {STEP: network.step_size, **share}


def array_of(argument: Argument) -> IndexedBase:
    """Return the array that an argument is."""
    return (array_of_integers if argument.about == INTEGERS else array)(argument.name)
