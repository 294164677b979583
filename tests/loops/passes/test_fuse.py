"""Loops are joined where, and only where, a turn meets nothing but what its own turn wrote."""

import pytest
from hypothesis import example, given
from sympy import Integer

from symbackprop.loops.ir import Accumulate, Assign, Break, If, Row
from symbackprop.loops.passes.fuse import fuse
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
    i,
    j,
    k,
    loop,
    loops_in,
    m,
    n,
    programs,
    s,
    t,
)

LEGAL = {
    "the same element": (loop(Assign(a[i], b[i])), loop(Assign(c[i], 2 * a[i]))),
    "nothing in common": (loop(Assign(a[i], b[i])), loop(Assign(c[i], 2 * c[i]))),
    "both read, at other indices": (loop(Assign(a[i], b[i + 1])), loop(Assign(c[i], b[i]))),
    "rows of a matrix": (
        loop(loop(Assign(M[i, j], K[i, j]), over=j)),
        loop(loop(Accumulate(a[i], M[i, j]), over=j)),
    ),
    "another element of the same row": (
        loop(loop(Assign(M[i, j], K[i, j]), over=j)),
        loop(loop(Assign(K[i, j], M[i, 0]), over=j)),
    ),
    "a scalar that each turn assigns first": (
        loop(Assign(s, Integer(0)), loop(Accumulate(s, M[i, j]), over=j), Assign(a[i], s)),
        loop(Assign(s, a[i]), Assign(b[i], s)),
    ),
    "a scalar of the first, read by nobody": (loop(Accumulate(s, a[i])), loop(Assign(b[i], a[i]))),
    "a scalar of before, read by both": (loop(Assign(a[i], s * b[i])), loop(Accumulate(c[i], s * a[i]))),
}
ILLEGAL = {
    "a later turn's element": (loop(Assign(a[i], b[i])), loop(Assign(c[i], a[i + 1]))),
    "an earlier turn's element": (loop(Assign(a[i + 1], b[i])), loop(Assign(c[i], a[i]))),
    "one fixed element": (loop(Assign(a[i], b[i])), loop(Assign(c[i], a[0]))),
    "read a turn before it is overwritten, which would be the same": (
        loop(Assign(c[i], a[i + 1])),
        loop(Assign(a[i], b[i])),
    ),
    "both write, at other indices": (loop(Assign(a[i], b[i])), loop(Assign(a[i + 1], c[i]))),
    "the transposed matrix": (
        loop(loop(Assign(M[i, j], K[i, j]), over=j)),
        loop(loop(Accumulate(a[i], M[j, i]), over=j)),
    ),
    "a vector over the inner index": (
        loop(loop(Accumulate(a[j], M[i, j]), over=j)),
        loop(Assign(b[i], a[i])),
    ),
    "a sum that is not complete": (loop(Accumulate(s, a[i])), loop(Assign(b[i], s))),
    "a sum that both add to": (loop(Accumulate(s, a[i])), loop(Accumulate(s, b[i]))),
    "a sum that the second assigns": (loop(Accumulate(s, a[i])), loop(Assign(s, b[i]), Assign(c[i], s))),
    "the last value of a scalar": (loop(Assign(s, a[i])), loop(Assign(b[i], s))),
    "a scalar of before that the second changes": (loop(Assign(a[i], s)), loop(Assign(s, b[i]))),
    "a scalar that an inner loop may not assign": (
        loop(loop(Assign(s, M[i, j]), over=j, stop=i)),
        loop(loop(Assign(s, K[i, j]), over=j, stop=i), Assign(b[i], s)),
    ),
    "other ranges": (loop(Assign(a[i], b[i])), loop(Assign(c[i], a[i]), stop=m)),
    "other starts": (loop(Assign(a[i], b[i])), loop(Assign(c[i], a[i]), start=1)),
    "other indices": (loop(Assign(a[i], b[i])), loop(Assign(c[k], a[k]), over=k, stop=n)),
}


