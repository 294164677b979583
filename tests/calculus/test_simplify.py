"""Rewriting keeps the value everywhere: folding through the stored value, expanded logarithms, tidy quotients."""

import functools

import pytest
from hypothesis import given, strategies
from mpmath import mp
from sympy import Abs, Add, Indexed, Mul, Piecewise, Rational, cos, exp, log, sin, sqrt, tanh

from symbackprop import Network, derive
from symbackprop.calculus.simplify import cost, expand_logs, fold, invert, tidy
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import formula
from symbackprop.expr.reductions import Sum
from symbackprop.expr.symbols import Axis, array, scalar, size
from tests.precision import values

n = size("n")
i, j = Axis("i", n), Axis("j", n)
a, h, d, y = map(array, ["a", "h", "d", "y"])
I, J = i.index, j.index  # noqa: E741
u = scalar("u")
GRID = [
    mp.mpf(point) for point in ("-700", "-40", "-5", "-1.3", "-0.5", "-1e-9", "1e-9", "0.25", "1", "3.5", "40", "700")
]
SUBGRADIENTS = {"relu": 0, "leaky_relu": mp.mpf("0.01"), "squared_relu": 0, "elu": 1, "softsign": 1}
FOLDED = {
    "sigmoid": "∂l/∂h⁽ᵏ⁾ᵢ h⁽ᵏ⁾ᵢ (1 - h⁽ᵏ⁾ᵢ)",
    "tanh": "∂l/∂h⁽ᵏ⁾ᵢ (1 - h⁽ᵏ⁾ᵢ²)",
    "softplus": "∂l/∂h⁽ᵏ⁾ᵢ (1 - exp(-h⁽ᵏ⁾ᵢ))",
    "elu": "∂l/∂h⁽ᵏ⁾ᵢ {1 + h⁽ᵏ⁾ᵢ if a⁽ᵏ⁾ᵢ ≤ 0; 1 otherwise}",
    "gaussian": "-2 ∂l/∂h⁽ᵏ⁾ᵢ a⁽ᵏ⁾ᵢ h⁽ᵏ⁾ᵢ",
    "relu": "∂l/∂h⁽ᵏ⁾ᵢ {0 if a⁽ᵏ⁾ᵢ ≤ 0; 1 otherwise}",
    "sine": "∂l/∂h⁽ᵏ⁾ᵢ cos(a⁽ᵏ⁾ᵢ)",
    "identity": "∂l/∂h⁽ᵏ⁾ᵢ",
}


@functools.cache
def derive_slope(name):
    return derive(Network((name,))).result("pre-activation")


def slope_at(name, point):
    """∂l/∂a as derived, where ∂l/∂h = 1 and a is given."""
    (definition,) = Network((name,)).resolved.layers[0].activated
    (result,) = derive_slope(name)
    arrays = values.Arrays(0)
    arrays["a^1", (0,)] = arrays["a^k", (0,)] = point
    arrays["h^k", (0,)] = values.value(definition.rhs, arrays, {j.index: 0})
    arrays["∂l/∂h^k", (0,)] = mp.one
    return values.value(result.rhs, arrays, {I: 0})


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_slope_of_every_activation_is_right_everywhere(name):
    """A fold through the stored h must hold for all a, not only where the steps are checked."""
    g = ACTIVATIONS[name]
    (symbol,) = g.free_symbols
    for point in GRID:
        step = min(abs(point), 1) * mp.mpf("1e-13")
        above, below = (values.value(g, {}, {symbol: point + s * step}) for s in (1, -1))
        expected = (above - below) / (2 * step)
        assert abs(slope_at(name, point) - expected) <= mp.mpf("1e-12") * (mp.mpf("1e-6") + abs(expected)), point


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_slope_exists_at_zero(name):
    """No derivative divides by a or h: silu, gelu, sine ... pass through 0."""
    assert mp.isfinite(slope_at(name, mp.zero))
    if name in SUBGRADIENTS:
        assert abs(slope_at(name, mp.zero) - SUBGRADIENTS[name]) < mp.mpf("1e-30")


