"""From formulas to a trained network: replaced definitions, per-example SGD, texts that are the same every time."""
# ruff: noqa: ARG005 (a definition takes all that it might need)

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, strategies
from sympy import Abs, Max, Min, Piecewise, Rational, Symbol, cosh, exp, log, sin, sqrt, tanh

from symbackprop import Network, build, check_module, derive
from tests import modules, reference

COEFFICIENTS = {"l1": 0.01, "l2": 0.02, "penalty": 0.03}
OUTPUTS = {"label": 3, "vector": 2}  # units of the output


def sine_of_weights(W, b, h, i, axis):
    return b[i] + axis.sum(lambda j: sin(W[i, j]) * h[j])


def confident(f, y, axis):
    return -log(f[y]) + 0.1 * axis.sum(lambda i: f[i] ** 2)


def unlisted(a):
    return a / sqrt(1 + a**2) + sin(a) ** 2 / 10


def fourth_power(w):
    return w**4


REPLACED = {
    "pre-activation": Network(("tanh",), preactivation=sine_of_weights),
    "loss": Network(("tanh",), loss=confident),
    "penalty": Network(("tanh",), penalty=fourth_power),
    "activation": Network((unlisted,)),
    "all four": Network((unlisted, "tanh"), confident, fourth_power, preactivation=sine_of_weights),
}
FORMULAS = {  # more of what a user may write
    "relu6": Network((lambda a: Min(Max(a, 0), 6),)),
    "clipped": Network((lambda a: Max(-1, Min(1, a)),)),
    "largest of three": Network((lambda a: Max(a / 10, a, -1),)),
    "hard swish": Network((lambda a: a * Min(Max(a + 3, 0), 6) / 6,)),
    "mish": Network((lambda a: a * tanh(log(1 + exp(a))),)),
    "log cosh": Network((lambda a: log(cosh(a)),)),
    "cube": Network((lambda a: a**3 / 3 + 0.25 * a,)),
    "powers": Network((lambda a: (1 + a**2) ** Rational(1, 3) + 2**a,)),
    "an expression": Network((1 / (1 + Symbol("u", real=True) ** 2),)),
    "huber": Network(
        loss=lambda f, y, axis: axis.sum(
            lambda i: Piecewise(((f[i] - y[i]) ** 2 / 2, Abs(f[i] - y[i]) < 1), (Abs(f[i] - y[i]) - 1 / 2, True))
        ),
        output="identity",
    ),
    "hinge": Network(
        loss=lambda f, y, axis: axis.sum(lambda i: Max(0, 1 + f[i] - f[y])) - 1, output="identity", target="label"
    ),
    "soft labels": Network(
        loss=lambda f, y, axis: -axis.sum(lambda i: y[i] * log(f[i])), output="softmax", target="vector"
    ),
    "label smoothing": Network(
        loss=lambda f, y, axis: -0.9 * log(f[y]) - 0.1 * axis.sum(lambda i: log(f[i]))
    ),
    "spherical": Network(loss=lambda f, y, axis: -f[y] / sqrt(axis.sum(lambda i: f[i] ** 2))),
    "focal": Network(loss=lambda f, y, axis: -((1 - f[y]) ** 2) * log(f[y])),
    "nll of sigmoids": Network(loss="nll", output="sigmoid"),
    "bce of softmax": Network(loss="bce", output="softmax"),
    "own output": Network(loss="squared", output=lambda a, i, axis: log(1 + exp(a[i]))),
    "normalised output": Network(
        loss="squared", output=lambda a, i, axis: a[i] / sqrt(axis.sum(lambda j: a[j] ** 2)), target="vector"
    ),
    "distances": Network(preactivation=lambda W, b, h, i, axis: b[i] - axis.sum(lambda j: (W[i, j] - h[j]) ** 2)),
    "quadratic": Network(
        preactivation=lambda W, b, h, i, axis: b[i] + axis.sum(lambda j: W[i, j] * h[j]) ** 2
        + axis.sum(lambda j: W[i, j] * h[j])
    ),
    "log-sum-exp": Network(
        preactivation=lambda W, b, h, i, axis: b[i] + log(axis.sum(lambda j: exp(W[i, j] * h[j])))
    ),
    "cosine": Network(
        preactivation=lambda W, b, h, i, axis: b[i]
        + axis.sum(lambda j: W[i, j] * h[j])
        / sqrt(axis.sum(lambda j: W[i, j] ** 2) * (1 + axis.sum(lambda j: h[j] ** 2)))
    ),
    "centred inputs": Network(
        preactivation=lambda W, b, h, i, axis: b[i]
        + axis.sum(lambda j: W[i, j] * (h[j] - axis.sum(lambda r: h[r]) / axis.size))
    ),
    "without biases": Network(preactivation=lambda W, b, h, i, axis: axis.sum(lambda j: W[i, j] * h[j])),
}  # fmt: skip


