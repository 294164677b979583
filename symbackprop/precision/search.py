"""Which form of a formula of one number to compute: measured in ULP against mpmath, over all floats.

The formula as derived is kept where it is good. Else the cheapest candidate that is good everywhere is taken; else one
for each sign; else one for each sign and for |x| above and below 1; where none is good, the best. The choice is made at
some points and holds only if at others it is no worse than the formula as derived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import islice, product
from typing import Any

import numpy as np
from mpmath import mp
from sympy import (
    Abs,
    Dummy,
    Eq,
    Expr,
    Function,
    Integer,
    Piecewise,
    PolynomialError,
    Pow,
    Rational,
    Symbol,
    cosh,
    exp,
    sinh,
)

from symbackprop.calculus.simplify import cost
from symbackprop.expr.printing import formula
from symbackprop.expr.symbols import AtInfinity, decay
from symbackprop.precision.codec import from_tree, tree_of
from symbackprop.precision.expansions import End, alike, ends, joined
from symbackprop.precision.reasons import reason
from symbackprop.precision.rewrites import (
    COSTLY,
    FORMS,
    accurate,
    by_sign,
    decay_of,
    exponents,
    in_cases,
    inner,
    kept_in_order,
    largest,
    normals,
    squares_out,
    whole,
)
from symbackprop.precision.truth import BITS, exact
from symbackprop.precision.ulp_error import FORMATS, WRONG, Array, Samples, computed, sample

GOOD = 4.0  # ULP, with every function correctly rounded; what is compiled has up to 2 or 3 more
NEARLY = 5.0  # ULP up to which one form, or one a sign, is taken before four, all of which a vector loop computes
ENOUGH = 6.0  # ULP up to which no costlier form is looked for
TOLERATED = 24.0  # ULP up to which no expansion is, for each number in a vector loop pays for it: a Φ(a) has 20
ACCURATE = 8.0  # ULP up to which a form needs no word about where it is worst
Counts = tuple[int, int]
POINTS, HELD_OUT = (1000, 300), (1000, 300)  # of float32, of float64
FEWER = ((400, 160), (200, 80))
CHOOSING, JUDGING = 1, 2  # seeds
MOST = 12  # candidates
LARGEST_PART = 90  # operations; of what is larger no form is looked for, which could take minutes
TARGETS = (0.0, 0.3, 1.0)
Recipe = tuple[str, ...]  # the names of the candidates of the regimes, see `assembled`


@dataclass(frozen=True)
class Choice:
    """A formula as derived, the form chosen, and the largest errors of both in ULP, of both types, on held-out points.

    Attributes
    ----------
    recipe
        The names of the forms it is made of: one, one for each sign (positive first), or one for each of x > 1,
        0 < x ≤ 1, x < -1 and the rest.
    patches
        Values at 0, +∞ and -∞ themselves, where the form has none.
    expanded
        Where an expansion is used instead, as conditions on x.
    why
        Where a form that is not accurate is worst, and what of it.
    wrong, still_wrong
        How many values at the held-out points were NaN or infinite though the true ones are not: before and after.
    """

    before: Expr
    after: Expr
    recipe: Recipe = ("derived",)
    patches: tuple[tuple[str, str], ...] = ()
    expanded: tuple[str, ...] = ()
    error: float = 0.0
    error_after: float = 0.0
    wrong: int = 0
    still_wrong: int = 0
    why: str = ""

    @property
    def changed(self) -> bool:
        """Whether another form than the derived one was chosen."""
        return self.recipe != ("derived",) or bool(self.patches or self.expanded)

    def remembered(self) -> dict[str, Any]:
        """Return what `recalled` needs: names and numbers, and the form, unless it cannot be built from its parts."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        patches = [list(p) for p in self.patches]
        made = {
            "recipe": list(self.recipe),
            "patches": patches,
            "expanded": [*self.expanded],
            "why": self.why,
            **numbers,
        }
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
        why = f" {self.why}" if self.why else ""
        if not self.changed:
            return f"up to {_shown(self.error_after)} ULP{lost}{why}"
        return f"{_shown(self.error)} ULP{lost} become {_shown(self.error_after)}{left}{places}{why}"


