"""Layers of a kind, which differ in their numbers alone, and how they are shown: once, as layer k."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain

from symbackprop.definitions.resolved import ResolvedNetwork
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


def kinds_of_layer(network: ResolvedNetwork, derivation: NetworkDerivation) -> list[Kind]:
    """Return the kinds of layer in a network, each where its first layer is."""
    *hidden, last = derivation.layers
    alike: dict[tuple[Derivation, Derivation], list[LayerDerivation]] = {}
    for layer in hidden:
        text = _values(network, derivation, layer), _parameters(layer)
        alike.setdefault(relabelled(text, of_layer(layer.number)), []).append(layer)
    return [_kind(network, derivation, layers) for layers in (*alike.values(), [last])]


def _kind(network: ResolvedNetwork, derivation: NetworkDerivation, layers: list[LayerDerivation]) -> Kind:
    first, is_last = layers[0], layers[0].number > network.depth
    labels = of_layer(first.number) if network.is_generic or len(layers) > 1 else {}
    outermost = of_last(first.number) if network.is_generic and is_last else labels  # whose parameters are layer k's
    values, parameters = _values(network, derivation, first), _parameters(first)
    title, of_parameters = _titles(network, [layer.number for layer in layers])
    return Kind(
        relabelled(first.forward, labels), replace(relabelled(values, outermost), title=title),
        replace(relabelled(parameters, labels), title=of_parameters), relabelled(first.penalties, labels),
    )  # fmt: skip


def _titles(network: ResolvedNetwork, numbers: list[int]) -> tuple[str, str]:
    """Return what stands over the values and over the parameters of a kind; its last words tell it from others."""
    first, last = numbers[0], numbers[-1]
    if network.is_generic:
        names = network.names["activations"]
        mark = f", {names[first - 1]}" if first <= network.depth and len(set(names)) > 1 else ""
        title = f"Hidden layer k = 1..L{mark}" if first <= network.depth else "Output layer"
        return title, "Parameters of layer k = 1..L+1, and their update"
    item = network.layers[first - 1].item
    if len(numbers) == 1:
        return f"Layer {first}: {item}", f"Parameters of layer {first}, and their update"
    in_a_row = numbers == list(range(first, last + 1))
    shared = f"k = {first}..{last}" if in_a_row else f"k = {' and '.join(map(str, numbers))}"
    return f"Layers alike: {item}, {shared}", f"Parameters of layers alike, and their update, {shared}"


def _values(network: ResolvedNetwork, derivation: NetworkDerivation, layer: LayerDerivation) -> Derivation:
    """Return the derivation of a layer's adjoints, and of the update of what its activation learns."""
    users = tuple(e for e in layer.users if e != derivation.composed)
    k, of_adjoints = layer.number, chain(*(d.steps for d in layer.adjoints))
    noted = (with_kinks(step, layer.layer) for step in of_adjoints)
    steps = (*noted, *chain(*(p.assigned for p in layer.learnt)))
    results = (*chain(*(d.results for d in layer.adjoints), *(p.updates for p in layer.learnt)),)
    if k <= network.depth:
        return Derivation("", users, steps, results)
    definitions = (derivation.output, derivation.loss, *users)
    return Derivation("", definitions, (*derivation.composing, *steps), (derivation.composed, *results))


def _parameters(layer: LayerDerivation) -> Derivation:
    """Return the derivation of the gradients of a layer's parameters, and of their updates."""
    parameters = layer.parameters
    users = dict.fromkeys(e for p in parameters for e in p.users)
    steps = chain(*(p.derivation.steps for p in parameters), *((*p.slopes, *p.assigned) for p in parameters))
    results = chain(*(p.gradient for p in parameters), *(p.updates for p in parameters))
    return Derivation("", (*users, *layer.penalties), tuple(steps), tuple(results))
