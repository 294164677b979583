"""From the layers of one network to those of another: names change, and nothing else."""

import pytest

from symbackprop import Network, conv, dense, derive
from symbackprop.derivation.rename import labels_in, of_last, of_layer, relabelled
from symbackprop.expr.reductions import Sum

NETWORK = Network(("tanh", "tanh"), penalty="l1+l2")
GENERAL = relabelled(NETWORK.resolved.layers[1].pre_activation, of_layer(2))
GENERIC = {"k": "2", "k-1": "1", "k+1": "3"}


def test_every_name_of_a_derivation_changes_and_changes_back():
    for section in derive(NETWORK).sections:
        to_numbers = {"k": "7", "k-1": "6", "k+1": "8", "L+1": "9", "L": "5"}
        numbered = relabelled(section, to_numbers)
        shown = "\n".join([*map(str, numbered.given), *map(str, numbered.steps), *map(str, numbered.results)])
        assert "ᵏ" not in shown
        assert "ᴸ" not in shown
        assert relabelled(numbered, {new: old for old, new in to_numbers.items()}) == section


def test_only_names_change():
    second, third = (layer.pre_activation for layer in NETWORK.resolved.layers[1:3])
    assert str(relabelled(GENERAL, {"k": "12", "k-1": "11"})) == "a⁽¹²⁾ᵢ = b⁽¹²⁾ᵢ + Σⱼ W⁽¹²⁾ᵢⱼ h⁽¹¹⁾ⱼ"
    assert relabelled(GENERAL, GENERIC) == second
    assert relabelled(third, of_layer(3)) == GENERAL
    assert str(relabelled(third, of_last(3))) == "a⁽ᴸ⁺¹⁾ᵢ = b⁽ᴸ⁺¹⁾ᵢ + Σⱼ W⁽ᴸ⁺¹⁾ᵢⱼ h⁽ᴸ⁾ⱼ"


def test_what_has_no_layers_is_refused():
    with pytest.raises(TypeError, match="set has no layers to be called 2"):
        relabelled({1}, {"k": "2"})


def test_sizes_follow():
    made = relabelled(GENERAL, GENERIC)
    assert [str(axis.size) for axis in made.over] == ["n^2"]
    (total,) = made.rhs.atoms(Sum)
    assert [str(high) for _, _, high in total.limits] == ["n^1 - 1"]
    assert labels_in(total) == {"1", "2"}


def test_assumptions_stay():
    after = relabelled(GENERAL, GENERIC)
    assert {s.is_integer for s in GENERAL.rhs.free_symbols} == {s.is_integer for s in after.rhs.free_symbols}
    assert after.over[0].size.is_positive


def test_the_steps_of_numbered_layers_hold():
    for step in relabelled(derive(NETWORK).sections[1], GENERIC):
        step.check()


def test_arrays_of_integers_stay_such():
    pooled = Network([conv(2, 2), "tanh", dense(2)], input=(1, 3, 3))
    for section in derive(pooled).sections:
        assert relabelled(relabelled(section, {"1": "k"}), {"k": "1"}) == section
