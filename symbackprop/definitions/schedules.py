"""Step sizes α_t as formulas of the learning rate α, the decay δ and t, counted in updates."""

from sympy import Expr, Symbol

from symbackprop.symbols import scalar

α, δ = scalar("α"), scalar("δ")
t = Symbol("t", integer=True, nonnegative=True)

STEP_SIZES: dict[str, Expr] = {
    "constant": α,
    "inverse": α / (1 + δ * t),
}
