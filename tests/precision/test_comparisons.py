"""A comparison has the answer of exact numbers at all magnitudes, however it is written."""


import numpy as np
import pytest
from mpmath import mp
from sympy import Gt

from symbackprop.expr.equations import Equation
from symbackprop.expr.symbols import Axis, array, size
from symbackprop.parse.formula import parse
from symbackprop.precision.apply import Forms
from symbackprop.precision.comparisons import POINTS, wrong_answers
from symbackprop.precision.parts import X
from symbackprop.precision.truth import exact
from symbackprop.precision.ulp_error import computed as in_floats

J = Axis("j", size("n"))
a, h = array("a")[J.index], array("h")[J.index]
VANISHING = ["expm1(a)", "exp(a) - 1", "2*exp(a) - 2", "1 - exp(-a)", "log1p(a/(1 + abs(a)))", "sigmoid(a) - 0.5", "tanh(a)/2",
             "exp(a) - exp(-a)", "1 - cos(a)"]  # fmt: skip
WRITTEN = ["sign({u})", "1 if {u} > 0 else -1", "1 if 0 >= {u} else 3", "1 if {u} < 0 else 2"]


@pytest.fixture(scope="module")
def forms():
    return Forms()


def computed(forms, text):
    """The values of a typed formula in float32, in the form in which a kernel computes it, and the exact ones."""
    formula = parse(text, {"a": a})
    form = forms.rewritten(Equation(h, formula, (J,))).rhs
    found = np.broadcast_to(in_floats(form, {a: POINTS}), POINTS.shape)
    with mp.workprec(700):
        return found, np.array([float(exact(formula, {a: mp.mpf(float(p))})) for p in POINTS])


@pytest.mark.parametrize("u", VANISHING)
def test_what_vanishes_at_0_is_told_from_0(forms, u):
    for written in ("heaviside({u})", WRITTEN[VANISHING.index(u) % len(WRITTEN)]):
        found, true = computed(forms, written.format(u=u))
        assert (found == true).all(), (written, POINTS[found != true][:3])


@pytest.mark.parametrize("u", VANISHING)
def test_a_step_at_0_is_seen_beside_what_is_as_small(forms, u):
    found, true = computed(forms, f"a - heaviside({u})")
    assert np.allclose(found, true, rtol=1e-5, atol=0)


def test_conditions_that_are_right_stay_as_they_were_typed(forms):
    for text in ("a if a > 0 else 0", "a if a**2 > 4 else 0", "a if exp(a) > 2 else 0", "relu(relu(a) - 1)"):
        formula = parse(text, {"a": a})
        conditions = [piece.cond for piece in formula.args]
        assert [p.cond for p in forms.rewritten(Equation(h, formula, (J,))).rhs.args] == conditions


def test_wrong_answers_are_counted():
    assert wrong_answers(Gt(X, 0), X) == 0
    assert wrong_answers(parse("1 if exp(x) > 1 else 0", {"x": X}).args[0].cond, X) > 50
