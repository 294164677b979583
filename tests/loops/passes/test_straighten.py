"""Loops of one turn become their statements; the integers stay the same, and no index is read without its loop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Integer

from symbackprop.emit.numba_text import lines
from symbackprop.loops.ir import Accumulate, Assign, Break, Call, If, Kernel, Loop, walk
from symbackprop.loops.passes.straighten import straighten
from tests.loops.passes.programs import (
    ARGUMENTS,
    END,
    START,
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
    n,
    nested_loops,
    s,
)


def straight(*body):
    return straighten(Kernel("program", ARGUMENTS, (), body)).body


GOLDEN = {
    "a_loop_of_one_turn": (
        loop(loop(Accumulate(M[i, j], a[i] * b[j]), Assign(c[j], b[i]), over=j, start=2, stop=Integer(3), why="M += a bᵀ")),
    ),
    "the_rest_of_a_tile": (
        loop(Assign(a[k], b[k]), over=k, stop=Integer(4), why="a = b"),
        loop(Assign(a[k], b[k]), over=k, start=4, stop=Integer(5)),
    ),
    "several_turns_and_an_exit": (
        loop(Assign(a[i], b[i])), loop(If(a[k] > 0, (Break(),)), Assign(s, a[k]), over=k, stop=Integer(1)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name, golden):
    golden(name, before_and_after(GOLDEN[name], straight(*GOLDEN[name])))


@given(flat_loops(), nested_loops(), st.integers(0, 2), st.integers(0, 2))
def test_any_program_leaves_the_same_numbers(flat, nested, start, turns):
    """Over one turn or not; what is left turns never, or more than once."""
    loops = [Loop(i, Integer(start + turns), x.body, "", Integer(start)) for x in (flat, nested)]
    made = straight(*START, *loops, *END)
    assert_same((*START, *loops, *END), made, rows=(3, 4))
    assert not [x for x in walk(made) if isinstance(x, Loop) and x.stop - x.start == 1]


def test_the_kernels_that_are_called_are_straight_too():
    inner = Kernel("inner", ARGUMENTS, (), (loop(Assign(a[i], b[i]), stop=Integer(1)),))
    (call,) = straight(Call(inner, tuple(x.sizes[0] for x in ARGUMENTS)))
    assert lines(call.kernel.body) == ["a[0] = b[0]"]


def test_a_loop_over_a_size_is_kept_unless_it_begins_at_the_last():
    assert lines(straight(Loop(i, n, (Assign(a[i], b[i]),), "", n - 1))) == ["a[n-1] = b[n-1]"]
    assert straight(loop(Assign(a[i], b[i]))) == (loop(Assign(a[i], b[i])),)
