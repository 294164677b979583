"""The delicate parts of an equation are found, and put into their forms; everything else stays."""

import pytest
from sympy import Eq, Function, Piecewise, Sum, exp, log, sqrt, tanh

from symbackprop.calculus.forms import Forms
from symbackprop.symbols import Axis, array, scalar, size
from symbackprop.terms import Equation

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
    assert change[2].error_after <= change[2].error


def test_a_loss_that_is_not_linear_in_the_target_stays(forms):
    rhs = log(1 + exp(a[j] * y[j]))
    assert rewritten(forms, rhs) == rhs


def test_what_is_known_is_not_chosen_again(forms, monkeypatch):
    rewritten(forms, SILU)
    again = Forms(dict(forms.known))
    monkeypatch.setattr("symbackprop.calculus.forms.choose", lambda *_: pytest.fail("chosen again"))
    assert rewritten(again, SILU) == rewritten(forms, SILU)
