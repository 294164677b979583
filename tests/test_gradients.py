"""Every gradient of every network in the tables, against three judges: differences, the complex step, NumPy by hand.

The whole product runs as plain Python: 17 activations x 3 losses x 4 penalties x 1..3 hidden layers, and 3 losses x 4
penalties without one. Compiled is a subset in which every activation, loss and penalty occurs, in both precisions.
"""

import copy
import itertools

import numpy as np
import pytest

from symbackprop import Network
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.definitions.losses import LOSSES
from symbackprop.definitions.penalties import PENALTIES
from tests import modules, reference

SIZES = {0: (4, 3), 1: (2, 4, 3), 2: (2, 4, 5, 3), 3: (2, 3, 4, 2, 3)}
KINKS = {name: (0,) for name in ("relu", "leaky_relu", "elu", "selu", "softsign", "squared_relu")}
KINKS["hard_sigmoid"] = (-3, 3)
SCALES = {"hard_sigmoid": 3.0}  # so that all three pieces occur
FAR, STEP, TINY = 0.02, 1e-5, 1e-30
COEFFICIENTS = {"l1": 0.03, "l2": 0.02}
MIXED = [  # three activations a network, every loss and every penalty
    (("identity", "sigmoid", "tanh"), "nll", "l1+l2"),
    (("relu", "leaky_relu", "softplus"), "bce", "l1"),
    (("elu", "selu", "gelu"), "squared", "l2"),
    (("silu", "softsign", "arctan"), "nll", "none"),
    (("gaussian", "sine", "squared_relu"), "bce", "l1+l2"),
    (("hard_sigmoid", "lecun_tanh", "tanh"), "squared", "l1"),
]


def is_fit(activations, a):
    """Whether pre-activations lie away from every kink, on both sides of each, and let gradients through."""
    sides = set()
    for name, values in zip(activations, a, strict=True):
        for kink in KINKS.get(name, ()):
            if np.abs(values - kink).min() < FAR:
                return False
            sides |= {(name, kink, bool(side)) for side in np.unique(values > kink)}
        if np.abs(reference.ACTIVATIONS[name][1](values)).max() < 0.1:
            return False
    return len(sides) == 2 * sum(len(KINKS.get(name, ())) for name in set(activations))


def example(activations, loss, sizes):
    """Parameters, x and y at which everything is differentiable."""
    for seed in itertools.count():
        generator = np.random.default_rng([seed, 7])
        parameters = reference.initial(sizes, [seed, 8], scale=max(SCALES.get(g, 0.8) for g in (*activations, "tanh")))
        x = generator.normal(0, 1, sizes[0])
        a = reference.propagate(parameters, activations, x)[1]
        weights = np.concatenate([v.ravel() for v in parameters.values()])
        if is_fit(activations, a[1:-1]) and np.abs(weights).min() > 1e-3 and np.abs(a[-1]).max() < 8:
            break
    y = 1 if loss == "nll" else generator.uniform(0, 1, sizes[-1])
    return parameters, x, y


def objective(module, parameters, x, y, l1=0.0, l2=0.0):
    """l + λΩ, its Ω written here by hand; |w| continued to complex w."""
    weights = [w for name, w in parameters.items() if name.startswith("W")]
    penalty = sum(l1 * (w * np.sign(w.real)).sum() + l2 * (w * w).sum() for w in weights)
    return modules.loss(module, parameters, x, y) + penalty


def slopes(of, parameters, step, divided):
    """The derivative of a function of all parameters, by moving one at a time."""
    found = {}
    for name, value in parameters.items():
        found[f"d{name}"] = np.empty(value.shape)
        for at in np.ndindex(value.shape):
            middle = value[at]
            found[f"d{name}"][at] = divided(value, at, middle, step, lambda: of(parameters))
            value[at] = middle
    return found


def central(value, at, middle, step, of):
    value[at] = middle + step
    above = of()
    value[at] = middle - step
    return (above - of()) / (2 * step)


def imaginary(value, at, middle, step, of):
    value[at] = middle + 1j * step
    return of().imag / step


def worst(found, expected):
    """The largest difference, relative to the largest entry of its array."""
    assert found.keys() == expected.keys()
    return max(np.abs(found[n] - e).max() / max(np.abs(e).max(), 1e-2) for n, e in expected.items())


def assert_elementwise(found, expected, relative, absolute):
    for name, e in expected.items():
        np.testing.assert_allclose(found[name], e, rtol=relative, atol=absolute, err_msg=name)


def complex_max(*values):
    return max(values, key=np.real)


def complex_abs(z):
    return z if np.real(z) > 0 else -z


def given(module, penalty):
    """The coefficients of a penalty, and the same for the reference."""
    return {name: COEFFICIENTS[name] for name in modules.penalties_of(module)}


def check(network, parameters, x, y):
    """One network's gradients against the three judges."""
    module, names = modules.interpreted(network), network.activations
    given = {name: COEFFICIENTS[name] for name in modules.penalties_of(module)}
    value, found = modules.backward(module, parameters, x, y, **given)

    expected_value, expected = reference.value_and_gradients(parameters, names, network.loss, x, y, **given)
    assert abs(value - expected_value) <= 1e-12 * abs(expected_value)
    assert worst(found, expected) <= 1e-12

    moved = copy.deepcopy(parameters)
    numeric = slopes(lambda p: objective(module, p, x, y, **given), moved, STEP, central)
    assert_elementwise(found, numeric, 1e-6, 1e-9 * max(1, abs(value)))

    functions = {**modules.NUMPY_FUNCTIONS, "max": complex_max, "abs": complex_abs}
    analytic = modules.interpret(modules.text_of(network), **functions)
    moved = {name: value.astype(complex) for name, value in parameters.items()}
    exact = slopes(lambda p: objective(analytic, p, x, y, **given), moved, TINY, imaginary)
    assert worst(found, exact) <= 1e-12


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_backward_is_the_gradient(activation, depth, loss):
    names = (activation,) * depth
    parameters, x, y = example(names, loss, SIZES[depth])
    for penalty in PENALTIES:
        check(Network(names, loss, penalty), parameters, x, y)


@pytest.mark.parametrize("loss", LOSSES)
def test_backward_is_the_gradient_without_hidden_layers(loss):
    parameters, x, y = example((), loss, SIZES[0])
    for penalty in PENALTIES:
        check(Network((), loss, penalty), parameters, x, y)
