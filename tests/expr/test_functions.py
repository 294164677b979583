"""One row is one function: SymPy's, NumPy's, mpmath's and Python's agree, on real numbers and beside them."""

import numpy as np
import pytest
import sympy
from mpmath import mp

from symbackprop.expr.evaluate import over_arrays
from symbackprop.expr.functions import ELEMENTARY

INSIDE = {"acosh": (1.25, 1.75), "log": (0.25, 2.5), "log2": (0.25, 2.5), "log10": (0.25, 2.5), "sqrt": (0.25, 2.5), "gamma": (0.25, 2.5)}
EVERYWHERE = (-0.75, -0.25, 0.25, 0.75)


def _arguments(name):
    count = ELEMENTARY[name].inputs or 2
    return [(u, *(0.3125, -0.5)[: count - 1]) for u in INSIDE.get(name, EVERYWHERE)]


@pytest.mark.parametrize("name", ELEMENTARY)
def test_the_columns_of_a_row_agree(name):
    function = ELEMENTARY[name]
    for arguments in _arguments(name):
        found = sympy.N(function.symbolic(*map(sympy.Rational, arguments)), 30)
        for column, kind in ((function.digits, mp.mpf), (function.number, float), (function.array, np.float64)):
            if column is not None:
                assert float(column(*map(kind, arguments))) == pytest.approx(float(found), rel=1e-14), (name, arguments)


@pytest.mark.parametrize("name", [name for name, function in ELEMENTARY.items() if function.digits])
def test_a_row_is_computed_over_arrays_in_every_type(name):
    function = ELEMENTARY[name]
    for kind in (np.float64, np.longdouble):
        columns = [np.array(values, kind) for values in zip(*_arguments(name), strict=True)]
        with mp.workprec(100):
            expected = [float(function.digits(*map(mp.mpf, arguments))) for arguments in _arguments(name)]
        assert over_arrays(function)(*columns).astype(float) == pytest.approx(expected, rel=1e-14)
