"""From a network to the derivation of its gradients and of its SGD update, in the order of the lecture."""

from __future__ import annotations

from symbackprop.definitions.network import Network
from symbackprop.definitions.resolved import ResolvedNetwork
from symbackprop.derivation.kinds import Kind, kinds_of_layer
from symbackprop.derivation.layers import NetworkDerivation, derive_network
from symbackprop.derivation.rename import of_last, relabelled
from symbackprop.derivation.validate import refuse
from symbackprop.expr.equations import Derivation, Equation
from symbackprop.parse.unforeseen import named_if_it_fails
from symbackprop.precision.memory import remembered_forms, stable_section


def derive(network: Network, *, exact_form: bool = False) -> Derivation:
    """Derive every gradient of a network and its SGD update.

    Parameters
    ----------
    network
        The definitions.
    exact_form
        Leave out in which other forms the formulas are computed.

    Returns
    -------
    Derivation
        Sections for the output layer, the hidden layer k of each distinct activation, and the parameters with their
        update; `str` and `symbackprop.explain.render` show it.

    References
    ----------
    H. Larochelle, neural networks course, lectures 2.3 to 2.8 (loss, output, hidden-layer, parameter gradients, SGD).

    Examples
    --------
    >>> for result in derive(Network(activations=("tanh",))).result("hidden layer"):
    ...     print(result)
    ∂l/∂h⁽ᵏ⁾ⱼ = Σᵢ W⁽ᵏ⁺¹⁾ᵢⱼ ∂l/∂a⁽ᵏ⁺¹⁾ᵢ
    """
    if not isinstance(network, Network):
        raise TypeError(f"a network is {network!r}, expected Network(activations=..., loss=..., ...)")
    with named_if_it_fails("network", network.typed):
        refuse(network.resolved)
        return _derive(network.resolved, exact_form=exact_form)


def _derive(network: ResolvedNetwork, *, exact_form: bool) -> Derivation:
    derivation = derive_network(network)
    kinds = kinds_of_layer(network, derivation)
    definitions = _definitions(network, derivation, kinds)
    *hidden, last = kinds if network.is_generic else (*kinds[-2::-1], kinds[-1])  # numbered ones from the last down
    parameters = dict.fromkeys(kind.parameters for kind in kinds if kind.parameters.steps)
    sections = [*(kind.values for kind in (last, *hidden)), *parameters]
    if not exact_form:
        derived = [e for kind in (last, *hidden) for e in kind.values.results]
        with remembered_forms() as forms:
            stable = stable_section(definitions, derived, forms)
        sections += [stable] if stable else []
    return Derivation(_title(network), definitions, sections=tuple(sections))


def _definitions(network: ResolvedNetwork, derivation: NetworkDerivation, kinds: list[Kind]) -> tuple[Equation, ...]:
    forward, penalised = (tuple(e for kind in kinds for e in getattr(kind, name)) for name in ("forward", "penalised"))
    outside = relabelled((derivation.output, derivation.loss), of_last(network.depth + 1) if network.is_generic else {})
    return tuple(dict.fromkeys((*forward, *outside, *penalised)))


def _title(network: ResolvedNetwork) -> str:
    names = network.names
    hidden = ", ".join(names["activations"]) or "no hidden layer" if network.is_generic else names["preactivation"]
    penalty = "" if names["penalty"] == "none" else f", penalty {names['penalty']}"
    return f"{hidden}; {names['output']}, {names['loss']}{penalty}"
