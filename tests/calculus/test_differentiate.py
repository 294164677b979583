"""Partial and contract on single equations, and the renaming of indices that they rest on."""

import pytest
from hypothesis import given, settings, strategies
from mpmath import mp
from sympy import Abs, Add, Dummy, Heaviside, Integer, Max, Min, Mul, Piecewise, Rational, exp, sin, sympify, tanh

from symbackprop.calculus.chain_rule import Target, backpropagate
from symbackprop.calculus.differentiate import carry_out, desugar, partial, reads, slope
from symbackprop.expr.equations import Equation
from symbackprop.expr.indices import canonical, factor_out, fresh, named
from symbackprop.expr.printing import formula
from symbackprop.expr.reductions import Maximum, Sum, outermost
from symbackprop.expr.symbols import Axis, array, indicator, scalar, size
from tests.precision import values

n = size("n")
i, j, r = (Axis(name, n) for name in "ijr")
I, J, R = (axis.index for axis in (i, j, r))  # noqa: E741
W, q, v, x = map(array, "Wqvx")
l = scalar("l")  # noqa: E741
AT = {n: 3}
SHAPES = {"W": (3, 3), "x": (3,), "v": (3,), "q": (3,)}
WANTED = {"W": (i, j), "x": (i,), "v": (i,)}
u = scalar("u")


def at(**numbers):
    """Values for scalars by name."""
    return {scalar(name): mp.mpf(number) for name, number in numbers.items()}


# --- index capture ---

SHADOWED = {
    "the same name twice": x[I] * Sum(W[I, J] * Sum(W[J, I] * x[I], (I, 0, n - 1)), (J, 0, n - 1)),
    "the row's own name": Sum(W[J, R] * x[R], (R, 0, n - 1)) * Sum(W[J, R] * v[R], (R, 0, n - 1)) + x[J],
    "side by side": Sum(x[R], (R, 0, n - 1)) + Sum(v[R] * Sum(x[R] ** 2, (R, 0, n - 1)), (R, 0, n - 1)),
    "two indices at once": Sum(W[I, J] ** 2 * x[I], (I, 0, n - 1), (J, 0, n - 1)) * v[I],
}


@pytest.mark.parametrize(
    "rename", [fresh, canonical, lambda e: named(canonical(e))], ids=["fresh", "canonical", "named"]
)
@pytest.mark.parametrize("expr", SHADOWED.values(), ids=SHADOWED)
def test_renaming_keeps_the_value(expr, rename):
    arrays, free = values.Arrays(1, SHAPES), {**AT, I: 1, J: 2}
    assert abs(values.value(rename(expr), arrays, free) - values.value(expr, arrays, free)) < mp.mpf("1e-35")


@pytest.mark.parametrize("expr", SHADOWED.values(), ids=SHADOWED)
def test_fresh_indices_are_all_different(expr):
    indices = [limit[0] for s in outermost_sums(fresh(expr)) for limit in s.limits]
    assert len(indices) == len(set(indices))
    assert all(isinstance(index, Dummy) for index in indices)


def outermost_sums(expr):
    """Every sum, those within sums too."""
    found = outermost(expr, Sum)
    return found + [inner for s in found for inner in outermost_sums(s.function)]


def test_equal_sums_are_equal_when_canonical():
    assert Sum(x[J], (J, 0, n - 1)) != Sum(x[R], (R, 0, n - 1))
    assert canonical(Sum(x[J], (J, 0, n - 1))) == canonical(Sum(x[R], (R, 0, n - 1)))


def test_named_indices_are_not_those_around():
    assert formula(named(canonical(Sum(W[I, J] * x[J], (J, 0, n - 1))))) == "Σⱼ Wᵢⱼ xⱼ"
    assert formula(named(canonical(Sum(W[J, I] * x[I], (I, 0, n - 1))))) == "Σᵢ Wⱼᵢ xᵢ"
    assert formula(named(canonical(Sum(x[I], (I, 0, n - 1))), (i, j))) == "Σᵣ xᵣ"


def test_factor_out_takes_what_does_not_depend_on_the_index():
    assert factor_out(Sum(v[I] * W[I, J] * u, (J, 0, n - 1))) == v[I] * u * Sum(W[I, J], (J, 0, n - 1))
    assert factor_out(Maximum(-x[J] * u, (J, 0, n - 1))) == Maximum(-x[J] * u, (J, 0, n - 1))


# --- one equation ---


def test_partial_of_a_dense_layer_is_a_delta():
    dense = Equation(q[R], Sum(W[R, J] * x[J], (J, 0, n - 1)), (r,))
    assert partial(dense, "W", (i, j)) == x[J] * indicator(R, I)
    assert formula(partial(dense, "x", (j,))) == "Wᵣⱼ"
    assert partial(dense, "v", (i,)) == 0


def test_contract_solves_the_delta():
    dense = Equation(q[R], Sum(W[R, J] * x[J], (J, 0, n - 1)), (r,))
    assert formula(carry_out(dense, array("d")[R], "W", (i, j))) == "dᵢ xⱼ"
    assert carry_out(dense, array("d")[R], "x", (j,)).has(Sum)


