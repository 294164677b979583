"""A network is resolved once: every layer in its place with its parameters, every choice looked up, every text read."""

from collections import Counter

import pytest
from sympy import cos, exp

from symbackprop import Network, build, conv, dense, layer, maxpool
from symbackprop.definitions import layer as layers_of_ones_own
from symbackprop.definitions import sequential, user_formulas
from symbackprop.expr.printing import formula


def test_equations_of_the_lecture():
    hidden, last = Network(("tanh",), penalty="l2").resolved.layers
    assert str(hidden.pre_activation) == "a⁽¹⁾ᵢ = b⁽¹⁾ᵢ + Σⱼ W⁽¹⁾ᵢⱼ h⁽⁰⁾ⱼ"
    assert str(last.pre_activation) == "a⁽²⁾ᵢ = b⁽²⁾ᵢ + Σⱼ W⁽²⁾ᵢⱼ h⁽¹⁾ⱼ"
    assert [str(e) for e in hidden.activated] == ["h⁽¹⁾ⱼ = tanh(a⁽¹⁾ⱼ)"]
    assert last.activation is None
    (omega,) = hidden.penalties
    assert formula(omega.rhs).endswith("W⁽¹⁾ᵢⱼ²")


def test_the_output_and_the_loss():
    network = Network(("tanh",), weighted=True).resolved
    assert str(network.output) == "fᵢ = exp(a⁽²⁾ᵢ)/Σⱼ exp(a⁽²⁾ⱼ)"
    assert formula(network.loss_of_output) == "-log(f_y)"
    assert str(network.loss) == "l = -weight log(f_y)"


@pytest.mark.parametrize("penalty", ["l1+l2", "none"])
def test_only_weights_are_penalised(penalty):
    network = Network(penalty=penalty).resolved
    for hidden in network.layers:
        assert len(hidden.penalties) == len(network.penalties) == {"l1+l2": 2, "none": 0}[penalty]
        assert all("b" not in formula(equation.rhs) for equation in hidden.penalties)
        assert [θ.name[0] for θ in hidden.parameters if θ.is_weight] == ["W"]


def test_an_own_penalty_has_the_coefficient_lambda():
    assert list(Network(penalty=lambda w: w**4).resolved.penalties) == ["λ"]


@pytest.mark.parametrize(
    ("choices", "output", "target"),
    [
        ({}, "softmax", "label"),
        ({"loss": "bce"}, "sigmoid", "vector"),
        ({"loss": "squared"}, "identity", "vector"),
        ({"loss": "squared", "output": "softmax"}, "softmax", "vector"),
        ({"loss": lambda f, y, _: -f[y]}, "softmax", "label"),
        ({"loss": lambda f, y, axis: axis.sum(lambda i: f[i] * y[i]), "output": "identity"}, "identity", "vector"),
        ({"loss": lambda f, y, _: -f[y], "output": "identity", "target": "label"}, "identity", "label"),
    ],
)
def test_outputs_and_targets_follow_the_loss(choices, output, target):
    network = Network(**choices).resolved
    assert network.names["output"] == output
    assert network.target_kind == target


def test_parameters_are_found_in_the_formula():
    _, last = Network().resolved.layers
    assert [(θ.name, *map(str, θ.shape)) for θ in last.parameters] == [("W^2", "n^2", "n^1"), ("b^2", "n^2")]
    unbiased = Network(preactivation=lambda W, _, h, i, axis: axis.sum(lambda j: W[i, j] * h[j])).resolved
    assert [θ.name for θ in unbiased.parameters] == ["W^1", "W^2"]


def test_names_are_plain_strings():
    network = Network(
        (lambda a: a * cos(a), "tanh"), lambda f, y, _: -f[y], lambda w: w**4, output=lambda a, i, _: exp(a[i])
    )
    names = network.resolved.names
    assert names["activations"] == ["a cos(a)", "tanh"]
    assert names["penalty"] == "w⁴"
    assert all(isinstance(v, str | list) for v in names.values())


@pytest.mark.parametrize("update", ["sgd", "momentum", "average", "nesterov+average"])
def test_each_parameter_has_its_state(update):
    for θ in Network(("prelu",), update=update).resolved.parameters:
        velocity, mean = [f"v{θ.name}"] * (update[0] in "mn"), [f"mean_{θ.name}"] * update.endswith("average")
        assert list(θ.state) == velocity + mean


LAYERS = [conv(2, 2), "tanh", maxpool(2), dense(3), "relu", dense(2)]


def test_a_network_that_predicts_has_all_its_units():
    for given in (Network(("tanh", "relu"), dropout=True), Network(LAYERS, input=(1, 5, 5), dropout=True)):
        whole = Network(given.activations, input=given.input).resolved
        assert given.resolved.masks
        assert [one.activated for one in given.resolved.predicting.layers] == [one.activated for one in whole.layers]
        assert not given.resolved.predicting.masks


def test_sizes_are_symbols_or_numbers():
    assert Network(("tanh",)).resolved.is_generic
    network = Network(LAYERS, input=(1, 5, 5)).resolved
    assert not network.is_generic
    assert [int(one.width) for one in network.layers] == [32, 8, 3, 2]
    assert int(network.output_size) == 2
    assert {θ.name: tuple(map(int, θ.fans)) for θ in network.parameters if θ.fans} == {
        "W^1": (4, 8), "W^3": (8, 3), "W^4": (3, 2)}  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        lambda: Network(("a + sin(a)", "a + sin(a)", "tanh"), penalty="w**4", loss="(f - y)**4", dropout=True),
        lambda: Network([layer("a[i] = sum(W[i,j]*h[j], j)", i=3), "a*cos(a)", layer("a[i] = b[i]*h[i]")], input=(4,)),
    ],
)
def test_every_text_is_read_once_a_build(make, monkeypatch):
    read = Counter()

    def counting(function):
        def counted(text, *more):
            read[text] += 1
            return function(text, *more)

        return counted

    for where, name in ((user_formulas, "parse"), (layers_of_ones_own, "parse_equations")):
        monkeypatch.setattr(where, name, counting(getattr(where, name)))
    user_formulas.read_formula.cache_clear()
    sequential.dense_layer.cache_clear()
    sequential.generic_dense.cache_clear()
    build(make())
    assert read
    assert max(read.values()) == 1, read
