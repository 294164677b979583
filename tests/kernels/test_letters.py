"""On the way back every map and window has the letters of the way forward, and an equation means what it meant."""

import pytest
from sympy import Indexed, Symbol

from symbackprop import Network, averagepool, conv, conv1d, dense, embedding, layer, maxpool
from symbackprop.derivation.training_step import stages_of_network
from symbackprop.expr.reductions import Reduction
from symbackprop.expr.symbols import name_of
from symbackprop.kernels.letters import in_letters_of_forward

NETWORKS = {
    "windows": Network([conv(3, 3), "tanh", averagepool(2), conv(4, 2), "relu", dense(3)], input=(1, 10, 10), penalty="l2"),
    "places": Network([conv(3, 3, padding=1), "relu", maxpool(2), dense(3)], input=(2, 8, 8), update="momentum+clip"),
    "strides": Network([conv1d(4, 5, stride=2), "tanh", conv1d(3, 3), "tanh", dense(2)], input=(2, 31)),
    "words": Network([embedding(9, 2), dense(3)], input=(4,)),
    "own letters": Network([layer("a[q,o] = b[o] + sum(W[o,c]*h[q,c], c)", o=3), "tanh", dense(2)], input=(5, 4)),
}
PARTS = ("backward", "gradients", "updates", "objective", "clipping")


def parts(stages):
    return [e for part in PARTS for e in getattr(stages, part)]


def plain(equation):
    """The elements of an equation that have nothing but letters in their indices."""
    sides = {equation.lhs} | equation.rhs.atoms(Indexed)
    return {e for e in sides if isinstance(e, Indexed) and all(isinstance(i, Symbol) for i in e.indices)}


@pytest.mark.parametrize("name", NETWORKS)
def test_only_the_letters_change_each_to_one_of_its_own(name):
    before = stages_of_network(NETWORKS[name].resolved)
    after = in_letters_of_forward(before)
    assert after.forward == before.forward
    for old, new in zip(parts(before), parts(after), strict=True):
        swap = dict(zip(old.ranges, new.ranges, strict=True))
        assert list(old.ranges.values()) == list(new.ranges.values())
        assert len({*swap.values()}) == len(swap)
        if not any(node.function.has(*Reduction) for node in old.rhs.atoms(*Reduction)):
            assert (old.lhs.xreplace(swap), old.rhs.xreplace(swap)) == (new.lhs, new.rhs)
    assert in_letters_of_forward(after) == after


@pytest.mark.parametrize("name", ["windows", "places", "strides"])
def test_parameters_and_what_is_computed_of_maps_keep_their_letters(name):
    stages = in_letters_of_forward(stages_of_network(NETWORKS[name].resolved))
    known = {name_of(e): e.indices for equation in reversed(stages.forward) for e in sorted(plain(equation), key=str)}
    for equation in parts(stages):
        for element in plain(equation):
            value = name_of(element).removeprefix("∂l/∂")
            if value[0] == "W" and len(element.indices) > 2:
                assert element.indices == known[value], equation


def test_a_gradient_is_spread_over_windows_as_they_were_read():
    stages = in_letters_of_forward(stages_of_network(NETWORKS["windows"].resolved))
    texts = [e.written(code=True) for e in (*stages.backward, *stages.gradients)]
    assert "dh2[c,p+u,q+v] ← W3[o,c,u,v] da3[o,p,q] + dh2[c,p+u,q+v]" in texts
    assert "dh1[c,u+2p,v+2q] ← dh2[c,p,q]/4 + dh1[c,u+2p,v+2q]" in texts
    assert "dW1[o,c,u,v] = Σ_p<8Σ_q<8 x[c,p+u,q+v] da1[o,p,q]" in texts
    assert "dW4[i,j] = da4[i] flat4[j]" in texts