GOLDEN = {
    "neighbours_and_a_scalar_between": (
        loop(Assign(a[i], s * b[i]), why="a = s b"),
        Assign(t, b[0] + s),
        loop(Assign(c[i], t + a[i]), why="c = t + a"),
        loop(Accumulate(t, c[i]), why="t = Σ c"),
    ),
    "inner_loops_too": (
        loop(loop(Accumulate(c[j], M[i, j] * a[i]), over=j, why="c += Mᵀ a"), why="rows"),
        loop(loop(Accumulate(M[i, j], -a[i] * b[j]), over=j, why="M -= a bᵀ")),
    ),
    "a_later_element_keeps_them_apart": (
        loop(Assign(a[i], b[i])), loop(Assign(b[i], c[i])), loop(Assign(c[i], a[i + 1])),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name, golden):
    golden(name, before_and_after(GOLDEN[name], fuse(GOLDEN[name])))


@pytest.mark.parametrize("case", LEGAL)
def test_joins(case):
    body = (*START, *LEGAL[case], *END)
    made = fuse(body)
    assert loops_in(made) == 1
    assert_same(body, made)


@pytest.mark.parametrize("case", ILLEGAL)
def test_refuses(case):
    assert fuse(ILLEGAL[case]) == ILLEGAL[case]


def test_refuses_to_leave_the_second_early():
    stop = If(a[i] > 0, (Break(),))
    body = (loop(stop), loop(Assign(b[i], c[i])))
    assert fuse(body) == body


def test_refuses_rows_under_names_of_their_own():
    body = (loop(Row("x", "M", i), Assign(a[i], s)), loop(Assign(b[i], a[i])))
    assert fuse(body) == body


def test_scalars_between_go_before():
    body = (*START, loop(Assign(a[i], b[i])), Assign(s, b[0] + t), loop(Assign(c[i], s * a[i])), *END)
    made = fuse(body)
    assert [type(x).__name__ for x in made] == ["Assign", "Assign", "Assign", "Loop", "Assign", "Assign"]
    assert_same(body, made)


@pytest.mark.parametrize(
    "between",
    [Assign(s, a[0]), Assign(t, Integer(5)), Assign(b[0], Integer(5)), Accumulate(s, Integer(1))],
    ids=["reads what the first wrote", "changes what the first reads", "writes an array", "accumulates"],
)
def test_scalars_between_that_must_stay_there_keep_the_loops_apart(between):
    body = (*START, loop(Assign(a[i], b[i] + t)), between, loop(Assign(c[i], s * a[i])), *END)
    assert fuse(body) == body


def test_inner_loops_are_joined_too_and_carry_both_formulas():
    one = loop(loop(Assign(M[i, j], 2 * K[i, j]), over=j, why="M = 2K"), why="first")
    two = loop(loop(Accumulate(a[j], M[i, j]), over=j, why="a = Σ M"), why="second")
    (outer,) = fuse((one, two))
    (inner,) = outer.body
    assert (outer.why, inner.why) == ("first; second", "M = 2K; a = Σ M")
    assert_same((*START, one, two, *END), (*START, outer, *END))


def test_a_comment_stands_over_the_loop_that_computes_it():
    total = loop(Assign(a[i], b[i]), why="a = b"), Assign(s, Integer(0), "s = Σ a"), loop(Accumulate(s, a[i]))
    first, joined = fuse(total)
    assert (first.why, joined.why) == ("a = b; s = Σ a", "")
    zero = loop(Assign(c[j], Integer(0)), over=j, why="c = Σ M")
    rows = loop(loop(Accumulate(c[j], M[i, j]), over=j))
    update = loop(loop(Accumulate(M[i, j], s), over=j), why="M = M + s")
    first, joined = fuse((zero, rows, update))
    assert (first.why, joined.why) == ("c = Σ M; M = M + s", "")
    other = loop(loop(Assign(K[i, k], M[i, k]), over=k, stop=m), why="K = M")
    assert [s.why for s in fuse((zero, rows, update, other))[1].body] == ["c = Σ M; M = M + s", "K = M"]


def test_three_in_a_row_become_one():
    body = (*START, loop(Assign(a[i], b[i])), loop(Assign(c[i], a[i])), loop(Accumulate(b[i], c[i])), *END)
    made = fuse(body)
    assert loops_in(made) == 1
    assert_same(body, made)


@given(programs())
@example((*START, loop(Assign(a[i], s)), loop(Assign(a[i], s + a[i]), Assign(s, a[i])), *END))
def test_any_program_leaves_the_same_numbers(program):
    assert_same(program, fuse(program))