def point(network, module, seed=1):
    """Random parameters, an example, and λΩ written by hand."""
    sizes = (4, *(3, 5)[: network.resolved.depth], OUTPUTS[network.resolved.target_kind])
    generator = np.random.default_rng(seed)
    trainer = module.Trainer(sizes)
    for value in trainer.parameters.values():
        value[...] = generator.normal(0, 0.7, value.shape)
    y = 1 if network.resolved.target_kind == "label" else generator.uniform(0, 1, sizes[-1])
    return trainer.parameters, generator.normal(0, 1, 4), y


def omega(network, parameters):
    weights = [w for name, w in parameters.items() if name.startswith("W")]
    return COEFFICIENTS["penalty"] * sum((w**4).sum() for w in weights) if network.penalty is fourth_power else 0.0


def given_to(module):
    return {name: COEFFICIENTS[name] for name in modules.penalties_of(module)}


@pytest.mark.parametrize("network", [*REPLACED.values(), *FORMULAS.values()], ids=[*REPLACED, *FORMULAS])
def test_gradients_follow_a_replaced_definition(network):
    module = modules.interpreted(network)
    parameters, x, y = point(network, module)
    value, found = modules.backward(module, parameters, x, y, **given_to(module))
    assert value == pytest.approx(modules.loss(module, parameters, x, y), rel=1e-14)

    analytic = modules.complex_valued(network)
    exact = modules.complex_differences(lambda p: modules.loss(analytic, p, x, y) + omega(network, p), parameters)
    assert modules.worst(found, exact) <= 1e-12
    numeric = modules.differences(lambda p: modules.loss(module, p, x, y) + omega(network, p), parameters)
    assert modules.worst(found, numeric) <= 1e-7


SUMS_WITHIN = ("bce of softmax", "normalised output", "quadratic", "log-sum-exp", "cosine", "centred inputs")


@pytest.mark.parametrize("name", SUMS_WITHIN)
def test_every_order_of_updates_is_right_where_sums_are_within_functions_and_sums(name):
    """Indices of sums meet none that counts examples; a gradient reads no weight that was already updated."""
    for result in check_module(build(FORMULAS[name], dtype="float64"), compiled=()):
        assert result.passed, result


@pytest.mark.parametrize("network", [*REPLACED.values(), *FORMULAS.values()], ids=[*REPLACED, *FORMULAS])
def test_derivation_follows_a_replaced_definition(network):
    derive(network).check()


@pytest.mark.parametrize("network", REPLACED.values(), ids=REPLACED)
def test_training_follows_a_replaced_definition(network):
    module = modules.interpreted(network)
    generator = np.random.default_rng(0)
    X = generator.normal(0, 1, (60, 2))
    y = (X[:, 0] > 0) + (X[:, 1] > X[:, 0]).astype(int)
    trainer = module.Trainer((2, *(8, 6)[: network.resolved.depth], 3), seed=3)
    first = trainer.loss(X, y)
    coefficients = dict.fromkeys(modules.penalties_of(module), 1e-4)
    for _ in range(8):
        trainer.sgd(X, y, learning_rate=0.2, **coefficients)
    assert trainer.loss(X, y) < 0.5 * first


def test_a_formula_no_kernel_can_compute_is_refused():
    from sympy import zeta  # noqa: PLC0415

    with pytest.raises(ValueError, match="zeta"):
        build(Network((lambda a: zeta(2 + a**2),)))


