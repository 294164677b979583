"""The delicate parts of an equation are found, and put into their forms; everything else stays."""

import json

import pytest
from mpmath import mp
from sympy import Eq, Function, Indexed, Piecewise, Rational, S, cosh, exp, log, sqrt, tanh
from sympy.codegen.cfunctions import expm1, log1p

from symbackprop.expr.equations import Equation, Step
from symbackprop.expr.reductions import Sum
from symbackprop.expr.symbols import Axis, array, decay, scalar, size, stored
from symbackprop.precision.apply import Forms
from symbackprop.precision.parts import T, X
from symbackprop.precision.search import ENOUGH, HELD_OUT, JUDGING, TARGETS, measured
from symbackprop.precision.truth import exact
from symbackprop.precision.ulp_error import sample

J = Axis("j", size("n"))
j = J.index
i = Axis("i", size("n")).index
a, h, d, f, y = map(array, ["a", "h", "d", "f", "y"])
step = scalar("step")
SILU = a[j] / (1 + exp(-a[j]))


@pytest.fixture(scope="module")
def forms():
    return Forms()


def rewritten(forms, rhs):
    return forms.rewritten(Equation(h[j], rhs, (J,))).rhs


def test_a_part_keeps_what_stands_around_it(forms):
    form = rewritten(forms, SILU)
    assert form != SILU
    assert rewritten(forms, d[j] * SILU) == d[j] * form
    assert rewritten(forms, step * SILU + d[j]) == step * form + d[j]
    assert rewritten(forms, Sum(SILU, J.limits)) == Sum(form, J.limits)


@pytest.mark.parametrize(
    "rhs",
    [a[j], tanh(a[j]), d[j] * (1 - h[j] ** 2), exp(a[j]) / Sum(exp(a[j]), J.limits), log(Sum(exp(a[j]), J.limits)) - a[0],
     f[j] - Piecewise((1, Eq(j, 1)), (0, True)), step * a[j], sqrt(step), log(a[j] * d[j]), Function("g")(a[j]) * step],
)  # fmt: skip
def test_the_rest_stays(forms, rhs):
    assert rewritten(forms, rhs) == rhs


def test_a_loss_of_a_difference_is_a_function_of_it(forms):
    made = rewritten(forms, sqrt((f[j] - y[j]) ** 2 + 1) - 1)
    assert made.free_symbols
    assert all(not e.has(y[j]) or e.has(f[j]) for e in made.atoms(sqrt(f[j]).func))
    (change,) = forms.changes(Equation(h[j], sqrt((f[j] - y[j]) ** 2 + 1) - 1, (J,)))
    assert change.choice.error_after <= change.choice.error


SIGMOID = Equation(f[j], 1 / (1 + exp(-a[j])), (J,))
SOFTMAX = Equation(f[j], exp(a[j]) / Sum(exp(a[j]), J.limits), (J,))


@pytest.mark.parametrize("rhs", [f[j] - y[j], 2 * (f[j] - y[j]) * f[j] * (1 - f[j])], ids=str)
def test_a_gradient_at_a_target_is_computed_from_what_the_output_is_computed_from(forms, rhs):
    gradient = Equation(d[j], rhs, (J,))
    made = forms.rewritten(gradient, (SIGMOID,))
    assert a[j] in made.rhs.atoms(Indexed)
    assert f[j] not in made.rhs.atoms(Indexed)
    (change,) = forms.changes(gradient, (SIGMOID,))
    assert (change.derived, change.after, change.given) == (rhs, made.rhs, (SIGMOID,))
    known = sample(change.choice.before, X, {T: TARGETS}, HELD_OUT[0], JUDGING)
    assert known.errors(change.choice.after).max() < ENOUGH  # in float32, beside the root of 0.3 - f too
    assert change.choice.error > 1e7
    Step("stable form", change.derived, change.before, change.after, (J,), change.given).check()


@pytest.mark.parametrize(
    ("rhs", "stored"),
    [(f[j] - y[j], ()), (f[j] - y[j], SOFTMAX), (f[j] - y[j], Equation(f[j], a[j], (J,))), (d[j] * f[j] * (1 - f[j]), SOFTMAX),
     (h[j] - y[j], SIGMOID), (a[j] - y[j], SIGMOID), (d[j] * f[j], SIGMOID), (d[j] * f[j] ** 2, SIGMOID),
     (d[j] * f[i] * (1 - h[j]), SIGMOID), (d[j] * (1 - f[j] ** 2), Equation(f[j], a[j] ** 2, (J,)))],
)  # fmt: skip
def test_elsewhere_a_gradient_stays_as_derived_through_the_stored_value(forms, rhs, stored):
    gradient = Equation(d[j], rhs, (J,))
    assert forms.rewritten(gradient, (stored,) if stored else ()) == gradient


β, b = scalar("β"), array("b")
ELU = Piecewise((exp(a[j]) - 1, a[j] <= 0), (a[j], True))
ELU_LEARNT = Piecewise((a[j], a[j] > 0), (b[j] * (exp(a[j]) - 1), True))
ELU_SCALED = Piecewise((step * a[j], a[j] > 0), (step * b[j] * (exp(a[j]) - 1), True))


