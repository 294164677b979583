"""Step sizes α_t: the learning rate α times factors of t, counted in updates; names joined by + multiply.

A factor's constants become hyperparameters, with the values given here where 0 would not do.

References
----------
1/(1 + δt): Larochelle, lecture 2.9. t^-p with ½ < p ≤ 1: Robbins and Monro 1951. Cosine: Loshchilov and Hutter 2017.
Warm-up: Goyal et al. 2017.
"""

from dataclasses import dataclass, field

from sympy import Expr, Integer, Min, Mul, Rational, Symbol, cos, floor, pi

from symbackprop.expr.symbols import scalar

α, δ = scalar("α"), scalar("δ")
t = Symbol("t", integer=True, nonnegative=True)
_p, _γ, _interval, _horizon, _warmup = map(scalar, ("power", "γ", "interval", "horizon", "warmup"))


@dataclass(frozen=True)
class Factor:
    """A factor of the step size, and the default values of its constants that must not be 0."""

    formula: Expr
    defaults: dict[str, float] = field(default_factory=dict)


FACTORS: dict[str, Factor] = {
    "constant": Factor(Integer(1)),
    "inverse": Factor(1 / (1 + δ * t)),
    "power": Factor((1 + t) ** -_p),
    "steps": Factor(_γ ** floor(t / _interval), {"γ": 0.5, "interval": 10000.0}),
    "cosine": Factor(Rational(1, 2) * (1 + cos(pi * Min(1, t / _horizon))), {"horizon": 100000.0}),
    "warmup": Factor(Min(1, (1 + t) / _warmup), {"warmup": 1000.0}),
}
ABOVE_0 = frozenset({"interval", "horizon", "warmup"})  # constants that divide


def step_size(names: str) -> Expr:
    """Return the formula of a step size from its factors' names.

    >>> step_size("warmup+inverse")
    α*Min(1, (t + 1)/warmup)/(t*δ + 1)
    """
    return α * Mul(*(FACTORS[name].formula for name in names.split("+")))


def defaults(names: str) -> dict[str, float]:
    """Return the default values of a step size's constants."""
    return {c: value for name in names.split("+") for c, value in FACTORS[name].defaults.items()}
