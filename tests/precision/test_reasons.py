"""What enlarges an error most is found by values."""

import pytest
from sympy import Piecewise, cos, erfc, exp, log, sin

from symbackprop.precision import parts
from symbackprop.precision.max_shift import by_rules
from symbackprop.precision.reasons import reason
from symbackprop.precision.search import choose

x = parts.X
FOUND = {  # a form, where, and what is said
    "a difference": (1 - cos(x), 0.01, "at x = 0.01, where an error of cos(x) counts 2.0e+4-fold"),
    "a tail": (erfc(x / 3), 30.0, "at x = 30, where an error of x/3 counts 2.0e+2-fold"),
    "an exponential": (exp(x * log(x)), 20.0, "at x = 20, where an error of log(x) counts 60.0-fold"),
    "the case that holds": (Piecewise((1 - cos(x), x > 1), (exp(x**2), True)), -7.0, "at x = -7, where an error of x² counts 49.0-fold"),
    "nothing": (x * sin(x) ** 2, 1.0, "at x = 1"),
}


@pytest.mark.parametrize("name", FOUND)
def test_the_part_whose_error_counts_most_is_named(name):
    form, at, words = FOUND[name]
    assert reason(form, {x: at}) == words


def test_a_form_that_is_not_accurate_says_where_and_why():
    found = choose(cos(sin(x / 10)), x, (), by_rules)
    assert found.note.startswith("up to ")
    assert " at x = " in found.note
    assert "where an error of 0.1 x counts" in found.note
    assert not choose(exp(x) / (1 + exp(x)), x, (), by_rules).why
