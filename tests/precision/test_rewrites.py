"""Every form has the value of the formula it is made from, at every point and to many digits."""

from functools import partial

import pytest
from mpmath import mp
from sympy import Abs, Max, Piecewise, atan, cos, cosh, erf, exp, log, sin, sinh, sqrt, tanh

from symbackprop.expr.symbols import decay, plus
from symbackprop.precision import apply
from symbackprop.precision.candidates import by_piece, candidates, nested
from symbackprop.precision.max_shift import by_rules
from symbackprop.precision.rewrites import COSTLY, FORMS
from symbackprop.precision.search import _form_inside
from symbackprop.precision.truth import exact

x = apply.X
FORMULAS = {
    "sigmoid": 1 / (1 + exp(-x)),
    "sigmoid'": exp(-x) / (1 + exp(-x)) ** 2,
    "tanh'": 1 - tanh(x) ** 2,
    "softplus": log(1 + exp(x)),
    "silu": x / (1 + exp(-x)),
    "silu'": (1 + x - x / (1 + exp(-x))) / (1 + exp(-x)),
    "mish": x * tanh(log(1 + exp(x))),
    "log-cosh": log(cosh(x)),
    "tangent": sinh(x) / cosh(x),
    "gelu": x * (1 + erf(x / sqrt(2))) / 2,
    "gaussian'": -2 * x * exp(-(x**2)),
    "squareplus": (x + sqrt(x**2 + 4)) / 2,
    "isru": x / sqrt(1 + x**2),
    "isru'": 1 / (1 + x**2) / sqrt(1 + x**2),
    "rational": x / (1 + x**2),
    "absolute": exp(-Abs(x)) / (1 + Abs(x)),
    "elu": Piecewise((exp(x) - 1, x <= 0), (x, True)),
}
POINTS = ("-31.25", "-3.5", "-1", "-0.75", "-0.001", "0.001", "0.5", "1", "2.25", "29.5")


@pytest.mark.parametrize("name", FORMULAS)
def test_every_form_has_the_same_value(name):
    f = FORMULAS[name]
    made = candidates(f, x, by_rules(f))
    with mp.workprec(400):
        for form in made.values():
            for text in POINTS:
                right, found = (exact(e, {x: mp.mpf(text)}) for e in (f, form))
                assert abs(found - right) <= mp.mpf("1e-80") * (1 + abs(right)), (form, text)


@pytest.mark.parametrize("target", ["0", "0.3", "1"])
def test_a_form_with_a_target_has_the_same_value_and_adds_up_the_target_first(target):
    f, t = 1 / (1 + exp(-x)) - apply.T, {apply.T: mp.mpf(target)}
    made = candidates(f, x, by_rules(f))
    assert made["exponentials"].atoms(plus) == {plus(1 - apply.T, -apply.T * decay(x))}
    with mp.workprec(400):
        for form in made.values():
            for text in POINTS:
                right, found = (exact(e, {x: mp.mpf(text), **t}) for e in (f, form))
                assert abs(found - right) <= mp.mpf("1e-80"), (form, text)


NESTED = (log(1 + exp(exp(x**3) - 1)), 3 * x**2 * tanh(sinh(x)) * cosh(x), erf(Piecewise((x, x > 1), (exp(x), True))) - 1)


@pytest.mark.parametrize("f", NESTED, ids=str)
def test_every_form_of_what_is_within_has_the_same_value(f):
    inside = partial(_form_inside, x=x, by_rule=by_rules)
    made = nested(f, x, by_rules(f), inside) | by_piece(f, inside)
    assert any(name.startswith(("of ", "by piece")) for name in made)
    with mp.workprec(400):
        for form in made.values():
            for text in ("-2.5", "-0.75", "0.001", "1.5"):
                right, found = (exact(e, {x: mp.mpf(text)}) for e in (f, form))
                assert abs(found - right) <= mp.mpf("1e-25") * (1 + abs(right)), (form, text)


COSTLIER = (
    log(x**-2), log(-2 * x**3), log(5 * x**4 * cosh(x) / tanh(x) ** 2), log(2) * exp(x * log(2)), sin(x**2) / x**2, 1 - cos(3 * x),
    tanh(x) ** 2 - 1, 1 / (2 + atan(x**3)), exp(sinh(x)) / 3, 1 + erf(x),
)  # fmt: skip


@pytest.mark.parametrize("f", COSTLIER, ids=str)
def test_every_costlier_form_has_the_same_value(f):
    made = candidates(f, x, f, COSTLY)
    assert len(made) > 1
    with mp.workprec(400):
        for form in made.values():
            for text in POINTS:
                right, found = (exact(e, {x: mp.mpf(text)}) for e in (f, form))
                assert mp.isnan(right) or abs(found - right) <= mp.mpf("1e-80") * (1 + abs(right)), (form, text)


def test_every_kind_of_form_is_made_for_some_formula():
    names = {name.split()[0] for f in FORMULAS.values() for name in candidates(f, x, f)}
    assert names == {"derived", *FORMS}


@pytest.mark.parametrize("f", [Max(x, 0), Piecewise((0, x <= 0), (x, True)), x**2, x])
def test_what_has_no_delicate_part_has_no_other_form(f):
    assert set(candidates(f, x, f)) == {"derived"}
