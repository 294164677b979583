"""A softmax within a layer, of each row or of all, in one equation or several: right where its scores are ±1000."""

import numpy as np
import pytest
from sympy import exp

from symbackprop import Network, build
from symbackprop.definitions.layer import layer
from symbackprop.definitions.layers import dense
from symbackprop.derivation.training_step import stages_of_network
from symbackprop.precision.max_shift import in_one_equation
from tests import modules

SCORES = "s[i,j] = g*h[i]*h[j]; "
WEIGHTS = {
    "each row": (SCORES + "p[i,j] = exp(s[i,j])/sum(exp(s[i,v]), v); ", 1),
    "each row, several equations": (
        SCORES + "e[i,j] = exp(s[i,j]); z[i] = sum(e[i,v], v); p[i,j] = e[i,j]/z[i]; ", 1),
    "each column": (SCORES + "p[i,j] = exp(s[i,j])/sum(exp(s[u,j]), u); ", 0),
    "all": (SCORES + "p[i,j] = exp(s[i,j])/sum(exp(s[u,v]), u, v); ", (0, 1)),
    "all, several equations": (SCORES + "e[i,j] = exp(s[i,j]); z = sum(e[u,v], u, v); p[i,j] = e[i,j]/z; ", (0, 1)),
}  # fmt: skip
VALUES = "a[i] = sum(p[i,j]*h[j], j)"
X = np.array([[1.0, -0.99, 0.5], [0.1, 0.2, -0.3]])


def network(text, gain):
    return Network([layer(text + VALUES, initial={"g": gain}), dense(2)], input=(3,), loss="nll")


def defined(x, y, axis, g, W, b):
    """The loss by the definition, of real or complex parameters."""
    scores = g * np.outer(x, x)
    p = np.exp(scores - scores.real.max(axis=axis, keepdims=True))
    outputs = W @ (p / p.sum(axis=axis, keepdims=True) @ x) + b
    return np.log(np.exp(outputs).sum()) - outputs[y]


def slope(n, step, x, y, axis, *parameters):
    """The derivative by the complex step along one element of one parameter."""
    moved = [p.astype(complex) for p in parameters]
    moved[n].flat[step] += 1e-30j
    return defined(x, y, axis, *moved).imag / 1e-30


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gain", [1000.0, -1000.0, 1.0])
@pytest.mark.parametrize("name", WEIGHTS)
def test_values_and_gradients(name, gain, dtype):
    text, axis = WEIGHTS[name]
    module = modules.interpret(build(network(text, gain), dtype=dtype).text, **modules.NUMPY_FUNCTIONS)
    parameters = list(module.Trainer(seed=1).parameters.values())
    slopes = [np.empty_like(p) for p in parameters]
    exact = [p.astype(float) for p in parameters]
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    for x, y in zip(X.astype(dtype), (0, 1), strict=True):
        with np.errstate(over="raise", invalid="raise"):
            value = module.backward(x, y, *parameters, *slopes)
        assert value == pytest.approx(defined(x.astype(float), y, axis, *exact), rel=tolerance)
        for n, found in enumerate(slopes):
            expected = [slope(n, k, x.astype(float), y, axis, *exact) for k in range(found.size)]
            np.testing.assert_allclose(found.ravel(), expected, rtol=tolerance, atol=tolerance)


def test_no_exponential_is_left_of_a_log_of_a_sum_nor_of_its_gradient():
    text = "a[i] = log(sum(exp(W[i,j]*h[j]), j))"
    network = Network([dense(4), "tanh", layer(text, i=3), "tanh", dense(2)], input=(3,), loss="nll")
    stages = stages_of_network(network.resolved)
    made = [e for e in (*stages.stable().forward, *stages.stable().backward) if e.rhs.has(exp)]
    assert [e.role for e in made] == ["shift by the maximum"] * 2


def test_a_softmax_over_several_equations_becomes_one():
    equations = network(WEIGHTS["each row, several equations"][0], 1.0).resolved.layers[0].equations
    assert [e.name for e in equations] == ["s_^1", "e_^1", "z^1", "p^1", "h^1"]
    assert [e.name for e in in_one_equation(equations)] == ["s_^1", "p^1", "h^1"]
    assert [e.name for e in in_one_equation(equations, frozenset({"z^1"}))] == ["s_^1", "e_^1", "z^1", "p^1", "h^1"]


def test_what_no_maximum_cancels_from_stays():
    text = "e[i] = exp(h[i]); z = sum(e[v], v); a[i] = e[i]/(1 + z)"
    equations = Network([layer(text), dense(2)], input=(3,), loss="nll").resolved.layers[0].equations
    assert in_one_equation(equations) == equations
