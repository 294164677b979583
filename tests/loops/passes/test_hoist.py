"""What does not change in a loop is computed before it, under a name nothing else has; the integers stay the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Integer, Piecewise, Symbol, cos, sin

from symbackprop.emit.numba_text import lines
from symbackprop.expr.symbols import names_in, scalar, size
from symbackprop.loops.ir import Accumulate, Assign, If, Loop, expressions, walk, written
from symbackprop.loops.passes.hoist import hoist
from tests.loops.passes.programs import K, M, a, assert_same, b, before_and_after, c, i, j, loop, n, programs, s, t

step = scalar("step")


GOLDEN = {
    "an_update_of_a_matrix": (
        loop(
            loop(Accumulate(M[i, j], -step * (a[i] * b[j] + 2 * s * M[i, j])), over=j), why="M -= step (a bᵀ + 2 s M)"
        ),
    ),
    "quotients_and_functions": (loop(Assign(a[i], b[i] / (1 + t) + sin(s) * c[i])), loop(Assign(c[i], a[i] * sin(s)))),
    "what_changes_stays": (loop(Accumulate(s, a[i]), loop(Assign(M[i, j], s * t * b[j]), over=j)),),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name, golden):
    golden(name, before_and_after(GOLDEN[name], hoist(GOLDEN[name])))


@given(body=programs())
def test_programs_leave_the_same_integers(body):
    assert_same(body, hoist(body))


@given(body=programs())
def test_hoisting_twice_is_the_same_again(body):
    assert_same(body, hoist(hoist(body)))


@given(body=programs())
def test_what_moves_moves_as_far_out_as_it_can(body):
    """Whatever still stands in a loop under a new name reads something that changes there."""
    made = hoist(body)
    new = written(made) - written(body)
    for around in (x for x in walk(made) if isinstance(x, Loop)):
        changing = written(around.body) | {around.index.name}
        for moved in (x for x in walk(around.body) if isinstance(x, Assign) and str(x.target) in new):
            assert changing & {name for e in expressions(moved) for name in names_in(e)}


def hoisted(*body):
    return lines(hoist((loop(*body),)))


def test_a_product_of_fixed_numbers_moves():
    assert hoisted(Accumulate(a[i], step * s * b[i])) == [
        "step_s = s * step",
        "for i in range(n):",
        "    a[i] += step_s * b[i]",
    ]


def test_an_element_of_an_outer_row_moves_one_loop_out():
    made = lines(hoist((loop(loop(Accumulate(M[i, j], a[i] * b[j]), over=j)),)))
    assert made == ["for i in range(n):", "    a_i = a[i]", "    for j in range(m):", "        M[i,j] += a_i * b[j]"]


def test_a_quotient_becomes_a_product():
    assert hoisted(Assign(a[i], b[i] / s))[0] == "per_s = one / s"


def test_the_formula_stays_above():
    made = lines(hoist((loop(Assign(a[i], b[i] * sin(s)), why="a formula"),)))
    assert made[0] == "# a formula"
    assert made.count("# a formula") == 1


@pytest.mark.parametrize(
    "body",
    [
        (Accumulate(s, b[i]), Assign(a[i], s * c[i])),
        (Assign(a[0], b[i]), Assign(c[i], a[0] * b[i])),
        (Assign(t, b[i]), Assign(a[i], sin(t) * c[i])),
        (Accumulate(s, s * b[i]),),
        (loop(Accumulate(s, b[j]), over=j), Assign(a[i], s * b[i])),
    ],
    ids=["a sum so far", "an element that is written", "a scalar of the turn", "itself", "a sum of an inner loop"],
)
def test_what_the_loop_writes_stays(body):
    made = hoist((loop(*body),))
    assert made == (loop(*body),)


def test_new_names_are_not_those_in_use():
    """n is a size: `n = 2 * n` would change how often the next loop turns."""
    other = size("n^1")
    body = (loop(Assign(a[i], b[i] * other / 10)),)
    made = written(hoist(body)) - written(body)
    assert made
    assert not made & {"n1", "n", "step", "a", "b"}


def test_new_names_are_not_those_of_arguments():
    made = hoist((loop(Accumulate(a[i], step * s * b[i])),), frozenset({"step_s"}))
    assert lines(made)[0] == "step_s2 = s * step"


def test_new_names_are_identifiers():
    made = hoist((loop(loop(Accumulate(M[i, j], K[n - 1 - i, j + 1 - j] * b[j] * a[n - 1]), over=j)),))
    assert all(name.isidentifier() for name in written(made))


def test_two_loops_share_what_moved_only_while_it_is_the_same():
    same = loop(Assign(a[i], b[i] * sin(s)))
    shared = lines(hoist((same, same)))
    assert sum("sin(" in line for line in shared) == 1
    changed = lines(hoist((same, Assign(s, Integer(3)), same)))
    assert sum("sin(" in line for line in changed) == 2


def test_a_choice_moves_whole():
    choice = Piecewise((a[j + 1], n > j + 1), (0, True))
    made = hoist((loop(loop(Accumulate(b[i], choice * c[i]), over=i, stop=n), over=j),))
    for statement in walk(made):
        for e in expressions(statement):
            assert not (e.has(a[j + 1]) and not e.has(Piecewise))


def test_a_condition_keeps_its_body():
    body = (loop(If(i > 2, (loop(Assign(M[i, j], cos(b[i]) * c[j]), over=j),))),)
    (outer,) = hoist(body)
    assert [type(s) for s in outer.body] == [If]


@given(count=st.integers(0, 3))
def test_loops_without_a_turn_do_nothing(count):
    body = (Assign(s, Integer(5)), Assign(t, Integer(1)), loop(loop(Accumulate(a[i], s * t * b[j]), over=j)))
    assert_same(body, hoist(body), rows=(count,), columns=0 if count else 2)


def test_an_index_symbol_is_not_a_new_name():
    body = (loop(Assign(a[i], b[i] * sin(Symbol("i", integer=True, nonnegative=True)))),)
    assert hoist(body) == body
