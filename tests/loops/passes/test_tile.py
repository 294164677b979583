"""Unrolled and jammed loops leave the same integers, for every factor and size; dependent ones are refused."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Integer, Mod, Symbol

import symbackprop.loops
from symbackprop.expr.equations import Equation
from symbackprop.expr.reductions import Sum
from symbackprop.expr.symbols import Axis
from symbackprop.loops.ir import Accumulate, Assign, Break, If, Loop, Row, walk
from symbackprop.loops.lower import lower
from symbackprop.loops.passes.scalarize import scalarize
from symbackprop.loops.passes.tile import CannotTileError, tile, unroll_and_jam
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
    loop,
    m,
    n,
    nested_loops,
    out,
    runner,
    s,
    t,
)

r = Symbol("r", integer=True, nonnegative=True)
ROWS, COLUMNS = Axis("i", n), Axis("j", m)
INNER = Axis("k", m)
PRODUCTS = {
    "matrix by vector": Equation(a[i], b[i] + Sum(M[i, j] * c[j], COLUMNS.limits), (ROWS,)),
    "transposed by vector": Equation(c[j], Sum(M[i, j] * a[i], ROWS.limits), (COLUMNS,)),
    "update by an outer product": Equation(M[i, j], M[i, j] - 2 * a[i] * b[j], (ROWS, COLUMNS)),
    "matrix by matrix": Equation(K[i, j], Sum(M[i, INNER.index] * M[j, INNER.index], INNER.limits), (ROWS, COLUMNS)),
}


GOLDEN = {  # a product, how many turns become one, and whether the last come first
    "rows_of_a_matrix_by_a_vector": ("matrix by vector", {"i": 3}, False),
    "an_update_from_the_last_row": ("update by an outer product", {"i": 2}, True),
    "columns_of_a_product": ("matrix by matrix", {"j": 2}, False),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name, golden):
    product, factors, backwards = GOLDEN[name]
    body = lower(PRODUCTS[product])
    golden(name, before_and_after(body, tile(body, factors, backwards=backwards)))


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("factor", range(1, 10))
@pytest.mark.parametrize("product", PRODUCTS)
def test_every_factor_and_size_gives_the_same(product, factor, backwards):
    body = lower(PRODUCTS[product])
    tiled = tile(body, {"i": factor}, backwards=backwards)
    assert (tiled == body) is (factor == 1)
    plain, made, scalars = runner(body), runner(tiled), runner(scalarize(tiled))
    for rows in range(21):
        expected = plain(rows)
        assert made(rows) == expected
        assert scalars(rows) == expected


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (3, 4), (4, 3), (1, 5), (8, 3)])
def test_tiles_in_two_directions_have_four_remainders(rows, columns):
    body = lower(PRODUCTS["matrix by matrix"])
    tiled = tile(body, {"i": rows, "j": columns})
    plain, made, scalars = runner(body), runner(tiled), runner(scalarize(tiled))
    for sizes in itertools.product((0, 1, 2, 3, 7, 9, 12), (0, 1, 3, 4, 5, 11)):
        assert made(*sizes) == scalars(*sizes) == plain(*sizes)


def product_of(*statements):
    """A loop that tiling pays for: some statements, and a product of a matrix by a vector."""
    return loop(*statements, loop(Accumulate(c[j], M[i, j] * b[i]), over=j))


DEPENDENT = {
    "reads what the turn before wrote": product_of(Assign(a[i + 1], a[i])),
    "reads what the next turn writes": product_of(Assign(a[i], a[i + 1])),
    "writes what the next turn writes again": product_of(Assign(a[i], b[i]), Assign(a[i + 1], b[i])),
    "writes one element every time": product_of(Assign(a[0], b[i])),
    "writes the inner loop's element every time": product_of(loop(Assign(a[j], M[i, j]), over=j)),
    "reads what it accumulates": loop(loop(Accumulate(a[j], M[i, j] * a[0]), over=j)),
    "accumulates in two ways": product_of(Accumulate(a[0], b[i]), Accumulate(a[0], b[i], "max")),
    "adds to what it also assigns": product_of(Accumulate(a[0], b[i]), Assign(a[i], b[i])),
    "writes the transposed matrix too": product_of(loop(Assign(K[i, j], b[i]), Assign(K[j, i], a[i]), over=j)),
    "assigns along diagonals": product_of(loop(Assign(a[i + j], M[i, j]), over=j)),
    "reads a sum that grows": product_of(Accumulate(s, a[i]), Assign(a[i], s)),
    "reads a scalar of the turn before": product_of(Assign(a[i], s), Assign(s, b[i])),
    "assigns a scalar in an inner loop only": product_of(loop(Assign(s, K[i, j]), over=j), Assign(a[i], s)),
    "runs over a range of its own": loop(loop(Accumulate(a[i], M[i, j] * c[j]), over=j, stop=i)),
    "leaves early": product_of(If(a[i] > 0, (Break(),))),
    "names a row": product_of(Row("x", "M", i)),
}


@pytest.mark.parametrize("case", DEPENDENT)
def test_refuses_turns_that_depend_on_each_other(case):
    with pytest.raises(CannotTileError, match=r"^[^\n]+$"):
        tile((*START, DEPENDENT[case], *END), {"i": 2})


def test_refuses_a_loop_whose_last_scalar_is_read_later():
    turn = product_of(Assign(s, a[i]))
    with pytest.raises(CannotTileError, match="s is read after the loop over i"):
        tile((*START, turn, Assign(out[0], s)), {"i": 2})
    around = Loop(r, n, (Accumulate(t, s), turn))
    with pytest.raises(CannotTileError, match="s is read after the loop over i"):
        tile((*START, around), {"i": 2})
    body = (*START, turn, Assign(s, Integer(3)), *END)
    assert_same(body, tile(body, {"i": 2}))


def test_sums_over_the_turns_are_kept():
    body = (*START, product_of(Accumulate(s, a[i]), Accumulate(t, b[i], "max"), Accumulate(a[0], b[i])), *END)
    with pytest.raises(CannotTileError):
        tile(body, {"i": 3})  # a[0] is one of the a[i]
    body = (*START, product_of(Accumulate(s, a[i]), Accumulate(t, b[i], "max"), Accumulate(out[2], b[i])), *END)
    assert_same(body, tile(body, {"i": 3}))


def test_loops_from_elsewhere_than_zero_keep_their_turns():
    for start in (1, 2, 3):
        body = (loop(loop(Accumulate(c[j], M[i, j] * b[i]), over=j), start=start),)
        assert_same(body, tile(body, {"i": 2}), rows=(3, 4, 5, 6))


def test_loops_without_products_stay_as_they_are():
    body = (loop(Assign(a[i], b[i] * c[i])), loop(loop(Assign(M[i, j], K[i, j]), over=j)))
    assert tile(body, {"i": 4, "j": 4}) == body


def test_the_formula_stands_above_the_main_loop_alone():
    main, rest = tile(lower(PRODUCTS["matrix by vector"]), {"i": 4})
    assert main.why == "a[i] = b[i] + Σ_j M[i,j] c[j]"
    assert not [x.why for x in walk((rest,)) if x.why]


@given(nested_loops(), st.integers(2, 4))
def test_any_loop_is_refused_or_leaves_the_same_numbers(turn, factor):
    try:
        made = unroll_and_jam(turn, factor)
    except CannotTileError:
        return
    assert_same((*START, turn), (*START, *made))


def test_backwards_the_last_turns_come_first():
    rest, main = tile(lower(PRODUCTS["update by an outer product"]), {"i": 4}, backwards=True)
    assert (rest.start, rest.stop, rest.step) == (n - Mod(n, 4, evaluate=False), n, 1)
    assert (main.start, main.stop, main.step) == (rest.start - 4, -1, -4)
    assert rest.why
    assert not main.why


def test_no_pass_knows_what_it_is_used_for():
    for path in Path(symbackprop.loops.__file__).parent.rglob("*.py"):
        words = re.findall(r"layer|softmax|activation", path.read_text("utf-8"), re.IGNORECASE)
        assert not words, f"{path} says {words}"
