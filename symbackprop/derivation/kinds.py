"""Layers of a kind, which differ in their numbers alone, and how they are shown: once, as layer k."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby

from symbackprop.definitions.network import Network
from symbackprop.derivation.layers import LayerDerivation, NetworkDerivation
from symbackprop.derivation.rename import Labels, of_last, of_layer, relabelled
from symbackprop.derivation.validate import with_kinks
from symbackprop.expr.equations import Derivation, Equation


@dataclass(frozen=True)
class Kind:
    """Layers that are shown together.

    Attributes
    ----------
    layers
        The first of them stands for all.
    labels
        What the numbers in its names are shown as.
    values
        The derivation of the adjoints of what such a layer computes, and of what its activation learns.
    parameters
        That of its parameters and their update.
    penalised
        Its share of the penalty, an equation for each coefficient.
    """

    layers: tuple[LayerDerivation, ...]
    labels: Labels
    values: Derivation
    parameters: Derivation
    penalised: tuple[Equation, ...]


def is_generic(network: Network) -> bool:
    """Whether the sizes of a network are symbols: it is shown as the lecture's, with hidden layers k = 1..L."""
    return not network.layers


def kinds_of_layer(network: Network, made: NetworkDerivation) -> list[Kind]:
    """Return the kinds of layer in a network, from the first layer to the last."""
    *hidden, last = made.layers
    groups = _alike(network, made, hidden) if is_generic(network) else _in_a_row(network, made, hidden)
    kinds = [_kind(network, made, layers, of_layer(layers[0].number) if is_generic(network) or len(layers) > 1 else {})
             for layers in groups]  # fmt: skip
    return [*kinds, _kind(network, made, (last,), of_last(last.number) if is_generic(network) else {})]


def _alike(
    network: Network, made: NetworkDerivation, layers: list[LayerDerivation]
) -> Iterator[tuple[LayerDerivation, ...]]:
    """Yield the layers that are shown by one text, wherever they stand."""
    texts = [relabelled(_values(network, made, layer), of_layer(layer.number)) for layer in layers]
    for text in dict.fromkeys(texts):
        yield tuple(layer for layer, other in zip(layers, texts, strict=True) if other == text)


def _in_a_row(
    network: Network, made: NetworkDerivation, layers: list[LayerDerivation]
) -> Iterator[tuple[LayerDerivation, ...]]:
    """Yield the layers that are shown by one text and follow one another."""
    for _, group in groupby(layers, lambda layer: relabelled(_whole(network, made, layer), of_layer(layer.number))):
        yield tuple(group)


def _whole(network: Network, made: NetworkDerivation, layer: LayerDerivation) -> tuple[Derivation, Derivation]:
    return _values(network, made, layer), _parameters(network, layer)


def _kind(network: Network, made: NetworkDerivation, layers: tuple[LayerDerivation, ...], labels: Labels) -> Kind:
    first = layers[0]
    values = relabelled(_values(network, made, first), labels)
    title = _title(network, layers)
    own = of_layer(first.number) if is_generic(network) else labels  # also the last layer's are layer k's
    penalised = tuple(e for e in network.penalised(str(first.number)) if e.rhs != 0)
    shown = Derivation(title, values.given, values.steps, values.results)
    return Kind(layers, own, shown, relabelled(_parameters(network, first), own), relabelled(penalised, own))


def _title(network: Network, layers: tuple[LayerDerivation, ...]) -> str:
    first, last = layers[0].number, layers[-1].number
    if not is_generic(network):
        where = f"Layer {first}" if first == last else f"Layers k = {first}..{last}"
        return f"{where}: {network.item(first)}"
    if first > network.depth:
        return "Output layer"
    mark = f", {network.names()['activations'][first - 1]}" if len(network.used_activations) > 1 else ""
    return f"Hidden layer k = 1..L{mark}"


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
