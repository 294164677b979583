"""Lowered, hoisted and shared, written as Python and run: equations leave the values of their formulas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from sympy import Integer, Max, Piecewise, exp, sin

from symbackprop.emit.expression_text import functions
from symbackprop.emit.numba_text import kernel_text, lines
from symbackprop.expr.equations import Equation
from symbackprop.expr.indices import canonical, named
from symbackprop.expr.printing import identifier
from symbackprop.expr.reductions import Maximum, Place, Sum
from symbackprop.expr.symbols import Axis, array, array_of_integers, scalar, size
from symbackprop.loops.ir import Accumulate, Argument, Assign, Kernel, Loop, walk
from symbackprop.loops.lower import lower
from symbackprop.loops.passes.cse import share
from symbackprop.loops.passes.hoist import hoist
from symbackprop.loops.verify import verify
from tests.calculus.test_chain_rule import ALL, AT, derived, shapes_of
from tests.calculus.test_differentiate import formulas
from tests.modules import OWN
from tests.precision import values

n, m, k = map(size, "nmk")
i, j = Axis("i", n), Axis("j", m)
I, J, K = i.index, j.index, Axis("k", n).index  # noqa: E741
W, q, x, v = map(array, "Wqxv")
GUARDED = "exponential of a convolution"
PASSES = {
    "plain": lambda body: body,
    "hoisted": hoist,
    "shared": share,
    "both": lambda body: hoist(share(body)),
    "twice": lambda body: hoist(share(hoist(share(body)))),
}


def run(equations, arrays, change):
    """Compute equations by loops written as Python; return {(name, indices): number}."""
    defined = {e.name for e in equations}
    shapes = {}
    for name, indices in arrays:
        shapes[name] = np.maximum(shapes.get(name, 0), np.array(indices, int) + 1)
    filled = {name: np.full(shape, np.nan) for name, shape in shapes.items() if len(shape)}
    for (name, indices), number in arrays.items():
        if len(indices) and name not in defined:
            filled[name][indices] = float(number)
    given = {name: float(number) for (name, at), number in arrays.items() if not at and name not in defined}
    returns = tuple(e.lhs for e in equations if not e.over)
    body = change(tuple(s for e in equations for s in lower(e)))
    arguments = [Argument(f"of_{s.name}", (s,)) for s in AT]  # an array of each size
    arguments += [Argument(name, tuple(map(size, "_" * len(shape)))) for name, shape in shapes.items() if len(shape)]
    kernel = Kernel("run", (*arguments, *map(Argument, given)), (), body, returns)
    verify(kernel)
    names = {"kernel": lambda f: f, "real": float, "zero": 0.0, "one": 1.0, "np": np}
    names |= {name: OWN.get(name) or getattr(math, name) for name in functions([kernel])}
    sizes = {f"size_{s.name}": np.empty(number) for s, number in AT.items()}
    exec(kernel_text(kernel), names)
    got = names["run"](*sizes.values(), *filled.values(), *given.values())
    got = got if isinstance(got, tuple) else (got,) * len(returns)
    made = {(name, at): value for name, a in filled.items() for at, value in np.ndenumerate(a)}
    return made | {(e.name, ()): value for e, value in zip(returns, got, strict=True)}


def assert_computed(equations, arrays, change):
    """The precondition of `lower`: no bound index has the name of one around it."""
    equations = tuple(Equation(e.lhs, named(canonical(e.rhs)), e.over) for e in equations)
    expected = values.compute(equations, arrays, AT)
    found = run(equations, dict(expected), change)
    for e in equations:
        for (name, at), number in expected.items():
            if name == e.name:
                assert found[name, at] == pytest.approx(float(number), rel=1e-11, abs=1e-12), f"{e} at {at}"


@pytest.mark.parametrize("name", [name for name in ALL if name != GUARDED])
def test_models_and_their_derivatives(name):
    equations = (*ALL[name][0], *derived(name).results)
    for change in PASSES.values():
        assert_computed(equations, values.Arrays(1, shapes_of(ALL[name])), change)


@settings(max_examples=25)
@given(rhs=formulas(), seed=strategies.integers(0, 99), change=strategies.sampled_from(sorted(PASSES)))
def test_random_formulas(rhs, seed, change):
    sizes = values.Arrays(seed, {"W": (3, 3), "x": (3,), "v": (3,)})
    assert_computed((Equation(q[I], rhs, (i,)), Equation(scalar("l"), i.sum(lambda t: q[t] * rhs.xreplace({I: t})))),
                    sizes, PASSES[change])  # fmt: skip


@pytest.mark.parametrize("change", PASSES.values(), ids=PASSES)
def test_updates_of_a_matrix(change):
    """W[i,j] ← ...: each element from its own old value."""
    old = values.Arrays(2)
    before = {("W", (a, b)): old["W", (a, b)] for a in range(3) for b in range(4)}
    update = Equation(W[I, J], W[I, J] + scalar("c") * (-x[I] * v[J] - 2 * W[I, J] - sin(x[I])), (i, j))
    names = {"kernel": lambda f: f, "real": float, "zero": 0.0, "one": 1.0, "sin": math.sin}
    arguments = (Argument("W", (n, m)), Argument("x", (n,)), Argument("v", (m,)), Argument("c"))
    kernel = Kernel("run", arguments, (), change(lower(update)))
    verify(kernel)
    exec(kernel_text(kernel), names)
    made = np.array([[float(before["W", (a, b)]) for b in range(4)] for a in range(3)])
    expected = made.copy()
    xs, vs = np.array([0.5, -1.5, 2.0]), np.array([0.1, -0.2, 0.3, 0.7])
    names["run"](made, xs, vs, 0.25)
    expected += 0.25 * (-np.outer(xs, vs) - 2 * expected - np.sin(xs)[:, None])
    np.testing.assert_allclose(made, expected, rtol=1e-14, atol=1e-15)


def test_what_is_not_chosen_is_not_read():
    equations = (*ALL[GUARDED][0], *derived(GUARDED).results)
    assert_computed(equations, values.Arrays(1, shapes_of(ALL[GUARDED])), hoist)


# --- the order of the loops ---


lead, top = array_of_integers("lead"), scalar("top")
RULES = {
    "element_by_element": Equation(q[I], sin(x[I]) + scalar("c"), (i,)),
    "a_sum_for_each_element": Equation(q[I], x[I] + Sum(W[I, J] * v[J], j.limits), (i,)),
    "row_by_row": Equation(v[J], v[J] + Sum(W[I, J] * x[I], i.limits), (j,)),
    "row_by_row_from_zero": Equation(v[J], Sum(W[I, J] * x[I], i.limits), (j,)),
    "a_sum_that_no_element_needs": Equation(q[I], exp(x[I]) / Sum(exp(x[J]), (J, 0, n - 1)), (i,)),
    "a_sum_of_sums": Equation(q[I], Sum(W[I, J] * Sum(W[K, J], (K, 0, n - 1)) ** 2, j.limits), (i,)),
    "a_maximum": Equation(top, Maximum(x[I] * v[J], j.limits, i.limits)),
    "a_window_becomes_bounds": Equation(
        q[I], Sum(Piecewise((W[I, J] * v[J - I], (I <= J) & (J < I + 3)), (0, True)), j.limits), (i,)
    ),
    "an_update": Equation(W[I, J], W[I, J] - scalar("step") * (x[I] * v[J] + 2 * W[I, J]), (i, j)),
    "an_update_of_the_elements_that_indices_lead_to": Equation(
        W[lead[I], J], W[lead[I], J] - scalar("step") * q[I] * v[J], (i, j)
    ),
    "where_something_is_largest": Equation(lead[Integer(0)], Place(W[I, J], j.limits, i.limits)),
}


@pytest.mark.parametrize("rule", RULES)
def test_golden(rule, golden):
    golden(rule, "\n".join(lines(lower(RULES[rule]))))


def loops_of(body):
    return [s.index.name for s in walk(body) if isinstance(s, Loop)]


def test_a_matrix_is_read_along_its_rows():
    forward = lower(Equation(q[I], Sum(W[I, J] * x[J], (J, 0, m - 1)), (i,)))
    backward = lower(Equation(x[J], Sum(W[I, J] * q[I], (I, 0, n - 1)), (j,)))
    assert loops_of(forward) == ["i", "j"]
    assert loops_of(backward) == ["j", "i", "j"]  # zeros first, then row by row


def test_a_sum_that_no_row_needs_is_computed_once():
    body = lower(Equation(q[I], x[I] / Sum(exp(x[J]), (J, 0, n - 1)), (i,)))
    assert loops_of(body) == ["j", "i"]
    inner = body[-1]
    assert isinstance(inner, Loop)
    assert not inner.body[0].value.has(Sum)


def test_a_scalar_is_accumulated_in_place():
    body = lower(Equation(scalar("l"), Sum(x[I] ** 2, (I, 0, n - 1))))
    assert body[0] == Assign(scalar("l"), 0 * x[0], "l = Σ_i x[i]²")
    assert isinstance(body[1].body[0], Accumulate)
    assert body[1].body[0].target == scalar("l")


def test_a_maximum_starts_from_its_first_element():
    first, loop = lower(Equation(scalar("top"), Maximum(x[I] * 2, (I, 0, n - 1))))
    assert first.value == 2 * x[0]
    assert loop.body[0].op == "max"


def test_no_statement_holds_a_reduction():
    for e in (e for name in ALL for e in (*ALL[name][0], *derived(name).results)):
        for s in walk(lower(e)):
            if isinstance(s, Assign | Accumulate):
                assert not s.value.has(Sum, Maximum), str(e)


def test_the_first_statement_says_what_is_computed():
    for e in (Equation(q[I], sin(x[I]), (i,)), Equation(q[I], q[I] + x[I], (i,)), Equation(scalar("l"), x[0])):
        assert lower(e)[0].why.startswith("q[i] ← " if e.is_update else f"{identifier(e.name)}")
        assert all(not s.why for s in list(walk(lower(e)))[1:])


def test_pieces_stay_conditional():
    body = lower(Equation(q[I], Piecewise((x[I + 1], n > I + 1), (0, True)) + Max(x[I], 0), (i,)))
    assert loops_of(body) == ["i"]
    assert body[0].body[0].value.has(Piecewise)


@given(numbers=strategies.lists(strategies.sampled_from([-1.0, 0.0, 2.0, math.nan]), min_size=6, max_size=6))
def test_the_place_of_a_maximum_is_the_first(numbers):
    """As NumPy's argmax has it, counted row by row; NaN is largest, whichever there is."""
    given_ = np.reshape(numbers, (2, 3))
    rows, columns = Axis("i", Integer(2)), Axis("j", Integer(3))
    where, M = array_of_integers("where"), array("M")
    found = Place(M[rows.index, columns.index], columns.limits, rows.limits)
    names = {"real": float, "np": np, "M": given_, "where": np.array([-1])}
    exec("\n".join(lines(lower(Equation(where[Integer(0)], found, ())))), names)
    place = names["where"][0]
    assert place == given_.argmax() or np.isnan(given_.flat[place])
