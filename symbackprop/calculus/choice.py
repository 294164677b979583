"""Which form of a formula of one number to compute: measured in ULP against mpmath, over all float32.

The formula as derived is kept where it is good. Else the cheapest candidate that is good everywhere is taken; else one
for each sign; else one for each sign and for |x| above and below 1; where none is good, the best. The choice is made at
some points and holds only if at others it is no worse than the formula as derived.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from mpmath import mp
from sympy import Abs, Eq, Expr, Function, Integer, Piecewise, PolynomialError, Pow, Rational, Symbol

from symbackprop.calculus.algebra import cost
from symbackprop.calculus.candidates import FORMS, by_sign
from symbackprop.calculus.scoring import BITS, WRONG, Array, Sample, exact, in_float32, sample
from symbackprop.calculus.trees import from_tree, tree_of
from symbackprop.symbols import AtInfinity

GOOD = 4.0  # ULP, with every function correctly rounded; what is compiled has up to 2 or 3 more
NEARLY = 5.0  # ULP up to which one form, or one a sign, is taken before four, all of which a vector loop computes
POINTS, HELD_OUT = 900, 1200
CHOOSING, JUDGING = 1, 2  # seeds
MOST = 12  # candidates
SECONDS = 8.0  # after which no further kind of candidate is made: the best so far is taken
TARGETS = (0.0, 0.3, 1.0)
Recipe = tuple[str, ...]  # the names of the candidates of the regimes, see `assembled`


@dataclass(frozen=True)
class Choice:
    """A formula as derived, the form chosen, and the largest errors of both in float32, in ULP, on held-out points.

    Attributes
    ----------
    recipe
        The names of the forms it is made of: one, one for each sign (positive first), or one for each of x > 1,
        0 < x ≤ 1, x < -1 and the rest.
    patches
        Values at 0, +∞ and -∞ themselves, where the form has none.
    wrong, still_wrong
        How many values at the held-out points were NaN or infinite though the true ones are not: before and after.
    """

    before: Expr
    after: Expr
    recipe: Recipe = ("derived",)
    patches: tuple[tuple[str, str], ...] = ()
    error: float = 0.0
    error_after: float = 0.0
    wrong: int = 0
    still_wrong: int = 0

    @property
    def changed(self) -> bool:
        """Whether another form than the derived one was chosen."""
        return self.recipe != ("derived",) or bool(self.patches)

    def remembered(self) -> dict[str, Any]:
        """Return what `recalled` needs: names and numbers, and the form, unless it cannot be built from its parts."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        made = {"recipe": list(self.recipe), "patches": [list(p) for p in self.patches], **numbers}
        try:
            return made | {"form": tree_of(self.after)}
        except ValueError:
            return made

    @property
    def note(self) -> str:
        """What was gained, in words."""
        lost = f" and {self.wrong} wrong NaN or infinities" if self.wrong else ""
        left = f" and {self.still_wrong} of these" if self.still_wrong else ""
        places = " and at ±∞" if any(at != "0" for at, _ in self.patches) else ""
        return f"float32: {_shown(self.error)} ULP{lost} become {_shown(self.error_after)}{left}{places}"


def _shown(error: float) -> str:
    return f"{error:.1f}" if error < 100 else f"{error:.1e}"


def candidates(f: Expr, x: Symbol, derived: Expr, kinds: Iterable[str] = FORMS) -> dict[str, Expr]:
    """Return the formula as derived (and made safe by rule), and every form of it of some kinds, by name."""
    found = {"derived": derived}
    end = time.process_time() + SECONDS
    for name, form in ((name, FORMS[name]) for name in kinds if name in FORMS):
        if time.process_time() > end:
            break
        try:
            for n, made in enumerate(islice(form(f, x), MOST)):
                if made is not None and made not in found.values():
                    found[f"{name} {n + 1}" if n else name] = made
        except (PolynomialError, NotImplementedError, RecursionError, ValueError, TypeError):
            continue  # SymPy cannot write it so: one candidate less
    return found


_NUMBERS = ("error", "error_after", "wrong", "still_wrong")


def recalled(f: Expr, x: Symbol, known: Any, by_rule: Callable[[Expr], Expr]) -> Choice | None:
    """Return the choice that was remembered, None where there is none or it is damaged."""
    try:
        recipe, patches = tuple(known["recipe"]), tuple((str(at), str(value)) for at, value in known["patches"])
        numbers = {name: float(known[name]) for name in _NUMBERS[:2]} | {n: int(known[n]) for n in _NUMBERS[2:]}
        form = _built(f, known.get("form")) or make(f, x, recipe, patches, by_rule)
        return Choice(f, form, recipe, patches, **numbers)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):
        return None


def _built(f: Expr, tree: Any) -> Expr | None:
    """Return the form that was remembered, which need not be found again; None unless it has the values of f."""
    symbols = {s.name: s for s in f.free_symbols}
    try:
        form = from_tree(tree, symbols)
    except (TypeError, ValueError):
        return None
    with mp.workprec(200):
        pairs = [[exact(e, dict.fromkeys(symbols.values(), mp.mpf(p))) for e in (f, form)] for p in _PROBES]
        same = all(abs(a - b) <= mp.mpf("1e-30") * (1 + abs(a)) for a, b in pairs if not mp.isnan(a))
    return form if same else None


_PROBES = ("0.3125", "-0.6875", "2.4375", "-3.1875")  # on both sides of 0 and of ±1, where forms change


