"""Windows that are copied out first: the same values, and the same sums where they were read."""

from hypothesis import given
from hypothesis import strategies as st
from sympy import Integer

from symbackprop.expr.equations import Equation
from symbackprop.expr.random_model import RandomModel
from symbackprop.expr.reductions import Sum
from symbackprop.expr.symbols import Axis, array
from symbackprop.loops.im2col import SHORT, with_patches
from symbackprop.loops.register_tiles import ROWS, WINDOW, register_tile

W, h, a, b, d = map(array, ("W^1", "h^0", "a^1", "b^1", "∂l/∂h^0"))


def convolution(rows, columns, channels, window, stride):
    """a[o,p,q] = Σ W[o,c,u,v] h[c, p + u, stride q + v], and the adjoint of h, added up where it is read."""
    o, c = Axis("o", Integer(channels)), Axis("c", Integer(2))
    p, q = Axis("p", Integer(rows)), Axis("q", Integer(columns))
    u, v = Axis("u", Integer(window)), Axis("v", Integer(window))
    place = (c.index, p.index + u.index, stride * q.index + v.index)
    weight = W[o.index, c.index, u.index, v.index]
    limits = [axis.limits for axis in (v, u, c)]
    forward = Equation(a[o.index, p.index, q.index], Sum(weight * h[place], *limits), (o, p, q))
    added = weight * array("∂l/∂a^1")[o.index, p.index, q.index]
    backward = Equation(d[place], d[place] + added, (o, p, q, c, u, v))
    return forward, backward


SIZES = st.tuples(st.integers(2, 5), st.integers(2, SHORT + 4), st.sampled_from((2, 4, 6)), st.integers(2, 3),
                  st.integers(1, 2))  # fmt: skip


@given(SIZES)
def test_short_rows_are_copied_out_and_long_ones_are_not(sizes):
    forward, backward = convolution(*sizes)
    made, others = with_patches((forward,), [(backward,)])
    _, columns, _, _, stride = sizes
    short = columns < SHORT or stride > 1  # at a stride the loop along the window is innermost
    assert [e.name for e in made] == (["patches^1", "a^1"] if short else ["a^1"])
    assert (others == (backward,)) is not short


@given(SIZES, st.integers(0, 2))
def test_the_sum_over_copies_is_the_sum(sizes, seed):
    forward, _ = convolution(*sizes)
    (*copies, made), *_ = with_patches((forward,), [])
    world = RandomModel((forward,), seed)
    at = {axis.index: Integer(int(axis.size) - 1) for axis in forward.over}
    swap = {copy.lhs.base: copy for copy in copies}
    rhs = made.rhs.replace(
        lambda e: getattr(e, "base", None) in swap and hasattr(e, "indices"),
        lambda e: swap[e.base].rhs.xreplace(dict(zip(swap[e.base].lhs.indices, e.indices, strict=True))),
    )
    assert abs(world.value(rhs, at) - world.value(forward.rhs, at)) < 1e-20


@given(SIZES)
def test_what_is_written_out_divides_its_loop(sizes):
    for equation in convolution(*sizes):
        turns = {i.name: int(n) for i, n in equation.ranges.items()}
        for name, count in register_tile(equation).items():
            assert turns[name] % count == 0
            assert count <= max(WINDOW, *ROWS)
