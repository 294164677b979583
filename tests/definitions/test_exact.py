"""Decimals of formulas are the numbers that were written; what is no real formula is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import I, Symbol, nan, oo, sin, zoo

from symbackprop.definitions.exact import exact

a = Symbol("a", real=True)


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_its_shortest_decimal(number):
    made = exact(number)
    assert made.is_Rational
    assert Decimal(int(made.p)) / Decimal(int(made.q)) == pytest.approx(Decimal(repr(number)), rel=Decimal("1e-25"))
    assert float(made) == number


def test_floats_within_become_rational_too():
    assert exact(0.1 * a + sin(0.5 * a)) == a / 10 + sin(a / 2)
    assert exact(3) == 3


@pytest.mark.parametrize("formula", [nan, oo, -oo, zoo, I * a], ids=str)
def test_what_is_not_real_and_finite_is_refused(formula):
    with pytest.raises(ValueError, match="expected real and finite numbers"):
        exact(formula)


@pytest.mark.parametrize("formula", [True, "a", None, [a], a > 0], ids=repr)
def test_what_is_no_formula_is_refused_with_its_type(formula):
    with pytest.raises(ValueError, match=type(formula).__name__):
        exact(formula)