@pytest.mark.parametrize(
    ("g", "slope"),
    [(tanh(a[j]), 1 - h[j] ** 2), (1 / (1 + exp(-a[j])), h[j] * (1 - h[j])), (ELU, Piecewise((1 + h[j], a[j] <= 0), (1, True))),
     (3 * tanh(a[j] / 2), Rational(3, 2) - h[j] ** 2 / 6), (tanh(b[j] * a[j]), b[j] * (1 - h[j] ** 2)),
     (ELU_LEARNT, Piecewise((1, a[j] > 0), (b[j] + h[j], True))),
     (ELU_SCALED, Piecewise((step, a[j] > 0), (step * b[j] + h[j], True)))],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("place", [j, i], ids=str)
def test_a_slope_that_would_lose_digits_is_computed_from_what_the_value_is_computed_from(forms, g, slope, place):
    stored = Equation(h[j], g, (J,))
    gradient = Equation(d[j], (d[j] * slope).xreplace({j: place}), (J,))
    made = forms.rewritten(gradient, (stored,))
    assert h[place] not in made.rhs.atoms(Indexed)
    at = {d[place]: 1, b[place]: 1, step: 1}
    derivative = g.xreplace({a[j]: X, b[j]: S.One, step: S.One}).diff(X)
    for dtype in ("float32", "float64"):
        errors = sample(derivative, X, {}, 200, 7, dtype).errors(made.rhs.xreplace(at).xreplace({a[place]: X}))
        assert errors.max() <= 8
    for change in forms.changes(gradient, (stored,)):
        assert change.choice.error > 1e7 or change.choice.wrong
        Step("stable form", change.derived, change.before, change.after, (J,), change.given).check()


@pytest.mark.parametrize(
    ("g", "slope", "after"),
    [(log(1 + exp(a[j])), 1 - exp(-h[j]), -expm1(-h[j])), (Piecewise((0, a[j] <= 0), (a[j] ** 2, True)), 2 * a[j], 2 * a[j])],
    ids=str,
)  # fmt: skip
def test_a_slope_that_keeps_its_digits_is_read_from_the_stored_value(forms, g, slope, after):
    assert forms.rewritten(Equation(d[j], d[j] * slope, (J,)), (Equation(h[j], g, (J,)),)).rhs == d[j] * after


def test_a_value_is_what_was_computed_before_it_is_read():
    """Not exp(-log(1 + exp a)) = 1/(1 + exp a), which keeps digits that 1 - exp(-h) has lost."""
    through, value = 1 - exp(-stored(log(1 + exp(X)))), 1 - 1 / (1 + exp(X))
    assert measured(value, through, X)[0] > 1e6
    assert stored(X).meaning() == X


SIGMOID_OF_PRODUCT = 1 / (1 + exp(-β * a[j]))


@pytest.mark.parametrize("p", [β, b[j]], ids=["shared", "of each unit"])
@pytest.mark.parametrize(
    "rhs",
    [log(1 + exp(β * a[j])) / β, log(cosh(β * a[j])) / β**2, a[j] ** 2 * exp(β * a[j]) / (1 + exp(β * a[j])) ** 2,
     d[j] * (β * a[j] * SIGMOID_OF_PRODUCT - log(1 + exp(β * a[j]))) / β**2],
    ids=str,
)  # fmt: skip
def test_with_a_learnt_parameter_the_product_is_the_number(forms, rhs, p):
    rhs = rhs.xreplace({β: p})
    (change,) = forms.changes(Equation(h[j], rhs, (J,)))
    assert change.choice.before.free_symbols == {X}
    assert change.choice.still_wrong == 0
    assert forms.rewritten(Equation(h[j], rhs, (J,))).rhs.atoms(decay, log1p, expm1)
    Step("stable form", change.derived, change.before, change.after, (J,)).check()


@pytest.mark.parametrize(
    "rhs", [a[j] * SIGMOID_OF_PRODUCT, SIGMOID_OF_PRODUCT, tanh(β * a[j]), exp(β + a[j]), a[j] / (1 + β**2 * a[j] ** 2) ** 2, exp(a[j]) * log(1 + exp(β * a[j]))],
    ids=str,
)  # fmt: skip
def test_no_form_divides_by_what_the_formula_does_not_divide_by(forms, rhs):
    made = forms.rewritten(Equation(h[j], rhs, (J,))).rhs
    at_zero = {β: S.Zero, a[j]: S.Zero}
    for place in ({β: S.Zero}, {a[j]: S.Zero}, at_zero):
        swap = {**dict.fromkeys((β, a[j]), Rational(1, 3)), **place}
        with mp.workdps(40):
            right, found = (exact(e, {s: mp.mpf(v.p) / v.q for s, v in swap.items()}) for e in (rhs, made))
            assert abs(right - found) < mp.mpf("1e-30")


def test_a_loss_that_is_not_linear_in_the_target_stays(forms):
    rhs = log(1 + exp(a[j] * y[j]))
    assert rewritten(forms, rhs) == rhs


def test_what_is_known_is_not_chosen_again(forms, monkeypatch):
    gradient, kept = Equation(d[j], d[j] * (1 - h[j] ** 2), (J,)), (Equation(h[j], tanh(a[j]), (J,)),)
    rewritten(forms, SILU)
    forms.rewritten(gradient, kept)
    again = Forms(json.loads(json.dumps(forms.known)))
    monkeypatch.setattr("symbackprop.precision.apply.choose", lambda *_: pytest.fail("chosen again"))
    monkeypatch.setattr("symbackprop.precision.apply.measured", lambda *_: pytest.fail("measured again"))
    assert rewritten(again, SILU) == rewritten(forms, SILU)
    assert again.rewritten(gradient, kept) == forms.rewritten(gradient, kept)


def test_what_is_known_and_damaged_is_measured_again(forms):
    gradient, kept = Equation(d[j], d[j] * (1 - h[j] ** 2), (J,)), (Equation(h[j], tanh(a[j]), (J,)),)
    again = Forms({key: ["1", None] for key in forms.known})
    assert again.rewritten(gradient, kept) == forms.rewritten(gradient, kept)
