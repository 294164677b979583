"""One walk: random formulas have the oracle's value in complex arrays, in mpmath's numbers and in floats."""

import random
import sys

import numpy as np
import pytest
from mpmath import mp
from sympy import Symbol, exp

from symbackprop.expr.evaluate import evaluated
from symbackprop.parse.formula import parse
from symbackprop.precision.truth import exact
from symbackprop.precision.ulp_error import computed
from tests.fuzz.oracle import value_and_slope
from tests.fuzz.trees import drawn

A = Symbol("a", real=True)
AT = (-2.75, -0.375, 0.625, 1.5)


def _overflows(expr, a):
    """Whether an exponential in a formula is beyond the largest float."""
    with mp.workprec(400):
        return any(exact(part, {A: mp.mpf(a)}) > sys.float_info.max for part in expr.atoms(exp))


@pytest.mark.parametrize("seed", range(60))
def test_a_formula_has_its_value_in_every_arithmetic(seed):
    tree = drawn(random.Random(seed), 3)
    try:
        expr = parse(str(tree), {"a": A})
    except ValueError:
        return  # refused
    with np.errstate(all="ignore"):
        over_complex = np.broadcast_to(evaluated(expr, {A: np.array(AT, complex)}), len(AT))
        in_floats = np.broadcast_to(computed(expr, {A: np.array(AT)}), len(AT))
    for n, a in enumerate(AT):
        truth, _ = value_and_slope(tree, a)
        if truth is None or abs(truth) > 1e300:
            continue
        with mp.workprec(400):
            assert abs(exact(expr, {A: mp.mpf(a)}) - truth) <= abs(truth) * mp.mpf(2) ** -100
        if np.isinf(in_floats[n]):  # as log(1 + exp(u)) is, written as it stands
            assert _overflows(expr, a)
            continue
        near = pytest.approx(float(truth), rel=1e-7, abs=1e-7)
        assert over_complex[n].real == near
        assert in_floats[n] == near
