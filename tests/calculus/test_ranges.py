"""What is proven of a condition holds for every value that the indices take; what is left is decided by none."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import And, Eq, Ge, Gt, Integer, Le, Lt, Ne, Or, Piecewise, S

from symbackprop.calculus.ranges import proven, without_decided
from symbackprop.expr.symbols import array, index, size

i, j, n, x = index("i"), index("j"), size("n"), array("x")
BOUNDS = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(sorted)
COMPARISONS = st.builds(
    lambda kind, a, b, c: kind(a * i + b * j + c, 0),
    st.sampled_from([Ge, Gt, Le, Lt, Eq, Ne]), *[st.integers(-3, 3)] * 3,
)  # fmt: skip
CONDITIONS = COMPARISONS | st.builds(
    lambda join, a, b: join(a, b), st.sampled_from([And, Or]), COMPARISONS, COMPARISONS
)


@given(condition=CONDITIONS, of_i=BOUNDS, of_j=BOUNDS)
def test_the_answer_is_that_of_every_value(condition, of_i, of_j):
    ranges = {name: tuple(map(Integer, bounds)) for name, bounds in ((i, of_i), (j, of_j))}
    answer = proven(condition, ranges)
    for values in product(range(of_i[0], of_i[1] + 1), range(of_j[0], of_j[1] + 1)):
        at = dict(zip((i, j), values, strict=True))
        assert bool(answer.subs(at)) == bool(condition.subs(at))


@given(comparison=COMPARISONS, of_i=BOUNDS, of_j=BOUNDS)
def test_an_inequality_that_always_or_never_holds_is_decided(comparison, of_i, of_j):
    ranges = {name: tuple(map(Integer, bounds)) for name, bounds in ((i, of_i), (j, of_j))}
    values = product(range(of_i[0], of_i[1] + 1), range(of_j[0], of_j[1] + 1))
    holds = {bool(comparison.subs(dict(zip((i, j), at, strict=True)))) for at in values}
    if len(holds) == 1 and not isinstance(comparison, Eq | Ne):
        assert proven(comparison, ranges) == S(holds.pop())


@pytest.mark.parametrize("condition", [i < n, x[i] > 0, i > j], ids=str)
def test_what_the_ranges_do_not_say_is_left(condition):
    assert proven(condition, {i: (Integer(0), Integer(4))}) == condition


def test_sizes_are_positive_numbers():
    assert proven(i >= n, {i: (Integer(0), n - 1)}) == S.false
    assert proven(i < n + 2, {i: (Integer(0), n - 1)}) == S.true


def test_pieces_that_are_never_chosen_are_left_out():
    pieces = Piecewise((x[0], i < 0), (x[1], i < 5), (x[2], True))
    assert without_decided(2 + pieces, {i: (Integer(0), Integer(4))}) == 2 + x[1]
    assert without_decided(pieces, {i: (Integer(3), Integer(7))}) == Piecewise((x[1], i < 5), (x[2], True))