def _shown(error: float) -> str:
    return f"{error:.1f}" if error < 100 else f"{error:.1e}"


def candidates(f: Expr, x: Symbol, derived: Expr, kinds: Iterable[str] = FORMS) -> dict[str, Expr]:
    """Return the formula as derived (and made safe by rule), and every form of it of some kinds, by name."""
    found = {"derived": derived}
    for name, form in ((name, (FORMS | COSTLY)[name]) for name in kinds):
        try:
            for n, made in enumerate(islice(form(f, x), MOST)):
                if made is not None and made not in found.values():
                    found[f"{name} {n + 1}" if n else name] = made
        except (PolynomialError, NotImplementedError, RecursionError, ValueError, TypeError):
            continue  # SymPy cannot write it so: one candidate less
    return found


_NUMBERS = ("error", "error_after", "wrong", "still_wrong")


def is_measure(known: Any) -> bool:
    """Whether what was remembered is what `measured` returned."""
    match known:
        case [float(), int()]:
            return True
    return False


def recalled(f: Expr, known: Any) -> Choice | None:
    """Return the choice that was remembered, None where there is none or it is damaged."""
    try:
        recipe, patches = tuple(known["recipe"]), tuple((str(at), str(value)) for at, value in known["patches"])
        numbers = {name: float(known[name]) for name in _NUMBERS[:2]} | {n: int(known[n]) for n in _NUMBERS[2:]}
        form = _built(f, known["form"])
        expanded = tuple(map(str, known["expanded"]))
        why = str(known["why"])
        return None if form is None else Choice(f, form, recipe, patches, expanded, why=why, **numbers)  # type: ignore[arg-type]
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
    """Whether a formula has only sums, products and pieces, or is one elementary function: nothing to gain.

    An exponential of a rounded number is no such function: e^u has |u| times the relative error of u.
    """
    if isinstance(f, Function) and not f.args[0].has(Function, Pow) and not isinstance(f, Piecewise):
        return not isinstance(f, exp | sinh | cosh) or f.args[0].is_Symbol or f.args[0] == -f.free_symbols.pop()
    return is_simple(f)


def is_simple(f: Expr) -> bool:
    """Whether a formula has only sums, products and pieces."""
    simple = not f.atoms(Function) - f.atoms(Piecewise, Abs)
    return simple and not any(p.exp.is_negative or not p.exp.is_Integer for p in f.atoms(Pow) if p.free_symbols)


def choose(
    f: Expr,
    x: Symbol,
    targets: Iterable[Symbol] = (),
    by_rule: Callable[[Expr], Expr] = lambda f: f,
    counts: tuple[Counts, Counts] = (POINTS, HELD_OUT),
) -> Choice:
    """Return the form of a formula of x that is accurate over all floats.

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
    counts
        How many points of float32 and of float64 it is chosen at, and how many it is judged at.
    """
    derived = by_rule(f)
    if needs_none(f) or f.count_ops() > LARGEST_PART:
        return Choice(f, derived)
    values = dict.fromkeys(targets, TARGETS)
    known = _samples(f, x, values, counts[0], CHOOSING)
    found = candidates(f, x, derived)
    errors = _errors(found, known)
    recipe, worst = _recipe(found, errors, known.points(x))
    chosen_ends: list[End] = []
    if worst > ENOUGH and not targets:
        found |= candidates(f, x, derived, COSTLY) | _nested(f, x, derived, by_rule) | _by_piece(f, x, by_rule)
        errors |= _errors({name: form for name, form in found.items() if name not in errors}, known)
        recipe, worst = _recipe(found, errors, known.points(x))
    if worst > TOLERATED and not targets:
        chosen_ends, within = _ends(f, x, errors, known)
        recipe, _ = _recipe(found, {name: np.where(within, 0, e) for name, e in errors.items()}, known.points(x))
    made = _assembled([found[name] for name in recipe], x)
    pieces = joined(chosen_ends, x)
    if pieces:
        made = Piecewise(*pieces, (made, True))
    expanded = tuple(formula(condition) for _, condition in pieces)
    patches = _patches(f, made, x, values)
    held_out = _samples(f, x, values, counts[1], JUDGING)
    about = Choice(f, derived, recipe, patches, expanded)
    return _judged(f, _patched(made, x, patches), derived, about, held_out)


