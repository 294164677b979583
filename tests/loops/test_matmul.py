"""A sum of products of two matrices leaves the same values by the call of a tiled kernel as by plain loops."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from sympy import Piecewise, exp

from symbackprop.emit.module import with_called
from symbackprop.emit.numba_text import kernel_text
from symbackprop.expr.equations import Equation
from symbackprop.expr.reductions import Sum
from symbackprop.expr.symbols import Axis, array, scalar, size
from symbackprop.loops.ir import Argument, Call, Kernel, exposed, written
from symbackprop.loops.lower import lower
from symbackprop.loops.matmul import contract
from symbackprop.loops.verify import verify

I, J, R = Axis("i", size("n")), Axis("j", size("m")), Axis("r", size("count"))  # noqa: E741 (the axes of i, j and r)
i, j, r = I.index, J.index, R.index
W, H, A, E, b = map(array, "WHAEb")
α, p = scalar("alpha"), scalar("p")
DOTS = Equation(A[r, i], Sum(W[i, j] * H[r, j], J.limits), (I, R))
TRANSPOSED = Equation(H[r, j], Sum(W[i, j] * A[r, i], I.limits), (R, J))
CONTRACTIONS = {
    "rows with rows": DOTS,
    "a matrix with its own rows": Equation(A[r, i], Sum(H[r, j] * H[i, j], J.limits), (R, Axis("i", size("count")))),
    "with a bias": Equation(A[r, i], b[i] + DOTS.rhs, (R, I)),
    "with a factor": Equation(A[r, i], b[i] - α * DOTS.rhs, (R, I)),
    "with a factor inside": Equation(A[r, i], Sum(α * W[i, j] * H[r, j] / R.size, J.limits), (R, I)),
    "transposed": TRANSPOSED,
    "an update": Equation(W[i, j], W[i, j] - α * Sum(A[r, i] * H[r, j], R.limits), (I, J)),
    "an update that shrinks": Equation(W[i, j], W[i, j] + p * W[i, j] - α * Sum(A[r, i] * H[r, j], R.limits), (I, J)),
    "by minus one": Equation(W[i, j], W[i, j] - Sum(A[r, i] * H[r, j], R.limits), (I, J)),
    "an update of each weight by itself": Equation(
        W[i, j],
        W[i, j] + Piecewise((1, W[i, j] > 0), (0, True)) - Sum(A[r, i] * H[r, j], R.limits),
        (I, J),
    ),
}
OTHERS = {
    "a vector": Equation(b[i], Sum(W[i, j] * E[j], J.limits), (I,)),
    "a vector in a matrix": Equation(A[r, i], Sum(W[i, j] * b[j], J.limits), (R, I)),
    "three matrices": Equation(A[r, i], Sum(W[i, j] * H[r, j] * E[r, j], J.limits), (R, I)),
    "a function": Equation(A[r, i], Sum(exp(W[i, j]) * H[r, j], J.limits), (R, I)),
    "a square": Equation(A[r, i], Sum(W[i, j] ** 2, J.limits), (R, I)),
    "two sums": Equation(A[r, i], DOTS.rhs + Sum(E[r, j] * W[i, j], J.limits), (R, I)),
    "a factor of each row": Equation(A[r, i], b[i] * DOTS.rhs, (R, I)),
    "a function of the sum": Equation(A[r, i], DOTS.rhs**2, (R, I)),
    "part of the sum": Equation(A[r, i], Sum(W[i, j] * H[r, j], (j, 0, r)), (R, I)),
    "what it computes": Equation(A[r, i], Sum(A[r, j] * W[i, j], J.limits), (R, I)),
}
ARGUMENTS = (
    Argument("W", (I.size, J.size)), Argument("H", (R.size, J.size)), Argument("A", (R.size, I.size)),
    Argument("b", (I.size,)), Argument("alpha"), Argument("p"),
)  # fmt: skip


def kernel(body):
    return Kernel("run", ARGUMENTS, (), body)


def computed(body, sizes, seed=0):
    """The arrays after a body, its calls included, as plain Python over float64."""
    names = {"zero": 0.0, "one": 1.0, "real": float, "kernel": lambda f: f, "np": np}
    exec("\n\n".join(map(kernel_text, with_called([kernel(body)]))), names)
    generator = np.random.default_rng(seed)
    n, m, count = sizes
    arrays = [generator.normal(size=shape) for shape in ((n, m), (count, m), (count, n), (n,))]
    names["run"](*arrays, 0.3, -0.2)
    return arrays


def called(equation):
    return tuple(s for step in contract(equation) for s in (lower(step) if isinstance(step, Equation) else (step,)))


def call_of(equation):
    return next(step for step in contract(equation) if isinstance(step, Call))


@pytest.mark.parametrize("name", CONTRACTIONS)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(sizes=strategies.tuples(*[strategies.integers(1, 13)] * 3))
def test_a_call_leaves_what_the_loops_leave(name, sizes):
    equation = CONTRACTIONS[name]
    if name == "a matrix with its own rows":
        sizes = (sizes[2], *sizes[1:])
    for got, right in zip(computed(called(equation), sizes), computed(lower(equation), sizes), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", CONTRACTIONS)
def test_calls_are_verified_with_what_they_call(name):
    verify(kernel(called(CONTRACTIONS[name])))


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_product_of_two_matrices_is_left_alone(name):
    assert contract(OTHERS[name]) == (OTHERS[name],)


def test_one_kernel_serves_all_products_of_a_kind():
    kernels = {name: call_of(equation).kernel for name, equation in CONTRACTIONS.items()}
    assert kernels["rows with rows"] is kernels["a matrix with its own rows"] is kernels["with a bias"]
    assert len(set(kernels.values())) == 4


def test_what_is_called_stands_before_its_first_call_and_only_there():
    calling = [replace(kernel(called(e)), name=f"run{n}") for n, e in enumerate((DOTS, DOTS, TRANSPOSED))]
    names = [k.name for k in with_called(calling)]
    assert names == ["rows_x_rows", "run0", "run1", "rows_x_columns", "run2"]


def test_a_call_reads_and_writes_what_its_kernel_does():
    dots = call_of(DOTS)
    update = call_of(CONTRACTIONS["an update"])
    assert written((dots,)) == {"A"}
    assert written((update,)) == {"W"}
    assert {"W", "H", "n", "m", "count"} <= exposed((dots,))
    assert {"alpha", "W"} <= exposed((update,))


def test_a_call_is_refused_that_reads_what_nothing_has_bound():
    update = call_of(CONTRACTIONS["an update"])
    without = tuple(a for a in ARGUMENTS if a.name != "W")
    with pytest.raises(ValueError, match="W is read before it is bound"):
        verify(Kernel("run", without, (), (update,)))
    room = tuple(a for a in ARGUMENTS if a.name == "A")
    without = tuple(a for a in ARGUMENTS if a.name != "A")
    verify(Kernel("run", without, room, (call_of(DOTS),)))  # it fills A
    with pytest.raises(ValueError, match="kernel run: nothing allocates A"):
        verify(Kernel("run", without, (), (call_of(DOTS),)))


def test_a_number_is_passed_as_a_real():
    call = call_of(CONTRACTIONS["by minus one"])
    assert "add_columns_x_columns(W, A, H, n, m, count, -one)" in kernel_text(kernel((call,)))
