"""What kernels take: examples, an order, masks, parameters, what is kept beside them, settings."""

from __future__ import annotations

from sympy import Expr, IndexedBase

from symbackprop.definitions import update_rules
from symbackprop.definitions.resolved import WEIGHT, ResolvedNetwork
from symbackprop.expr.symbols import LABEL, array, array_of_integers, scalar, size
from symbackprop.loops.ir import Argument

STEP = scalar("step")
WEIGHTS = "sample_weight"
N, UPDATES = size("N"), size("updates")
INTEGERS = "integers"  # what an array holds whose elements are class numbers or rows of a table


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
