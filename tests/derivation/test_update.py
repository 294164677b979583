"""Rules of updates: against NumPy that knows nothing of the generator, and the same in every schedule without rounding."""

import itertools

import numpy as np
import pytest

from symbackprop import Network, build, check_module, conv, dense, maxpool
from symbackprop.definitions.update_rules import ADDITIONS, RULES, update_of
from tests import modules, reference
from tests.kernels.test_fast_orders import Residue, exact_module, rational

SIZES, EXAMPLES, UPDATES = (6, 5, 4, 3), 9, 31
ACTIVATIONS = ("tanh", "sigmoid")
NUMBERS = {"learning_rate": 0.4, "decay": 0.01, "l2": 0.02, "momentum": 0.8, "max_gradient": 0.7, "max_weights": 0.9}
NAMES = [*RULES, *ADDITIONS, "nesterov+clip", "momentum+max_norm", "nesterov+clip+max_norm+average"]


def oracle(parameters, names, data, order, weight, masks, t=0):
    """The textbook, one example after the other; returns the parameters and their means over the updates."""
    X, y = data
    θ = {name: value.copy() for name, value in parameters.items()}
    v, mean = ({name: 0 * value for name, value in θ.items()} for _ in range(2))
    for n, i in enumerate(order):
        slopes = {name: weight[i] * slope for name, slope in gradients(θ, X[i], y[i], [m[n] for m in masks]).items()}
        size = np.sqrt(sum((slope**2).sum() for slope in slopes.values()))
        clip = min(1, NUMBERS["max_gradient"] / size) if "clip" in names else 1
        α = NUMBERS["learning_rate"] / (1 + NUMBERS["decay"] * (t + n))
        for name in list(θ):
            Δ = -clip * slopes[name] - 2 * NUMBERS["l2"] * θ[name] * name.startswith("W")
            if "momentum" in names or "nesterov" in names:
                v[name] = NUMBERS["momentum"] * v[name] + α * Δ
                θ[name] += v[name] if "momentum" in names else NUMBERS["momentum"] * v[name] + α * Δ
            else:
                θ[name] += α * Δ
            if "max_norm" in names and name.startswith("W"):
                norms = np.linalg.norm(θ[name], axis=1, keepdims=True)
                θ[name] *= np.minimum(1, NUMBERS["max_weights"] / norms)
            mean[name] += (θ[name] - mean[name]) / (t + n + 1)
    return θ, mean


def gradients(θ, x, y, masks):
    """Of -log softmax by hand, tanh under sigmoid, each hidden layer times its mask."""
    tanh = np.tanh(θ["W1"] @ x + θ["b1"])
    h1 = tanh * masks[0]
    sigmoid = 1 / (1 + np.exp(-(θ["W2"] @ h1 + θ["b2"])))
    h2 = sigmoid * masks[1]
    da3 = reference.softmax(θ["W3"] @ h2 + θ["b3"]) - np.eye(SIZES[-1])[y]
    da2 = (θ["W3"].T @ da3) * masks[1] * sigmoid * (1 - sigmoid)
    da1 = (θ["W2"].T @ da2) * masks[0] * (1 - tanh**2)
    pairs = zip((da1, da2, da3), (x, h1, h2), strict=True)
    return {f"{letter}{k}": value for k, (da, h) in enumerate(pairs, 1)
            for letter, value in (("W", np.outer(da, h)), ("b", da))}  # fmt: skip


def drawn(seed=0):
    generator = np.random.default_rng(seed)
    data = generator.normal(size=(EXAMPLES, SIZES[0])), generator.integers(SIZES[-1], size=EXAMPLES)
    weight = generator.uniform(0, 2, EXAMPLES)
    masks = [2.0 * generator.integers(2, size=(UPDATES, n)) for n in SIZES[1:-1]]
    return data, generator.integers(EXAMPLES, size=UPDATES), weight, masks


