"""Statements are values: equal, hashable, walked outer before inner; nothing in these files knows networks."""

import dataclasses
from pathlib import Path

import pytest
from sympy import Integer, Symbol

import symbackprop
from symbackprop.expr.symbols import array, scalar, size
from symbackprop.loops.ir import Accumulate, Assign, Break, If, Loop, Row, expressions, map_values, walk, written

n = size("n")
i = Symbol("i", integer=True, nonnegative=True)
a, b = map(array, "ab")
s = scalar("s")
BODY = (
    Assign(s, Integer(0)),
    Loop(i, n, (Row("r", "a", i), Accumulate(s, a[i] * b[i + 1]), If(s > 1, (Assign(a[i], s), Break())))),
)
PACKAGE = Path(symbackprop.__file__).parent


def test_equal_statements_are_equal():
    assert Assign(s, a[0]) == Assign(s, a[0])
    assert Assign(s, a[0]) != Assign(s, a[1])
    assert hash(Loop(i, n, (Assign(a[i], s),))) == hash(Loop(i, n, (Assign(a[i], s),)))
    assert Accumulate(s, a[0]) != Accumulate(s, a[0], "max")


def test_statements_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BODY[0].value = Integer(1)


def test_walk_is_outer_before_inner():
    assert [type(x).__name__ for x in walk(BODY)] == ["Assign", "Loop", "Row", "Accumulate", "If", "Assign", "Break"]


def test_written():
    assert written(BODY) == {"s", "i", "r", "a"}


def test_expressions_hold_the_indices_of_the_target():
    assert expressions(Assign(a[i + 1], b[0])) == (i + 1, b[0])
    assert expressions(Loop(i, n, (), "", Integer(2)))[:2] == (Integer(2), n)
    assert expressions(Break()) == ()


def test_map_values_reaches_every_value_and_nothing_else():
    made = map_values(BODY, lambda value: value.xreplace({s: scalar("u")}))
    assert written(made) == written(BODY)
    assert [x.value for x in walk(made) if isinstance(x, Assign)] == [Integer(0), scalar("u")]
    assert next(x for x in walk(made) if isinstance(x, If)).condition == (s > 1)
    assert map_values(BODY, lambda value: value) == BODY


@pytest.mark.parametrize("word", ["layer", "softmax", "activation"])
@pytest.mark.parametrize("path", [*sorted((PACKAGE / "loops").rglob("*.py")), *(PACKAGE / "emit").glob("*_text.py")],
                         ids=lambda path: path.stem)  # fmt: skip
def test_loops_do_not_know_what_a_network_is(path, word):
    assert word not in path.read_text("utf-8").lower()
