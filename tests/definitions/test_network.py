"""A network chooses from the tables, or takes formulas in their place; unknown names are answered with the nearest."""

import pytest
import sympy
from sympy import Rational, Symbol, sin, tanh

from symbackprop import Network
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.definitions.losses import LOSSES, OUTPUTS
from symbackprop.definitions.penalties import PENALTIES
from symbackprop.definitions.step_sizes import FACTORS

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
        Network((Symbol("a") * Symbol("c"),))
    assert "['a', 'c']" in str(raised.value)


@pytest.mark.parametrize("given", ["tanh", ("tanh",), ["tanh"]])
def test_one_activation_may_stand_alone(given):
    assert Network(given) == Network(("tanh",))


def test_a_formula_may_stand_alone():
    assert Network(tanh(Symbol("x"))).resolved.depth == 1


@pytest.mark.parametrize(
    "g", [lambda a: a * sin(a), Symbol("a", real=True) * sin(Symbol("a", real=True)), Symbol("u") * sin(Symbol("u"))]
)
def test_a_formula_may_be_a_function_or_an_expression_in_any_symbol(g):
    assert str(Network((g,)).resolved.layers[0].activated[0]) == "h⁽¹⁾ⱼ = a⁽¹⁾ⱼ sin(a⁽¹⁾ⱼ)"


def test_a_decimal_is_the_number_that_was_written():
    rhs = Network((lambda a: 0.1 * a,)).resolved.layers[0].activated[0].rhs
    assert rhs.atoms(Rational) == {Rational(1, 10)}


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
        Network(activations=(g,))
    assert "\n" not in str(raised.value)