def test_a_formula_without_derivative_is_refused():
    from sympy import sign  # noqa: PLC0415

    with pytest.raises(ValueError, match="derivative") as raised:
        build(Network((lambda a: sign(a) * exp(a),)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("dtype", ["float16", "double", None, 32])
def test_an_unknown_dtype_is_refused(dtype):
    with pytest.raises(ValueError, match="expected 'float32' or 'float64'"):
        build(Network(), dtype=dtype)


# --- per-example SGD ---

TRAININGS = {
    "nll": (("tanh",), "nll", "l1+l2"),
    "two layers": (("relu", "softplus"), "squared", "l1+l2"),
    "bce": (("sigmoid",), "bce", "l2"),
    "linear": ((), "nll", "l1"),
    "three layers": (("silu", "elu", "lecun_tanh"), "bce", "l1"),
}
SETTINGS = {"learning_rate": 0.05, "decay": 0.02}


def training(activations, loss, dtype="float64", examples=40):
    sizes = (5, *(4, 6, 3)[: len(activations)], 3)
    generator = np.random.default_rng(2)
    X = generator.normal(0, 1, (examples, 5)).astype(dtype)
    y = generator.integers(0, 3, examples) if loss == "nll" else generator.uniform(0, 1, (examples, 3)).astype(dtype)
    return sizes, X, y, generator.integers(0, examples, 100)


def trained(module, sizes, seed=4, schedule="plain"):
    """A Trainer whose biases are not zero."""
    trainer = module.Trainer(sizes, seed=seed, schedule=schedule)
    for name, value in reference.initial(sizes, seed).items():
        trainer.parameters[name][...] = value
    return trainer


@pytest.mark.parametrize(
    ("load", "kind"),
    [*((modules.interpreted, kind) for kind in TRAININGS), (modules.compiled, "nll"), (modules.compiled, "bce")],
)
def test_a_hundred_updates_are_those_of_numpy(load, kind):
    activations, loss, penalty = TRAININGS[kind]
    sizes, X, y, order = training(activations, loss)
    module = load(Network(activations, loss, penalty))
    trainer = trained(module, sizes)
    expected = {name: value.copy() for name, value in trainer.parameters.items()}
    coefficients = given_to(module)
    mean = trainer.sgd(X, y, order=order, **SETTINGS, **coefficients)
    expected_mean = reference.sgd(expected, activations, loss, X, y, order, **SETTINGS, **coefficients)
    assert trainer.t == 100
    assert mean == pytest.approx(expected_mean, rel=1e-12)
    for name, value in expected.items():
        np.testing.assert_allclose(trainer.parameters[name], value, rtol=1e-12, atol=1e-13, err_msg=name)


def test_every_constant_changes_the_result():
    """Otherwise the test above could not see one that is ignored."""
    sizes, X, y, order = training(("tanh",), "nll")
    module = modules.interpreted(Network(("tanh",), "nll", "l1+l2"))
    results = []
    for change in ({}, {"learning_rate": 0.06}, {"decay": 0.03}, {"l1": 0.0}, {"l2": 0.0}):
        trainer = trained(module, sizes)
        trainer.sgd(X, y, order=order, **{**SETTINGS, "l1": 0.01, "l2": 0.02, **change})
        results.append(trainer.parameters["W1"])
    for one, other in itertools.combinations(results, 2):
        assert np.abs(one - other).max() > 1e-4


@pytest.mark.parametrize(
    ("load", "dtype", "schedule"),
    [
        (modules.compiled, "float32", "plain"),
        (modules.compiled, "float64", "plain"),
        (modules.interpreted, "float32", "plain"),
        (modules.interpreted, "float32", "overlapped"),
        (modules.interpreted, "float64", "overlapped"),
    ],
)
def test_two_halves_are_the_whole(load, dtype, schedule):
    sizes, X, y, order = training(("tanh",), "nll", dtype)
    module = load(Network(("tanh",), "nll", "l1+l2"), dtype)
    whole, halves = (trained(module, sizes, schedule=schedule) for _ in range(2))
    whole.sgd(X, y, order=order, **SETTINGS, l1=0.01, l2=0.02)
    halves.sgd(X, y, order=order[:50], **SETTINGS, l1=0.01, l2=0.02)
    halves.sgd(X, y, order=order[50:], **SETTINGS, l1=0.01, l2=0.02)
    assert whole.t == halves.t == 100
    for name, value in whole.parameters.items():
        assert (value == halves.parameters[name]).all(), name


@given(cuts=strategies.lists(strategies.integers(1, 39), max_size=4, unique=True), block=strategies.integers(1, 41))
def test_any_parts_are_the_whole(cuts, block):
    """However a run is cut, by its caller or into blocks, every bit is the same."""
    sizes, X, y, order = training(("tanh",), "squared")
    module = modules.interpreted(Network(("tanh",), "squared", "l1"))
    whole, parts = trained(module, sizes), trained(module, sizes)
    whole.sgd(X, y, order=order[:40], **SETTINGS, l1=0.01)
    parts.BLOCK = block
    for start, stop in itertools.pairwise([0, *sorted(cuts), 40]):
        parts.sgd(X, y, order=order[start:stop], **SETTINGS, l1=0.01)
    assert parts.t == 40
    for name, value in whole.parameters.items():
        assert (value == parts.parameters[name]).all(), name


def test_one_compiled_module_serves_all_sizes():
    module = modules.compiled(Network(("tanh",), "nll", "l1+l2"))
    sgd = module.sgd
    trained(module, (5, 4, 3)).sgd(np.ones((2, 5)), [0, 2])
    versions = len(sgd.signatures)
    for sizes in [(1, 1, 2), (7, 2, 5), (3, 20, 3)]:
        generator = np.random.default_rng(1)
        X, y = generator.normal(0, 1, (6, sizes[0])), generator.integers(0, sizes[-1], 6)
        trainer = trained(module, sizes)
        expected = {name: value.copy() for name, value in trainer.parameters.items()}
        trainer.sgd(X, y, **SETTINGS)
        reference.sgd(expected, "tanh", "nll", X, y, range(6), **SETTINGS)
        for name, value in expected.items():
            np.testing.assert_allclose(trainer.parameters[name], value, rtol=1e-12, atol=1e-14)
    assert len(sgd.signatures) == versions


# --- the same text every time ---

WRITE_TEXTS = """
import sys
from hashlib import sha256
from sympy import exp, log
from symbackprop import Network, build

def tempered(f, y, axis):
    return -log(f[y]) + log(axis.sum(lambda i: exp(2 * f[i]))) + log(axis.sum(lambda i: exp(-f[i])))

networks = {
    "two layers": Network(("tanh", "silu"), penalty="l1+l2"),
    "pieces": Network(("hard_sigmoid",), "bce", "l1", "normal"),
    "formulas": Network((lambda a: a / (1 + a**2),), lambda f, y, axis: axis.sum(lambda i: (f[i] - y[i])**4),
                        lambda w: w**4, output="identity"),
    "three maxima": Network((), tempered),
}
for name in sys.argv[1:]:
    print(name, sha256(build(networks[name], name="m").text.encode()).hexdigest())
"""
NAMES = ["two layers", "pieces", "formulas", "three maxima"]


@pytest.mark.slow
def test_the_text_depends_on_nothing_but_the_network():
    """Not on the hash seed, and not on what the process built before."""
    written = set()
    for seed, names in (("0", NAMES), ("12345", NAMES[::-1])):
        command = [sys.executable, "-c", WRITE_TEXTS, *names]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed})
        written |= set(done.stdout.splitlines())
    assert len(written) == len(NAMES)


def test_build_twice_gives_the_same_text():
    network = Network(("gelu",), "bce", "l1+l2")
    assert build(network).text == build(network).text


def test_write_writes_the_text(tmp_path):
    module = build(Network(()))
    module.write(tmp_path / "m.py")
    assert (tmp_path / "m.py").read_text("utf-8") == module.text
    assert [p.name for p in tmp_path.iterdir()] == ["m.py"]
