"""Unrolled and jammed loops leave the same integers, for every factor and size; dependent ones are refused."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Integer, Sum

import symbackprop.loops
from symbackprop.loops.ir import Accumulate, Assign, Break, If, Loop, Row, walk
from symbackprop.loops.lower import lower
from symbackprop.loops.passes.scalarize import scalarize
from symbackprop.loops.passes.tile import CannotTileError, tile, unroll_and_jam
from symbackprop.symbols import Axis
from symbackprop.terms import Equation
from tests.loops.passes.programs import (
    END,
    START,
    K,
    M,
    a,
    assert_same,
    b,
    c,
    i,
    j,
    loop,
    m,
    n,
    nested_loops,
    runner,
    s,
    t,
)

ROWS, COLUMNS = Axis("i", n), Axis("j", m)
INNER = Axis("k", m)
PRODUCTS = {
    "matrix by vector": Equation(a[i], b[i] + Sum(M[i, j] * c[j], COLUMNS.limits), (ROWS,)),
    "transposed by vector": Equation(c[j], Sum(M[i, j] * a[i], ROWS.limits), (COLUMNS,)),
    "update by an outer product": Equation(M[i, j], M[i, j] - 2 * a[i] * b[j], (ROWS, COLUMNS)),
    "matrix by matrix": Equation(
        K[i, j], Sum(M[i, INNER.index] * M[j, INNER.index], INNER.limits), (ROWS, COLUMNS)
    ),
    "triangular": Equation(a[i], b[i] - Sum(M[i, j] * c[j], (j, 0, i - 1)), (ROWS,)),
}


@pytest.mark.parametrize("factor", range(1, 10))
@pytest.mark.parametrize("product", PRODUCTS)
def test_every_factor_and_size_gives_the_same(product, factor):
    body = lower(PRODUCTS[product])
    try:
        tiled = tile(body, {"i": factor})
    except CannotTileError:
        assert product == "triangular"
        return
    assert (tiled == body) is (factor == 1 or product in {"update by an outer product", "transposed by vector"} and tiled == body)
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
