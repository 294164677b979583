"""Statements as lines of Python, none too long, and a kernel as a function that computes what they say."""

import numpy as np
import pytest
from hypothesis import given, strategies
from sympy import Add, Integer, Symbol

from symbackprop.emit.numba_text import comment, kernel_text, lines, side_by_side
from symbackprop.expr.symbols import Finite, array, scalar, size
from symbackprop.loops.ir import Accumulate, Argument, Assign, Break, Call, If, Kernel, Loop, Row

n = size("n^1")
i = Symbol("i", integer=True, nonnegative=True)
a, b = array("a^1"), array("b^1")
u, v, s = map(scalar, "uvs")
NAMES = {"real": float, "zero": 0.0, "one": 1.0, "kernel": lambda f: f, "inlined": lambda f: f, "np": np}


def test_statements():
    body = (
        Assign(s, Integer(0), "a sum"),
        Loop(i, n, (Accumulate(s, a[i]), Accumulate(u, a[i], "max"), Accumulate(v, -a[i] - s))),
        If(~Finite(s), (Break(),)),
        Row("x^1", "X", i),
        Loop(i, n, (Assign(a[i], s),), "", Integer(2)),
    )
    assert lines(body) == [
        "# a sum",
        "s = zero",
        "for i in range(n1):",
        "    s += a1[i]",
        "    u = max(u, a1[i])",
        "    v -= a1[i] + s",
        "if not isfinite(s):",
        "    break",
        "x1 = X[i]",
        "for i in range(2, n1):",
        "    a1[i] = s",
    ]


def test_counters_are_integers():
    done = Symbol("done", integer=True)
    assert lines((Assign(done, Integer(0)), Accumulate(done, Integer(1)))) == ["done = 0", "done += 1"]


def test_long_statements_are_wrapped_and_mean_the_same():
    terms = [Symbol(f"x{k}", real=True) for k in range(40)]
    made = lines((Assign(s, Add(*(t * (1 + k) for k, t in enumerate(terms)))),))
    assert max(map(len, made)) <= 100
    names = {t.name: float(k) for k, t in enumerate(terms)} | NAMES
    exec("\n".join(made), names)
    assert names["s"] == sum(k * (1 + k) for k in range(40))


def test_comments_are_wrapped():
    made = comment("word " * 60)
    assert len(made) > 1
    assert all(line.startswith("# ") and len(line) <= 100 for line in made)
    assert comment("") == []
    cases = "h[i] = {0 if a[i] = -∞; {a[i] if a[i] > 0; 0 otherwise}/2 otherwise}"
    assert comment(f"{cases}; q[i] = {'h[i] + ' * 5}1") == [f"# {cases}", f"# q[i] = {'h[i] + ' * 5}1"]


def test_a_kernel_reads_each_size_once():
    kernel = Kernel(
        "scale",
        (Argument("W^1", (n, size("m")), "parameter"), Argument("a^1", (n,), "parameter"), Argument("u")),
        (Argument("h^1", (n,)), Argument("e", (size("m"),))),
        (Loop(i, n, (Assign(array("h^1")[i], a[i] * u), Assign(a[i], array("h^1")[i]))),),
        (u / n,),
        "Scale.",
    )
    text = kernel_text(kernel)
    assert text.count(".shape[") == 2
    assert "n1, m = W1.shape[0], W1.shape[1]" in text
    names = dict(NAMES)
    exec(text, names)
    numbers = np.array([1.0, 2.0, 3.0])
    assert names["scale"](np.zeros((3, 2)), numbers, 2.0) == pytest.approx(2 / 3)
    assert numbers.tolist() == [2.0, 4.0, 6.0]
    assert names["scale"].__doc__ == "Scale."


def test_neighbours_that_copy_stand_side_by_side_unless_one_reads_another():
    t = [scalar(f"t{k}") for k in range(4)]
    loads = tuple(Assign(t[k], u * a[i + k]) for k in range(3))
    assert lines(loads) == ["t0, t1, t2 = u * a1[i], u * a1[i+1], u * a1[i+2]"]
    assert lines(loads[:2]) == ["t0 = u * a1[i]", "t1 = u * a1[i+1]"]
    assert lines((*loads, Assign(t[3], t[0] * a[i]))) == [*lines(loads), "t3 = t0 * a1[i]"]
    assert lines(tuple(Assign(a[i + k], t[k]) for k in range(3))) == ["a1[i], a1[i+1], a1[i+2] = t0, t1, t2"]
    assert lines((Assign(a[i], Integer(0)), Assign(s, Integer(0)))) == ["a1[i] = s = zero"]
    assert lines((Row("x", "X", i), Row("y", "Y", i), Row("z", "x", i))) == ["x, y = X[i], Y[i]", "z = x[i]"]


@given(strategies.lists(strategies.integers(1, 30), max_size=12), strategies.integers(8, 90))
def test_assignments_side_by_side_mean_the_same_and_are_no_longer_than_they_must(lengths, width):
    given_ = [f"{'x' * length}{k} = {k}" for k, length in enumerate(lengths)]
    rows, names, wanted = side_by_side(given_, width), {}, {}
    exec("\n".join(rows), names)
    exec("\n".join(given_), wanted)
    assert {k: v for k, v in names.items() if k[0] == "x"} == {k: v for k, v in wanted.items() if k[0] == "x"}
    assert all(len(row) <= width or row in given_ for row in rows)


def test_a_call_keeps_what_it_returns_and_is_wrapped():
    inner = Kernel("half", (Argument("u"), Argument("a^1", (n,))), (), (), (u, v), "Halve.", inline=True)
    assert lines((Call(inner, (s, b), results=(u, a[i])),)) == ["u, a1[i] = half(s, b1)"]
    assert lines((Call(inner, (s, b)),)) == ["half(s, b1)"]
    assert kernel_text(inner).startswith("@inlined\ndef half(u, a1):")
    assert max(map(len, lines((Call(inner, (s * 3, b), results=(u, a[i])),), 30))) <= 30
