"""Conditions keep their meaning in the form in which SymPy leaves them alone."""

import itertools

import pytest
from sympy import Eq, Ge, Gt, Le, Lt, Max, Min, Piecewise, Rational, exp, symbols

from symbackprop.expr.conditions import compared, in_pieces, normalised

f, y = symbols("f y", real=True)
POINTS = [dict(zip((f, y), map(Rational, at), strict=True)) for at in itertools.product((-3, 0, 2), repeat=2)]
RELU = Piecewise((0, f <= 0), (f, True))
SIDES = [f, y, 2 * f, Rational(9, 10) * (y - f), Rational(-1, 10) * (y - f), f**2 - 3, -f, RELU, Max(f, y, 1), Min(f, y, 1), 3 * RELU - y, f + 2]


def holds(condition, at):
    return bool(condition.subs(at)) if hasattr(condition, "subs") else bool(condition)


@pytest.mark.parametrize("kind", [Ge, Gt, Le, Lt], ids=lambda k: k.__name__)
def test_a_comparison_has_the_answers_it_had(kind):
    for left, right in itertools.product(SIDES, SIDES):
        made = compared(kind, left, right)
        for at in POINTS:
            assert holds(made, at) == bool(kind(left.subs(at), right.subs(at))), (left, right, at)


def test_every_comparison_can_be_the_condition_of_a_piece_under_other_names():
    u, v = symbols("u v", real=True)
    for left, right in itertools.product(SIDES, SIDES):
        made = Piecewise((1, compared(Ge, left, right)), (2, True))
        made.xreplace({f: v, y: u}).xreplace({u: f - 1})


def test_the_largest_and_the_smallest_are_pieces_of_the_same_value():
    for args in itertools.combinations(SIDES[::2], 3):
        for kind in (Max, Min):
            made = in_pieces(kind(*args))
            assert not made.has(Max, Min)
            assert all(made.subs(at) == kind(*args).subs(at) for at in POINTS[::3])


def test_more_cases_than_anyone_could_read_are_refused():
    steps = sum(Piecewise((0, f <= n), (f, True)) * y**n for n in range(8))
    with pytest.raises(ValueError, match="more than 64 cases"):
        compared(Le, steps, exp(f))


def test_formulas_made_in_python_have_their_conditions_in_the_same_form():
    made = normalised(Piecewise((1, f**2 + f > y + 2), (0, True)))
    assert [c.rhs for c in made.atoms(Gt, Lt)] == [2]
    assert normalised(Piecewise((1, Eq(f, 0)), (2, True))) == Piecewise((1, Eq(f, 0)), (2, True))
