"""Random networks compute what their definitions say, exactly where they are rational: `make fuzz` looks at many."""

import pytest
from mpmath import mpf

from symbackprop import Network, build, dense, layer
from symbackprop.check.cases import draw, interpreted
from tests.fuzz import networks
from tests.fuzz.networks import Case, OwnLayer, agree
from tests.fuzz.tape import Number, slopes

SEEDS = range(1, 11)  # a test each, which two workers share
COUNT = 30


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks(seed, capsys):
    assert networks.run(COUNT, seed) == 0, capsys.readouterr().out


def test_mini_batches_of_a_parameter_whose_windows_are_copied_out():
    # fmt: off
    case = Case(layers=(OwnLayer(equations=(("z", ("g", "s"), ("+", ("sum", ("q",), ("if", (("place", (((1, "q"),), 0)), "<", ("place", (((1, "s"),), 0))), ("*", ("read", "H", ((((1, "g"),), 0),)), ("read", "h", ((((1, "q"),), 0),))), ("number", "0"))), ("read", "b", ((((1, "g"),), 0), (((1, "s"),), 0))))), ("mu", ("j", "o"), ("+", ("sum", ("i", "v"), ("*", ("read", "H", ((((1, "j"), (1, "i")), 0),)), ("read", "z", ((((1, "i"),), 0), (((1, "v"),), 0))))), ("+", ("read", "b", ((((1, "j"),), 1), (((1, "j"),), 2))), ("read", "c", ((((1, "j"),), 0), (((1, "o"),), 0)))))), ("a", ("p",), ("+", ("+", ("+", ("sum", ("u", "d"), ("if", (("place", (((1, "u"),), 0)), ">=", ("place", (((1, "p"),), 0))), ("*", ("read", "W", ()), ("read", "mu", ((((1, "u"),), 0), (((1, "d"),), 0)))), ("number", "0"))), ("read", "H", ((((1, "p"),), 1),))), ("read", "z", ((((1, "p"),), 1), (((1, "p"),), 2)))), ("read", "mu", ((((1, "p"),), 0), (((1, "p"),), 1)))))), sizes=(("g", 2), ("s", 3), ("q", 4), ("j", 1), ("o", 2), ("i", 2), ("v", 3), ("p", 1), ("u", 1), ("d", 2)), activation=""),), input=(4,), loss="squared", penalty="l1+l2", update="sgd", weighted=False, dropout=False, seed=45)
    # fmt: on
    assert agree(case)


BELOW = (layer("a[i] = sum(W[i,j]*h[j], j) + b[i]", i=2), "relu")
ONCE_WRONG = {  # each was found by a random network, and shrunk
    "two parameters in one product, each of which the other's gradient reads": (
        [layer("a[d] = sum(W[d,j]*h[j], j) - 1/(1 + (V[d]*K[d])**2)", d=2)], "sgd"),
    "a gradient to whose diagonal is added after it was written": (
        [*BELOW, layer("a[i] = sum(W[i,j]*h[j], j) + sum(W[j,j]*h[i], j)", i=2)], "momentum"),
    "pieces of a sum over the outputs within the sum over a batch": (
        [layer("a[g] = max(b[v]*h[v] if v < g else 0, v) - b[g]", g=2)], "sgd"),
    "the gradient of one number, a sum over four indices": (
        [layer("a[q,u] = sum(W[q,u,j]*h[j], j)", q=2, u=2), "relu",
         layer("a[r,p] = b[r,p] + sum(Q*h[q,u], q, u)", r=2, p=2), "relu", dense(1)], "sgd"),
    "an element that is there under a condition alone, read twice": (
        [*BELOW, layer("z[u] = sum(T[u,i]*h[i], i) + b[u]; a[d] = z[d+2] + max(b[d+2], 1/2)", u=3, d=1)], "sgd"),
    "a window that is read where a maximum is": (
        [*BELOW, layer("z[v] = sum(W[v]*h[d] if d > v else 0, d); a[r] = max(W[r+s]*z[s], s) + z[r]",
                       v=1, r=1, s=1)], "sgd"),
    "the square of a sum": (
        [*BELOW, layer("z[s] = sum(V[s]*h[r] + 1, r) + sigmoid(gain[s]); a[d] = z[d]", d=1, s=1)], "sgd"),
}  # fmt: skip


@pytest.mark.parametrize("name", ONCE_WRONG)
def test_every_order_of_what_was_once_wrong(name, tmp_path):
    items, update = ONCE_WRONG[name]
    module = build(Network(items, input=(2,), loss="squared", update=update), dtype="float64", exact_form=True)
    few, many = (draw(module.spec, tuple(module.spec["sizes"]), 1, *counts) for counts in ((2, 2), (4, 17)))
    networks.compare_orders(few, many, interpreted(module.text, tmp_path, mpf))


def test_a_wrong_definition_is_seen():
    shape, total = (("i", 2), ("j", 3)), ("sum", ("j",), ("*", _read("W", "i", "j"), _read("h", "j")))
    own = OwnLayer((("a", ("i",), ("+", total, _read("b", "i"))),), shape, "a/(1 + a**2)")
    last = OwnLayer((("a", ("i",), ("sum", ("j",), ("*", _read("W", "i", "j"), _read("h", "j")))),), (("i", 1), ("j", 2)), "")
    case = Case((own, last), (3,), penalty="l2", update="momentum", weighted=True)
    assert agree(case)
    networks.RATIONAL["a/(1 + a**2)"], right = (lambda a: a / (a**2 + 2)), networks.RATIONAL["a/(1 + a**2)"]
    try:
        with pytest.raises(AssertionError, match="the loss of example 0"):
            agree(case)
    finally:
        networks.RATIONAL["a/(1 + a**2)"] = right


def test_the_tape_knows_the_chain_rule():
    u, v = Number(3), Number(2)
    assert slopes((u * v + u**2) / v, [u, v, Number(1)]) == [4, -2.25, 0]


def _read(name, *letters):
    return ("read", name, tuple((((1, letter),), 0) for letter in letters))
