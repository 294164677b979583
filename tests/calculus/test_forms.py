"""The delicate parts of an equation are found, and put into their forms; everything else stays."""

import pytest
from sympy import Eq, Function, Indexed, Piecewise, Sum, exp, log, sqrt, tanh

from symbackprop.calculus.forms import Forms
from symbackprop.symbols import Axis, array, scalar, size
from symbackprop.terms import Equation, Step

J = Axis("j", size("n"))
j = J.index
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
    assert change.choice.error_after < 5
    assert change.choice.error > 1e7
    Step("stable form", change.derived, change.before, change.after, (J,), change.given).check()


@pytest.mark.parametrize(
    ("rhs", "stored"),
    [(f[j] - y[j], ()), (f[j] - y[j], SOFTMAX), (f[j] - y[j], Equation(f[j], a[j], (J,))), (d[j] * f[j] * (1 - f[j]), SIGMOID),
     (h[j] - y[j], SIGMOID), (a[j] - y[j], SIGMOID)],
)  # fmt: skip
def test_elsewhere_a_gradient_stays_as_derived_through_the_stored_value(forms, rhs, stored):
    gradient = Equation(d[j], rhs, (J,))
    assert forms.rewritten(gradient, (stored,) if stored else ()) == gradient


def test_a_loss_that_is_not_linear_in_the_target_stays(forms):
    rhs = log(1 + exp(a[j] * y[j]))
    assert rewritten(forms, rhs) == rhs


def test_what_is_known_is_not_chosen_again(forms, monkeypatch):
    rewritten(forms, SILU)
    again = Forms(dict(forms.known))
    monkeypatch.setattr("symbackprop.calculus.forms.choose", lambda *_: pytest.fail("chosen again"))
    assert rewritten(again, SILU) == rewritten(forms, SILU)
