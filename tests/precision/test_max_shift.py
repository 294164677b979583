"""Stabilised formulas have the value of the derived ones, and neither overflow nor lose everything at large numbers."""

import numpy as np
import pytest
from mpmath import mp
from sympy import Indexed, exp, log

from symbackprop import Network
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.derivation.training_step import stages_of_network
from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import formula
from symbackprop.expr.reductions import Maximum, Sum
from symbackprop.expr.symbols import Axis, array, scalar, size
from symbackprop.precision.max_shift import primitives, shift_by_maximum, split_log, stabilise
from tests import modules
from tests.precision import values

n = size("n")
i, j = Axis("i", n), Axis("j", n)
a, b = map(array, "ab")
I, J = i.index, j.index  # noqa: E741
u, l = scalar("u"), scalar("l")  # noqa: E741
SIZES = {size(f"n^{k}"): 3 for k in range(4)}

NETWORKS = {
    "nll": Network(("tanh",)),
    "bce": Network(("softplus",), "bce"),
    "squared": Network(("elu", "sigmoid"), "squared"),
    "softmax squared": Network(("selu",), "squared", output="softmax", target="vector"),
    "bce of softmax": Network(("silu",), "bce", output="softmax"),
    "nll of sigmoids": Network((), "nll", output="sigmoid"),
    "penalised outputs": Network((), lambda f, y, axis: -log(f[y]) + axis.sum(lambda t: f[t] ** 2) / 10),
    "cross entropy": Network(
        (), lambda f, y, axis: -axis.sum(lambda t: y[t] * log(f[t])), output="softmax", target="vector"
    ),
    "own softmax": Network(preactivation=lambda W, b, h, i, axis: b[i] + log(axis.sum(lambda t: exp(W[i, t] * h[t])))),
}


def equations_of(network):
    stages = stages_of_network(network.resolved)
    return (*stages.forward, stages.loss, *stages.backward, *stages.gradients)


def inputs(seed):
    arrays = values.Arrays(seed)
    arrays["y", ()] = 1
    return arrays


@pytest.mark.parametrize("name", NETWORKS)
def test_stabilising_keeps_the_value(name):
    equations = equations_of(NETWORKS[name])
    made = stabilise(equations)
    assert {e.name for e in equations} <= {e.name for e in made}
    for seed in range(2):
        before, after = (values.compute(e, inputs(seed), SIZES) for e in (equations, made))
        for key, number in before.items():
            assert abs(after[key] - number) <= mp.mpf("1e-25") * (1 + abs(number)), key


@pytest.mark.parametrize("network", [NETWORKS["nll"], NETWORKS["softmax squared"], NETWORKS["penalised outputs"]])
def test_a_softmax_is_shifted_by_its_maximum(network):
    made = stabilise(equations_of(network))
    shifts = [e for e in made if e.role == "shift by the maximum"]
    assert [e.name for e in shifts] == ["m", "e", "z"]
    assert isinstance(shifts[0].rhs, Maximum)
    exponentials = [e for e in made if e.name in {"f", "l"} and e.rhs.has(exp)]
    assert exponentials == []


def test_a_shift_stands_before_its_first_use():
    made = stabilise(equations_of(NETWORKS["nll"]))
    names = [e.name for e in made]
    assert names.index("m") < names.index("e") < names.index("z") < names.index("f")
    assert names.index("a^2") < names.index("m")


def test_sums_that_differ_from_row_to_row_have_a_maximum_each():
    rows = Equation(b[I], log(Sum(exp(a[I] * a[J]), (J, 0, n - 1))), (i,))
    maximum, _, total, made = shift_by_maximum((rows,))
    assert (maximum.over, total.over) == ((i,), (i,))
    assert made.rhs == array("row_max")[I] + log(array("row_sum")[I])


def test_a_sum_within_another_stays():
    nested = Equation(l, Sum(log(Sum(exp(a[I] * a[J]), (J, 0, n - 1))), (I, 0, n - 1)))
    assert [e.name for e in shift_by_maximum((nested,))] == ["l"]


def test_a_sum_whose_maximum_does_not_cancel_stays():
    (made,) = shift_by_maximum((Equation(l, Sum(exp(a[I]), (I, 0, n - 1))),))
    assert made.rhs == Sum(exp(a[I]), (I, 0, n - 1))


def test_two_softmaxes_have_two_maxima():
    one, other = (
        Equation(array(name)[I], exp(u[I]) / Sum(exp(u[J]), (J, 0, n - 1)), (i,)) for name, u in (("f", a), ("g", b))
    )
    made = shift_by_maximum((one, other))
    assert [e.name for e in made] == ["m", "e", "z", "f", "m2", "e2", "z2", "g"]
    assert made[-1].rhs.atoms(Indexed) == {array("e2")[I]}


@pytest.mark.parametrize("point", ["-1e4", "-40", "-1", "0", "1", "40", "1e4"])
def test_split_logarithm_keeps_the_value(point):
    where = {u: mp.mpf(point)}
    before, after = (values.value(e, {}, where) for e in (log(1 + exp(u)), split_log(log(1 + exp(u)))))
    assert abs(before - after) <= mp.mpf("1e-35") * abs(before)


