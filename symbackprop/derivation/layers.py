"""From a network to its gradients and its SGD update: every array in turn, from the loss towards the inputs.

Whatever reads an array, be it two layers that share weights, adds to its derivative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from sympy import Symbol

from symbackprop.calculus.chain_rule import Wanted, compose
from symbackprop.definitions.network import Network
from symbackprop.derivation.adjoints import Adjoint, Adjoints
from symbackprop.derivation.parameters import ParameterDerivation, derive_parameter
from symbackprop.expr.equations import Equation, Step
from symbackprop.expr.reductions import Place
from symbackprop.expr.symbols import Axis, names_in
from symbackprop.precision.max_shift import in_one_equation

HIDDEN, OUTPUT, LEARNT, PARAMETERS = "hidden layer", "output", "learnt parameters", "parameters"


@dataclass(frozen=True)
class LayerDerivation:
    """The gradients of one layer.

    Attributes
    ----------
    number
        1 for the first hidden layer, L + 1 for the last.
    forward
        What it computes of one example.
    adjoints
        ∂l/∂p of each array p that it computes, and of what its activation learns, in the order of computation.
    users
        What reads these arrays.
    learnt, parameters
        The updates of what its activation learns, and of what its pre-activation does.
    """

    number: int
    forward: tuple[Equation, ...]
    adjoints: tuple[Adjoint, ...]
    users: tuple[Equation, ...]
    learnt: tuple[ParameterDerivation, ...]
    parameters: tuple[ParameterDerivation, ...]


@dataclass(frozen=True)
class NetworkDerivation:
    """The gradients of a network, layer by layer, and what one example computes.

    Attributes
    ----------
    layers
        From layer 1 to L + 1.
    output, loss
        The outputs, and the loss by them.
    composed
        The loss by the last pre-activation, and the steps to that.
    """

    layers: tuple[LayerDerivation, ...]
    output: Equation
    loss: Equation
    composed: Equation
    composing: tuple[Step, ...]

    @property
    def forward(self) -> tuple[Equation, ...]:
        """What one example computes, up to the outputs."""
        return (*(e for layer in self.layers for e in layer.forward), self.output)

    @property
    def parameters(self) -> tuple[ParameterDerivation, ...]:
        """All parameters in the order of their updates: what activations learn comes last."""
        every = (*(layer.parameters for layer in self.layers), *(layer.learnt for layer in self.layers))
        return (*chain.from_iterable(every),)

    @property
    def backward(self) -> tuple[Equation, ...]:
        """Adjoints in the order of computation, gradients that are stored among them; what is added up is an update."""
        made = [e for layer in reversed(self.layers) for d in layer.adjoints for e in d.results]
        for parameter in (p for layer in self.layers for p in layer.parameters if p.stored):
            made = _inserted(made, parameter.gradient)
        return tuple(made)


def derive_network(network: Network) -> NetworkDerivation:
    """Derive every gradient of a network, and its SGD update."""
    last = network.depth + 1
    layers = [_equations(network, k) for k in range(1, last + 1)]
    output, loss = network.outputs(str(last)), network.losses(str(last))
    composing, composed = compose(loss, output)
    adjoints = Adjoints((*(e for equations in layers for e in equations), composed), output)
    learns = _learns(network, adjoints.equations)
    made = (_layer(network, adjoints, learns, k, equations) for k, equations in enumerate(layers, 1))
    return NetworkDerivation(tuple(made), output, loss, composed, tuple(composing))


def _layer(
    network: Network, adjoints: Adjoints, learns: set[str], k: int, equations: tuple[Equation, ...]
) -> LayerDerivation:
    g = network.hidden[k - 1] if k <= network.depth else None
    learnt = network.learnt(g, str(k)) if g is not None else {}
    wanted = [*_wanted_of(equations, learnt, learns, is_last=k > network.depth)]
    found = {want.name: adjoints.derived(want, k) for want in wanted}
    users = tuple(dict.fromkeys(e for want in wanted for e in adjoints.users(want)))
    of_activation = (derive_parameter(network, k, want, adjoints.users(want), found[want.name])
                     for want in wanted if want.why == LEARNT)  # fmt: skip
    own = (Wanted(name, axes, PARAMETERS) for name, axes in network.parameters(str(k)).items() if name not in learnt)
    of_layer = (derive_parameter(network, k, want, adjoints.users(want), adjoints.derived(want, k)) for want in own)
    return LayerDerivation(k, equations, tuple(found.values()), users, tuple(of_activation), tuple(of_layer))


def _equations(network: Network, k: int) -> tuple[Equation, ...]:
    g = network.hidden[k - 1] if k <= network.depth else None
    others = (e for n in range(1, network.depth + 2) if n != k for e in network.layer(str(n)))
    read = frozenset[str]().union(*(names_in(e.rhs) for e in others))
    return (*in_one_equation(network.layer(str(k)), read), *(network.activated(g, str(k)) if g is not None else ()))


def _learns(network: Network, forward: Iterable[Equation]) -> set[str]:
    """Return the arrays that depend on parameters: the others need no adjoint."""
    found = {n for k in range(1, network.depth + 2) for n in network.parameters(str(k))}
    for equation in forward:
        if names_in(equation.rhs) & found:
            found.add(equation.name)
    return found


def _wanted_of(
    equations: tuple[Equation, ...], learnt: dict[str, tuple[Axis, ...]], learns: set[str], *, is_last: bool
) -> Iterator[Wanted]:
    """Yield the arrays whose adjoints are wanted, from the values of a layer down; after these, what it learns."""
    names = {equations[-1]: OUTPUT if is_last else HIDDEN}
    for equation in reversed(equations):
        if equation.name in learns and not equation.rhs.has(Place):
            unmasked = "dropout" if equation.why == "activation" else equation.why
            yield _wanted(equation, names.get(equation, unmasked))
        if equation.why == "activation":
            yield from (Wanted(name, axes, LEARNT) for name, axes in learnt.items())


def _wanted(equation: Equation, why: str) -> Wanted:
    """Return the array that an equation defines as one whose adjoint is wanted."""
    indices = getattr(equation.lhs, "indices", ())
    if all(isinstance(i, Symbol) for i in indices):
        return Wanted(equation.name, equation.over, why)
    axes = tuple(Axis(letter, n) for letter, n in zip("ijk", equation.shape, strict=False))
    return Wanted(equation.name, axes, why)


def _inserted(backward: list[Equation], gradient: tuple[Equation, ...]) -> list[Equation]:
    """Return the equations with those of a stored gradient as soon as all that they read is known."""
    read = {n for e in gradient for n in names_in(e.rhs)}
    at = 1 + max((n for n, e in enumerate(backward) if e.name in read), default=-1)
    return [*backward[:at], *gradient, *backward[at:]]
