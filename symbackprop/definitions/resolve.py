"""From a network as users write it to what later stages read: choices looked up, layers in their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sympy import Add, Expr, Integer

from symbackprop.definitions import step_sizes, update_rules
from symbackprop.definitions.activation_parameters import apply, as_texts, check_used
from symbackprop.definitions.activations import Parametric, a
from symbackprop.definitions.choices import Formula, look_up, one_spelling
from symbackprop.definitions.exact import exact
from symbackprop.definitions.losses import Loss
from symbackprop.definitions.penalties import w
from symbackprop.definitions.resolved import Activation, Parameter, ResolvedLayer, ResolvedNetwork
from symbackprop.definitions.sequential import InPlace, dense_in_place, has_layers, in_place
from symbackprop.definitions.step_sizes import step_size
from symbackprop.definitions.update_rules import Update, update_of
from symbackprop.expr.equations import Equation
from symbackprop.expr.names import Allocator
from symbackprop.expr.printing import formula
from symbackprop.expr.reductions import Sum
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import LABEL, Axis, array, scalar, size

if TYPE_CHECKING:
    from symbackprop.definitions.network import Network


def resolve(network: Network) -> ResolvedNetwork:
    """Look up every choice of a network, and put its layers in their places.

    Raises
    ------
    ValueError
        If a name is unknown, a text no formula, or a layer does not fit what is before it.
    """
    resolving = _Resolving(network)
    layers = tuple(resolving.layer(k, placed) for k, placed in enumerate(resolving.in_place, 1))
    resolved = resolving.network_of(layers)
    _require_sound(network, resolved)
    return resolved


class _Resolving:
    """What the layers of a network share while they are resolved."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.constants = network.exact_constants
        self.learnt = {name: scalar(name) for name in dict((*network.learned, *network.learned_per_unit))}
        self.update: Update = update_of(network.update)
        for factor in network.step_size.split("+"):
            look_up("step size", factor, {})
        p = look_up("penalty", network.penalty, self.constants)
        self.penalties: dict[str, Expr] = p if isinstance(p, dict) else {"λ": apply(p, w, w)}
        self.in_place = _in_place(network)

    def layer(self, k: int, placed: InPlace) -> ResolvedLayer:
        """Return a layer with all that belongs to it."""
        instance, parameters = placed.instance, self.of_equations(placed)
        g, mask = None, None
        activated: tuple[Equation, ...] = ()
        if placed.activation is not None:
            g, names = self.activation(placed.activation), Allocator(str(k), instance.names)
            learnt = {word: names.allocate(word) for word in g.initial}
            activated = (_values(g, k, placed.over, learnt),)
            parameters += self.of_activation(g, learnt, instance.output.over)
            if self.network.dropout:
                activated, mask = _masked(activated[0], k, names.allocate("u"))
        return ResolvedLayer(
            k, instance.layer, instance.equations, g, activated, parameters, self.penalize(k, parameters), mask
        )

    def activation(self, choice: Formula) -> Activation:
        """Return an activation as a formula of the symbol a and of the names of what it learns."""
        entry = look_up("activation", choice, self.constants | self.learnt)
        entry = entry if isinstance(entry, Parametric) else Parametric(entry, {})
        values = {**entry.initial, **dict(self.network.learned), **dict(self.network.learned_per_unit)}
        g = apply(entry.formula, a, a, {name: scalar(name) for name in values})
        used = sorted(s.name for s in g.free_symbols - {a})
        per_unit = frozenset(used) & dict(self.network.learned_per_unit).keys()
        text = one_spelling(choice) if isinstance(choice, str) else formula(g)
        return Activation(text, g, {name: values[name] for name in used}, per_unit)

    def of_equations(self, placed: InPlace) -> tuple[Parameter, ...]:
        """Return the parameters of a layer's equations: weights, those of two or more axes, are drawn."""
        instance = placed.instance
        return tuple(
            Parameter(name, axes, instance.values.get(name), instance.fans.get(name),
                      is_weight=len(axes) > 1 and name not in instance.values, state=self.state(name))
            for name, axes in instance.parameters.items()
        )  # fmt: skip

    def of_activation(self, g: Activation, learnt: Mapping[str, str], axes: tuple[Axis, ...]) -> tuple[Parameter, ...]:
        """Return what an activation learns: a number for the layer, or one for each unit; all units start alike."""
        return tuple(
            Parameter(name, axes if word in g.per_unit else (), g.initial[word], is_of_activation=True,
                      state=self.state(name))
            for word, name in learnt.items()
        )  # fmt: skip

    def state(self, name: str) -> tuple[str, ...]:
        """Return the names of the arrays that training keeps beside one parameter: its velocity, its mean."""
        chosen = self.update
        return (*((f"v{name}",) if chosen.has_velocity else ()), *((f"mean_{name}",) if chosen.average else ()))

    def penalize(self, k: int, parameters: tuple[Parameter, ...]) -> tuple[Equation, ...]:
        """Return Ω⁽ᵏ⁾ = Σ p(w) over the weights of one layer, one equation per coefficient."""
        equations = []
        for n, p in enumerate(self.penalties.values()):
            weights = (θ for θ in parameters if θ.is_weight)
            terms = [Sum(p.xreplace({w: θ.element}), *(i.limits for i in reversed(θ.axes))) for θ in weights]
            mark = "₁₂"[n] if len(self.penalties) > 1 else ""
            equations.append(Equation(scalar(f"Ω{mark}^{k}"), Add(*terms), (), Role.PENALTY))
        return tuple(equations)

    def network_of(self, layers: tuple[ResolvedLayer, ...]) -> ResolvedNetwork:
        """Return the whole: the output and the loss by the last layer, and what belongs to all updates."""
        network, last = self.network, layers[-1]
        loss = self.loss
        i, j = Axis("i", last.width), Axis("j", last.width)
        make = look_up("output", self.output_function, {})
        output = Equation(array("f")[i.index], exact(make(array(f"a^{last.number}"), i.index, j)), (i,), Role.OUTPUT)
        target = network.target or loss.target
        y = LABEL if target == "label" else array("y")
        value = exact(loss.formula(array("f"), y, i))
        sizes = tuple(map(Integer, network.input_shape)) if has_layers(network.activations) else (size("n^0"),)
        resolved = ResolvedNetwork(
            layers, sizes, output, value, network.weighted, target, self.penalties, self.update,
            look_up("initializer", network.initializer, {}), step_size(network.step_size), self.hyperparameters(), {},
        )  # fmt: skip
        return replace(resolved, names=self.names(resolved))

    @property
    def loss(self) -> Loss:
        """The loss with its output and kind of target."""
        network = self.network
        if isinstance(network.loss, str):
            return look_up("loss", network.loss, self.constants)
        output = network.output if isinstance(network.output, str) else "softmax"
        return Loss(network.loss, output, "label" if output == "softmax" else "vector")

    @property
    def output_function(self) -> Any:
        """The choice of it, or the one that goes with the loss."""
        return self.loss.output if self.network.output is None else self.network.output

    def hyperparameters(self) -> dict[str, float]:
        """Return the constants of the step size, of the update and of the penalties, with their default values."""
        free = sorted(s.name for s in step_size(self.network.step_size).free_symbols - {step_sizes.α, step_sizes.t})
        known = step_sizes.defaults(self.network.step_size) | update_rules.DEFAULTS
        return {c: known.get(c, 0.0) for c in (*free, *self.update.constants, *self.penalties)}

    def names(self, resolved: ResolvedNetwork) -> dict[str, Any]:
        """Return the choices as plain strings, formulas as text, and the constants where there are any."""
        network = self.network
        shown = self.output_function
        more = {"constants": dict(network.constants), "update": network.update if network.update != "sgd" else "",
                "weighted": int(network.weighted), "dropout": int(network.dropout)}  # fmt: skip
        penalty = one_spelling(network.penalty) if isinstance(network.penalty, str) else formula(self.penalties["λ"])
        activations = (layer.activation for layer in resolved.layers[:-1])
        return {name: value for name, value in more.items() if value} | {
            "preactivation": ", ".join(_kinds(resolved)),
            "activations": [g.text if g else "none" for g in activations],
            "output": shown if isinstance(shown, str) else formula(resolved.output.rhs),
            "loss": one_spelling(network.loss) if isinstance(network.loss, str) else formula(resolved.loss_of_output),
            "target": resolved.target_kind,
            "penalty": penalty,
            "initializer": network.initializer,
            "step_size": network.step_size,
            **as_texts(resolved.initial_values, dict(network.learned_per_unit)),
        }


