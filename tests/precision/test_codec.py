"""A formula survives as nested lists of names and numbers; what is none is refused, and nothing is evaluated."""

import json

import pytest
from sympy import Abs, E, Eq, Function, Piecewise, Rational, exp, pi, sqrt, tanh
from sympy.codegen.cfunctions import expm1, log1p

from symbackprop.expr.symbols import AtInfinity, decay, plus, scaled
from symbackprop.precision.candidates import candidates
from symbackprop.precision.codec import from_tree, tree_of
from symbackprop.precision.parts import T, X
from symbackprop.precision.rewrites import FORMS
from tests.precision.test_rewrites import FORMULAS

SYMBOLS = {"x": X, "t": T}


@pytest.mark.parametrize(
    "expr",
    [X, Rational(-3, 7), pi * E * X, sqrt(X**2 + 1) / 3, tanh(X) ** 2, log1p(expm1(X)), scaled(X, decay(X)), plus(1 - T, X),
     Piecewise((X, AtInfinity(X)), (0, Eq(X, 0)), (Abs(X), (X > 1) & (T < X)), (exp(-X), True))],
    ids=str,
)  # fmt: skip
def test_there_and_back(expr):
    assert from_tree(json.loads(json.dumps(tree_of(expr))), SYMBOLS) == expr


@pytest.mark.parametrize("name", FORMULAS)
def test_every_form_is_built_again_from_its_parts(name):
    for form in candidates(FORMULAS[name], X, FORMULAS[name], FORMS).values():
        assert from_tree(tree_of(form), SYMBOLS) == form


@pytest.mark.parametrize(
    "tree",
    [None, 1.5, "y", "exp(x)", [], ["exp"], ["system", "x"], ["Rational", "x", 1], ["Piecewise", "x"], ["Piecewise", ["x"]],
     ["exp", ["eval", "x"]], {"exp": "x"}, ["__import__", "x"], ["Symbol", "x"]],
    ids=str,
)  # fmt: skip
def test_what_is_no_tree_is_refused(tree):
    with pytest.raises((ValueError, TypeError)):
        from_tree(tree, SYMBOLS)


def test_what_is_not_on_the_list_is_not_written():
    with pytest.raises(ValueError, match="not on the list"):
        tree_of(Function("g")(X))
