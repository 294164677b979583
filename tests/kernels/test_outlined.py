"""Networks with sums over windows: what their kernels share, and that it is what `sgd` computes in its own loops."""

import re

import numpy as np
import pytest

from symbackprop import Network, build, check_module
from symbackprop.definitions.layer import layer
from symbackprop.definitions.layers import conv, dense, embedding, maxpool
from symbackprop.derivation.training_step import stages_of_network
from symbackprop.kernels.plan import has_products
from symbackprop.loops.ir import Call, walk
from tests import modules

CONVOLUTIONS = Network([conv(4, 3), "tanh", maxpool(2), dense(3)], input=(1, 8, 8), loss="nll", penalty="l2")
SHARED = {"forward_of_example", "backward_of_example"}


def called(kernel):
    return {s.kernel.name for s in walk(kernel.body) if isinstance(s, Call)}


def test_all_kernels_but_the_plain_one_share_forward_and_backward():
    found = {k.name: called(k) & SHARED for k in build(CONVOLUTIONS).kernels}
    both, one = SHARED, {"forward_of_example"}
    assert found == {"forward": one, "loss": one, "backward": both, "sgd_overlapped": both, "sgd_minibatch": both,
                     "sgd": set()}  # fmt: skip


def test_products_are_named_after_their_arrays_where_these_are_the_same():
    alike = [conv(4, 3), "tanh", conv(4, 3, padding=1), "tanh", conv(4, 3, padding=1), "tanh", dense(3)]
    text = build(Network(alike, input=(1, 30, 30), loss="nll")).text
    found = dict(re.findall(r"^def (\w+)(\(.*\)):$", text.partition("# --- what they call")[2], re.MULTILINE))
    assert found["sum_a1"] == "(a1, W1, b1, x)"
    assert found["sum_a2_a3"] == "(A, B, C, D)"
    assert found["each_tanh"] == "(A, B, count)"


def test_a_parameter_may_have_the_name_that_a_product_would_have():
    text = "a[o,p] = each_da[o] + sum(W[o,c,v]*h[c,p+v], c, v)"
    network = Network([layer(text, o=4, v=3), "tanh", dense(2)], input=(1, 30), loss="nll")
    made = build(network, dtype="float64")
    assert "def sum_a1(a1, W1, each_da1, x)" in made.text
    assert "def each_da1_2(da1, a1, dh1, count)" in made.text
    assert all(result.passed for result in check_module(made, compiled=()))


@pytest.mark.parametrize("layers", [[dense(4), "tanh", dense(3)], [embedding(9, 2), dense(3)]])
def test_networks_without_windows_have_kernels_of_their_own(layers):
    assert not has_products(stages_of_network(Network(layers, input=(4,), loss="nll").resolved))


def test_a_batch_of_one_is_an_example_and_batches_end_where_the_examples_do():
    module = modules.interpret(build(CONVOLUTIONS, dtype="float64").text)
    generator = np.random.default_rng(0)
    X, y = generator.random((5, 64)), np.array([0, 1, 2, 1, 0])
    one, other, whole, rest = (module.Trainer(seed=3) for _ in range(4))
    one.sgd(X, y)
    for n in range(5):
        module.sgd_minibatch(X.reshape(5, 1, 8, 8), y, np.array([n]), *other.parameters.values(), 0.1, 0.0, 0.0, n, 4)
    whole.sgd(X, y, batch_size=4)
    rest.sgd(X[:4], y[:4], batch_size=4)
    rest.sgd(X[4:], y[4:], batch_size=4)
    for name, value in one.parameters.items():
        assert np.abs(value - other.parameters[name]).max() < 1e-12
        assert np.array_equal(whole.parameters[name], rest.parameters[name])


def test_parameters_may_have_the_names_of_what_a_kernel_keeps():
    text = "a[o,q] = patches[o] + sum(sum_W[o,c,v]*W[o,c,v]*h[c,q+v], c, v)"
    network = Network([layer(text, o=2, v=2), "tanh", dense(2)], input=(1, 4), loss="nll")
    assert all(result.passed for result in check_module(build(network, dtype="float64"), compiled=()))


def test_a_loss_that_is_not_finite_leaves_the_batch_undone():
    module = modules.interpret(build(CONVOLUTIONS, dtype="float64").text)
    trainer = module.Trainer(seed=3)
    X, y = np.random.default_rng(0).random((6, 1, 8, 8)), np.zeros(6, int)
    X[4] = np.nan
    with np.errstate(all="ignore"):
        done, _ = module.sgd_minibatch(X, y, np.arange(6), *trainer.parameters.values(), 0.1, 0.0, 0.0, 0, 2)
    assert done == 4
    assert all(np.isfinite(p).all() for p in trainer.parameters.values())