def _nested(f: Expr, x: Symbol, derived: Expr, by_rule: Callable[[Expr], Expr]) -> dict[str, Expr]:
    """Return forms of f in which what its functions are of is in a form of its own, and f in forms of that."""
    made = _around(f, x, by_rule)
    plain = {"inside": derived} | {f"normal {n} inside": g for n, g in enumerate(normals(f, x))}
    for kind, g in plain.items():
        parts = inner(g, x)
        if not parts:
            continue
        forms = {u: _form_inside(u, x, by_rule) for u in parts}
        made[kind] = squares_out(g.xreplace(forms), x)
        for u in parts:
            made |= {f"{kind} {name}": form.xreplace(forms) for name, form in _of_inside(g, u, x).items()}
    for g in (f, derived) if not derived.has(Piecewise) else (f,):
        made |= _of_exponents(g, x)
    return made


def _of_exponents(f: Expr, x: Symbol) -> dict[str, Expr]:
    """Return forms of f as a function of what an exponential within it is of, where that is delicate itself."""
    made: dict[str, Expr] = {}
    for u in exponents(f, x):
        forms = _of_inside(f, u, x)
        made |= {f"of {formula(u)} {name}": form for name, form in forms.items()}
        made |= {f"of {formula(u)} {name}, accurate": accurate(form, x) for name, form in forms.items()}
    return made


def _by_piece(f: Expr, x: Symbol, by_rule: Callable[[Expr], Expr]) -> dict[str, Expr]:
    """Return f with its conditions outside of all else, and each piece in a form of its own."""
    pieces = [(_form_inside(piece, x, by_rule), c) for piece, c in in_cases(f)]
    return {"by piece": Piecewise(*pieces)} if pieces else {}


def _of_inside(g: Expr, u: Expr, x: Symbol) -> dict[str, Expr]:
    """Return the forms of g as a function of u, all else in it kept as it is."""
    v = Dummy("v", real=True)
    h = g.xreplace({u: v})
    rest = {e: Dummy("w", real=True) for e in whole_of(h, v, x)} | {x: Dummy("w", real=True)}
    back = {d: e for e, d in rest.items()}
    h = h.xreplace(rest)
    forms = candidates(h, v, h, ("saturated", *FORMS))
    made = {}
    for name, form in [*forms.items()][1:]:  # behind h itself
        form = form.xreplace(back).xreplace({v: u})  # noqa: PLW2901
        made[name] = kept_in_order(form.replace(decay, decay_of), x)
    return made


def whole_of(h: Expr, v: Symbol, x: Symbol) -> list[Expr]:
    """Return the largest functions and roots of x in h that do not read v."""
    return largest(e for e in h.atoms(Function, Pow) if e.has(x) and not e.has(v))


def _around(f: Expr, x: Symbol, by_rule: Callable[[Expr], Expr]) -> dict[str, Expr]:
    """Return forms of f in which functions that are parts of it have forms of their own."""
    parts = whole(f, x)
    if not parts:
        return {}
    forms = {u: _form_inside(u, x, by_rule) for u in parts}
    back = {Dummy(f"w{n}", real=True): u for n, u in enumerate(parts)}
    h = f.xreplace({u: d for d, u in back.items()})
    put = {d: forms[u] for d, u in back.items()}
    return {f"around {name}": form.xreplace(put) for name, form in candidates(h, x, h).items()}


@cache
def _form_inside(u: Expr, x: Symbol, by_rule: Callable[[Expr], Expr]) -> Expr:
    if not u.has(x):
        return u
    form = choose(u, x, (), by_rule, FEWER).after
    return form.args[-1].expr if form.has(AtInfinity) else form


def _samples(
    f: Expr, x: Symbol, values: Mapping[Symbol, tuple[float, ...]], counts: Iterable[int], seed: int
) -> Samples:
    return _sampled(f, x, tuple(values.items()), tuple(counts), seed)