def _values(g: Activation, k: int, over: tuple[Axis, ...], learnt: Mapping[str, str]) -> Equation:
    """Return h⁽ᵏ⁾ⱼ = g(a⁽ᵏ⁾ⱼ)."""
    at = tuple(axis.index for axis in over)
    swap: dict[Expr, Expr] = {a: array(f"a^{k}")[at]}
    swap |= {scalar(word): array(name)[at] if word in g.per_unit else scalar(name) for word, name in learnt.items()}
    return Equation(array(f"h^{k}")[at], g.formula.xreplace(swap), over, Role.ACTIVATION)


def _masked(value: Equation, k: int, name: str) -> tuple[tuple[Equation, Equation], tuple[str, tuple[Axis, ...]]]:
    """Return u⁽ᵏ⁾ⱼ = g(a⁽ᵏ⁾ⱼ) and h⁽ᵏ⁾ⱼ = u⁽ᵏ⁾ⱼ times its mask, and the name and the axes of that."""
    u, mask = array(name)[value.lhs.indices], f"mask^{k}"
    masked = replace(value, rhs=array(mask)[value.lhs.indices] * u, role=Role.DROPOUT)
    return (replace(value, lhs=u), masked), (mask, value.over)


def _in_place(network: Network) -> tuple[InPlace, ...]:
    look_up("pre-activation", network.preactivation, {})
    if has_layers(network.activations):
        return in_place(network.activations, network.input_shape)
    return dense_in_place(network.activations, network.preactivation)


def _kinds(resolved: ResolvedNetwork) -> list[str]:
    """Return the kinds of layer; where sizes are symbols all are alike."""
    kinds = [layer.definition.name for layer in resolved.layers]
    return kinds[:1] if resolved.is_generic else kinds


def _require_sound(network: Network, resolved: ResolvedNetwork) -> None:
    """Raise ValueError if there is nothing to learn, or what is to be learnt is used nowhere."""
    if all(p.is_of_activation for p in resolved.parameters):
        raise ValueError("the network has no parameter: there is nothing to learn; add a layer such as dense(10)")
    learned, per_unit = dict(network.learned), dict(network.learned_per_unit)
    if learned or per_unit:
        check_used(learned, per_unit, resolved.initial_values)
