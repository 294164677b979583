"""From the gradient of a parameter to its update, by the rule that a network has, and what is added to it."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Add, Dummy, Expr, Integer, Mul, Pow

from symbackprop.calculus.chain_rule import Wanted, adjoint
from symbackprop.calculus.differentiate import contract
from symbackprop.definitions import update_rules
from symbackprop.definitions.network import Network
from symbackprop.expr.equations import Equation, Step
from symbackprop.expr.indices import named
from symbackprop.expr.reductions import Sum
from symbackprop.expr.symbols import Axis, Partial, array, names_in, scalar

Slope = tuple[Expr, Expr, Expr]  # λ, ∂Ω/∂θ, and what that is


def regularised(network: Network, layer: str, want: Wanted) -> tuple[list[Step], list[Slope]]:
    """Return the steps to the slopes of a layer's penalties along one parameter, and those slopes that are not 0."""
    θ, steps = want.element, []
    slopes: list[Slope] = []
    for coefficient, Ω in zip(network.penalties(), network.penalised(layer), strict=True):
        slope = named(contract(Ω, Integer(1), want.name, want.axes), want.axes)
        if slope != 0:
            local = Partial(Ω.lhs, θ)
            steps.append(Step("regulariser", local, local, slope, want.axes, (Ω,)))
            slopes.append((scalar(coefficient), local, slope))
    return steps, slopes


def updated(
    network: Network, want: Wanted, slopes: list[Slope], gradient: Expr, given: tuple[Equation, ...]
) -> list[Step]:
    """Return the assignments of an update by Δ = -∂l/∂θ - λ∂Ω/∂θ, with a gradient as derived, or as stored."""
    chosen, θ = network.chosen_update, want.element
    factor = update_rules.clip if chosen.clip else Integer(1)
    stated = -factor * adjoint(θ) - Add(*(λ * local for λ, local, _ in slopes))
    Δ = -factor * gradient - Add(*(λ * slope for λ, _, slope in slopes))
    rule = update_rules.RULES[chosen.rule]
    note = update_rules.WRITTEN[chosen.rule]
    note += f", Δ = -{'clip ' * chosen.clip}∂l/∂θ" + " - λ∂Ω/∂θ" * (want.why == "parameters")
    assigned = []
    for to, value in rule.items():
        target = _element(want, to)
        before, after = (value.xreplace(_elements(want) | {update_rules.Δ: by}) for by in (stated, Δ))
        assigned.append(Step("update", target, before, after, want.axes, given, note))
        note = ""
    return assigned


def afterwards(network: Network, layer: str, want: Wanted) -> list[Step]:
    """Return the assignments that follow a parameter's update: its unit's norm bounded, its mean kept."""
    made = []
    if network.chosen_update.max_norm and want.name in network.weights(layer):
        unit, *others = want.axes
        norm = array(f"norm{want.name}")[unit.index]
        squares = Sum(want.element**2, *(axis.limits for axis in reversed(others)))
        made.append(Step("max-norm", norm, norm, squares, (unit,)))
        bounded = want.element * update_rules.MAX_NORM.xreplace({update_rules.norm: norm})
        made.append(Step("max-norm", want.element, bounded, bounded, want.axes))
    if network.chosen_update.average:
        kept = update_rules.AVERAGE.xreplace(_elements(want))
        made.append(Step("average", _element(want, update_rules.mean), kept, kept, want.axes))
    return made


def reads_parameters(network: Network, gradient: Iterable[Equation], θ: Expr) -> bool:
    """Whether a gradient depends on other parameters, or on other elements: all must be the old ones."""
    every = {n for k in range(1, network.depth + 2) for n in network.parameters(str(k))}
    itself = Dummy(real=True)  # no number: at one of them, what multiplies θ would disappear
    return any(names_in(e.rhs.xreplace({θ: itself})) & every for e in gradient)


def equations(steps: Iterable[Step]) -> list[Equation]:
    """Return the assignments that steps derived."""
    return [Equation(step.target, step.after, step.over, step.rule) for step in steps]


def state_of(network: Network, name: str) -> tuple[str, ...]:
    """Return the names of the arrays that training keeps beside one parameter.

    >>> state_of(Network(update="nesterov+average"), "W^2")
    ('vW^2', 'mean_W^2')
    """
    chosen = network.chosen_update
    return (*((f"v{name}",) if chosen.has_velocity else ()), *((f"mean_{name}",) if chosen.average else ()))


def clipping(gradients: Iterable[Equation]) -> tuple[Equation, ...]:
    """Return the factor that bounds the norm of an example's whole gradient, from the gradient of each parameter."""
    squares = Add(*map(_squares, gradients))
    factor = update_rules.CLIP
    return (
        Equation(update_rules.norm, squares, (), "norm of the gradient"),
        Equation(update_rules.clip, factor, (), "clip"),
    )


def _squares(gradient: Equation) -> Expr:
    """Return Σ (∂l/∂θ)² over a parameter's elements; of an outer product it is a product of sums."""
    factors = Mul.make_args(Pow(gradient.rhs, 2))
    apart = [axis for axis in gradient.over if all(f.free_symbols & _indices(gradient.over) <= {axis.index}
                                                    for f in factors if f.has(axis.index))]  # fmt: skip
    product: Expr = Mul(*(f for f in factors if not any(f.has(axis.index) for axis in apart)))
    together = [axis for axis in gradient.over if axis not in apart]
    if together:
        product = Sum(product, *(axis.limits for axis in reversed(together)))
    for axis in apart:
        product *= Sum(Mul(*(f for f in factors if f.has(axis.index))), axis.limits)
    return product


def _indices(axes: tuple[Axis, ...]) -> set[Expr]:
    return {axis.index for axis in axes}


def _element(want: Wanted, what: Expr) -> Expr:
    return _elements(want)[what]


def _elements(want: Wanted) -> dict[Expr, Expr]:
    """Return the elements that stand for θ, its velocity and its mean."""
    names = {update_rules.θ: want.name, update_rules.v: f"v{want.name}", update_rules.mean: f"mean_{want.name}"}
    return {symbol: Wanted(name, want.axes, "").element for symbol, name in names.items()}