def test_primitives():
    assert formula(primitives(log(1 + exp(u)))) == "log1p(exp(u))"
    assert formula(primitives(3 * exp(u) - 3)) == "3 expm1(u)"
    assert formula(primitives(exp(u) - 2)) == formula(exp(u) - 2)
    for expr in (log(1 + exp(u)), 3 * exp(u) - 3, 2 - 2 * exp(-u), log(1 + u + exp(u)), exp(u) - 2):
        where = {u: mp.mpf("0.37")}
        assert abs(values.value(primitives(expr), {}, where) - values.value(expr, {}, where)) < mp.mpf("1e-35")


# --- in floating point ---


def in_numpy(network, dtype):
    """Kernels as plain Python whose overflows are infinities, as in machine code."""
    return modules.gradients_alone(network, dtype, **modules.NUMPY_FUNCTIONS)


def linear(module, logits):
    """Parameters with which the last pre-activation is x itself, and x."""
    count = len(logits)
    return {"W1": np.eye(count, dtype=module.real), "b1": np.zeros(count, module.real)}, np.array(logits, module.real)


LOGITS = [[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4], [1e4, 1e4 - 1, 0.5], [30, -30, 700], [-100, -90, -95]]


@pytest.mark.filterwarnings("ignore:overflow", "ignore:underflow")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("logits", LOGITS, ids=str)
def test_softmax_at_large_numbers(logits, dtype):
    module = in_numpy(Network(()), dtype)
    parameters, x = linear(module, logits)
    total = mp.log(mp.fsum(mp.exp(mp.mpf(float(v)) - max(x)) for v in x)) + max(x)
    expected = [float(mp.exp(mp.mpf(float(v)) - total)) for v in x]
    epsilon = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(
        modules.forward(module, parameters, x[None])[0], expected, rtol=200 * epsilon, atol=1e-30
    )
    for y in range(3):
        value, found = modules.backward(module, parameters, x, y)
        assert value == pytest.approx(float(total - x[y]), rel=10 * epsilon, abs=2 * epsilon * float(np.abs(x).max()))
        np.testing.assert_allclose(found["db1"], np.subtract(expected, np.arange(3) == y), atol=10 * epsilon)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:underflow")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("logit", [-1e4, -88, -30, -1e-3, 0, 1e-3, 30, 88, 1e4])
@pytest.mark.parametrize("y", [0, 0.25, 1])
def test_binary_cross_entropy_at_large_numbers(logit, y, dtype):
    module = in_numpy(Network((), "bce"), dtype)
    parameters, x = linear(module, [logit])
    epsilon, point = float(np.finfo(dtype).eps), mp.mpf(float(x[0]))
    value, found = modules.backward(module, parameters, x, np.array([y], dtype))
    with mp.workdps(100):  # 1 - sigmoid is as small as exp(-88)
        softplus, sigmoid = mp.log1p(mp.exp(-abs(point))) + max(point, 0), 1 / (1 + mp.exp(-point))
        slope = float(sigmoid - y)
    assert value == pytest.approx(float(softplus - y * point), rel=10 * epsilon, abs=abs(logit) * 4 * epsilon)
    tiny = float(np.finfo(dtype).tiny)
    assert found["db1"][0] == pytest.approx(slope, rel=4 * epsilon, abs=tiny * epsilon)
    assert modules.forward(module, parameters, x[None])[0, 0] == pytest.approx(
        float(sigmoid), rel=10 * epsilon, abs=1e-36
    )


def slope_of(module, point, dtype):
    """g and g' of an activation at a point, from the kernels of a network of one unit a layer."""
    one, zero = np.ones((1, 1), dtype), np.zeros(1, dtype)
    parameters = {"W1": one, "b1": zero, "W2": one.copy(), "b2": zero.copy()}
    x = np.array([point], dtype)
    h = modules.forward(module, parameters, x[None])[0]
    if abs(h[0]) > 1e4:  # h - 1/2 would be h again
        return h[0], None
    _, found = modules.backward(module, parameters, x, h - module.real(0.5))
    return h[0], found["db1"][0]


@pytest.mark.filterwarnings("ignore:overflow", "ignore:underflow")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_at_large_numbers(name, dtype):
    module = in_numpy(Network((name,), "squared"), dtype)
    (symbol,) = ACTIVATIONS[name].free_symbols
    epsilon = float(np.finfo(dtype).eps)
    for point in (-1e4, -1e3, -90.0, -20.0, -2.0, 2.0, 20.0, 90.0, 1e3, 9e3):
        g = values.value(ACTIVATIONS[name], {}, {symbol: mp.mpf(point)})
        above, below = (values.value(ACTIVATIONS[name], {}, {symbol: mp.mpf(point + s * 2**-30)}) for s in (1, -1))
        h, slope = slope_of(module, point, dtype)
        assert float(h) == pytest.approx(float(g), rel=20 * epsilon, abs=4 * epsilon), point
        if slope is not None:
            size = max(1.0, abs(float(g)))  # the slope is divided out of a difference of numbers of this size
            expected = float((above - below) * 2**29)
            assert float(slope) == pytest.approx(expected, rel=1e-6, abs=40 * epsilon * size), point
