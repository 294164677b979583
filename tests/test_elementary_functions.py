"""Functions that are one row of the table: value and slope beside the oracle over all exponents, built and trained.

The oracle is `tests.fuzz.oracle`, which computes with mpmath from a tree of its own.
"""

import numpy as np
import pytest
from mpmath import mp

from symbackprop import Network
from symbackprop.check.gradients import check_module
from symbackprop.definitions.activations import a
from symbackprop.derivation.validate import derivative, values
from symbackprop.precision import apply
from symbackprop.precision.max_shift import by_rules
from symbackprop.precision.points import near_roots, points
from symbackprop.precision.search import FEWER, choose
from symbackprop.precision.ulp_error import FORMATS, computed
from tests import modules
from tests.fuzz.oracle import value_and_slope
from tests.fuzz.trees import Node
from tests.ulps import ulps

A, ONE = Node("a"), Node("1")
POSITIVE = Node("+", (ONE, Node("*", (A, A))))
TREES = {name: Node(name, (A,)) for name in ("cbrt", "exp2", "logsigmoid", "sinc", "softsign")}
TREES |= {name: Node(name, (POSITIVE,)) for name in ("log2", "log10")}
TREES["atan2"] = Node("atan2", (A, Node("-", (ONE, A))))
FAR = {("exp2", 1): 128}  # beyond, 2ᵃ overflows and its slope, 0.69 times that, does not yet


@pytest.mark.parametrize("which", [0, 1], ids=["value", "slope"])
@pytest.mark.parametrize("name", TREES)
def test_value_and_slope_keep_their_digits_at_every_exponent(name, which):
    tree = TREES[name]
    g = Network((str(tree),)).resolved.activations[0].at_start()
    form = choose((g, derivative(g))[which].xreplace({a: apply.X}), apply.X, (), by_rules, FEWER).after
    for dtype, (digits, least, most) in FORMATS.items():
        xs = points(240, 23, dtype)
        truths = [value_and_slope(tree, float(x))[which] for x in xs]
        truths = [mp.nan if truth is None else truth for truth in truths]
        near = near_roots(xs, truths, lambda x: value_and_slope(tree, x)[which])
        normal = [not mp.isnan(t) and abs(t) >= mp.ldexp(1, least - 1) for t in truths]
        found = np.broadcast_to(computed(form, {apply.X: xs}), xs.shape)
        counts = ~near & normal & ~(xs >= FAR.get((name, which), np.inf) * (8 if dtype == "float64" else 1))
        errors = [ulps(float(v), t, digits, least, most) for v, t, c in zip(found, truths, counts, strict=True) if c]
        assert len(errors) > 20
        assert max(errors) <= 8, (dtype, xs[counts][int(np.argmax(errors))])


@pytest.mark.parametrize("name", TREES)
def test_it_is_built_and_checked_and_learns(name):
    network = Network((str(TREES[name]),))
    text = modules.text_of(network)
    trainer = modules.interpret(text, **modules.NUMPY_FUNCTIONS).Trainer((3, 4, 2), seed=1)
    X = np.random.default_rng(2).normal(size=(12, 3))
    y = (X[:, 0] > 0).astype(int)
    before = trainer.loss(X, y)
    for _ in range(8):
        trainer.sgd(X, y, learning_rate=0.1)
    assert trainer.loss(X, y) < before


@pytest.mark.parametrize("name", TREES)
def test_its_module_has_the_gradient_of_its_loss(name, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(modules.text_of(Network((str(TREES[name]),))), "utf-8")
    assert [r.name for r in check_module(path, compiled=()) if not r.passed] == []


def test_what_is_stated_at_0():
    def at(text, x):
        g = Network((text,)).resolved.activations[0].at_start()
        return [values(e, a, np.array([x])).real[0] for e in (g, derivative(g))]

    assert at("cbrt(a)", 0.0) == [0, 0]
    assert at("cbrt(a)", -8.0) == pytest.approx([-2, 1 / 12])
    assert at("sinc(a)", 0.0) == [1, 0]


@pytest.mark.parametrize("arguments", ["", "a", "a, 1, 2"])
def test_atan2_of_other_than_two_numbers_is_refused(arguments):
    with pytest.raises(ValueError, match=r"^[^\n]*atan2 with \d arguments, expected 2$"):
        Network((f"a + atan2({arguments})",))