def test_without_additions_the_oracle_is_the_reference():
    data, order, weight, masks = drawn()
    parameters, ones = reference.initial(SIZES), [0 * m + 1 for m in masks]
    found, _ = oracle(parameters, ["sgd"], data, order, 0 * weight + 1, ones)
    reference.sgd(parameters, ACTIVATIONS, "nll", *data, order, 0.4, 0.01, l2=0.02)
    assert modules.worst(found, parameters) < 1e-13


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize(("weighted", "dropout"), [(False, False), (True, True)])
def test_every_schedule_is_the_textbook(names, weighted, dropout):
    network = Network(ACTIVATIONS, "nll", "l2", update=names, weighted=weighted, dropout=dropout)
    module = modules.interpreted(network)
    data, order, weight, masks = drawn()
    start = reference.initial(SIZES)
    weight = weight if weighted else 0 * weight + 1
    masks = masks if dropout else [0 * m + 1 for m in masks]
    expected, means = oracle(start, names, data, order, weight, masks, t=4)
    settings = [NUMBERS[name] for name in ("learning_rate", *module.SPEC["hyperparameters"])]
    for schedule, kernel in module.SCHEDULES.items():
        found = {name: value.copy() for name, value in start.items()}
        state = {name: 0 * start[of] for name, of in module.SPEC.get("state", {}).items()}
        more = [8] * (schedule == "deferred")
        given = (*data, *([weight] if weighted else []), order, *(masks if dropout else []))
        # the mean of what is kept from update 4 on: a running mean that began there
        done, _ = kernel(*given, *found.values(), *state.values(), *settings, 4, *more)
        assert done == UPDATES
        assert modules.worst(found, expected) < 1e-12, schedule
        kept = {name: state[f"mean_{name}"] for name in start if f"mean_{name}" in state}
        assert bool(kept) is ("average" in names)
        if kept:
            assert modules.worst(kept, means) < 1e-12


@pytest.mark.parametrize("update", ["sgd", "momentum", "nesterov", "average", "nesterov+average"])
@pytest.mark.parametrize(("weighted", "dropout"), [(True, False), (False, True)])
def test_without_rounding_every_schedule_equals_plain(update, weighted, dropout):
    network = Network((rational,) * 2, "squared", "l2", update=update, weighted=weighted, dropout=dropout)
    module = exact_module(modules.text_of(network), Residue)
    generator, sizes = np.random.default_rng(0), (5, 9, 7, 4)

    def some(*shape):
        return np.vectorize(Residue, otypes=[object])(generator.integers(2**60, size=shape))

    X, Y, weight = some(7, sizes[0]), some(7, sizes[-1]), some(7)
    masks = [some(23, n) for n in sizes[1:-1]]
    parameters = [some(*(sizes[axis] for axis in axes)) for axes in module.SPEC["parameters"].values()]
    shapes = dict(zip(module.SPEC["parameters"], (p.shape for p in parameters), strict=True))
    state = [some(*shapes[of]) for of in module.SPEC.get("state", {}).values()]
    settings = [Residue(n) / Residue(7) for n in range(1, 2 + len(module.SPEC["hyperparameters"]))]
    data = (X, Y, *([weight] if weighted else []), generator.integers(7, size=23), *(masks if dropout else []))

    def run(kernel, *more):
        values = [p.copy() for p in (*parameters, *state)]
        returned = kernel(*data, *values, *settings, 3, *more)
        return [*returned, *(v for p in values for v in p.flat)]

    plain = run(module.sgd)
    assert run(module.sgd_overlapped) == plain
    assert run(module.sgd_minibatch, 1) == plain
    for block in (3, 16) if "deferred" in module.SCHEDULES else ():
        assert run(module.sgd_deferred, block) == plain


def test_what_is_not_linear_in_the_weights_is_not_deferred_and_says_why():
    refused = modules.interpreted(Network(ACTIVATIONS, "nll", "l2", update="max_norm")).SPEC["refused"]
    assert "divided by their norm" in refused["deferred"]


@pytest.mark.parametrize("update", ["momentum", "nesterov", "average", "clip", "nesterov+clip+average"])
def test_what_is_linear_in_the_weights_is_deferred(update):
    module = modules.interpreted(Network(ACTIVATIONS, "nll", "l2", update=update, weighted=True, dropout=True))
    assert "deferred" in module.SCHEDULES


