"""From a network to the derivation of its gradients and of its SGD update, in the order of the lecture."""

from __future__ import annotations

from dataclasses import dataclass, replace

from symbackprop.calculus.chain_rule import Wanted, backpropagate, compose
from symbackprop.definitions.network import Formula, Network
from symbackprop.derivation.layers import derive_layers
from symbackprop.derivation.update import afterwards, equations, reads_parameters, regularised, updated
from symbackprop.derivation.validate import refuse, with_kinks
from symbackprop.expr.equations import Derivation, Equation, Step
from symbackprop.expr.symbols import Axis
from symbackprop.parse.unforeseen import named_if_it_fails
from symbackprop.precision.memory import remembered_forms, stable_section


@dataclass(frozen=True)
class Sections:
    """The derivations of a network's kinds of layer, each for a generic layer."""

    output: Derivation
    hidden: tuple[tuple[Formula, Derivation], ...]
    parameters: Derivation


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
        refuse(network)
        return _derived(network, exact_form=exact_form)


def _derived(network: Network, *, exact_form: bool) -> Derivation:
    if network.layers:
        layered = derive_layers(network)
        return _with_forms(network, (), list(layered.sections), exact_form=exact_form)
    parts = sections(network)
    given = (
        network.pre_activation("k"),
        *(e for g, _ in parts.hidden for e in network.activated(g, "k")),
        network.outputs(), network.losses(), *network.penalised("k"),
    )  # fmt: skip
    made = [parts.output, *(section for _, section in parts.hidden), parts.parameters]
    return _with_forms(network, given, made, exact_form=exact_form)


def _with_forms(
    network: Network, given: tuple[Equation, ...], made: list[Derivation], *, exact_form: bool
) -> Derivation:
    """Return a whole derivation: its sections, and which formulas are computed in other forms."""
    if not exact_form:
        computed = [*given, *(e for s in made for e in s.given), *(e for s in made[:-1] for e in s.results)]
        with remembered_forms() as forms:
            stable = stable_section(computed, forms)
        made += [stable] if stable else []
    return Derivation(_title(network), given, sections=tuple(made))


def sections(network: Network) -> Sections:
    """Return the derivations of the kinds of layer in a network, each derived once however deep it is."""
    kinds = network.used_activations
    return Sections(_output(network), tuple((g, _hidden(network, g)) for g in kinds), _parameters(network))


def _title(network: Network) -> str:
    names = network.names()
    hidden = names["preactivation"] if network.layers else ", ".join(names["activations"]) or "no hidden layer"
    penalty = "" if names["penalty"] == "none" else f", penalty {names['penalty']}"
    return f"{hidden}; {names['output']}, {names['loss']}{penalty}"


def _output(network: Network) -> Derivation:
    output, loss = network.outputs(), network.losses()
    steps, composed = compose(loss, output)
    i = Axis("i", output.over[0].size)
    chain = backpropagate((composed,), [Wanted("a^L+1", (i,), "output")], stored=(output,))
    return Derivation("Output layer", (output, loss), (*steps, *chain.steps), (composed, *chain.results))


def _hidden(network: Network, g: Formula) -> Derivation:
    above, activated = network.pre_activation("k+1"), network.activated(g, "k")
    (j,) = activated[0].over
    i = network.pre_activation("k").over[0]
    learnt = [Wanted(name, axes, "learnt parameters") for name, axes in network.learnt(g, "k").items()]
    masked = [Wanted("u^k", (j,), "dropout")] if network.dropout else []
    wanted = [Wanted("h^k", (j,), "hidden layer"), *masked, *learnt, Wanted("a^k", (i,), "pre-activation")]
    names = dict(zip(network.activations, network.names()["activations"], strict=True))
    mark = "" if len(names) == 1 else f", {names[g]}"
    made = backpropagate((above, *activated), wanted, f"Hidden layer k = 1..L{mark}")
    made = replace(made, steps=tuple(with_kinks(step, network, g, "k") for step in made.steps))
    gradients = [e for e in made.results if e.why == "learnt parameters"]
    updates = [s for want, e in zip(learnt, gradients, strict=True) for s in _learnt_update(network, want, e)]
    return Derivation(made.title, made.given, (*made.steps, *updates), (*made.results, *equations(updates)))


def _learnt_update(network: Network, want: Wanted, gradient: Equation) -> list[Step]:
    """Return the update by the stored ∂l/∂θ: the gradient of another parameter may read θ, so all come before."""
    return [*updated(network, want, [], gradient.lhs, (gradient,)), *afterwards(network, "k", want)]


def _parameters(network: Network) -> Derivation:
    layer = network.pre_activation("k")
    wanted = [Wanted(name, axes, "parameters") for name, axes in network.parameters("k").items()]
    gradients = backpropagate((layer,), wanted, "Parameters of layer k = 1..L+1, and their update")
    steps, results = list(gradients.steps), list(gradients.results)
    for want, gradient in zip(wanted, gradients.results, strict=True):
        before, slopes = regularised(network, "k", want)
        given = (gradient, *network.penalised("k"))
        stored = reads_parameters(network, (gradient,), want.element)
        slope = gradient.lhs if stored else gradient.rhs
        made = [*updated(network, want, slopes, slope, given), *afterwards(network, "k", want)]
        steps += [*before, *made]
        results += equations(made)
    return Derivation(gradients.title, (layer, *network.penalised("k")), tuple(steps), tuple(results))
