"""Every element is loaded once and stored once, and each statement sees what those before it left."""

import contextlib

import pytest
from hypothesis import example, given
from sympy import Integer, Piecewise

from symbackprop.emit.numba_text import lines
from symbackprop.expr.symbols import scalar
from symbackprop.loops.ir import Accumulate, Assign, Break, If, Row
from symbackprop.loops.passes.cse import share
from symbackprop.loops.passes.fuse import fuse
from symbackprop.loops.passes.hoist import hoist
from symbackprop.loops.passes.scalarize import scalarize
from symbackprop.loops.passes.tile import CannotTileError, tile
from tests.loops.passes.programs import (
    END,
    START,
    K,
    M,
    a,
    assert_same,
    b,
    before_and_after,
    c,
    flat_loops,
    i,
    j,
    k,
    loop,
    programs,
    s,
)

GOLDEN = {
    "loads_and_stores_once": (loop(Accumulate(b[i], 2 * a[i]), Accumulate(c[i], a[i] * b[i]), Assign(a[i], c[i])),),
    "a_register_tile": tile((loop(loop(Accumulate(a[i], M[i, j] * b[j]), over=j)),), {"i": 3}),
    "what_is_read_under_a_condition_stays_there": (
        loop(*(Assign(to[i], Piecewise((by * a[i - 2], i >= 2), (i, True))) for to, by in ((b, 1), (c, 3)))),
    ),
    "elements_that_may_be_the_same": (loop(Assign(a[i], b[i]), Accumulate(a[k], a[i]), Assign(c[i], a[i] * b[i])),),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name, golden):
    golden(name, before_and_after(GOLDEN[name], scalarize(GOLDEN[name])))


def text(*body):
    return lines(scalarize((loop(*body),)))[1:]


def test_loads_once_and_stores_once():
    assert text(Accumulate(b[i], 2 * a[i]), Accumulate(c[i], a[i] * b[i])) == [
        "    a_i = a[i]",
        "    b_i = b[i]",
        "    b_i += real(2) * a_i",
        "    c[i] += a_i * b_i",
        "    b[i] = b_i",
    ]


def test_a_read_after_a_write_sees_the_new_value():
    body = (*START, loop(Assign(b[i], a[i]), Accumulate(a[i], Integer(5)), Assign(c[i], a[i] + b[i])), *END)
    assert scalarize(body) != body
    assert_same(body, scalarize(body))


def test_update_before_and_after_its_use_differ():
    use, update = Accumulate(b[j], M[i, j]), Accumulate(M[i, j], -K[i, j])
    for inner in ((use, update), (update, use)):
        body = (*START, loop(loop(*inner, over=j)), *END)
        assert scalarize(body) != body
        assert_same(body, scalarize(body))


def test_what_is_accumulated_into_one_element_is_added_up():
    assert text(Accumulate(a[i], b[i]), Accumulate(a[i], c[i]), Accumulate(a[i], -s)) == ["    a[i] += b[i] + c[i] - s"]


SEPARATE = {
    "the element is read between": (Accumulate(a[i], b[i]), Assign(c[i], a[i]), Accumulate(a[i], b[i])),
    "the element is assigned between": (Accumulate(a[i], b[i]), Assign(a[i], c[i]), Accumulate(a[i], b[i])),
    "the largest is taken between": (Accumulate(a[i], b[i]), Accumulate(a[i], c[i], "max"), Accumulate(a[i], b[i])),
    "what is added changes": (Accumulate(a[i], b[i]), Assign(b[i], c[i]), Accumulate(a[i], b[i])),
    "a scalar that is added changes": (Accumulate(a[i], s), Assign(s, b[i]), Accumulate(a[i], s)),
    "what is added reads it": (Accumulate(a[i], b[i]), Accumulate(a[i], 2 * a[i])),
    "another element that may be the same": (Accumulate(a[i], b[i]), Assign(a[k], c[i]), Accumulate(a[i], b[i])),
    "added to under another index": (Accumulate(a[i], b[i]), Accumulate(a[k], a[i]), Accumulate(a[i], b[i])),
}


@pytest.mark.parametrize("case", SEPARATE)
def test_adds_up_only_what_has_nothing_between(case):
    body = (*START, loop(loop(*SEPARATE[case], over=k, stop=Integer(2))), *END)
    made = scalarize(body)
    kept = [x for x in made[2].body[0].body if isinstance(x, Accumulate)]
    assert len(kept) == sum(isinstance(x, Accumulate) for x in SEPARATE[case])
    assert_same(body, made)


def test_adds_up_over_other_elements_of_the_same_array():
    body = (Accumulate(a[i], b[i]), Accumulate(a[i + 1], b[i]), Accumulate(a[i], c[i]), Accumulate(a[i + 1], c[i]))
    made = scalarize((loop(*body),))
    assert len([x for x in made[0].body if isinstance(x, Accumulate)]) == 2
    assert_same((loop(*body),), made)


def test_elements_that_may_be_the_same_stay_in_memory():
    for first, second in ((a[i], a[0]), (a[i], a[k]), (M[i, k], M[k, i])):
        body = (Assign(first, b[i]), Accumulate(second, first + b[i]), Assign(c[i], first + second))
        whole = (*START, loop(loop(*body, over=k, stop=Integer(3))), *END)
        assert scalarize(whole) == whole
        assert_same(whole, scalarize(whole), columns=4)


def test_an_index_that_changes_stays_in_memory():
    body = (Assign(k, 1 + 0 * k), Accumulate(a[k], b[i]), Assign(k, k + 1), Accumulate(a[k], b[i] + a[k]))
    whole = (*START, loop(*body), *END)
    assert_same(whole, scalarize(whole))


def test_rows_conditions_and_exits_stay_as_they_are():
    for special in (Row("x", "M", i), If(a[i] > 0, (Assign(a[i], s),)), Break()):
        body = (loop(Assign(b[i], a[i]), special, Assign(c[i], a[i] + b[i])),)
        assert scalarize(body) == body


def test_names_do_not_collide():
    known = scalar("a_i")
    body = (*START, Assign(known, Integer(7)), loop(Assign(b[i], a[i] + known), Assign(c[i], a[i] * known)),
            Assign(a[0], known), *END)  # fmt: skip
    assert_same(body, scalarize(body))
    either = (Assign(M[i, 1 + k], a[i] * M[i, k + 1]), Assign(b[i], M[i, k + 1] + a[i]))
    assert_same(
        (loop(loop(*either, over=k, stop=Integer(2))),), scalarize((loop(loop(*either, over=k, stop=Integer(2))),))
    )


def test_an_index_below_has_a_name_too():
    body = (loop(Assign(b[i], a[i - 1]), Assign(c[i], a[i - 1] + a[i + 1] + b[i]), start=1),)
    made = scalarize(body)
    assert "    a_im1 = a[i-1]" in lines(made)
    assert_same(body, made)


@given(flat_loops())
@example(loop(Accumulate(a[i], b[i]), Assign(b[i], s), Accumulate(a[i], b[i])))
def test_any_loop_leaves_the_same_numbers(turn):
    body = (*START, turn, *END)
    assert_same(body, scalarize(body))


@given(programs())
def test_all_passes_in_turn_leave_the_same_numbers(program):
    made = hoist(fuse(share(program)))
    with contextlib.suppress(CannotTileError):
        made = scalarize(tile(made, {"i": 2, "j": 3}))
    assert_same(program, made)
