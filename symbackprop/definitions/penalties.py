"""Penalties λΩ(θ), Ω = Σ p(w) over all weights; biases are not regularised (Larochelle, lecture 2.8). No ½ anywhere.

An entry maps each coefficient to the formula p of one weight `w` that it multiplies.
"""

from sympy import Abs, Expr

from symbackprop.expr.symbols import scalar

w = scalar("w")

PENALTIES: dict[str, dict[str, Expr]] = {
    "none": {},
    "l2": {"λ₂": w**2},
    "l1": {"λ₁": Abs(w)},
    "l1+l2": {"λ₁": Abs(w), "λ₂": w**2},
}
