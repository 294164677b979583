"""From the gradient of one parameter to its update: what has to be stored before, and what is added to θ at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sympy import Add

from symbackprop.definitions.resolved import Parameter, ResolvedLayer, ResolvedNetwork
from symbackprop.definitions.step_sizes import α
from symbackprop.definitions.update_rules import Update
from symbackprop.derivation.adjoints import Adjoint
from symbackprop.derivation.update import Slope, after_update, equations, reads_parameters, regularize, update_by
from symbackprop.expr.equations import Equation, Step
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import array


@dataclass(frozen=True)
class ParameterDerivation:
    """The gradient of one parameter and its update.

    Attributes
    ----------
    derivation
        Of the gradient.
    users
        What reads the parameter.
    slopes
        The steps to the slope of the penalty.
    assigned
        The steps of the update, by its rule, and what follows it.
    updates
        As they are computed: of a gradient that is added up where it is read there are several.
    objective
        The gradient of l + λΩ; nothing where it is stored already.
    stored
        Whether the gradient is computed before any parameter changes.
    """

    derivation: Adjoint
    users: tuple[Equation, ...]
    slopes: tuple[Step, ...]
    assigned: tuple[Step, ...]
    updates: tuple[Equation, ...]
    objective: tuple[Equation, ...]
    stored: bool

    @property
    def gradient(self) -> tuple[Equation, ...]:
        """The equation of the gradient, and what is added to it where it is read."""
        return self.derivation.results

    @property
    def kept(self) -> Equation:
        """The gradient as updates read it: itself where it is stored."""
        gradient = self.gradient[0]
        return replace(gradient, rhs=gradient.lhs) if self.stored else gradient


def derive_parameter(
    network: ResolvedNetwork, layer: ResolvedLayer, θ: Parameter, users: tuple[Equation, ...], derivation: Adjoint
) -> ParameterDerivation:
    """Return the update of a parameter of a layer, whose gradient was derived from what reads it."""
    gradient, *added = derivation.results
    if gradient.rhs == 0 and not added:
        texts = [e.text for e in layer.definition.equations]
        raise ValueError(f"the parameter {θ.name.partition('^')[0]} of {'; '.join(texts)!r} never reaches the loss: "
                         "its derivative is 0 everywhere")  # fmt: skip
    before, slopes = regularize(network, layer, θ)
    stored = _is_stored(network, θ, users, derivation)
    given = (gradient, *layer.penalties)
    whole = update_by(network.update, θ, slopes, gradient.lhs if stored or added else gradient.rhs, given)
    after = after_update(network.update, θ)
    directly = added and not stored
    updates = (*(_directly(network.update, θ, slopes, derivation) if directly else equations(whole)),
               *equations(after))  # fmt: skip
    penalty = Add(*(λ * slope for λ, _, slope in slopes))
    objective = () if stored else (replace(gradient, rhs=gradient.rhs + penalty), *added)
    if stored and penalty != 0:
        objective = (replace(gradient, rhs=gradient.lhs + penalty),)
    return ParameterDerivation(derivation, users, tuple(before), (*whole, *after), updates, objective, stored)


def _is_stored(network: ResolvedNetwork, θ: Parameter, users: tuple[Equation, ...], derivation: Adjoint) -> bool:
    """Whether a gradient is computed before any parameter changes: it reads some, or is read more than once."""
    # a sum over all elements would be computed again for each of them: one for all units of a layer is stored first
    alone = not θ.axes and any(e.over for e in users if θ.element in e.rhs.free_symbols)
    twice = not network.is_generic and (network.update.clip or network.update.has_velocity)
    found_beside_values = θ.is_of_activation
    return found_beside_values or alone or twice or reads_parameters(network, derivation.results, θ.element)


def _directly(update: Update, θ: Parameter, slopes: list[Slope], derivation: Adjoint) -> list[Equation]:
    """Return θ ← θ - α (what is no sum of reads), and θ[...] ← θ[...] - α s from ∂l/∂θ[...] ← ∂l/∂θ[...] + s."""
    gradient, *added = derivation.results
    (rest,) = update_by(update, θ, slopes, gradient.rhs, ())
    updates = [Equation(θ.element, rest.after, θ.axes, Role.UPDATE)] if rest.after != θ.element else []
    for equation in added:
        target = array(θ.name)[equation.lhs.indices]
        updates.append(Equation(target, target - α * (equation.rhs - equation.lhs), equation.over, Role.UPDATE))
    return updates
