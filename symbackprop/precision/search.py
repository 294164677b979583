"""Which form of a formula of one number to compute: measured in ULP against mpmath, over all floats.

The formula as derived is kept where it is good. Else the cheapest candidate that is good everywhere is taken; else one
for each sign; else one for each sign and for |x| above and below 1; where none is good, the best. The choice is made at
some points and holds only if at others it is no worse than the formula as derived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache, lru_cache, partial
from itertools import product
from typing import Any

import numpy as np
from sympy import Abs, Expr, Function, Piecewise, Pow, Symbol, cosh, exp, sinh

from symbackprop.expr.printing import formula
from symbackprop.expr.symbols import AtInfinity
from symbackprop.precision.candidates import by_piece, candidates, nested
from symbackprop.precision.choice import Choice
from symbackprop.precision.expansions import End, alike, ends, joined
from symbackprop.precision.reasons import reason
from symbackprop.precision.recipes import GOOD, Recipe, assembled, choose_recipe, find_patches, largest_error, patched
from symbackprop.precision.rewrites import COSTLY
from symbackprop.precision.ulp_error import FORMATS, WRONG, Array, Samples, sample

ENOUGH = 6.0  # ULP up to which no costlier form is looked for
TOLERATED = 24.0  # ULP up to which no expansion is, for each number in a vector loop pays for it: a Φ(a) has 20
ACCURATE = 8.0  # ULP up to which a form needs no word about where it is worst
Counts = tuple[int, int]
POINTS, HELD_OUT = (1000, 300), (1000, 300)  # of float32, of float64
FEWER = ((400, 160), (200, 80))
CHOOSING, JUDGING = 1, 2  # seeds
LARGEST_PART = 90  # operations; of what is larger no form is looked for, which could take minutes
TARGETS = (0.0, 0.3, 1.0)


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
    made, recipe, chosen_ends = _best_form(f, x, derived, known, None if targets else by_rule)
    if pieces := joined(chosen_ends, x):
        made = Piecewise(*pieces, (made, True))
    patches = find_patches(f, made, x, values)
    held_out = _samples(f, x, values, counts[1], JUDGING)
    about = Choice(f, derived, recipe, patches, tuple(formula(condition) for _, condition in pieces))
    return _judged(f, patched(made, x, patches), derived, about, held_out)


def _best_form(
    f: Expr, x: Symbol, derived: Expr, known: Samples, by_rule: Callable[[Expr], Expr] | None
) -> tuple[Expr, Recipe, list[End]]:
    """Return the form that is best at some points, what it is made of, and expansions; these only with a rule."""
    found = candidates(f, x, derived)
    errors = _errors(found, known)
    recipe, worst = choose_recipe(found, errors, known.points(x))
    chosen_ends: list[End] = []
    if worst > ENOUGH and by_rule:
        inside = partial(_form_inside, x=x, by_rule=by_rule)
        found |= candidates(f, x, derived, COSTLY) | nested(f, x, derived, inside) | by_piece(f, inside)
        errors |= _errors({name: form for name, form in found.items() if name not in errors}, known)
        recipe, worst = choose_recipe(found, errors, known.points(x))
    if worst > TOLERATED and by_rule:
        chosen_ends, within = _ends(f, x, errors, known)
        beyond = {name: np.where(within, 0, e) for name, e in errors.items()}
        recipe, _ = choose_recipe(found, beyond, known.points(x))
    return assembled([found[name] for name in recipe], x), recipe, chosen_ends


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
            worst = max(largest_error(known.errors(end.form), inside), _least(errors, quarter & ~inside))
            if worst < best[0]:
                best = (worst, end, inside)
            if worst <= GOOD:
                break
        if best[1] is not None:
            chosen.append(best[1])
            within |= best[2]
    return alike(f, x, chosen), within


def _least(errors: Mapping[str, Array], where: Array) -> float:
    return min(largest_error(e, where) for e in errors.values())


def measured(f: Expr, form: Expr, x: Symbol, targets: Iterable[Symbol] = ()) -> tuple[float, int, int]:
    """Return the largest error in ULP of a form of f on held-out points, how many are wrong, and how many not good."""
    errors = _samples(f, x, dict.fromkeys(targets, TARGETS), HELD_OUT, JUDGING).errors(form)
    return *_worst_and_wrong(errors), int(np.sum(errors > GOOD))


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
