"""Whether a formula can be trained with: what is refused, what is noted in the derivation, what is advised against.

All of it is found by values: of the formula and of its derivative, at points from -50 to 50 and beside its kinks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from mpmath.libmp.libhyper import NoConvergence
from sympy import Abs, Expr, Poly, PolynomialError, Symbol
from sympy.core.relational import Relational

from symbackprop.calculus.differentiate import desugar, signs, slope
from symbackprop.definitions.activations import ACTIVATIONS, a
from symbackprop.definitions.penalties import PENALTIES, w
from symbackprop.definitions.resolved import ResolvedLayer, ResolvedNetwork
from symbackprop.derivation.validate_loss import advise_on_loss, require_sound
from symbackprop.expr.equations import Step
from symbackprop.expr.evaluate import evaluated
from symbackprop.expr.printing import formula
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import name_of

POINTS = np.linspace(-50, 50, 2001)
STEEP = 1e3
BESIDE = 1e-7  # a kink
_NEAR = 1e-4  # two values are the same, relative to their size
_MAGNITUDES = (1e2, 1e4, 1e8, 1e16, 1e30)
_ASIDE = 0.3719  # added to learnt parameters, to see whether a formula is flat only where they start
_FALL = 0.01  # more than what the minimum of a bounded oscillation, found at some points, differs by

Numbers = np.ndarray[Any, np.dtype[Any]]


def values(expr: Expr, symbol: Symbol, at: Numbers) -> Numbers:
    """Return the values of a formula of one symbol, as complex numbers: one that is not real shows it.

    Raises
    ------
    ValueError
        If the formula has a function without known values.
    """
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(evaluated(expr, {symbol: at.astype(complex)})), at.shape)


def derivative(g: Expr, symbol: Symbol = a) -> Expr:
    """Return g'(a), kinks as pieces, 0 or one side's value where they meet."""
    return signs(slope(desugar(g), symbol))


def refuse(network: ResolvedNetwork) -> None:
    """Raise ValueError for a formula of the user's own that is not real, or flat almost everywhere, as a constant is.

    An activation that is flat only where its learnt parameters start, as slope*a at slope = 0, is legal. A loss is
    refused that is not real at some outputs, one of a table too, where its outputs are not those that it is made for.
    """
    require_sound(network)
    for what, symbol, forms in _formulas_of_user(network):
        _require_real(what, forms[0], symbol)
        if all(_is_flat(expr, symbol) for expr in forms):
            raise ValueError(f"the {what} {formula(forms[0])} is flat almost everywhere: {_FLAT[what]}")


_FLAT = {
    "activation": "its derivative is 0, no gradient would ever come through it; give a formula with a slope",
    "penalty": "its derivative is 0, it would change nothing; give a formula with a slope, such as w**2, or none",
}


def _formulas_of_user(network: ResolvedNetwork) -> Iterator[tuple[str, Symbol, list[Expr]]]:
    """Yield formulas of the user's own, an activation's at the values where its learnt parameters start, and beside."""
    for g in network.activations:
        if g.text not in ACTIVATIONS:
            yield "activation", a, [*dict.fromkeys(g.at_start(beside) for beside in (0, _ASIDE))]
    if network.names["penalty"] not in PENALTIES:
        yield from (("penalty", w, [p]) for p in network.penalties.values())


def _require_real(what: str, expr: Expr, symbol: Symbol) -> None:
    numbers = values(expr, symbol, POINTS)
    wrong = np.flatnonzero(np.isfinite(numbers) & (abs(numbers.imag) > _NEAR * (1 + abs(numbers.real))))
    if wrong.size:
        point = min(POINTS[wrong], key=abs)
        raise ValueError(
            f"the {what} {formula(expr)} is not real at {symbol} = {point:g}; "
            f"give one that is real for every number, such as sqrt(1 + {symbol}**2) or log(1 + exp({symbol}))"
        )


def _is_constant(expr: Expr) -> bool:
    numbers = values(expr, a, POINTS).real
    return bool(np.isfinite(numbers).all() and np.ptp(numbers) <= 1e-12 * (1 + abs(numbers).max()))


def _is_flat(expr: Expr, symbol: Symbol = a) -> bool:
    return bool((values(derivative(expr, symbol), symbol, POINTS[1::2] + 0.0123) == 0).all())


def kinks(g: Expr) -> list[str]:
    """Return in words where a formula or its derivative jumps, and which value the derivative has there."""
    words = []
    slope_ = derivative(g)
    for place in _boundaries(g):
        beside = np.array([place - BESIDE * (1 + abs(place)), place, place + BESIDE * (1 + abs(place))])
        (left, _, right), (before, at, after) = values(g, a, beside).real, values(slope_, a, beside).real + 0.0
        if not _same(left, right):
            jump = f"{left:.4g} to {right:.4g}"
            words.append(f"jumps at a = {place:g} from {jump}, of which its derivative knows nothing")
        elif not _same(before, after):
            jump = f"{before:.4g} to {after:.4g}"
            words.append(f"its derivative jumps at a = {place:g} from {jump}, and is {at:.4g} there")
    return words


def with_kinks(step: Step, layer: ResolvedLayer) -> Step:
    """Add to the step that differentiates an activation where it has kinks, and what is taken there."""
    names = [name_of(x) for x in step.target.args] if step.rule is Role.PARTIAL_DERIVATIVE else []
    if layer.activation is None or names != [f"h^{layer.number}", f"a^{layer.number}"]:
        return step
    return replace(step, note="; ".join(kinks(layer.activation.at_start())))


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_NEAR, abs_tol=_NEAR)


def _boundaries(g: Expr) -> list[float]:
    """Return where the pieces of a formula meet, as far as that is where a polynomial of a is 0."""
    sides = [r.lhs - r.rhs for r in desugar(g).atoms(Relational)] + [u.args[0] for u in g.atoms(Abs)]
    places: set[float] = set()
    for side in sides:
        try:
            roots = Poly(side, a).nroots() if side.has(a) else []
        except (PolynomialError, NoConvergence, ValueError):  # a root of order 4 is found by no iteration
            continue
        places |= {round(float(r), 12) + 0.0 for r in roots if r.is_real}
    return sorted(places)


def advise(network: ResolvedNetwork) -> list[str]:
    """Return one line for each activation, penalty or loss with which training will probably not go as it should."""
    formulas = [g.at_start() for g in network.activations]
    return [
        *(f"the activation {formula(g)} {word}" for g in formulas for word in _advice(g)),
        *(f"the penalty {formula(p)} {word}" for p in network.penalties.values() for word in _advice_on_penalty(p)),
        *advise_on_loss(network),
    ]


def _advice_on_penalty(p: Expr) -> list[str]:
    numbers, words = values(p, w, POINTS).real, []
    if not np.isfinite(numbers).all():
        place = min(POINTS[~np.isfinite(numbers)], key=abs)
        words.append(f"is not finite at w = {place:g}: training may stop there")
    if _falls_without_end(p):
        words.append("has no lower bound: the larger the weights, the smaller the objective; training will diverge")
    return words


def _falls_without_end(p: Expr) -> bool:
    """Whether the least value that a penalty has among weights of a magnitude falls on to the last magnitudes."""
    spread = np.linspace(1, 2, 201)
    by_magnitude = (values(p, w, magnitude * np.concatenate([spread, -spread])).real for magnitude in _MAGNITUDES)
    least = [v[~np.isnan(v)].min() for v in by_magnitude if not np.isnan(v).all()]
    return len(least) > 1 and bool(least[-1] == -np.inf or least[-2] - least[-1] > _FALL)


def _advice(g: Expr) -> list[str]:
    numbers, slopes = values(g, a, POINTS).real, values(derivative(g), a, POINTS).real
    if _is_constant(g):
        return ["is constant where its learnt parameters start: no gradient comes through it at first"]
    words = []
    if not np.isfinite(numbers).all():
        place = min(POINTS[~np.isfinite(numbers)], key=abs)
        words.append(f"is not finite at a = {place:g}: training may stop there")
    steep = np.isfinite(slopes) & (abs(slopes) > STEEP)
    if steep.any():
        place = min(POINTS[steep], key=abs)
        words.append(
            f"has a derivative above {STEEP:g} at a = {place:g}: use a small learning rate, or a flatter formula"
        )
    middle = len(POINTS) // 2
    if np.allclose(numbers, numbers[::-1], rtol=1e-9) and abs(slopes[middle]) < _NEAR and np.isfinite(numbers).all():
        words.append(
            "is even around 0, where its derivative is 0: units whose pre-activations start at 0 learn nothing"
        )
    return words
