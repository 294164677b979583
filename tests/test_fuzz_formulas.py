"""Random formulas, a small number of them: `make fuzz` looks at many."""

import math
import random

import pytest
from mpmath import mp

from tests.fuzz import formulas
from tests.fuzz.oracle import value_and_slope
from tests.fuzz.trees import ONE, SEVERAL, TWO, Node, drawn, shrunk

a = Node("a")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(24))
def test_no_formula_ends_in_a_python_error(number):
    what, tree = formulas.case(11, number)
    found = formulas.fault(what, tree, measure=False, exact_form=True)
    assert found is None, formulas.counterexample(what, tree, found)


ACCURATE = [
    Node("exp", (a,)), Node("*", (a, Node("sigmoid", (a,)))), Node("softplus", (a,)), Node("atan", (a,)),
    Node("/", (a, Node("+", (Node("1"), Node("abs", (a,)))))),
]  # fmt: skip


@pytest.mark.parametrize("tree", ACCURATE, ids=str)
def test_values_and_slopes_are_those_of_mpmath(tree):
    assert formulas.fault("activation", tree) is None


def one(kind, *args):
    return Node(kind, tuple(Node(arg) if isinstance(arg, str) else arg for arg in args))


CUBE = one("**", a, "3")
ONCE_WRONG = {  # each was found by a random formula, and shrunk
    "an exponential of an exponential is of a form of its own": one("softplus", one("expm1", CUBE)),
    "an exponent with what cannot be compensated": one("sigmoid", one("sinh", a)),
    "a square under a tangent": one("*", one("tanh", a), one("**", one("tanh", one("*", a, a)), "-2")),
    "the slope of a tangent through its value": one("tan", a),
    "a hyperbolic sine of a rounded number": one("sinh", one("-", a, "3")),
    "0 beside 0, a factor infinite": one("erf", one("**", a, "-1")),
    "a divisor that overflows": one("*", one("sign", a), one("/", "1.702", a)),
    "an exponent that is compensated stays so": one("arctan", one("expm1", one("expm1", a))),
    "ten times the largest times 0": one("*", one("*", "10", a), one("expm1", a)),
    "terms cancel, as the header says": one("-", one("max", one("*", "100", a), one("arctan", a)), one("tanh", a)),
    "an error that a function enlarges, as the header says": one("expm1", one("tan", a)),
    "the logarithm of a power that overflows": one("log", one("**", a, "-2")),
    "a lost angle": one("sin", one("+", "1", a)),
}
SLOWLY = {
    "conditions within": one("softplus", one("expm1", one("if", one(">", a, "100"), one("erf", "3"), CUBE))),
    "an angle that is infinite": one("sinc", one("*", a, a)),
    "digits far out are lost either way, those beside 0 are not": one("sinc", one("*", "0.1", a)),
    "a root of what decays": one("**", one("erfc", a), "0.5"),
}


@pytest.mark.parametrize("name", [*ONCE_WRONG, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOWLY)])
def test_formulas_that_once_were_wrong(name):
    assert formulas.fault("activation", (ONCE_WRONG | SLOWLY)[name], points=200) is None


def test_a_loss_that_is_not_real_between_is_told_in_a_line():
    tree = one("erfc", one("abs", one("asin", Node("f"))))
    assert formulas.fault("loss", tree) is None


THROUGH_THE_STORED_VALUE = [
    Node("tanh", (a,)), Node("sigmoid", (a,)), Node("if", (Node(">", (a, Node("0"))), a, Node("*", (Node("0.1"), Node("expm1", (a,)))))),
]  # fmt: skip


@pytest.mark.parametrize("tree", THROUGH_THE_STORED_VALUE, ids=str)
def test_slopes_through_the_stored_value_keep_their_digits(tree):
    assert formulas.fault("activation", tree) is None


@pytest.mark.parametrize("kind", ONE)
def test_the_slopes_of_the_oracle_are_limits_of_differences(kind):
    x, step = 0.375 if kind != "acosh" else 1.375, mp.mpf(2) ** -40
    tree = Node(kind, (a,))
    with mp.workprec(300):
        sides = [value_and_slope(tree, mp.mpf(x) + s * step)[0] for s in (1, -1)]
        difference = (sides[0] - sides[1]) / (2 * step)
        slope = value_and_slope(tree, x)[1]
        assert abs(difference - slope) <= mp.mpf(2) ** -60


@pytest.mark.parametrize(
    ("text", "tree", "x"),
    [("a**3/2", Node("/", (Node("**", (a, Node("3"))), Node("2"))), -1.5), ("max", Node("max", (a, Node("2"), Node("neg", (a,)))), -3.0),
     ("min", Node("min", (a, Node("1"))), 0.5), ("a - e", Node("-", (a, Node("e"))), 1.0)],
)  # fmt: skip
def test_the_oracle_knows_operations(text, tree, x):
    value, slope = value_and_slope(tree, x)
    known = {"a**3/2": (x**3 / 2, 1.5 * x**2), "max": (3, -1), "min": (0.5, 1), "a - e": (1 - math.e, 1)}[text]
    assert (float(value), float(slope)) == pytest.approx(known)


def test_there_is_no_value_outside_of_a_domain_nor_at_what_no_one_could_write_down():
    assert value_and_slope(Node("log", (a,)), -1.0) == (None, None)
    assert value_and_slope(Node("exp", (Node("exp", (Node("exp", (a,)),)),)), 100.0) == (None, None)
    assert value_and_slope(Node("abs", (a,)), 0.0) == (0, None)
    assert value_and_slope(Node("-", (Node("+", (Node("1e10"), a)), Node("1e10"))), 1e-300)[0] == 1e-300


def test_a_formula_is_made_smaller_as_long_as_it_fails():
    tree = drawn(random.Random(3), 4)
    tree = Node("+", (tree, Node("sin", (Node("*", (a, Node("tanh", (a,)))),))))
    assert shrunk(tree, lambda t: any(n.kind == "tanh" for n in t.nodes())) == Node("tanh", (a,))


def test_the_same_seed_gives_the_same_formulas_of_every_function():
    trees = [formulas.case(1, n) for n in range(400)]
    assert trees == [formulas.case(1, n) for n in range(400)]
    assert {n.kind for _, tree in trees for n in tree.nodes()} >= {*ONE, *TWO, *SEVERAL, "if", "**", "and", "or", "not"}


def test_a_wrong_number_is_seen(monkeypatch):
    monkeypatch.setattr(formulas, "value_and_slope", lambda tree, x: (mp.mpf(x) * (1 + mp.mpf(2) ** -18), mp.mpf(1)))
    assert formulas.fault("activation", a).kind == "inaccurate value"