def needs_none(f: Expr) -> bool:
    """Whether a formula has only sums, products and pieces, or is one elementary function: nothing to gain."""
    if isinstance(f, Function) and not f.args[0].has(Function, Pow) and not isinstance(f, Piecewise):
        return True
    simple = not f.atoms(Function) - f.atoms(Piecewise, Abs)
    return simple and not any(p.exp.is_negative or not p.exp.is_Integer for p in f.atoms(Pow) if p.free_symbols)


def choose(f: Expr, x: Symbol, targets: Iterable[Symbol] = (), by_rule: Callable[[Expr], Expr] = lambda f: f) -> Choice:
    """Return the form of a formula of x that is accurate over all float32.

    Parameters
    ----------
    f
        The formula as derived.
    x
        Its number.
    targets
        Symbols that stand for targets between 0 and 1.
    by_rule
        What makes it safe by rule, so that what is chosen is better than that.
    """
    derived = by_rule(f)
    if needs_none(f):
        return Choice(f, derived)
    values = dict.fromkeys(targets, TARGETS)
    known = sample(f, x, values, POINTS, CHOOSING)
    recipe = _recipe(candidates(f, x, derived), known, x)
    chosen = make(f, x, recipe, (), by_rule)
    patches = _patches(f, chosen, x, values)
    return _judged(
        f, make(f, x, recipe, patches, by_rule), derived, recipe, patches, sample(f, x, values, HELD_OUT, JUDGING)
    )


def _judged(f: Expr, made: Expr, derived: Expr, recipe: Recipe, patches: Patches, held_out: Sample) -> Choice:
    before, after = (held_out.errors(e) for e in (derived, made))
    bad, still = (int(np.sum(e == WRONG)) for e in (before, after))
    worst, worst_after = (float(np.max(e[e < WRONG], initial=0.0)) for e in (before, after))
    if recipe != ("derived",) and (still, worst_after) > (bad, worst):
        return Choice(f, derived, error=worst, error_after=worst, wrong=bad, still_wrong=bad)
    return Choice(f, made, recipe, patches, worst, worst_after, bad, still)


Patches = tuple[tuple[str, str], ...]


def make(f: Expr, x: Symbol, recipe: Recipe, patches: Patches, by_rule: Callable[[Expr], Expr]) -> Expr:
    """Return the form that a recipe describes; ValueError if there is none by such a name."""
    found = {"derived": by_rule(f)}
    if recipe != ("derived",):
        found = candidates(f, x, by_rule(f), dict.fromkeys(name.split()[0] for name in recipe))
    if any(name not in found for name in recipe):
        raise ValueError(f"the recipe {recipe} names no form of {f}, expected some of {', '.join(found)}")
    return _patched(_assembled([found[name] for name in recipe], x), x, patches)


def _assembled(parts: list[Expr], x: Symbol) -> Expr:
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


def _recipe(found: Mapping[str, Expr], known: Sample, x: Symbol) -> Recipe:
    """Return the names of the cheapest forms that are good in all regimes, with as few regimes as that takes."""
    errors = {}
    for name, form in found.items():
        try:
            errors[name] = known.errors(form)
        except (NotImplementedError, TypeError):
            continue
    costs = {name: _cost(found[name]) for name in errors}
    xs = known.at[x]
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
            return names
        if worst < 0.9 * best[0]:  # another regime has to be worth its comparison
            best = (worst, names)
    return best[1]


def _cost(form: Expr) -> int:
    """Return a rough count of operations, a comparison for each piece, and that an own form has to be worth it."""
    return cost(form) + sum(2 * (len(p.args) - 1) for p in form.atoms(Piecewise))


def _best(errors: Mapping[str, Array], costs: Mapping[str, int], where: Array) -> str:
    worst = {name: float(np.max(e[where], initial=0.0)) for name, e in errors.items()}
    good = [name for name, e in worst.items() if e <= GOOD]
    return min(good or worst, key=lambda name: (0 if good else worst[name], costs[name], name != "derived", name))


def _together(
    names: Recipe, errors: Mapping[str, Array], costs: Mapping[str, int], regimes: tuple[Array, ...]
) -> Recipe:
    """Use one form on both sides of 0 where it is good on both: a comparison less."""
    both = [_best(errors, costs, regimes[n] | regimes[n + 2]) for n in (0, 1)]
    joined = (*both, *both)
    good = all(np.max(errors[n][w], initial=0.0) <= GOOD for n, w in zip(joined, regimes, strict=True))
    return joined if good else names


def _patches(f: Expr, made: Expr, x: Symbol, targets: Mapping[Symbol, tuple[float, ...]]) -> Patches:
    """Return the values at 0, +∞ and -∞ that the form does not have and the formula has, as limits."""
    found = []
    for name, point in (("0", 0.0), ("inf", np.inf), ("-inf", -np.inf)):
        limit = _limit(f, x, point, targets)
        here = {x: np.array([point], np.float32), **{t: np.array([0.3], np.float32) for t in targets}}
        value = float(in_float32(made, here)[0])
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


def _patched(form: Expr, x: Symbol, patches: Patches) -> Expr:
    conditions = {"0": Eq(x, 0), "inf": AtInfinity(x), "-inf": AtInfinity(-x)}
    values = {"x": x, "-x": -x}
    pieces = [(values[v] if v in values else _number(v), conditions[at]) for at, v in patches]
    return Piecewise(*pieces, (form, True)) if pieces else form


def _number(text: str) -> Expr:
    number = Rational(text)
    return Integer(number) if number.is_Integer else number
