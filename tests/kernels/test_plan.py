"""Which orders a network may have; the reasons of refusals that are found in equations are in test_block_recurrence."""

import pytest

from symbackprop import Network, conv, dense, layer, maxpool, tied
from symbackprop.calculus.block_recurrence import Deferral
from symbackprop.derivation.training_step import stages_of_network
from symbackprop.kernels.plan import plan_of

MATRIX, PASSED_ON = "the first layer has no weight matrix", "the inputs are read by more than the first layer's weights"
NETWORKS = {
    "dense": (Network(("tanh", "relu"), update="nesterov+average"), ""),
    "norms": (Network(update="max_norm"), "a unit's weights are divided by their norm after every update"),
    "no parameters below": (Network([maxpool(2), dense(3)], input=(1, 4, 4)), MATRIX),
    "weights of units": (Network([layer("a[i] = w[i]*h[i]"), "tanh", dense(2)], input=(3,)), MATRIX),
    "windows": (Network([conv(4, 3), "tanh", dense(3)], input=(1, 8, 8)), "W1 is no matrix whose elements are all updated alike"),
    "inputs read again": (Network([dense(3), "tanh", layer("a[i] = h[i] + u[i]", uses={"u": "x"}), "tanh", dense(2)], input=(3,)), PASSED_ON),
    "weights read again": (Network([dense(2), "tanh", tied("W1")], input=(3,)), None),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_deferred_or_says_why_not(name):
    network, reason = NETWORKS[name]
    plan = plan_of(stages_of_network(network.resolved))
    if reason == "":
        assert isinstance(plan.deferral, Deferral)
        assert plan.refused == {}
    elif reason is None:
        assert "\n" not in plan.refused["deferred"]
    else:
        assert plan.refused == {"deferred": reason}


def test_kernels_share_functions_of_an_example_where_these_have_products():
    assert [plan_of(stages_of_network(NETWORKS[name][0].resolved)).outlined for name in ("dense", "norms", "windows")] == [
        False, False, True
    ]  # fmt: skip
