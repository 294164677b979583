"""From a network to its gradients and its SGD update: every array in turn, from the loss towards the inputs.

Whatever reads an array, be it two layers that share weights, adds to its derivative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from sympy import Symbol

from symbackprop.calculus.chain_rule import Target, compose
from symbackprop.definitions.resolved import Parameter, ResolvedLayer, ResolvedNetwork
from symbackprop.derivation.adjoints import Adjoint, Adjoints
from symbackprop.derivation.parameters import ParameterDerivation, derive_parameter
from symbackprop.expr.equations import Equation, Step
from symbackprop.expr.reductions import Place
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import Axis, names_in
from symbackprop.precision.max_shift import in_one_equation


@dataclass(frozen=True)
class LayerDerivation:
    """The gradients of one layer.

    Attributes
    ----------
    layer
        The layer itself.
    forward
        What it computes of one example.
    adjoints
        ∂l/∂p of each array p that it computes, and of what its activation learns, in the order of computation.
    users
        What reads these arrays.
    learnt, parameters
        The updates of what its activation learns, and of what its pre-activation does.
    """

    layer: ResolvedLayer
    forward: tuple[Equation, ...]
    adjoints: tuple[Adjoint, ...]
    users: tuple[Equation, ...]
    learnt: tuple[ParameterDerivation, ...]
    parameters: tuple[ParameterDerivation, ...]

    @property
    def number(self) -> int:
        """1 for the first hidden layer, L + 1 for the last."""
        return self.layer.number

    @property
    def penalties(self) -> tuple[Equation, ...]:
        """Its share of each penalty that it has one of."""
        return tuple(e for e in self.layer.penalties if e.rhs != 0)


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
        equations = [e for layer in reversed(self.layers) for d in layer.adjoints for e in d.results]
        for parameter in (p for layer in self.layers for p in layer.parameters if p.stored):
            equations = _insert(equations, parameter.gradient)
        return tuple(equations)


def derive_network(network: ResolvedNetwork) -> NetworkDerivation:
    """Derive every gradient of a network, and its SGD update."""
    forward = [_equations(network, layer) for layer in network.layers]
    composing, composed = compose(network.loss, network.output)
    adjoints = Adjoints((*chain.from_iterable(forward), composed), network.output)
    learns = _learns(network, adjoints.equations)
    layers = (_layer(network, adjoints, learns, *each) for each in zip(network.layers, forward, strict=True))
    return NetworkDerivation(tuple(layers), network.output, network.loss, composed, tuple(composing))


def _layer(
    network: ResolvedNetwork, adjoints: Adjoints, learns: set[str], layer: ResolvedLayer, forward: tuple[Equation, ...]
) -> LayerDerivation:
    wanted = [*_targets_of(layer, forward, learns, is_last=layer is network.layers[-1])]
    by_name = {want.name: adjoints.derive(want, layer.number) for want in wanted}
    users = tuple(dict.fromkeys(e for want in wanted for e in adjoints.users(want)))

    def derive_each(parameters: Iterable[Parameter]) -> tuple[ParameterDerivation, ...]:
        derivations = []
        for θ in parameters:
            want = Target(θ.name, θ.axes, Role.LEARNT if θ.is_of_activation else Role.PARAMETERS)
            gradient = by_name.get(θ.name) or adjoints.derive(want, layer.number)
            derivations.append(derive_parameter(network, layer, θ, adjoints.users(want), gradient))
        return tuple(derivations)

    learnt, parameters = (derive_each(θ for θ in layer.parameters if θ.is_of_activation is of) for of in (True, False))
    return LayerDerivation(layer, forward, tuple(by_name.values()), users, learnt, parameters)


def _equations(network: ResolvedNetwork, layer: ResolvedLayer) -> tuple[Equation, ...]:
    """Return what a layer computes, with what others do not read written into one equation."""
    others = (e for other in network.layers if other is not layer for e in other.equations)
    read = frozenset[str]().union(*(names_in(e.rhs) for e in others))
    return (*in_one_equation(layer.equations, read), *layer.activated)


def _learns(network: ResolvedNetwork, forward: Iterable[Equation]) -> set[str]:
    """Return the arrays that depend on parameters: the others need no adjoint."""
    names = {θ.name for θ in network.parameters}
    for equation in forward:
        if names_in(equation.rhs) & names:
            names.add(equation.name)
    return names


def _targets_of(
    layer: ResolvedLayer, forward: tuple[Equation, ...], learns: set[str], *, is_last: bool
) -> Iterator[Target]:
    """Yield the arrays whose adjoints are wanted, from the values of a layer down; after these, what it learns."""
    names = {forward[-1]: Role.OUTPUT if is_last else Role.HIDDEN}
    for equation in reversed(forward):
        if equation.name in learns and not equation.rhs.has(Place):
            unmasked = Role.DROPOUT if equation.role is Role.ACTIVATION else equation.role
            yield _target_of(equation, names.get(equation, unmasked))
        if equation.role is Role.ACTIVATION:
            yield from (Target(θ.name, θ.axes, Role.LEARNT) for θ in layer.parameters if θ.is_of_activation)


def _target_of(equation: Equation, role: Role) -> Target:
    """Return the array that an equation defines as one whose adjoint is wanted."""
    indices = getattr(equation.lhs, "indices", ())
    if all(isinstance(i, Symbol) for i in indices):
        return Target(equation.name, equation.over, role)
    axes = tuple(Axis(letter, n) for letter, n in zip("ijk", equation.shape, strict=False))
    return Target(equation.name, axes, role)


def _insert(backward: list[Equation], gradient: tuple[Equation, ...]) -> list[Equation]:
    """Return the equations with those of a stored gradient as soon as all that they read is known."""
    read = {n for e in gradient for n in names_in(e.rhs)}
    at = 1 + max((n for n, e in enumerate(backward) if e.name in read), default=-1)
    return [*backward[:at], *gradient, *backward[at:]]
