"""Layers as written: what is inferred from their equations, and what is refused, in one line that names the equation."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Eq, IndexedBase, Integer, Symbol

from symbackprop import Network, build, sum_over
from symbackprop.definitions.instantiate import instantiate
from symbackprop.definitions.layer import layer
from symbackprop.definitions.layers import conv, dense, embedding, maxout, tied
from tests import modules


def placed(made, *shape):
    return instantiate(made, "2", "h^1", "a^2", {"h^1": tuple(map(Integer, shape))})


SHAPES = {
    "dense": (dense(4), (3,), (4,), {"W^2": (4, 3), "b^2": (4,)}, {"W^2": (3, 4)}),
    "convolution": (conv(4, 3), (2, 7, 6), (4, 5, 4), {"W^2": (4, 2, 3, 3), "b^2": (4,)}, {"W^2": (18, 36)}),
    "stride": (conv(4, 3, stride=2), (2, 7, 8), (4, 3, 3), {"W^2": (4, 2, 3, 3), "b^2": (4,)}, {"W^2": (18, 36)}),
    "padding": (conv(4, 3, padding=1), (2, 5, 5), (4, 5, 5), {"W^2": (4, 2, 3, 3), "b^2": (4,)}, {"W^2": (18, 36)}),
    "maxout": (maxout(4, 2), (3,), (4,), {"W^2": (4, 2, 3), "b^2": (4, 2)}, {"W^2": (6, 8)}),
    "table": (embedding(9, 2), (5,), (5, 2), {"E^2": (9, 2)}, {"E^2": (1, 18)}),
    "neighbours": (layer("a[i] = w[i]*h[i] + v[i]*h[i+1]"), (5,), (4,), {"v^2": (4,), "w^2": (4,)},
                   {"v^2": (1, 1), "w^2": (1, 1)}),
    "twice": (layer("a[i] = h[2*i] - b[i]"), (5,), (3,), {"b^2": (3,)}, {}),
    "Toeplitz": (layer("a[i] = sum(w[i+j]*h[j], j)", i=4), (3,), (4,), {"w^2": (6,)}, {"w^2": (3, 4)}),
    "padded": (layer("a[p] = h[p-2] if 2 <= p < size(p) - 2 else b[p]"), (5,), (9,), {"b^2": (9,)}, {"b^2": (1, 9)}),
    "before and after": (layer("a[i] = (h[i-1] if i > 0 else 0) + (h[i+1] if i < size(i) - 1 else b)"), (5,), (5,),
                         {"b^2": ()}, {"b^2": (1, 1)}),
    "what was before": (layer("a[i] = sum(W[i,j]*h[j] if j <= i else 0, j)", i=4), (4,), (4,), {"W^2": (4, 4)},
                        {"W^2": (4, 4)}),
    "elsewhere": (layer("s[i] = sum(W[i,j]*h[j], j); a[i] = s[i]*h[i]"), (3,), (3,), {"W^2": (3, 3)},
                  {"W^2": (3, 1)}),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_and_fans_are_inferred(name):
    made, below, shape, parameters, fans = SHAPES[name]
    found = placed(made, *below)
    assert found.shape == shape
    assert {n: tuple(int(a.size) for a in axes) for n, axes in found.parameters.items()} == parameters
    if name in {"dense", "convolution", "stride", "padding", "maxout", "neighbours"}:
        assert {n: tuple(map(int, f)) for n, f in found.fans.items()} == fans
    assert set(found.fans) == set(fans)


def test_an_equation_of_sympy_is_the_text():
    W, b, h, a = map(IndexedBase, "Wbha")
    i, j = Symbol("i"), Symbol("j")
    made = layer(Eq(a[i], b[i] + sum_over(W[i, j] * h[j], j)), i=4)
    assert placed(made, 3).equations == placed(dense(4), 3).equations


def test_indices_are_not_mistaken_for_the_names_of_a_network():
    network = Network([layer("a[o,y,x] = b[o] + sum(W[o,c,u,v]*h[c,y+u,x+v], c, u, v)", o=2, u=2, v=2), dense(2)],
                      input=(1, 3, 3))  # fmt: skip
    same = Network([conv(2, 2), dense(2)], input=(1, 3, 3))
    assert network.resolved.layers[0].equations == same.resolved.layers[0].equations


RELATIONS = {"u <= t": np.less_equal, "t > u": np.greater, "u >= t": np.greater_equal, "t < u": np.less}


def cumulative(relation, steps, width, **sizes):
    items = [layer(f"a[t,d] = sum(h[u,d] if {relation} else 0, u)", **sizes), dense(2)]
    return Network(items, input=(steps, width), loss="squared")


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(RELATIONS)), st.integers(1, 9), st.integers(1, 3), st.integers(1, 9))
def test_an_index_that_is_only_compared_runs_as_far_as_the_other(relation, steps, width, other):
    network = cumulative(relation, steps, width)
    told = cumulative(relation, steps, width, t=steps)
    assert network.resolved.layers[0].equations == told.resolved.layers[0].equations
    for given_sizes, expected in (({}, steps), ({"t": other}, other)):
        above = cumulative(relation, steps, width, **given_sizes).resolved.layers[1].parameters[0]
        assert above.shape == (2, expected * width)


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_running_sum_is_that_of_numpy(relation):
    trainer = modules.interpret(build(cumulative(relation, 4, 2), dtype="float64").text).Trainer()
    X = np.random.default_rng(0).random((3, 4, 2))
    u, t = np.ogrid[:4, :4][::-1]
    mask = RELATIONS[relation](*((u, t) if relation[0] == "u" else (t, u)))
    W, b = trainer.parameters.values()
    expected = (mask @ X).reshape(3, 8) @ W.reshape(2, 8).T + b
    np.testing.assert_allclose(trainer.predict_proba(X), expected, rtol=1e-13)


WRONG = {
    "out of range": (lambda: [layer("a[i] = h[i] + h[i-1]"), dense(2)], "'a[i] = h[i] + h[i-1]' reads index -1"),
    "no size": (lambda: [layer("a[i] = sum(W[i,j]*h[j], j)"), dense(2)], "the size of i is found nowhere in"),
    "no size to compare with": (lambda: [layer("a[t] = sum(h[u] if 2*u <= t else 0, u)"), dense(2)],
                                "the size of t is found nowhere in 'a[t] = sum(h[u] if 2*u <= t else 0, u)'; give it"),
    "order": (lambda: layer("a[i] = b[i] + mu; mu = sum(h[j], j)"), "reads mu before it is defined"),
    "cycle": (lambda: layer("u = v + h[0]; v = 2*u; a[i] = h[i]*u"), "reads v before it is defined"),
    "unused": (lambda: [layer("mu = c*h[0]; a[i] = h[i]"), dense(2)], "mu in 'mu = c*h[0]' never reaches a"),
    "two shapes": (lambda: [layer("a[i] = sum(W[i,j]*h[j], j) + sum(W[j,i]*c[j], j)", i=4), dense(2)],
                   "W has the shape 3 x 4 in"),
    "two ranges": (lambda: [dense(4), "tanh", layer("a[i] = h[i]*u[i]", uses={"u": "x"}), dense(2)],
                   "the index i runs to 4 in h[i] and to 3 in u[i]"),
    "h is not read": (lambda: layer("a[i] = b[i]", i=3), "'a[i] = b[i]' reads nothing of the layer below, h"),
    "one element alone": (lambda: [layer("a[i] = w[2]*h[i]"), dense(2)], "w[2] in 'a[i] = w[2]*h[i]' reads one element"),
    "beyond the end": (lambda: [layer("q[i] = w[3]*h[i]; a[i] = q[i] + w[i]"), dense(2)],
                       "w[3] in 'q[i] = w[3]*h[i]' reads index 3 of an axis of 3"),
    "unbound": (lambda: layer("a[i] = h[i,k] + b[i]"), "has the index k, which is neither on the left nor summed"),
    "rank": (lambda: [conv(2, 2), dense(2)], "reads 3 indices of the layer below, which has 1"),
    "a window too large": (lambda: [layer("a[i] = sum(w[j]*h[i+j], j)", j=5), dense(2)], "larger than its axis"),
    "begins": (lambda: ["tanh", dense(2)], "begins with the activation 'tanh'"),
    "ends": (lambda: [dense(2), "tanh"], "ends with the activation 'tanh'"),
    "two activations": (lambda: [dense(2), "tanh", "relu", dense(2)], "after another activation"),
    "integers within": (lambda: [dense(3), "tanh", embedding(5, 2), dense(2)], "only the network's inputs are"),
    "uses": (lambda: [dense(3), "tanh", tied("W7")], "uses 'W7', which no earlier layer has"),
    "flat": (lambda: layer("a[i] = floor(h[i])"), "floor, which is flat almost everywhere"),
    "no a": (lambda: layer("b[i] = h[i]"), "is the last equation of a layer, expected one for a"),
    "unknown size": (lambda: layer("a[i] = h[i]", k=3), "k=3 belongs to no index and no constant"),
    "negative": (lambda: layer("a[i] = h[i]", i=-3), "i is -3, expected how far the index runs"),
    "units": (lambda: dense(0), "dense has units 0, expected a positive integer"),
    "more": (lambda: dense(2, 3), "expected dense(units)"),
    "misspelt": (lambda: ["dense(3)", "tanh", "dens(2)"], "unknown layer 'dens': did you mean dense?"),
    "huge": (lambda: [dense(10**9), dense(2)], "expected at most 100000000"),
    "holes": (lambda: layer("a[2*i] = h[i]"), "does not define every element of a"),
    "diagonal": (lambda: layer("a[i,i] = h[i]"), "does not define every element of a"),
    "one number": (lambda: layer("a = sum(W[j]*h[j], j)"), "defines one number"),
    "uses a number": (lambda: layer("a[i] = h[i]", uses=3), "uses is 3, expected a table"),
    "stride": (lambda: conv(3, 2, stride=0), "conv has stride 0, expected a positive integer"),
    "nothing to learn": (lambda: [layer("a[i] = h[i]**2")], "the network has no parameter"),
    "no layers": (list, "there is no layer"),
    "flat parameter": (lambda: [layer("a[i] = h[i]*(1 if c[i] > 0 else 2)"), dense(2)], "never reaches the loss"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_one_line(name):
    make, message = WRONG[name]
    with pytest.raises(ValueError) as caught:
        build(Network(make(), input=(3,)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


HOSTILE = [
    "a[i] = __import__('os')", "a[i].real = h[i]", "a[i] = h[lambda: 0]", "a[i] = h[i**2]", "a[i] = h[i*j]",
    "a[i] = h.__class__[i]", "a[i] = h[i] if h else 0", "__a[i] = h[i]", "a[i] = open('x')", "a[[i]] = h[i]",
    "a[i] = h[10**99]", "a[i] = (x := 3)", 'a[i] = h[i]\n"""', "a[i] = sum(h[i])", "a[i] = sum(h[j], j, j)",
    "a[i] = max(h[j])", "a[i] = h[i:]", "a[i] = h[True]", "a[exp] = h[exp]", "a[i] = W1[i]*h[i]", "a[i]", "", ";",
    "a[i] = h[i]; " * 30, "a[i] = " + "(" * 90 + "h[i]" + ")" * 90, "a[i] = h[i]*" + "9" * 400, "a[i] = size(h)",
    "a = h[0]**a[0]", "a[i] = h[h[i]]*self[i].x", "a[i,j,k,p,q,u,v] = h[i]", "a[i] = f'{h}'", "a[i] = h[i]@h[i]",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_refused_at_once(text):
    start = time.process_time()
    with pytest.raises(ValueError) as caught:
        Network([layer(text), dense(2)], input=(3,))
    assert "\n" not in str(caught.value)
    assert time.process_time() - start < 0.2


FIXED = {
    "a[i] = W[0,0]*h[i] + W[1,0]": (2, 1),
    "a[i] = W[i,0]*h[i] + W[i,1]": (3, 2),
    "a[i] = W[0,0]*h[i] + sum(W[i,j]*h[j], j)": (3, 3),
    "q[i] = W[0,0]*h[i]; a[i] = q[i] + sum(W[i,j]*h[j], j)": (3, 3),
    "q[i] = W[i,0]*h[i]; a[i] = q[i] + W[0,1]": (3, 2),
}


@pytest.mark.parametrize("text", FIXED)
def test_an_axis_read_at_fixed_indices_is_as_long_as_other_reads_say(text):
    (first, _) = Network([layer(text, i=3), dense(2)], input=(3,)).resolved.layers
    assert next(θ.shape for θ in first.parameters if θ.name == "W^1") == FIXED[text]
