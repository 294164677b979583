"""Layers of a kind, which differ in their numbers alone, and how they are shown: once, as layer k."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain

from symbackprop.definitions.network import Network
from symbackprop.derivation.layers import LayerDerivation, NetworkDerivation
from symbackprop.derivation.rename import of_last, of_layer, relabelled
from symbackprop.derivation.validate import with_kinks
from symbackprop.expr.equations import Derivation, Equation


@dataclass(frozen=True)
class Kind:
    """Layers that are shown together, by the equations of the first of them.

    Attributes
    ----------
    forward
        What such a layer computes.
    values
        The derivation of the adjoints of that, and of what its activation learns.
    parameters
        That of its parameters and their update.
    penalised
        Its share of the penalty, an equation for each coefficient.
    """

    forward: tuple[Equation, ...]
    values: Derivation
    parameters: Derivation
    penalised: tuple[Equation, ...]


def is_generic(network: Network) -> bool:
    """Whether the sizes of a network are symbols: it is shown as the lecture's, with hidden layers k = 1..L."""
    return not network.layers


def kinds_of_layer(network: Network, made: NetworkDerivation) -> list[Kind]:
    """Return the kinds of layer in a network, each where its first layer is."""
    *hidden, last = made.layers
    alike: dict[tuple[Derivation, Derivation], list[LayerDerivation]] = {}
    for layer in hidden:
        text = _values(network, made, layer), _parameters(network, layer)
        alike.setdefault(relabelled(text, of_layer(layer.number)), []).append(layer)
    return [_kind(network, made, layers) for layers in (*alike.values(), [last])]


def _kind(network: Network, made: NetworkDerivation, layers: list[LayerDerivation]) -> Kind:
    first, is_last = layers[0], layers[0].number > network.depth
    labels = of_layer(first.number) if is_generic(network) or len(layers) > 1 else {}
    outermost = of_last(first.number) if is_generic(network) and is_last else labels  # whose parameters are layer k's
    values, parameters = _values(network, made, first), _parameters(network, first)
    title, of_parameters = _titles(network, [layer.number for layer in layers])
    penalised = tuple(e for e in network.penalised(str(first.number)) if e.rhs != 0)
    return Kind(
        relabelled(first.forward, labels), replace(relabelled(values, outermost), title=title),
        replace(relabelled(parameters, labels), title=of_parameters), relabelled(penalised, labels),
    )  # fmt: skip


def _titles(network: Network, numbers: list[int]) -> tuple[str, str]:
    """Return what stands over the values and over the parameters of a kind; its last words tell it from others."""
    first, last = numbers[0], numbers[-1]
    if is_generic(network):
        names = network.names()["activations"]
        mark = f", {names[first - 1]}" if first <= network.depth and len(set(names)) > 1 else ""
        title = f"Hidden layer k = 1..L{mark}" if first <= network.depth else "Output layer"
        return title, "Parameters of layer k = 1..L+1, and their update"
    if len(numbers) == 1:
        return f"Layer {first}: {network.item(first)}", f"Parameters of layer {first}, and their update"
    in_a_row = numbers == list(range(first, last + 1))
    shared = f"k = {first}..{last}" if in_a_row else f"k = {' and '.join(map(str, numbers))}"
    return f"Layers alike: {network.item(first)}, {shared}", f"Parameters of layers alike, and their update, {shared}"


def _values(network: Network, made: NetworkDerivation, layer: LayerDerivation) -> Derivation:
    """Return the derivation of a layer's adjoints, and of the update of what its activation learns."""
    users = tuple(e for e in layer.users if e != made.composed)
    k, of_adjoints = layer.number, chain(*(d.steps for d in layer.adjoints))
    g = network.hidden[k - 1] if k <= network.depth else None
    noted = (with_kinks(step, network, g, str(k)) for step in of_adjoints)
    steps = (*noted, *chain(*(p.assigned for p in layer.learnt)))
    results = (*chain(*(d.results for d in layer.adjoints), *(p.updates for p in layer.learnt)),)
    if k <= network.depth:
        return Derivation("", users, steps, results)
    return Derivation("", (made.output, made.loss, *users), (*made.composing, *steps), (made.composed, *results))


def _parameters(network: Network, layer: LayerDerivation) -> Derivation:
    """Return the derivation of the gradients of a layer's parameters, and of their updates."""
    own = layer.parameters
    users = dict.fromkeys(e for p in own for e in p.users)
    penalised = (e for e in network.penalised(str(layer.number)) if e.rhs != 0)
    steps = chain(*(p.derivation.steps for p in own), *((*p.slopes, *p.assigned) for p in own))
    results = chain(*(p.gradient for p in own), *(p.updates for p in own))
    return Derivation("", (*users, *penalised), tuple(steps), tuple(results))