@lru_cache(maxsize=4)  # what a form is chosen and judged at is measured again through a stored value
def _sampled(f: Expr, x: Symbol, values: tuple[Any, ...], counts: tuple[int, ...], seed: int) -> Samples:
    both = zip(counts, FORMATS, strict=True)
    return Samples(tuple(sample(f, x, dict(values), n, seed, dtype) for n, dtype in both))


def _errors(found: Mapping[str, Expr], known: Samples) -> dict[str, Array]:
    errors = {}
    for name, form in found.items():
        with suppress(NotImplementedError, TypeError):
            errors[name] = known.errors(form)
    return errors


def _ends(f: Expr, x: Symbol, errors: Mapping[str, Array], known: Samples) -> tuple[list[End], Array]:
    """Return expansions for the ends where no form is good, and where they hold."""
    xs = known.points(x)
    chosen: list[End] = []
    within = np.zeros(xs.size, bool)
    for side, at_zero in product((1, -1), (True, False)):
        quarter = (side * xs >= 0) & ((abs(xs) <= 1) if at_zero else (abs(xs) > 1))
        best: tuple[float, End | None, Array] = (0.9 * _least(errors, quarter), None, quarter)
        if best[0] <= 0.9 * GOOD:
            continue
        for end in ends(f, x, side, at_zero=at_zero):
            size = side * xs
            inside = quarter & ((size < float(end.bound)) if at_zero else (size > float(end.bound)))
            worst = max(_worst(known.errors(end.form), inside), _least(errors, quarter & ~inside))
            if worst < best[0]:
                best = (worst, end, inside)
            if worst <= GOOD:
                break
        if best[1] is not None:
            chosen.append(best[1])
            within |= best[2]
    return alike(f, x, chosen), within


def _worst(errors: Array, where: Array) -> float:
    return float(np.max(errors[where], initial=0.0))


def _least(errors: Mapping[str, Array], where: Array) -> float:
    return min(_worst(e, where) for e in errors.values())


def measured(f: Expr, form: Expr, x: Symbol, targets: Iterable[Symbol] = ()) -> tuple[float, int]:
    """Return the largest error in ULP of a form of f, on held-out points, and how many of its values are wrong."""
    held_out = _samples(f, x, dict.fromkeys(targets, TARGETS), HELD_OUT, JUDGING)
    return _worst_and_wrong(held_out.errors(form))


def _worst_and_wrong(errors: Array) -> tuple[float, int]:
    return float(np.max(errors[errors < WRONG], initial=0.0)), int(np.sum(errors == WRONG))


def _judged(f: Expr, made: Expr, derived: Expr, about: Choice, held_out: Samples) -> Choice:
    before, after = (held_out.errors(e) for e in (derived, made))
    (worst, bad), (worst_after, still) = map(_worst_and_wrong, (before, after))
    if about.changed and made != derived and (still, worst_after) > (bad, worst):
        about, made, after, worst_after, still = Choice(f, derived), derived, before, worst, bad
    at = held_out.at(int(np.argmax(np.where(after < WRONG, after, 0))))
    why = reason(made, at) if worst_after > ACCURATE else ""
    return replace(about, after=made, error=worst, error_after=worst_after, wrong=bad, still_wrong=still, why=why)


Patches = tuple[tuple[str, str], ...]


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


def _recipe(found: Mapping[str, Expr], errors: Mapping[str, Array], xs: Array) -> tuple[Recipe, float]:
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


def _patches(f: Expr, made: Expr, x: Symbol, targets: Mapping[Symbol, tuple[float, ...]]) -> Patches:
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


def _patched(form: Expr, x: Symbol, patches: Patches) -> Expr:
    conditions = {"0": Eq(x, 0), "inf": AtInfinity(x), "-inf": AtInfinity(-x)}
    values = {"x": x, "-x": -x}
    pieces = [(values[v] if v in values else _number(v), conditions[at]) for at, v in patches]
    return Piecewise(*pieces, (form, True)) if pieces else form


def _number(text: str) -> Expr:
    number = Rational(text)
    return Integer(number) if number.is_Integer else number
