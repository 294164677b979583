"""From the gradient of a parameter to its update, by the rule that a network has, and what is added to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sympy import Add, Dummy, Expr, Integer, Mul, Pow

from symbackprop.calculus.chain_rule import adjoint
from symbackprop.calculus.differentiate import carry_out
from symbackprop.definitions import update_rules
from symbackprop.definitions.resolved import Parameter, ResolvedLayer, ResolvedNetwork
from symbackprop.definitions.update_rules import Update
from symbackprop.expr.equations import Equation, Step
from symbackprop.expr.indices import named
from symbackprop.expr.reductions import Sum
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import Axis, Partial, array, names_in, scalar

Slope = tuple[Expr, Expr, Expr]  # λ, ∂Ω/∂θ, and what that is


def regularize(network: ResolvedNetwork, layer: ResolvedLayer, θ: Parameter) -> tuple[list[Step], list[Slope]]:
    """Return the steps to the slopes of a layer's penalties along one parameter, and those slopes that are not 0."""
    steps, slopes = [], []
    for coefficient, Ω in zip(network.penalties, layer.penalties, strict=True):
        slope = named(carry_out(Ω, Integer(1), θ.name, θ.axes), θ.axes)
        if slope != 0:
            local = Partial(Ω.lhs, θ.element)
            steps.append(Step(Role.REGULARISER, local, local, slope, θ.axes, (Ω,)))
            slopes.append((scalar(coefficient), local, slope))
    return steps, slopes


def update_by(
    update: Update, θ: Parameter, slopes: list[Slope], gradient: Expr, given: tuple[Equation, ...]
) -> list[Step]:
    """Return the assignments of an update by Δ = -∂l/∂θ - λ∂Ω/∂θ, with a gradient as derived, or as stored."""
    factor = update_rules.clip if update.clip else Integer(1)
    stated = -factor * adjoint(θ.element) - Add(*(λ * local for λ, local, _ in slopes))
    Δ = -factor * gradient - Add(*(λ * slope for λ, _, slope in slopes))
    note = update_rules.WRITTEN[update.rule]
    note += f", Δ = -{'clip ' * update.clip}∂l/∂θ" + " - λ∂Ω/∂θ" * (not θ.is_of_activation)
    assigned = []
    for to, value in update_rules.RULES[update.rule].items():
        before, after = (value.xreplace(_elements(θ) | {update_rules.Δ: by}) for by in (stated, Δ))
        assigned.append(Step(Role.UPDATE, _elements(θ)[to], before, after, θ.axes, given, note))
        note = ""
    return assigned


def after_update(update: Update, θ: Parameter) -> list[Step]:
    """Return the assignments that follow a parameter's update: its unit's norm bounded, its mean kept."""
    steps = []
    if update.max_norm and θ.is_weight:
        unit, *others = θ.axes
        norm = array(f"norm{θ.name}")[unit.index]
        squares = Sum(θ.element**2, *(axis.limits for axis in reversed(others)))
        steps.append(Step(Role.MAX_NORM, norm, norm, squares, (unit,)))
        bounded = θ.element * update_rules.MAX_NORM.xreplace({update_rules.norm: norm})
        steps.append(Step(Role.MAX_NORM, θ.element, bounded, bounded, θ.axes))
    if update.average:
        kept = update_rules.AVERAGE.xreplace(_elements(θ))
        steps.append(Step(Role.AVERAGE, _elements(θ)[update_rules.mean], kept, kept, θ.axes))
    return steps


def reads_parameters(network: ResolvedNetwork, gradient: Iterable[Equation], θ: Expr) -> bool:
    """Whether a gradient depends on other parameters, or on other elements: all must be the old ones."""
    every = {p.name for p in network.parameters}
    itself = Dummy(real=True)  # no number: at one of them, what multiplies θ would disappear
    return any(names_in(e.rhs.xreplace({θ: itself})) & every for e in gradient)


def equations(steps: Iterable[Step]) -> list[Equation]:
    """Return the assignments that steps derived."""
    return [Equation(step.target, step.after, step.over, step.rule) for step in steps]


def clipping(gradients: Iterable[Equation]) -> tuple[Equation, ...]:
    """Return the factor that bounds the norm of an example's whole gradient, from the gradient of each parameter."""
    squares = Add(*map(_squares, gradients))
    factor = update_rules.CLIP
    return (
        Equation(update_rules.norm, squares, (), Role.NORM),
        Equation(update_rules.clip, factor, (), Role.CLIP),
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


def _elements(θ: Parameter) -> dict[Expr, Expr]:
    """Return the elements that stand for θ, its velocity and its mean."""
    names = {update_rules.θ: θ.name, update_rules.v: f"v{θ.name}", update_rules.mean: f"mean_{θ.name}"}
    return {symbol: replace(θ, name=name).element for symbol, name in names.items()}
