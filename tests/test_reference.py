"""The oracle's own checks: differences, mpmath on the textbook formulas, numbers found on paper."""

import math

import mpmath
import numpy as np
import pytest

from tests import reference

H = 1e-6
PENALTIES = [(0, 0), (0, 0.01), (0.01, 0), (0.02, 0.03)]  # (l1, l2)
KINKS = {"relu": [0.0], "leaky_relu": [0.0], "selu": [0.0], "hard_sigmoid": [-3.0, 3.0]}
POINTS = [-80.0, -20.0, -7.5, -2.9, -1.0, -0.3, -1e-3, 1e-3, 0.3, 1.0, 2.9, 7.5, 20.0, 80.0]


def definition(name):
    """The textbook formula, in mpmath; its derivative is taken numerically, with many digits."""
    m = mpmath
    lam, alpha = m.mpf("1.0507009873554804934193349852946"), m.mpf("1.6732632423543772848170429916717")
    return {
        "identity": lambda a: a,
        "sigmoid": lambda a: 1 / (1 + m.exp(-a)),
        "tanh": m.tanh,
        "relu": lambda a: max(a, m.mpf(0)),
        "leaky_relu": lambda a: a if a > 0 else a / 100,
        "softplus": lambda a: m.log(1 + m.exp(a)),
        "elu": lambda a: a if a > 0 else m.exp(a) - 1,
        "selu": lambda a: lam * (a if a > 0 else alpha * (m.exp(a) - 1)),
        "gelu": lambda a: a * (1 + m.erf(a / m.sqrt(2))) / 2,
        "silu": lambda a: a / (1 + m.exp(-a)),
        "softsign": lambda a: a / (1 + abs(a)),
        "arctan": m.atan,
        "gaussian": lambda a: m.exp(-a * a),
        "sine": m.sin,
        "squared_relu": lambda a: max(a, m.mpf(0)) ** 2,
        "hard_sigmoid": lambda a: min(max((a + 3) / 6, m.mpf(0)), m.mpf(1)),
        "lecun_tanh": lambda a: m.mpf("1.7159") * m.tanh(2 * a / 3),
    }[name]


def example(loss, outputs, seed):
    rng = np.random.default_rng(seed)
    label, labels, targets = rng.integers(outputs), rng.integers(0, 2, outputs), rng.normal(size=outputs)
    return rng.normal(size=4), {"nll": label, "bce": labels, "squared": targets}[loss]


def differences(parameters, activations, loss, x, y, **penalty):
    found = {}
    for name, p in parameters.items():
        found[f"d{name}"] = np.empty_like(p)
        for i in np.ndindex(p.shape):
            kept, sides = p[i], []
            for sign in (1, -1):
                p[i] = kept + sign * H
                sides.append(reference.loss(parameters, activations, loss, x, y, **penalty))
            p[i] = kept
            found[f"d{name}"][i] = (sides[0] - sides[1]) / (2 * H)
    return found


def assert_gradients(sizes, activations, loss, seed=1, **penalty):
    parameters, (x, y) = reference.initial(sizes, seed, 0.7), example(loss, sizes[-1], seed)
    found = reference.gradients(parameters, activations, loss, x, y, **penalty)
    wanted = differences(parameters, activations, loss, x, y, **penalty)
    atol = 1e-9 * (10 + reference.loss(parameters, activations, loss, x, y))  # the differences' own rounding
    assert list(found) == list(wanted)
    for name, value in found.items():
        np.testing.assert_allclose(value, wanted[name], rtol=1e-7, atol=atol, err_msg=name)


@pytest.mark.parametrize("loss", reference.LOSSES)
@pytest.mark.parametrize("activation", reference.ACTIVATIONS)
def test_gradients_are_the_differences_quotients(activation, loss):
    assert_gradients((4, 5, 3), activation, loss)
    assert_gradients((4, 3, 3, 2), activation, loss, seed=2, l1=0.01, l2=0.02)


@pytest.mark.parametrize("loss", reference.LOSSES)
@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
def test_gradients_at_every_depth_and_penalty(loss, l1, l2):
    for activations in ([], ["tanh"], ["relu", "sigmoid"], ["softplus", "gelu", "sine"]):
        assert_gradients((4, *[3] * len(activations), 2), activations, loss, l1=l1, l2=l2)