@pytest.mark.parametrize("name", FOLDED)
def test_the_form_of_the_slope(name):
    (result,) = derive_slope(name)
    assert formula(result.rhs) == FOLDED[name]


def test_silu_does_not_divide_by_a():
    (result,) = derive_slope("silu")
    assert "h⁽ᵏ⁾" not in formula(result.rhs).replace("∂l/∂h⁽ᵏ⁾", "")


def test_softmax_is_folded_to_the_lectures_form():
    (result,) = derive(Network()).result("output")
    assert str(result) == "∂l/∂a⁽ᴸ⁺¹⁾ᵢ = fᵢ - 1[i=y]"


# --- fold ---

DEFINITIONS = {
    "h = tanh a": (tanh(a[I]), 1 - tanh(a[I]) ** 2, 1 - h[I] ** 2),
    "h = exp(-a²)": (exp(-(a[I] ** 2)), a[I] * exp(-(a[I] ** 2)), a[I] * h[I]),
    "h = a": (a[I], sin(a[I]), sin(h[I])),
    "h = 2 exp a + 1": (2 * exp(a[I]) + 1, exp(a[I]), None),
    "h = a exp a": (a[I] * exp(a[I]), exp(a[I]) + a[I] * exp(a[I]), None),
    "h = sin a": (sin(a[I]), cos(a[I]), cos(a[I])),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_fold_keeps_the_value(name):
    g, expr, expected = DEFINITIONS[name]
    made = fold(expr, Equation(h[I], g, (i,)))
    if expected is not None:
        assert made == expected
    for point in ("-2.5", "-0.3", "0", "0.7", "3"):
        arrays = values.Arrays(0)
        arrays["a", (0,)] = mp.mpf(point)
        arrays["h", (0,)] = values.value(g, arrays, {I: 0})
        assert abs(values.value(made, arrays, {I: 0}) - values.value(expr, arrays, {I: 0})) < mp.mpf("1e-30")


def test_fold_takes_every_index_and_every_power():
    made = fold(exp(a[J]) * exp(2 * a[I]), Equation(h[I], exp(a[I]), (i,)))
    assert made == h[J] * h[I] ** 2


def test_fold_leaves_other_arrays_alone():
    assert fold(exp(d[I]), Equation(h[I], exp(a[I]), (i,))) == exp(d[I])


def test_fold_through_a_scalar_changes_nothing():
    expr = exp(a[I]) * d[I]
    assert fold(expr, Equation(scalar("l"), log(1 + exp(a[0])))) == expr


def test_fold_gives_up_what_it_cannot_invert():
    """h = a / (1 + exp(-a)) has no inverse in elementary functions."""
    expr = (1 + a[I] - a[I] / (1 + exp(-a[I]))) / (1 + exp(-a[I]))
    made = fold(expr, Equation(h[I], a[I] / (1 + exp(-a[I])), (i,)))
    denominators = [p.base for p in made.atoms(type(a[I] ** -1)) if p.exp.is_negative]
    assert a[I] not in denominators
    assert not any(b.has(h[I]) for b in denominators)


@pytest.mark.parametrize(
    ("g", "inverse"),
    [(1 / (1 + u), 1 / a[0] - 1), (log(u + 2), exp(a[0]) - 2), (3 * u - 1, (a[0] + 1) / 3), (u, a[0])],
    ids=str,
)
def test_invert(g, inverse):
    found = invert(g, u, a[0])
    arrays = values.Arrays(0)
    arrays["a", (0,)] = mp.mpf("0.4")
    assert abs(values.value(found - inverse, arrays, {})) < mp.mpf("1e-30")


@pytest.mark.parametrize("g", [u**2, u + sin(u), sqrt(u), sin(u), u * (1 + u)], ids=str)
def test_invert_refuses_what_has_several_answers(g):
    assert invert(g, u, a[0]) is None


# --- tidy, expand_logs ---


@strategies.composite
def quotients(draw, depth=3, kinds=("+", "*", "/", "{", "Σ", "leaf")):
    """Rational functions of exp(a), tanh(a), a and |a|, with pieces and sums."""
    if not depth:
        return draw(strategies.sampled_from([a[I], exp(a[I]), exp(-a[I]), tanh(a[I]), Abs(a[I]), Rational(1, 3), d[I]]))
    kind = draw(strategies.sampled_from(kinds))
    if kind == "leaf":
        return draw(quotients(0))
    one, other = (draw(quotients(depth - 1, kinds)) for _ in range(2))
    match kind:
        case "+" | "*":
            return (Add if kind == "+" else Mul)(one, other)
        case "/":
            return one / (2 + other**2)
        case "{":
            return Piecewise((one, a[I] <= 0), (other, True))
    return Sum(one.xreplace({I: J}) * other, (J, 0, n - 1))


@given(expr=quotients(), seed=strategies.integers(0, 99))
def test_tidy_keeps_the_value(expr, seed):
    arrays, where = values.Arrays(seed), {n: 3, I: 1}
    before, after = (values.value(e, arrays, where) for e in (expr, tidy(expr)))
    assert abs(before - after) <= mp.mpf("1e-25") * (1 + abs(before))


def test_tidy_never_makes_it_dearer():
    for expr in ((a[I] ** 2 - 1) / (a[I] + 1), d[I] * a[I] + d[I]):
        assert cost(tidy(expr)) <= cost(expr)


def test_tidy_does_not_square_an_exponential_in_a_quotient():
    """E/(1 + E)² is inf/inf where E overflows."""
    made = tidy(exp(-a[I]) / (1 + exp(-a[I])) ** 2)
    assert not any(p.exp <= -2 for p in made.atoms(type(a[I] ** -1)) if p.exp.is_number)


@given(numbers=strategies.lists(strategies.floats(-20, 20), min_size=3, max_size=3), label=strategies.integers(0, 2))
def test_expanded_logarithm_keeps_the_value(numbers, label):
    softmax = exp(a[label]) / i.sum(lambda t: exp(a[t]))
    entropy = i.sum(lambda t: y[t] * log(1 / (1 + exp(-a[t]))) + (1 - y[t]) * log(1 - 1 / (1 + exp(-a[t]))))
    arrays = values.Arrays(1)
    for at, number in enumerate(numbers):
        arrays["a", (at,)] = mp.mpf(number)
    for expr in (-log(softmax), -entropy, -log(softmax) + softmax**2 / 10):
        before, after = (values.value(e, arrays, {n: 3}) for e in (expr, expand_logs(expr)))
        assert abs(before - after) <= mp.mpf("1e-20") * (1 + abs(before))


def test_expanded_logarithm_of_softmax():
    made = expand_logs(-log(exp(a[0]) / i.sum(lambda t: exp(a[t]))))
    assert made == log(i.sum(lambda t: exp(a[t]))) - a[0]


def test_cost_counts_a_function_of_the_same_argument_once():
    assert cost(tanh(a[I]) + tanh(a[I]) ** 2) < cost(tanh(a[I]) + tanh(d[I]))
    assert cost(1 - h[I] ** 2) < cost(1 - tanh(a[I]) ** 2)
    assert cost(Indexed("a", I)) == 0


def test_what_multiplies_out_to_many_terms_is_left_as_it_is():
    """Factoring a sum of a few logistic functions over their common denominator takes minutes."""
    u = scalar("u")
    quotients = sum(1 / (i + exp(i * u)) for i in range(1, 10))
    assert tidy(quotients.diff(u)) == quotients.diff(u)


@pytest.mark.parametrize("at", [I, J])
def test_a_sum_that_differs_from_element_to_element_is_that_of_the_element_read(at):
    sigmoid = 1 / (1 + exp(-a[at]))
    definition = Equation(h[I], Sum(d[I + J] * y[J], j.limits) + 1 / (1 + exp(-a[I])), (i,))
    folded = fold(sigmoid * (1 - sigmoid), definition)
    indices = {s for s in folded.free_symbols if s in {I, J}}
    assert indices <= {at}
