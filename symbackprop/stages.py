"""The equations of a whole network, from the derivations of its generic layers, in the order of computation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sympy import Expr

from symbackprop.calculus.instance import at_layer
from symbackprop.definitions.network import Network
from symbackprop.derivation import Sections
from symbackprop.symbols import array, scalar
from symbackprop.terms import Equation


@dataclass(frozen=True)
class Stages:
    """The equations of a whole network in the order in which they are computed, as derived, not yet stabilised.

    Gradients of learnt parameters are in `backward`, for they are stored; `gradients` has the others, in the order of
    their updates, which come first. What a layer has one of is an array of one element, its gradient a scalar.
    """

    forward: tuple[Equation, ...]
    loss: Equation
    backward: tuple[Equation, ...]
    gradients: tuple[Equation, ...]
    updates: tuple[Equation, ...]
    penalties: tuple[tuple[Expr, tuple[Equation, ...]], ...]

    def in_forms(self, change: Callable[[Equation], Equation]) -> Stages:
        """Return the stages with what an example computes, forward and backward, changed to other forms."""
        forward, backward = (tuple(map(change, part)) for part in (self.forward, self.backward))
        return replace(self, forward=forward, loss=change(self.loss), backward=backward)


def stages_of(network: Network, parts: Sections) -> Stages:
    """Return the equations of layers 1 to L + 1, from those of the generic layers."""
    depth, hidden = network.depth, dict(parts.hidden)
    loss, output = parts.output.results
    forward, backward, gradients, updates, learnt = [], [], [], [], []
    for k, g in enumerate(network.activations, 1):
        forward += [network.pre_activation(str(k)), network.activation(g, str(k))]
    forward += [network.pre_activation(str(depth + 1)), network.outputs(str(depth + 1))]
    backward.append(at_layer(output, depth + 1, depth))
    for k in range(depth, 0, -1):
        results = [at_layer(e, k, depth) for e in hidden[network.activations[k - 1]].results]
        backward += [e for e in results if not e.is_update]
        learnt += [e for e in results if e.is_update]
    for k in range(1, depth + 2):
        results = [at_layer(e, k, depth) for e in parts.parameters.results]
        gradients += [e for e in results if not e.is_update]
        updates += [e for e in results if e.is_update]
    penalties = tuple(
        (scalar(c), tuple(network.penalised(str(k))[n] for k in range(1, depth + 2)))
        for n, c in enumerate(network.penalties())
    )
    elements = {
        scalar(name): array(name)[0]
        for k in range(1, depth + 1)
        for name, axes in network.parameters(str(k)).items()
        if not axes
    }
    composed = at_layer(loss, depth + 1, depth)
    forward, backward, updates = ([read_at(e, elements) for e in es] for es in (forward, backward, updates + learnt))
    return Stages(tuple(forward), composed, tuple(backward), tuple(gradients), tuple(updates), penalties)


def read_at(equation: Equation, elements: Mapping[Expr, Expr]) -> Equation:
    """Return an equation with some scalars written as the elements of arrays that hold them."""
    return Equation(equation.lhs.xreplace(elements), equation.rhs.xreplace(elements), equation.over, equation.why)
