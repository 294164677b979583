"""Statements run as they are written: the judge of every pass is that a program leaves the same integers behind.

The programs have vectors a, b, c, matrices M, K, loops over i (n turns) and j (m turns), and scalars s, t.
"""

import numpy as np
from hypothesis import strategies as st
from sympy import Integer, Max, Symbol

from symbackprop.emit.numba_text import kernel_text, lines
from symbackprop.expr.symbols import array, scalar, size
from symbackprop.loops.ir import Accumulate, Argument, Assign, Kernel, Loop

i, j, k = (Symbol(name, integer=True, nonnegative=True) for name in "ijk")
n, m, most = size("n"), size("m"), size("most")
a, b, c, M, K = (array(name) for name in "abcMK")
s, t, out = scalar("s"), scalar("t"), array("out")
ROOM = 3  # elements beyond the last turn's, so that a[i + 1] exists
ARGUMENTS = (
    Argument("rows", (n,)), Argument("columns", (m,)),
    *(Argument(name, (most + ROOM,)) for name in "abc"), *(Argument(name, (most + ROOM,) * 2) for name in "MK"),
    Argument("out", (Integer(ROOM),), "parameter"),
)  # fmt: skip
START = (Assign(s, Integer(1)), Assign(t, Max(a[0], b[0])))
END = (Assign(out[0], s), Assign(out[1], t))


def runner(body):
    """A function of the numbers of turns, which returns all that a body leaves in the arrays, without rounding."""
    names = {"kernel": lambda function: function, "np": np, "real": int, "zero": 0, "one": 1}
    exec(kernel_text(Kernel("program", ARGUMENTS, (), body)), names)

    def run(rows, columns=4):
        generator = np.random.default_rng(rows)
        made = {}
        for argument in ARGUMENTS:
            shape = [int(x.subs({n: rows, m: columns, most: max(rows, columns)})) for x in argument.sizes]
            values = generator.integers(-9, 10, shape)
            made[argument.name] = np.array(list(map(int, values.flat)), dtype=object).reshape(shape)
        names["program"](*made.values())
        return {name: values.tolist() for name, values in made.items()}

    return run


def assert_same(body, other, rows=(0, 1, 2, 5, 7), columns=3):
    """Both bodies leave the same numbers, whatever the number of turns."""
    one, two = runner(body), runner(other)
    for count in rows:
        assert one(count, columns) == two(count, columns), f"{count} turns"


def loop(*body, over=i, stop=None, why="", start=0):
    return Loop(over, {i: n, j: m}.get(over) if stop is None else stop, body, why, Integer(start))


def before_and_after(body, other):
    """The texts of two bodies, one above the other."""
    return "\n".join(["--- before", *lines(body), "--- after", *lines(other)])


def loops_in(body):
    """How many loops stand next to each other in a body."""
    return sum(isinstance(statement, Loop) for statement in body)


_ELEMENTS = (a[i], a[i + 1], a[0], b[i], b[i + 2], c[i], M[i, 0], M[i, 1])
_INNER = (M[i, j], M[i + 1, j], K[i, j], K[j, i], a[i], b[j], c[i + 1], c[j])


def _values(elements):
    terms = st.sampled_from([*elements, s, t, Integer(2)])
    return st.builds(lambda x, y, factor: x + factor * y, terms, terms, st.sampled_from([-1, 1, 2]))


def _statements(elements):
    targets = st.sampled_from([*elements, s, t])
    ops = st.sampled_from(["+", "+", "+", "max"])
    return st.builds(Assign, targets, _values(elements)) | st.builds(Accumulate, targets, _values(elements), ops)


def flat_loops(longest=7):
    """A loop of a few statements with every kind of dependence between them."""
    return st.lists(_statements(_ELEMENTS), min_size=1, max_size=longest).map(lambda body: loop(*body))


def nested_loops():
    """A loop that may have another inside."""
    inner = st.lists(_statements(_INNER), min_size=1, max_size=3).map(lambda body: loop(*body, over=j))
    return st.lists(_statements(_ELEMENTS) | inner, min_size=1, max_size=3).map(lambda body: loop(*body))


def programs(longest=3):
    """Loops and scalars between them."""
    between = st.builds(Assign, st.sampled_from([s, t]), _values((a[0], b[1], s, t)))
    parts = st.lists(nested_loops() | nested_loops() | between, min_size=1, max_size=longest)
    return parts.map(lambda made: (*START, *made, *END))