@pytest.mark.parametrize("update", NAMES)
def test_layers_and_learnt_parameters_have_the_same_rules(update):
    layers = [conv(2, 2), "prelu", dense(3)]
    module = build(Network(layers, penalty="l1", input=(1, 3, 4), update=update, weighted=True, dropout=True),
                   dtype="float64")  # fmt: skip
    assert [r for r in check_module(module, compiled=()) if not r.passed] == []


@pytest.mark.parametrize("update", ["sgd", "nesterov+clip+max_norm+average"])
@pytest.mark.parametrize("dropout", [False, True])
def test_convolutions_that_share_functions_of_one_example_have_the_same_rules(update, dropout):
    layers = [conv(4, 3), "tanh", maxpool(2), dense(3)]
    network = Network(layers, penalty="l2", input=(1, 8, 8), update=update, weighted=True, dropout=dropout)
    made = build(network, dtype="float64")
    assert "forward_of_example" in made.text
    assert [r for r in check_module(made, compiled=()) if not r.passed] == []


def test_sums_over_examples_and_of_a_formula_have_letters_of_their_own():
    network = Network(loss="bce", output="softmax", penalty="l2")  # a sum within a sum
    assert [r for r in check_module(build(network, dtype="float64"), compiled=()) if not r.passed] == []


def test_weights_are_repeats_of_examples():
    """The gradient of a weighted example is that of as many examples, and so is a batch of them, mean for mean."""
    plain, weighted = (modules.interpreted(Network(("tanh",), "bce", weighted=flag)) for flag in (False, True))
    generator, sizes = np.random.default_rng(0), (4, 5, 2)
    X, Y = generator.normal(size=(3, 4)), generator.uniform(size=(3, 2))
    times = np.array([3, 0, 2])
    start = reference.initial(sizes)
    found, expected = ({n: v.copy() for n, v in start.items()} for _ in range(2))
    weighted.sgd_minibatch(X, Y, times.astype(float), np.arange(3), *found.values(), 0.6, 0.0, 0, 3)
    order = np.repeat(np.arange(3), times)
    plain.sgd_minibatch(X, Y, order, *expected.values(), 0.6 * 5 / 3, 0.0, 0, 5)
    assert modules.worst(found, expected) < 1e-14


@pytest.mark.parametrize("names", ["nestrov", "momentum+nesterov", "clip+clip", "", "sgd+"])
def test_what_is_no_update_is_said(names):
    with pytest.raises(ValueError, match="update"):
        update_of(names)
    with pytest.raises(ValueError, match="update"):
        Network(update=names)


@pytest.mark.parametrize("given", [{"update": 3}, {"update": ("clip",)}, {"dropout": 0.3}, {"weighted": "yes"}])
def test_what_is_of_another_type_is_told(given):
    with pytest.raises(ValueError, match="expected"):
        Network(**given)


def test_every_pair_of_rule_and_additions_has_constants_of_its_own():
    for rule, *flags in itertools.product(RULES, *[(False, True)] * len(ADDITIONS)):
        names = "+".join([rule, *itertools.compress(ADDITIONS, flags)])
        assert len({*update_of(names).constants}) == (rule != "sgd") + flags[0] + flags[1]


def test_masks_leave_units_out_and_keep_the_mean():
    module = modules.interpreted(Network(ACTIVATIONS, "nll", dropout=True))
    for mask in module.Trainer(SIZES, seed=0)._masks(0.25, 5000):
        assert set(np.unique(mask)) == {0.0, 4 / 3}
        assert mask.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("batch", "updates"), [(1, 7), (3, 3), (7, 1), (20, 1)])
def test_a_short_last_batch_is_an_update_too(batch, updates):
    trainer = modules.interpreted(Network(ACTIVATIONS, "nll")).Trainer(SIZES, seed=0, schedule="plain")
    generator = np.random.default_rng(0)
    trainer.sgd(generator.normal(size=(7, SIZES[0])), generator.integers(SIZES[-1], size=7), batch_size=batch)
    assert trainer.t == updates
