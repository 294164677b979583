"""Expansions beside 0 and far out have the value of the formula where they are said to hold."""

import pytest
from mpmath import mp
from sympy import Abs, Rational, atan, cos, erf, erfc, exp, log, sin, sinh, sqrt, tanh

from symbackprop.precision.expansions import End, alike, ends, joined
from symbackprop.precision.parts import X
from symbackprop.precision.truth import exact
from symbackprop.precision.ulp_error import computed, sample

x = X
LARGEST, LEAST = mp.ldexp(1, 1025), mp.ldexp(1, -1075)  # beyond it all is one
FORMULAS = (
    sin(x) / x, (x * cos(x) - sin(x)) / x**2, (exp(x) - 1) / x, sqrt(sqrt(x**2 + 1) - 1), log(1 + x**2),
    x * tanh(exp(x)), x * erf(log(1 + exp(x))), x * exp(-(x**2)), sinh(x) / x, Rational(1, 2) + atan(x) / 3,
    x * exp(-Abs(x)), x / (1 + exp(-Rational(851, 500) * x)), erfc(x), x**3 * exp(-(x**2) / 2),
)  # fmt: skip
FACTORS = ("1.001", "1.4", "3", "77", "1e5", "1e17", "1e44")


@pytest.mark.parametrize("at_zero", [True, False], ids=["beside 0", "far out"])
@pytest.mark.parametrize("f", FORMULAS, ids=str)
def test_an_expansion_has_the_value_of_the_formula_where_it_holds(f, at_zero):
    for side in (1, -1):
        for end in ends(f, x, side, at_zero=at_zero):
            bound = mp.mpf(end.bound.p) / end.bound.q
            with mp.workprec(3000):
                for factor in map(mp.mpf, FACTORS):
                    at = {x: side * (bound / factor if at_zero else bound * factor)}
                    right, value = (max(-LARGEST, min(exact(e, at), LARGEST)) for e in (f, end.form))
                    assert abs(right - value) <= mp.ldexp(abs(right), -54) + LEAST, (end, factor)


def test_numbers_are_written_as_what_they_are():
    forms = [str(end.form) for end in ends(x * erf(log(1 + exp(x))), x, -1, at_zero=False)]
    assert forms == ["scaled(2*Max(-4096, x)/sqrt(pi), accurate_exp(x/2))"]
    assert next(ends(sin(x) / x, x, 1, at_zero=True)).form == 1


def test_what_would_cancel_beyond_any_precision_is_expanded():
    first = next(end for end in ends((1 + erf(x / sqrt(2))) / 2, x, -1, at_zero=False) if end.form.has(x))
    assert str(first.form) == "scaled(-sqrt(2)/(2*sqrt(pi)*Max(-128, x)), accurate_exp(-x**2/4))"


def test_the_same_form_on_both_sides_is_one_piece():
    found = [next(e for e in ends(sin(x) / x, x, side, at_zero=True) if e.form.has(x)) for side in (1, -1)]
    assert joined(alike(sin(x) / x, x, found), x) == [(1 - x**2 / 6, Abs(x) < found[0].bound)]


@pytest.mark.parametrize(("f", "at_zero"), [(2000 / (x**3 + 7), False), (1 - cos(40 * x**2), True)], ids=str)
def test_one_term_is_a_number_where_its_power_alone_is_not(f, at_zero):
    form = next(ends(f, x, 1, at_zero=at_zero)).form
    known = sample(f, x, {}, 400, 3)
    values, at = computed(form, known.at), known.at[x]
    far = (at > 1e4) & (at < 1e16) if not at_zero else (at > 0) & (at < 1e-4)
    assert far.any()
    assert known.ruler.errors(values)[far & known.counts].max() <= 3


@pytest.mark.parametrize("f", [sin(x), exp(-x) * sin(x), x * log(Abs(x))], ids=str)
def test_what_has_no_expansion_far_out_gets_none(f):
    assert [e for e in ends(f, x, 1, at_zero=False) if isinstance(e, End) and e.form.has(x)] == []
