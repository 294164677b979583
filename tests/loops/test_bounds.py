"""Conditions as bounds of loops: what is visited is what fulfils them, no more and no less, each once."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import And, Eq, Ge, Gt, Integer, Le, Lt, Ne, Piecewise

from symbackprop.expr.symbols import array, index, scalar
from symbackprop.loops.bounds import guarded, nest
from symbackprop.loops.ir import Assign, If, Loop, walk

INDICES = tuple(map(index, "ijk"))
RELATIONS = (Ge, Gt, Le, Lt, Eq, Ne)
BODY = (Assign(scalar("here"), Integer(1)),)


@st.composite
def conditions(draw, relations=RELATIONS):
    factors = draw(st.tuples(*[st.integers(-2, 2)] * 3))
    left = sum(f * i for f, i in zip(factors, INDICES, strict=True))
    return draw(st.sampled_from(relations))(left + Integer(draw(st.integers(-4, 4))), Integer(0), evaluate=False)


def visited(body, at):
    """The values of the indices with which the innermost statement is reached."""
    for statement in body:
        match statement:
            case Loop(i, stop, inner, _, start):
                for value in range(int(start.xreplace(at)), int(stop.xreplace(at))):
                    yield from visited(inner, at | {i: Integer(value)})
            case If(condition, inner):
                if condition.xreplace(at) == True:  # noqa: E712 (SymPy's)
                    yield from visited(inner, at)
            case _:
                yield tuple(int(at[i]) for i in INDICES)


@given(st.tuples(*[st.integers(0, 4)] * 3), st.lists(conditions(), max_size=3))
def test_what_fulfils_the_conditions_is_visited_once(sizes, asked):
    assert_visits(sizes, asked)


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("sign", [1, -1])
def test_every_single_bound_is_the_condition(relation, sign):
    """Every one: of conditions drawn at random few bound a loop that has turns."""
    for number in range(-4, 5):
        assert_visits((2, 1, 3), [relation(sign * INDICES[2] + Integer(number), Integer(0), evaluate=False)])
        assert_visits((3, 2, 2), [relation(sign * INDICES[1] + Integer(number), INDICES[0], evaluate=False)])


def assert_visits(sizes, asked):
    """By loops with bounds exactly what all conditions allow, in order."""
    ranges = [(i, Integer(0), Integer(n)) for i, n in zip(INDICES, sizes, strict=True)]
    expected = [at for at in product(*map(range, sizes))
                if all(c.xreplace(dict(zip(INDICES, map(Integer, at), strict=True))) == True for c in asked)]  # noqa: E712  # fmt: skip
    assert list(visited(nest(ranges, asked, BODY), {})) == expected


@given(st.integers(-4, 4), st.sampled_from((Ge, Gt, Le, Lt, Eq)), st.sampled_from((1, -1)))
def test_a_condition_on_one_index_leaves_no_question_in_the_body(number, relation, sign):
    asked = relation(sign * INDICES[0] + Integer(number), INDICES[1], evaluate=False)
    made = nest([(i, Integer(0), Integer(4)) for i in INDICES], [asked], BODY)
    assert not any(isinstance(s, If) for s in walk(made))


P, Q, _ = INDICES


@pytest.mark.parametrize("guard", [P > 0, And(P >= Q, Q < 3), And(P + Q <= 4, P > 0, Q > 0)], ids=str)
def test_a_guarded_product_is_the_product_and_its_conditions(guard):
    h, w = array("h")[P], array("w")[Q]
    value, found = guarded(2 * w * Piecewise((h, guard), (0, True)))
    assert value == 2 * w * h
    assert And(*found) == guard


def test_a_condition_on_values_is_none_on_indices():
    h = array("h")[INDICES[0]]
    assert guarded(Piecewise((h, h > 0), (0, True))) == (Piecewise((h, h > 0), (0, True)), ())
