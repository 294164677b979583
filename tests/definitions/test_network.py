"""A network chooses from the tables, or takes formulas in their place; unknown names are answered with the nearest."""

import pytest
import sympy
from sympy import Rational, Symbol, cos, exp, sin, tanh

from symbackprop import Network
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.definitions.losses import LOSSES, OUTPUTS
from symbackprop.definitions.penalties import PENALTIES
from symbackprop.definitions.step_sizes import FACTORS
from symbackprop.expr.printing import formula

UNKNOWN = {
    "activation": ({"activations": ("tahn",)}, "unknown activation 'tahn': did you mean tanh", ACTIVATIONS),
    "second": ({"activations": ("tanh", "rellu")}, "unknown activation 'rellu': did you mean relu", ACTIVATIONS),
    "capitals": ({"activations": "SoftPlus"}, "unknown activation 'SoftPlus': did you mean softplus", ACTIVATIONS),
    "loss": ({"loss": "square"}, "unknown loss 'square': did you mean squared", LOSSES),
    "penalty": ({"penalty": "L2"}, "unknown penalty 'L2': did you mean l2", PENALTIES),
    "initializer": ({"initializer": "glorrot"}, "unknown initializer 'glorrot': did you mean glorot", ["glorot", "he"]),
    "step size": ({"step_size": "inverted"}, "unknown step size 'inverted': did you mean inverse", FACTORS),
    "pre-activation": ({"preactivation": "dens"}, "unknown pre-activation 'dens': did you mean dense", ["dense"]),
    "output": ({"output": "softmx"}, "unknown output 'softmx': did you mean softmax", OUTPUTS),
    "nothing near": ({"loss": "qqqqqq"}, "unknown loss 'qqqqqq': known are", LOSSES),
    "empty": ({"penalty": ""}, "unknown penalty '': known are", PENALTIES),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_names_list_the_nearest_and_the_known(name):
    choices, message, known = UNKNOWN[name]
    with pytest.raises(ValueError, match="unknown") as raised:
        Network(**choices)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    listed = str(raised.value).split("known are ")[1].split(", ")
    assert set(known) <= set(listed)


def test_an_unknown_target():
    with pytest.raises(ValueError, match="the target is 'labels', expected 'label' or 'vector'"):
        Network(target="labels")


def test_a_formula_of_two_symbols():
    with pytest.raises(ValueError, match="expected one") as raised:
        Network((Symbol("a") * Symbol("c"),)).activation(Symbol("a") * Symbol("c"), "k")
    assert "['a', 'c']" in str(raised.value)


@pytest.mark.parametrize("given", ["tanh", ("tanh",), ["tanh"]])
def test_one_activation_may_stand_alone(given):
    assert Network(given) == Network(("tanh",))


def test_a_formula_may_stand_alone():
    assert Network(tanh(Symbol("x"))).depth == 1


@pytest.mark.parametrize(
    "g", [lambda a: a * sin(a), Symbol("a", real=True) * sin(Symbol("a", real=True)), Symbol("u") * sin(Symbol("u"))]
)
def test_a_formula_may_be_a_function_or_an_expression_in_any_symbol(g):
    assert str(Network((g,)).activation(g, "k")) == "h⁽ᵏ⁾ⱼ = a⁽ᵏ⁾ⱼ sin(a⁽ᵏ⁾ⱼ)"


def test_a_decimal_is_the_number_that_was_written():
    rhs = Network((lambda a: 0.1 * a,)).activation(lambda a: 0.1 * a, "k").rhs
    assert rhs.atoms(Rational) == {Rational(1, 10)}


def test_equations_of_the_lecture():
    network = Network(("tanh",), penalty="l2")
    assert str(network.pre_activation("k")) == "a⁽ᵏ⁾ᵢ = b⁽ᵏ⁾ᵢ + Σⱼ W⁽ᵏ⁾ᵢⱼ h⁽ᵏ⁻¹⁾ⱼ"
    assert str(network.pre_activation("k+1")) == "a⁽ᵏ⁺¹⁾ᵢ = b⁽ᵏ⁺¹⁾ᵢ + Σⱼ W⁽ᵏ⁺¹⁾ᵢⱼ h⁽ᵏ⁾ⱼ"
    assert str(network.pre_activation("L+1")) == "a⁽ᴸ⁺¹⁾ᵢ = b⁽ᴸ⁺¹⁾ᵢ + Σⱼ W⁽ᴸ⁺¹⁾ᵢⱼ h⁽ᴸ⁾ⱼ"
    assert str(network.activation("tanh", "k")) == "h⁽ᵏ⁾ⱼ = tanh(a⁽ᵏ⁾ⱼ)"
    assert str(network.outputs()) == "fᵢ = exp(a⁽ᴸ⁺¹⁾ᵢ)/Σⱼ exp(a⁽ᴸ⁺¹⁾ⱼ)"
    assert str(network.losses()) == "l = -log(f_y)"
    (omega,) = network.penalised("k")
    assert formula(omega.rhs).endswith("W⁽ᵏ⁾ᵢⱼ²")


def test_only_weights_are_penalised():
    for equation in Network(penalty="l1+l2").penalised("k"):
        assert "b" not in formula(equation.rhs)
    assert len(Network(penalty="l1+l2").penalised("k")) == 2
    assert Network(penalty="none").penalised("k") == []


def test_an_own_penalty_has_the_coefficient_lambda():
    assert list(Network(penalty=lambda w: w**4).penalties()) == ["λ"]


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
    network = Network(**choices)
    assert network.names()["output"] == output
    assert network.target_kind == target


def test_parameters_are_found_in_the_formula():
    assert list(Network().parameters("2")) == ["W^2", "b^2"]
    unbiased = Network(preactivation=lambda W, _, h, i, axis: axis.sum(lambda j: W[i, j] * h[j]))
    assert list(unbiased.parameters("2")) == ["W^2"]
    assert [str(axis.size) for axis in Network().parameters("2")["W^2"]] == ["n^2", "n^1"]


def test_names_are_plain_strings():
    network = Network(
        (lambda a: a * cos(a), "tanh"), lambda f, y, _: -f[y], lambda w: w**4, output=lambda a, i, _: exp(a[i])
    )
    names = network.names()
    assert names["activations"] == ["a cos(a)", "tanh"]
    assert names["penalty"] == "w⁴"
    assert all(isinstance(v, str | list) for v in names.values())


def test_networks_are_equal_by_value():
    assert Network(("tanh",), "bce") == Network(["tanh"], "bce")
    assert Network(("tanh",)) != Network(("relu",))
    assert hash(Network(("tanh",))) == hash(Network(["tanh"]))
    with pytest.raises(AttributeError):
        Network().loss = "bce"


@pytest.mark.parametrize(
    "g", [lambda a: "a", lambda a: None, lambda a: a * sympy.oo, lambda a: sympy.nan, lambda a: sympy.I * a]
)
def test_what_is_no_real_formula_is_refused_in_one_line(g):
    with pytest.raises(ValueError, match="formula") as raised:
        Network(activations=(g,)).activation(g, "k")
    assert "\n" not in str(raised.value)
