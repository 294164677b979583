"""The equations of a whole network, from the derivations of its generic layers, in the order of computation."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr

from symbackprop.calculus.instance import at_layer
from symbackprop.definitions.network import Network
from symbackprop.derivation import Sections
from symbackprop.symbols import scalar
from symbackprop.terms import Equation


@dataclass(frozen=True)
class Stages:
    """The equations of a whole network in the order in which they are computed, as derived, not yet stabilised."""

    forward: tuple[Equation, ...]
    loss: Equation
    backward: tuple[Equation, ...]
    gradients: tuple[Equation, ...]
    updates: tuple[Equation, ...]
    penalties: tuple[tuple[Expr, tuple[Equation, ...]], ...]


def stages_of(network: Network, parts: Sections) -> Stages:
    """Return the equations of layers 1 to L + 1, from those of the generic layers."""
    depth, hidden = network.depth, dict(parts.hidden)
    loss, output = parts.output.results
    forward, backward, gradients, updates = [], [], [], []
    for k, g in enumerate(network.activations, 1):
        forward += [network.pre_activation(str(k)), network.activation(g, str(k))]
    forward += [network.pre_activation(str(depth + 1)), network.outputs(str(depth + 1))]
    backward.append(at_layer(output, depth + 1, depth))
    for k in range(depth, 0, -1):
        backward += [at_layer(e, k, depth) for e in hidden[network.activations[k - 1]].results]
    for k in range(1, depth + 2):
        results = [at_layer(e, k, depth) for e in parts.parameters.results]
        gradients += [e for e in results if not e.is_update]
        updates += [e for e in results if e.is_update]
    penalties = tuple(
        (scalar(c), tuple(network.penalised(str(k))[n] for k in range(1, depth + 2)))
        for n, c in enumerate(network.penalties())
    )
    return Stages(
        tuple(forward), at_layer(loss, depth + 1, depth), tuple(backward), tuple(gradients), tuple(updates), penalties
    )
