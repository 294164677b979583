"""What formulas are judged by is true: beside mpmath with thousands of bits, and beside the oracle of random formulas."""

import random

import numpy as np
import pytest
from mpmath import mp
from sympy import Abs, Piecewise, cosh, erf, exp, log, sqrt, tanh

from symbackprop import Network
from symbackprop.definitions.activations import a
from symbackprop.precision.parts import X
from symbackprop.precision.truth import DIGITS, Truth
from symbackprop.precision.ulp_error import FORMATS, WRONG, sample
from tests.fuzz.oracle import value_and_slope
from tests.fuzz.trees import drawn

BITS = 5000
DELICATE = {  # a formula, the same to mpmath, and up to where BITS are enough for it
    "log(1 - σ)": (log(1 - 1 / (1 + exp(-X))), lambda x: mp.log(1 - 1 / (1 + mp.exp(-x))), 3000),
    "1/log(1 - tanh)": (1 / log(1 - tanh(X)), lambda x: 1 / mp.log(1 - mp.tanh(x)), 1600),
    "1 + 1/log(1 - tanh)": (1 + 1 / log(1 - tanh(X)), lambda x: 1 + 1 / mp.log(1 - mp.tanh(x)), 1600),
    "√(1 - tanh)": (sqrt(1 - tanh(X)), lambda x: mp.sqrt(1 - mp.tanh(x)), 1600),
    "x (1 + erf)": (X * (1 + erf(X)), lambda x: x * mp.erfc(-x), 40),
    "1 - x tanh' e^x": (1 - X * (1 - tanh(X) ** 2) * exp(X), lambda x: 1 - x * mp.sech(x) ** 2 * mp.exp(x), 1600),
    "(e^x - 1 - x)/x²": ((exp(X) - 1 - X) / X**2, lambda x: (mp.exp(x) - 1 - x) / x**2, 3000),
    "log(cosh - 1)": (log(cosh(X) - 1), lambda x: mp.log(mp.cosh(x) - 1), 3000),
}


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", DELICATE)
def test_what_is_known_is_true_however_many_bits_cancel(name, dtype):
    f, truth, most = DELICATE[name]
    known = sample(f, X, {}, 60, 3, dtype)
    judged = known.counts & (abs(known.at[X].astype(float)) <= most)
    assert judged.sum() > 20
    with mp.workprec(BITS):
        for n in np.flatnonzero(judged)[::2]:
            true = truth(mp.mpf(float(known.at[X][n])))
            assert abs(known.truths[n] - true) <= abs(true) * mp.mpf(2) ** -DIGITS, known.at[X][n]


def test_a_value_that_is_not_decided_does_not_count_and_is_wrong_only_where_it_is_not_finite():
    f = 1 + exp(-X) * (1 - tanh(exp(X))) * exp(exp(X))
    truth = Truth(f, X, {}, FORMATS["float32"])
    assert not truth.known(1e4).is_known
    assert mp.isnan(Truth(log(1 - tanh(X)), X, {}, FORMATS["float32"])(1e30))
    known = sample(f, X, {}, 200, 3)
    far = known.at[X] > 100
    assert far.any()
    assert not known.counts[far].any()
    assert set(known.errors(X * 0 + 1)[far]) == {0.0}
    assert set(known.errors(exp(X) * exp(X))[far]) == {WRONG}


def test_comparisons_of_numbers_that_are_not_told_apart_are_not_decided():
    f = Piecewise((1, 1 - tanh(X) > 0), (2, True))
    truth = Truth(f, X, {}, FORMATS["float32"])
    assert truth(100.0) == 1
    assert mp.isnan(truth(1e30))
    assert Truth(Abs(X), X, {}, FORMATS["float32"]).known(-3.0) == (3, True, True)


@pytest.mark.parametrize("seed", range(40))
def test_random_formulas_are_what_the_oracle_says(seed):
    tree = drawn(random.Random(f"truth {seed}"), 3)
    try:
        f = Network((str(tree),)).resolved.activations[0].at_start()
    except ValueError:
        pytest.skip("refused")
    truth = Truth(f, a, {}, FORMATS["float32"])
    for x in (*np.random.default_rng(seed).normal(0, 30, 6).astype(np.float32), np.float32(1e-20), np.float32(3e19)):
        known, true = truth.known(float(x)), value_and_slope(tree, float(x))[0]
        if true is not None and known.is_known and not mp.isnan(known.value):
            with mp.workprec(1000):
                least = mp.ldexp(1, truth.least + 1)
                both = [max(-mp.ldexp(1, truth.most), min(v, mp.ldexp(1, truth.most))) for v in (known.value, true)]
                assert abs(both[0] - both[1]) <= max(least, abs(true) * mp.mpf(2) ** (2 - DIGITS)), x
