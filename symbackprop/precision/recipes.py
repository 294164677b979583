"""Forms put together: which form where, and values at 0 and ±∞ themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from mpmath import mp
from sympy import Abs, Eq, Expr, Integer, Piecewise, Rational, Symbol

from symbackprop.calculus.simplify import cost
from symbackprop.expr.symbols import AtInfinity
from symbackprop.precision.exponentials import by_sign
from symbackprop.precision.truth import BITS, exact
from symbackprop.precision.ulp_error import Array, computed

GOOD = 4.0  # ULP, with every function correctly rounded; what is compiled has up to 2 or 3 more
NEARLY = 5.0  # ULP up to which one form, or one a sign, is taken before four, all of which a vector loop computes
Recipe = tuple[str, ...]  # the names of the candidates of the regimes, see `assembled`
Patches = tuple[tuple[str, str], ...]


def choose_recipe(found: Mapping[str, Expr], errors: Mapping[str, Array], xs: Array) -> tuple[Recipe, float]:
    """Return the names of the cheapest forms that are good in all regimes, few of them, and the largest error."""
    costs = {name: _cost(found[name]) for name in errors}
    everywhere = np.ones(xs.size, bool)
    signs = (xs > 0, xs <= 0)
    quarters = (xs > 1, (xs > 0) & (xs <= 1), xs < -1, (xs <= 0) & (xs >= -1))
    best: tuple[float, Recipe] = (np.inf, ())
    for regimes in ((everywhere,), signs, quarters):
        if len(regimes) == 4 and best[0] <= NEARLY:
            break
        names = tuple(_best(errors, costs, where) for where in regimes)
        if len(regimes) == 4:
            names = _together(names, errors, costs, regimes)
        worst = max(float(np.max(errors[n][where], initial=0.0)) for n, where in zip(names, regimes, strict=True))
        if worst <= GOOD:
            return names, worst
        if worst < 0.75 * best[0]:  # another regime has to be worth its comparison
            best = (worst, names)
    return best[1], best[0]


def _cost(form: Expr) -> int:
    """Return a rough count of operations, a comparison for each piece, and that an own form has to be worth it."""
    return cost(form) + sum(2 * (len(p.args) - 1) for p in form.atoms(Piecewise))


def _best(errors: Mapping[str, Array], costs: Mapping[str, int], where: Array) -> str:
    worst = {name: float(np.max(e[where], initial=0.0)) for name, e in errors.items()}
    bad = {name: (w, int(np.sum(errors[name][where] > GOOD))) if w > GOOD else (0, 0) for name, w in worst.items()}
    return min(worst, key=lambda name: (bad[name], costs[name], name != "derived", name))


def _together(
    names: Recipe, errors: Mapping[str, Array], costs: Mapping[str, int], regimes: tuple[Array, ...]
) -> Recipe:
    """Use one form on both sides of 0 where it is good on both: a comparison less."""
    both = [_best(errors, costs, regimes[n] | regimes[n + 2]) for n in (0, 1)]
    joined = (*both, *both)
    good = all(np.max(errors[n][w], initial=0.0) <= GOOD for n, w in zip(joined, regimes, strict=True))
    return joined if good else names


def largest_error(errors: Array, where: Array) -> float:
    """Return the largest of the errors at some of the points."""
    return float(np.max(errors[where], initial=0.0))


def assembled(parts: list[Expr], x: Symbol) -> Expr:
    """Return the form of which each regime has its part: one, one for each sign, or four."""
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 4 and parts[:2] == parts[2:]:
        return Piecewise((parts[0], Abs(x) > 1), (parts[1], True))
    sides = [_on_side(p, x, s) for p, s in zip(parts, (1, -1) if len(parts) == 2 else (1, 1, -1, -1), strict=True)]
    if len(sides) == 2:
        return by_sign(sides[0], sides[1], x)
    far, near, far_below, near_below = sides
    above = far if far == near else Piecewise((far, x > 1), (near, True))
    below = far_below if far_below == near_below else Piecewise((far_below, x < -1), (near_below, True))
    return Piecewise((above, x > 0), (below, True))


def _on_side(form: Expr, x: Symbol, side: int) -> Expr:
    """Return a form as it is on one side of 0."""
    return form.replace(
        lambda e: isinstance(e, Piecewise) and e.args[0].cond == (x > 0), lambda e: e.args[0 if side > 0 else 1].expr
    )


def find_patches(f: Expr, made: Expr, x: Symbol, targets: Mapping[Symbol, tuple[float, ...]]) -> Patches:
    """Return the values at 0, +∞ and -∞ that the form does not have and the formula has, as limits."""
    found = []
    for name, point in (("0", 0.0), ("inf", np.inf), ("-inf", -np.inf)):
        limit = _limit(f, x, point, targets)
        here = {x: np.array([point], np.float32), **{t: np.array([0.3], np.float32) for t in targets}}
        value = float(computed(made, here)[0])
        if limit is None or (name == "0" and not np.isnan(value)):
            continue
        if value != np.float32({"x": point, "-x": -point}.get(limit, limit)):
            found.append((name, limit))
    return tuple(found)


def _limit(f: Expr, x: Symbol, point: float, targets: Mapping[Symbol, tuple[float, ...]]) -> str | None:
    """Return what f tends to, a decimal or x or -x (infinite); None where that depends on a target or the side."""
    near = {0.0: ("1e-60", "-1e-60"), np.inf: ("1e80", "1e90"), -np.inf: ("-1e80", "-1e90")}[point]
    with mp.workprec(4 * BITS):
        grid = [(mp.mpf(text), mp.mpf(t)) for text in near for t in ((0.25, 0.75) if targets else (0.0,))]
        values = [exact(f, {x: u, **dict.fromkeys(targets, t)}) for u, t in grid]
        if any(mp.isnan(v) for v in values):
            return None
        if min(abs(v) for v in values) > 1e38 and len({mp.sign(v) for v in values}) == 1:
            return "x" if values[0] * point > 0 else "-x"
        if max(values) - min(values) > mp.mpf("1e-30") * (1 + abs(values[0])) or abs(values[0]) > 1e38:
            return None
        return mp.nstr(mp.chop(values[0], 1e-40), 20)


def patched(form: Expr, x: Symbol, patches: Patches) -> Expr:
    """Return a form with values of its own at 0, +∞ and -∞."""
    conditions = {"0": Eq(x, 0), "inf": AtInfinity(x), "-inf": AtInfinity(-x)}
    values = {"x": x, "-x": -x}
    pieces = [(values[v] if v in values else _number(v), conditions[at]) for at, v in patches]
    return Piecewise(*pieces, (form, True)) if pieces else form


def _number(text: str) -> Expr:
    number = Rational(text)
    return Integer(number) if number.is_Integer else number
