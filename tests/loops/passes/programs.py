"""Statements run as they are written: the judge of every pass is that a program leaves the same integers behind.

The programs have vectors a, b, c and matrices M, K, one loop index i of a range n (and j of a range m), and scalars s, t.
"""

import numpy as np
from hypothesis import strategies as st
from sympy import Integer, Max, Symbol

from symbackprop.emit.to_numba import kernel_text
from symbackprop.loops.ir import Accumulate, Argument, Assign, Kernel, Loop
from symbackprop.symbols import array, scalar, size

i, j, k = (Symbol(name, integer=True, nonnegative=True) for name in "ijk")
n, m, most = size("n"), size("m"), size("most")
a, b, c, M, K = (array(name) for name in "abcMK")
s, t, u, out = scalar("s"), scalar("t"), scalar("u"), array("out")
ROOM = 3  # elements beyond n and m, so that a[i + 1] exists
ARGUMENTS = (
    Argument("rows", (n,)), Argument("columns", (m,)),
    *(Argument(name, (most + ROOM,)) for name in "abc"), *(Argument(name, (most + ROOM,) * 2) for name in "MK"),
    Argument("out", (Integer(ROOM),), "parameter"),
)  # fmt: skip


def run(body, rows, columns=4, seed=0, number=int):
    """All that a body leaves in the arrays, as numbers without rounding; its scalars count where it writes them."""
    generator = np.random.default_rng(seed)
    made = {}
    for argument in ARGUMENTS:
        shape = [int(x.subs({n: rows, m: columns, most: max(rows, columns)})) for x in argument.sizes]
        values = generator.integers(-9, 10, shape)
        made[argument.name] = np.array([number(int(v)) for v in values.flat], dtype=object).reshape(shape)
    names = {"kernel": lambda function: function, "np": np, "real": number, "zero": number(0), "one": number(1)}
    exec(kernel_text(Kernel("program", ARGUMENTS, (), body)), names)
    names["program"](*made.values())
    return {name: value.tolist() for name, value in made.items()}


def loop(*body, over=i, stop=None, why="", start=0):
    return Loop(over, {i: n, j: m}.get(over) if stop is None else stop, body, why, Integer(start))


def loops_in(body):
    """How many loops stand next to each other in a body."""
    return sum(isinstance(statement, Loop) for statement in body)


_ELEMENTS = (a[i], a[i + 1], a[0], b[i], b[i + 2], c[i], M[i, 0], M[i, 1])
_INNER = (M[i, j], M[i + 1, j], K[i, j], K[j, i], a[i], b[j], c[i + 1], c[j])


def _values(elements):
    terms = st.sampled_from([*elements, s, t, Integer(2)])
    return st.builds(lambda x, y, factor: x + factor * y, terms, terms, st.sampled_from([-1, 1, 2])) | st.builds(
        lambda x, y: x * y, st.sampled_from(elements), st.sampled_from([s, Integer(3), elements[0]])
    )


def _statements(elements):
    targets = st.sampled_from([*elements, s, t])
    return st.builds(Assign, targets, _values(elements)) | st.builds(
        Accumulate, targets, _values(elements), st.sampled_from(["+", "+", "+", "max"])
    )


def bodies(elements=_ELEMENTS, longest=4):
    """A few statements with every kind of dependence between them."""
    return st.lists(_statements(elements), min_size=1, max_size=longest).map(tuple)


def _turns():
    inner = st.builds(lambda body: loop(*body, over=j), bodies(_INNER, 3))
    return st.lists(_statements(_ELEMENTS) | inner, min_size=1, max_size=3).map(lambda body: loop(*body))


def programs(longest=3):
    """Loops and scalars between them; at the end the scalars are written where `run` sees them."""
    between = st.builds(Assign, st.sampled_from([s, t]), _values((a[0], b[1], s, t)))
    parts = st.lists(_turns() | _turns() | between, min_size=1, max_size=longest)
    first = (Assign(s, Integer(1)), Assign(t, Max(a[0], b[0])))
    last = (Assign(out[0], s), Assign(out[1], t))
    return parts.map(lambda made: (*first, *made, *last))