@pytest.mark.parametrize("name", reference.ACTIVATIONS)
def test_activations_agree_with_mpmath(name):
    g, dg = reference.ACTIVATIONS[name]
    a = np.array(POINTS)
    with mpmath.workdps(200):
        exact = [mpmath.mpf(v) for v in POINTS]
        value = [float(definition(name)(v)) for v in exact]
        slope = [float(mpmath.diff(definition(name), v, h=mpmath.mpf(10) ** -50)) for v in exact]
    np.testing.assert_allclose(g(a), value, rtol=1e-13)
    np.testing.assert_allclose(dg(a), slope, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", reference.ACTIVATIONS)
def test_activations_are_stable_and_keep_the_dtype(name, dtype):
    a = np.array([-1e15, -800, -90, -1, -0.0, 0, 1, 90, 800, 1e15], dtype=dtype)
    with np.errstate(all="raise", under="ignore"):
        for f in reference.ACTIVATIONS[name]:
            assert f(a).dtype == dtype
            assert np.isfinite(f(a)).all()


def test_kinks_take_the_stated_side():
    wanted = {"relu": [0], "leaky_relu": [0.01], "hard_sigmoid": [0, 0]}
    wanted["selu"] = [reference.SELU_SCALE * reference.SELU_ALPHA]
    for name, points in KINKS.items():
        np.testing.assert_array_equal(reference.ACTIVATIONS[name][1](np.array(points)), wanted[name])
    parameters = {"W1": np.zeros((1, 1)), "b1": np.zeros(1)}
    assert reference.gradients(parameters, [], "squared", [1.0], [0.0], l1=1)["dW1"] == 0


def test_losses_are_the_definitions():
    parameters, x = reference.initial((4, 5, 3), 3), example("nll", 3, 3)[0]
    f = reference.forward(parameters, ["tanh"], "softmax", x)
    assert math.isclose(f.sum(), 1)
    assert math.isclose(reference.loss(parameters, ["tanh"], "nll", x, 2), -math.log(f[2]))
    y, f = np.array([1, 0, 1]), reference.forward(parameters, "tanh", "sigmoid", x)
    wanted = -(y * np.log(f) + (1 - y) * np.log(1 - f)).sum()
    assert math.isclose(reference.loss(parameters, ["tanh"], "bce", x, y), wanted)
    f = reference.forward(parameters, ["tanh"], "identity", x)
    assert math.isclose(reference.loss(parameters, ["tanh"], "squared", x, y), ((f - y) ** 2).sum())
    W = np.concatenate([parameters["W1"].ravel(), parameters["W2"].ravel()])
    without = reference.loss(parameters, ["tanh"], "nll", x, 0)
    penalised = reference.loss(parameters, ["tanh"], "nll", x, 0, l1=0.1, l2=0.2)
    assert math.isclose(penalised, without + 0.1 * np.abs(W).sum() + 0.2 * (W**2).sum())


@pytest.mark.parametrize("loss", reference.LOSSES)
def test_extreme_pre_activations_stay_finite(loss):
    parameters = {"W1": np.array([[1e4], [-1e4]]), "b1": np.zeros(2)}
    y = 1 if loss == "nll" else [0, 1]
    with np.errstate(all="raise", under="ignore"):
        value = reference.loss(parameters, [], loss, [1.0], y)
    assert value == {"nll": 2e4, "bce": 2e4, "squared": 1e8 + 10001**2}[loss]


def test_forward_takes_one_example_a_row():
    parameters, X = reference.initial((4, 5, 3), 5), np.random.default_rng(5).normal(size=(6, 4))
    for output in reference.OUTPUTS:
        rows = [reference.forward(parameters, ["elu"], output, x) for x in X]
        np.testing.assert_allclose(reference.forward(parameters, ["elu"], output, X), rows, rtol=1e-13)


def test_two_updates_found_on_paper():
    # f = wx + b, l = (f - y)².  w = 2, b = 0, x = 3, y = 5: l = 1, dw = 6 + l1 + 2·2·l2, db = 2
    parameters = {"W1": np.array([[2.0]]), "b1": np.array([0.0])}
    X, y, rates = np.array([[9.0], [3.0]]), np.array([[9.0], [5.0]]), {"decay": 1, "l1": 0.5, "l2": 0.125}
    # t = 1, so α = 0.5/2: w = 2 - 0.25·(6 + 0.5 + 0.5) = 0.25, b = -0.5
    assert reference.sgd(parameters, [], "squared", X, y, [1], 0.5, t=1, **rates) == 1
    assert (parameters["W1"], parameters["b1"]) == (0.25, -0.5)
    # t = 3, so α = 1/4: f = 0.25, l = 4.75², dw = -28.5 + 0.5 + 0.0625, db = -9.5
    assert reference.sgd(parameters, [], "squared", X, y, [1], 1, t=3, **rates) == 4.75**2
    assert (parameters["W1"], parameters["b1"]) == (0.25 + 27.9375 / 4, -0.5 + 9.5 / 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sgd_twice_over_halves_is_once_over_all_and_learns(dtype):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(40, 4))
    y, order = (X[:, 0] * X[:, 1] > 0).astype(int), rng.permutation(np.tile(np.arange(40), 20))
    once, twice = (reference.initial((4, 8, 2), 7, dtype=dtype) for _ in range(2))
    arrays, options = dict(twice), {"decay": 1e-3, "l1": 1e-4, "l2": 1e-4}
    whole = reference.sgd(once, ["tanh"], "nll", X, y, order, 0.1, **options)
    first = reference.sgd(twice, ["tanh"], "nll", X, y, order[:400], 0.1, **options)
    second = reference.sgd(twice, ["tanh"], "nll", X, y, order[400:], 0.1, t=400, **options)
    assert math.isclose(whole, (first + second) / 2, rel_tol=1e-12)
    assert second < first
    for name, p in once.items():
        assert p.dtype == dtype
        assert twice[name] is arrays[name], "not updated in place"
        np.testing.assert_array_equal(p, twice[name])