def test_reads_tell_where_an_array_is_read():
    found = reads(fresh(x[I] ** 2 + Sum(W[I, J] * x[J], (J, 0, n - 1))), "x")
    assert sorted(len(read.bound) for read in found) == [0, 1]
    assert {read.indices for read in found if not read.bound} == {(I,)}
    assert reads(fresh(x[I]), "v") == []


@strategies.composite
def formulas(draw, free=(I,), depth=3):
    """Formulas over W, x and v with sums whose indices may have the names of those around them."""
    index = strategies.sampled_from(free)
    kinds = ["x", "v", "W"] + (["+", "*", "f", "Σ", "Σ"] if depth else [])
    kind = draw(strategies.sampled_from(kinds))
    deeper = formulas(free, depth - 1)
    match kind:
        case "x" | "v":
            return array(kind)[draw(index)]
        case "W":
            return W[draw(index), draw(index)]
        case "+" | "*":
            return (Add if kind == "+" else Mul)(draw(deeper), draw(deeper))
        case "f":
            return draw(strategies.sampled_from([sin, tanh, lambda e: e**2, lambda e: 1 / (2 + e**2)]))(draw(deeper))
    bound = draw(strategies.sampled_from([J, R, I]))
    body = draw(formulas((*(f for f in free if f != bound), bound), depth - 1))
    return Sum(v[bound] * body, (bound, 0, n - 1))


@settings(max_examples=30)
@given(rhs=formulas(), name=strategies.sampled_from(sorted(WANTED)), seed=strategies.integers(0, 99))
def test_random_formulas(rhs, name, seed):
    """Whatever the sums and their indices: the derivation ends in the derivative."""
    equations = (Equation(q[I], rhs, (i,)), Equation(l, i.sum(lambda t: q[t] * v[t] + q[t] ** 2)))
    wanted = (Target("q", (i,), "output"), Target(name, WANTED[name], "parameters"))
    if name == "v":  # the loss uses it too, and by itself
        equations = (equations[0], Equation(l, i.sum(lambda t: q[t] * (t + 1) + q[t] ** 2)))
    arrays = values.compute(equations, values.Arrays(seed, SHAPES), AT)
    values.compute(backpropagate(equations, wanted).results, arrays, AT)
    for indices, expected in values.derivative(equations, arrays, AT, wanted[1]).items():
        found = arrays[f"∂l/∂{name}", indices]
        assert abs(found - expected) <= mp.mpf("1e-15") * (1 + abs(expected)), f"{rhs} at {indices}"


# --- kinks: one documented subgradient each ---


@pytest.mark.parametrize(
    ("expr", "slopes"),
    [
        (Max(u, 0), {-1: 0, 1: 1}),
        (Min(u, 1), {0: 1, 2: 0}),
        (Abs(u), {-2: -1, 0: 0, 2: 1}),
        (u * Heaviside(u), {-1: 0, 0: 0, 1: 1}),
        (Piecewise((0, u <= 0), (u, True)), {-1: 0, 0: 0, 1: 1}),
        (Min(Max(u, 0), 6), {-1: 0, 3: 1, 7: 0}),
        (Max(u / 10, u, -1), {-20: 0, -5: Rational(1, 10), 2: 1}),
        (Max(-1, Min(1, u)), {-2: 0, 0: 1, 2: 0}),
    ],
    ids=str,
)
def test_slopes_around_kinks(expr, slopes):
    equation = Equation(q[I], expr.xreplace({u: x[I]}), (i,))
    found = carry_out(equation, Integer(1), "x", (i,))
    for point, expected in slopes.items():  # at a tie of Max or Min, see below
        arrays = values.Arrays(0)
        arrays["x", (0,)] = mp.mpf(point)
        got = values.value(found, arrays, {I: 0})
        assert abs(got - values.value(sympify(expected), {}, {})) < mp.mpf("1e-30")


@given(numbers=strategies.lists(strategies.integers(-3, 3), min_size=3, max_size=3))
def test_largest_and_smallest_as_pieces(numbers):
    """Ties included: the value is the same, and the slopes of all arguments add up to one."""
    a, b, c = map(scalar, "abc")
    where = at(a=numbers[0], b=numbers[1], c=numbers[2])
    for kind in (Max, Min):
        made = desugar(kind(a, b, c))
        assert not made.has(Max, Min)
        assert values.value(made, {}, where) == values.value(kind(a, b, c), {}, where)
        assert sum(values.value(slope(made, s), {}, where) for s in (a, b, c)) == 1


@pytest.mark.parametrize("kind", [Max, Min])
def test_a_tie_goes_to_the_first_argument(kind):
    largest = kind(*map(scalar, "abc"))
    slopes = [values.value(slope(desugar(largest), s), {}, at(a=2, b=2, c=2)) for s in largest.args]
    assert slopes == [1, 0, 0]


def test_conditions_hold_no_choices():
    """{...} <= x in a condition is more than a kernel can write."""
    made = desugar(Min(Max(u, 0), 6))
    assert "ITE" not in str(made)
    assert {values.value(made, {}, at(u=p)) for p in (-1, 3, 9)} == {0, 3, 6}


@pytest.mark.parametrize("expr", [exp(Heaviside(u)).diff(u), Abs(u).diff(u) * exp(u)], ids=str)
def test_delta_functions_are_refused(expr):
    with pytest.raises(ValueError, match="no derivative that a kernel could compute"):
        slope(expr, u)
