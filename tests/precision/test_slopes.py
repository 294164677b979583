"""Slopes that are kept beside their values: which are, under what names, and in which kernels."""

import pytest
from sympy import Rational, exp, tanh

from symbackprop import Network
from symbackprop.derivation.training_step import stages_of_network
from symbackprop.expr.equations import Equation
from symbackprop.expr.symbols import Axis, array, scalar, size
from symbackprop.precision.apply import Change, Forms
from symbackprop.precision.choice import Choice
from symbackprop.precision.slopes import Slopes
from tests import modules

J, I = Axis("j", size("n")), Axis("i", size("n"))  # noqa: E741
j, i = J.index, I.index
a, h, c = array("a^1"), array("h^1"), array("c^2")
TANH = Equation(h[j], tanh(a[j]), (J,))
SLOPE = 4 * exp(-2 * a[i]) / (1 + exp(-2 * a[i])) ** 2


def changed(before, given=(TANH,), after=SLOPE):
    return Change(before, before, after, Choice(before, after), given)


@pytest.mark.parametrize("times", [1, -2, Rational(3, 7)])
def test_the_slope_of_a_value_and_what_is_a_multiple_of_it_are_kept(times):
    slopes = Slopes()
    assert slopes.keep(changed(times * (1 - tanh(a[i]) ** 2), after=times * SLOPE)) == times * array("∂h/∂a^1")[i]
    other = Equation(a[j], array("b^1")[j], (J,))
    kept = Equation(array("∂h/∂a^1")[j], SLOPE.xreplace({i: j}), (J,), "slope")
    assert slopes.beside((other, TANH, other)) == (other, TANH, kept, other)


@pytest.mark.parametrize(
    "change",
    [changed(a[i] * (1 - tanh(a[i]) ** 2)), changed(1 - tanh(a[i])), changed(0 * a[i]), changed(scalar("p") * (1 - tanh(a[i]) ** 2)),
     changed(1 - tanh(a[i]) ** 2, (TANH, TANH)), changed(1 - tanh(c[i]) ** 2, (Equation(h[j], tanh(c[j]), (J,)),)),
     changed(1 - tanh(array("a")[i]) ** 2, (Equation(array("h")[j], tanh(array("a")[j]), (J,)),)),
     changed(1 - tanh(a[i]) ** 2, (Equation(h[j], tanh(a[j + 1]), (J,)),))],
)  # fmt: skip
def test_what_is_no_slope_of_one_element_is_computed_where_it_is_read(change):
    slopes = Slopes()
    assert slopes.keep(change) == change.after
    assert not slopes.kept


def test_slopes_are_computed_in_training_and_not_in_prediction():
    stages = stages_of_network(Network(("tanh", "relu", "sigmoid")).resolved)
    made = stages.in_forms(Forms())
    assert [e.name for e in made.forward if e.name.startswith("∂")] == ["∂h/∂a^1", "∂h/∂a^3"]
    assert [e.name for e in made.predicting] == [e.name for e in stages.forward]
    assert [e.name for e in stages.in_forms(Forms(), beside=False).forward] == [e.name for e in stages.forward]
    kernels = modules.gradient_kernels(Network(("tanh",)))
    assert [kernel.name for kernel in kernels if any(w.name == "∂h/∂a^1" for w in kernel.locals)] == ["backward"]
