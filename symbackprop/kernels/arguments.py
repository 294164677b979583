"""What kernels take: examples, an order, masks, parameters, what is kept beside them, settings."""

from __future__ import annotations

from sympy import Expr, IndexedBase, Integer

from symbackprop.definitions import step_sizes, update_rules
from symbackprop.definitions.network import WEIGHT, Network
from symbackprop.definitions.step_sizes import t, α
from symbackprop.derivation.update import state_of
from symbackprop.expr.symbols import LABEL, Axis, array, array_of_integers, scalar, size
from symbackprop.loops.ir import Argument

STEP = scalar("step")
WEIGHTS = "sample_weight"
N, UPDATES = size("N"), size("updates")
INTEGERS = "integers"  # what an array holds whose elements are class numbers or rows of a table


def parameter_axes(network: Network) -> dict[str, tuple[Axis, ...]]:
    """Return the axes of every parameter, layer by layer; a scalar has none."""
    return {name: axes for k in range(1, network.depth + 2) for name, axes in network.parameters(str(k)).items()}


def parameter_sizes(network: Network) -> dict[str, tuple[Expr, ...]]:
    """Return the sizes of every parameter array, layer by layer; what has no axis is an array of one element."""
    return {n: tuple(axis.size for axis in axes) or (Integer(1),) for n, axes in parameter_axes(network).items()}


def state(network: Network) -> tuple[Argument, ...]:
    """Return what training keeps beside the parameters as arguments of a kernel."""
    of_each = parameter_sizes(network).items()
    return tuple(Argument(n, sizes, "state") for name, sizes in of_each for n in state_of(network, name))


def hyperparameters(network: Network) -> dict[str, float]:
    """Return the constants of the step size, of the update and of the penalties, with their default values."""
    free = sorted(s.name for s in network.step_size_formula.free_symbols - {α, t})
    known = step_sizes.defaults(network.step_size) | update_rules.DEFAULTS
    return {c: known.get(c, 0.0) for c in (*free, *network.chosen_update.constants, *network.penalties())}


def example_arguments(network: Network) -> tuple[Argument, ...]:
    """Return the arguments that hold a run of examples: X, Y, and their weights where they have any."""
    X = Argument("X", (N, *network.input_sizes), INTEGERS if network.reads_integers else "")
    labels = network.target_kind == "label"
    Y = Argument("Y", (N,), INTEGERS) if labels else Argument("Y", (N, network.output_size))
    return (X, Y, *((Argument(WEIGHTS, (N,)),) if network.weighted else ()))


def of_example(argument: Argument) -> Argument:
    """Return what an example has of one of the arguments that hold a run of them."""
    name = {"X": "h^0", "Y": LABEL.name, WEIGHTS: WEIGHT}[argument.name]
    return Argument(name, argument.sizes[1:], argument.about)


def masks(network: Network) -> dict[str, tuple[Expr, ...]]:
    """Return the names of the masks that dropout multiplies with, and their sizes for one example."""
    layers = [k for k, g in enumerate(network.hidden, 1) if g is not None and network.dropout]
    return {f"mask^{k}": tuple(axis.size for axis in network.activation(network.hidden[k - 1], str(k)).over)
            for k in layers}  # fmt: skip


def of_updates(mask: str) -> str:
    """Return the name of the array that has a mask for every update."""
    return mask.replace("^", "s^")


def scalars_of_update(network: Network) -> dict[Expr, Expr]:
    """Return the scalars of update t: its step size, and its share in an average where one is kept."""
    share = {update_rules.share: update_rules.SHARE} if network.chosen_update.average else {}
    return {STEP: network.step_size_formula, **share}


def array_of(argument: Argument) -> IndexedBase:
    """Return the array that an argument is."""
    return (array_of_integers if argument.about == INTEGERS else array)(argument.name)
