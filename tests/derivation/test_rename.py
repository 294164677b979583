"""From the generic layer k to layers 1, 2, ..., L + 1."""

import pytest

from symbackprop import Network, derive
from symbackprop.derivation.rename import at_layer
from symbackprop.expr.printing import formula
from symbackprop.expr.reductions import Sum

NETWORK = Network(("tanh",), penalty="l1+l2")


def results():
    sections = derive(NETWORK).sections
    return [result for section in sections for result in section.results]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_no_generic_layer_is_left(k):
    for equation in [NETWORK.pre_activation("k"), NETWORK.activation("tanh", "k"), *NETWORK.penalised("k"), *results()]:
        made = at_layer(equation, k, 3)
        text = f"{made} {[formula(axis.size) for axis in made.over]}"
        assert "ᵏ" not in text
        assert "ᴸ" not in text


def test_only_names_change():
    generic = NETWORK.pre_activation("k")
    assert str(at_layer(generic, 12, 20)) == "a⁽¹²⁾ᵢ = b⁽¹²⁾ᵢ + Σⱼ W⁽¹²⁾ᵢⱼ h⁽¹¹⁾ⱼ"
    assert at_layer(generic, 2, 3) == NETWORK.pre_activation("2")
    assert at_layer(at_layer(generic, 2, 3), 1, 3) == NETWORK.pre_activation("2")


def test_the_output_layer_is_the_last():
    (output,) = derive(NETWORK).result("output")
    assert str(at_layer(output, 4, 3)) == "∂l/∂a⁽⁴⁾ᵢ = fᵢ - 1[i=y]"


def test_the_layer_below_the_output_is_the_last_hidden_one():
    assert str(at_layer(NETWORK.pre_activation("L+1"), 4, 3)) == "a⁽⁴⁾ᵢ = b⁽⁴⁾ᵢ + Σⱼ W⁽⁴⁾ᵢⱼ h⁽³⁾ⱼ"


def test_sizes_follow():
    generic = NETWORK.pre_activation("k")
    assert [str(axis.size) for axis in at_layer(generic, 2, 3).over] == ["n^2"]
    (total,) = at_layer(generic, 2, 3).rhs.atoms(Sum)
    assert [str(high) for _, _, high in total.limits] == ["n^1 - 1"]


def test_assumptions_stay():
    before, after = NETWORK.pre_activation("k"), at_layer(NETWORK.pre_activation("k"), 2, 3)
    assert {s.is_integer for s in before.rhs.free_symbols} == {s.is_integer for s in after.rhs.free_symbols}
    assert after.over[0].size.is_positive
