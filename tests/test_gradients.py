"""Every gradient of every network in the tables, against three judges: differences, the complex step, NumPy by hand.

As plain Python: every activation x 3 losses x 1..3 hidden layers, each with one of the 4 penalties in turn, such that
each meets every activation, and every loss at every depth; 3 losses x 4 penalties without a hidden layer. Compiled is a
subset in which every activation, loss and penalty occurs, in both precisions.
"""

import itertools

import numpy as np
import pytest

from symbackprop import Network
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.definitions.losses import LOSSES
from symbackprop.definitions.penalties import PENALTIES
from symbackprop.emit.numba_text import kernel_text
from tests import modules, reference

SIZES = {0: (4, 3), 1: (2, 4, 3), 2: (2, 4, 5, 3), 3: (2, 3, 4, 2, 3)}
KINKS = dict.fromkeys(("relu", "leaky_relu", "elu", "selu", "softsign", "squared_relu"), (0,))
KINKS["hard_sigmoid"] = (-3, 3)
SCALES = {"hard_sigmoid": 3.0}  # so that all three pieces occur
FAR = 0.02  # from a kink
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


def assert_elementwise(found, expected, relative, absolute):
    for name, e in expected.items():
        np.testing.assert_allclose(found[name], e, rtol=relative, atol=absolute, err_msg=name)


def check(network, parameters, x, y):
    """One network's gradients against the three judges."""
    module, names = modules.gradients_alone(network), network.activations
    given = {name: COEFFICIENTS[name] for name in modules.penalties_of(module)}
    value, found = modules.backward(module, parameters, x, y, **given)

    expected_value, expected = reference.value_and_gradients(parameters, names, network.loss, x, y, **given)
    assert abs(value - expected_value) <= 1e-12 * abs(expected_value)
    assert modules.worst(found, expected) <= 1e-12

    numeric = modules.differences(lambda p: objective(module, p, x, y, **given), parameters)
    assert_elementwise(found, numeric, 1e-6, 1e-9 * max(1, abs(value)))

    analytic = modules.gradients_alone(network, **modules.COMPLEX_FUNCTIONS)
    exact = modules.complex_differences(lambda p: objective(analytic, p, x, y, **given), parameters)
    assert modules.worst(found, exact) <= 1e-12


@pytest.mark.parametrize("loss", LOSSES)
def test_backward_is_the_gradient_without_hidden_layers(loss):
    parameters, x, y = example((), loss, SIZES[0])
    for penalty in PENALTIES:
        check(Network((), loss, penalty), parameters, x, y)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_backward_is_the_gradient(activation, depth, loss):
    names = (activation,) * depth
    check(Network(names, loss, penalty_of(activation, depth, loss)), *example(names, loss, SIZES[depth]))


def penalty_of(activation, depth, loss):
    """One of the penalties: their gradients meet nothing but the weights, so each need not meet every network."""
    places = list(ACTIVATIONS).index(activation), depth, list(LOSSES).index(loss)
    return list(PENALTIES)[sum(places) % len(PENALTIES)]


def test_penalties_meet_every_activation_and_every_loss_at_every_depth():
    used = [(g, (k, loss), penalty_of(g, k, loss)) for g, k, loss in itertools.product(ACTIVATIONS, (1, 2, 3), LOSSES)]
    for place in (0, 1):
        assert {(row[place], row[2]) for row in used} == set(itertools.product({row[place] for row in used}, PENALTIES))


@pytest.mark.parametrize(("activations", "loss", "penalty"), MIXED)
def test_these_are_the_kernels_of_the_module(activations, loss, penalty):
    network = Network(activations, loss, penalty)
    for kernel in modules.gradient_kernels(network):
        assert kernel_text(kernel) in modules.text_of(network)


def in_type(values, dtype):
    return {name: value.astype(dtype) for name, value in values.items()}


@pytest.mark.parametrize(("dtype", "bar"), [("float64", 1e-12), ("float32", 2e-5)])
@pytest.mark.parametrize(("activations", "loss", "penalty"), MIXED)
def test_compiled_kernels_agree_with_numpy(activations, loss, penalty, dtype, bar):
    parameters, x, y = example(activations, loss, SIZES[3])
    parameters, x = in_type(parameters, dtype), x.astype(dtype)
    y = y if loss == "nll" else y.astype(dtype)
    exact = in_type(parameters, np.float64)
    network = Network(activations, loss, penalty)
    module = modules.compiled(network, dtype)
    given = {name: COEFFICIENTS[name] for name in modules.penalties_of(module)}
    value, found = modules.backward(module, parameters, x, y, **given)
    expected_value, expected = reference.value_and_gradients(exact, activations, loss, x, y, **given)
    assert abs(value - expected_value) <= bar * abs(expected_value)
    assert modules.worst(found, expected) <= bar
    assert all(found[f"d{name}"].dtype == dtype for name in parameters)


def test_compiled_subset_has_everything():
    activations, losses, penalties = zip(*MIXED, strict=True)
    assert set(itertools.chain(*activations)) == set(ACTIVATIONS)
    assert set(losses) == set(LOSSES)
    assert set(penalties) == set(PENALTIES)


@pytest.mark.parametrize(("activations", "loss", "penalty"), MIXED)
def test_one_update_subtracts_the_gradient(activations, loss, penalty):
    """`sgd` and `backward` come from the same derivation by different equations: the fused update and the gradient."""
    parameters, x, y = example(activations, loss, SIZES[3])
    module = modules.interpreted(Network(activations, loss, penalty))
    given = {name: COEFFICIENTS[name] for name in modules.penalties_of(module)}
    _, found = modules.backward(module, parameters, x, y, **given)
    trainer = module.Trainer(SIZES[3])
    for name, value in parameters.items():
        trainer.parameters[name][...] = value
    trainer.t = 3
    trainer.sgd(x[None], np.asarray(y)[None], learning_rate=0.1, decay=0.5, **given)
    moved = {f"d{n}": (parameters[n] - trainer.parameters[n]) * (1 + 0.5 * 3) / 0.1 for n in parameters}
    assert modules.worst(moved, found) <= 1e-12
