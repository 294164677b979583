"""What an update does with the step Δ of a parameter θ: rules, and what may be added to them by +.

A rule is a list of assignments in their order; v is the velocity of the parameter, 0 at first. All are formulas of one
parameter's element; `norm` is Σ (∂l/∂θ)² over all parameters for ``clip``, Σⱼ Wᵢⱼ² over a unit's weights for
``max_norm``; `share` is SHARE.

References
----------
θ ← θ + αΔ: Larochelle, lecture 2.8. Momentum: Polyak 1964; Nesterov's in the form of Sutskever et al. 2013, where the
parameters are those at which the gradient is taken. Clipping: Pascanu et al. 2013. Max-norm: Srivastava et al. 2014.
Average: Polyak and Juditsky 1992.
"""

from typing import NamedTuple

from sympy import Expr, Piecewise, sqrt

from symbackprop.definitions.step_sizes import t, α
from symbackprop.expr.suggest import did_you_mean
from symbackprop.expr.symbols import scalar

θ, v, mean, Δ, μ = map(scalar, ("θ", "v", "mean", "Δ", "momentum"))
norm, share, clip = map(scalar, ("norm", "share", "clip"))
most, largest = scalar("max_gradient"), scalar("max_weights")

RULES: dict[str, dict[Expr, Expr]] = {
    "sgd": {θ: θ + α * Δ},
    "momentum": {v: μ * v + α * Δ, θ: θ + v},
    "nesterov": {v: μ * v + α * Δ, θ: θ + μ * v + α * Δ},
}
WRITTEN = {  # as the lecture writes the first
    "sgd": "θ ← θ + αΔ",
    "momentum": "v ← momentum v + αΔ, θ ← θ + v",
    "nesterov": "v ← momentum v + αΔ, θ ← θ + momentum v + αΔ",
}
SHARE = 1 / (1 + t)  # of update t in the mean of all so far
AVERAGE = mean + share * (θ - mean)  # of the parameters after every update so far
CLIP = Piecewise((most / sqrt(norm), norm > most**2), (1, True))  # a factor of ∂l/∂θ in Δ
MAX_NORM = Piecewise((largest / sqrt(norm), norm > largest**2), (1, True))  # a factor of Wᵢⱼ after its update
ADDITIONS = ("clip", "max_norm", "average")
ABOVE_0 = frozenset({most.name, largest.name})
BELOW_1 = frozenset({μ.name})
DEFAULTS = {μ.name: 0.9, most.name: 1.0, largest.name: 3.0}


class Update(NamedTuple):
    """A rule and what is added to it."""

    rule: str
    clip: bool
    max_norm: bool
    average: bool

    @property
    def has_velocity(self) -> bool:
        """Whether parameters have velocities."""
        return v in RULES[self.rule]

    @property
    def constants(self) -> tuple[str, ...]:
        """The names of its hyperparameters."""
        names = {s.name for e in RULES[self.rule].values() for s in e.free_symbols} & DEFAULTS.keys()
        return (*sorted(names), *((most.name,) if self.clip else ()), *((largest.name,) if self.max_norm else ()))


def update_of(names: str) -> Update:
    """Return the update that names joined by + describe.

    >>> update_of("clip+momentum").rule, update_of("clip").rule
    ('momentum', 'sgd')

    Raises
    ------
    ValueError
        If a name is unknown or occurs twice, or there are two rules.
    """
    if not isinstance(names, str):
        raise ValueError(f"the update is {names!r:.60}, expected a text such as nesterov+clip")  # noqa: TRY004
    parts = [name.strip() for name in names.split("+")]
    known = [*RULES, *ADDITIONS]
    for name in parts:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(f"unknown update {name!r}: {hint}known are {', '.join(known)}, joined by +")
    rules = [name for name in parts if name in RULES]
    if len(rules) > 1 or len(set(parts)) < len(parts):
        raise ValueError(f"the update is {names!r}, expected one of {', '.join(RULES)}, and additions once each")
    return Update(rules[0] if rules else "sgd", *(name in parts for name in ADDITIONS))
