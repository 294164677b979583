"""Exponentials with what their exponents lost: within 4 ULP of mpmath over all floats, in both types."""

import numpy as np
import pytest
from mpmath import mp
from sympy import Abs, Rational, exp, sqrt

from symbackprop.emit.elementary import helpers
from symbackprop.emit.exponents import accurate_exponents, called_by, exponent_function, name_of_exponent, template
from symbackprop.expr.symbols import accurate_exp, array, scalar
from symbackprop.precision.points import points
from symbackprop.precision.truth import exact
from symbackprop.precision.ulp_error import FORMATS
from tests.ulps import ulps

x = scalar("x")
EXPONENTS = (
    -Rational(851, 500) * x, -exp(-x), -3 * exp(-x / 2), -((x - 3) ** 2) / 2, -sqrt(1 + x**2), -(x**4),
    -Rational(851, 1000) * Abs(x), -1 / x**2, -((x - Rational(33, 10)) ** 2),
)  # fmt: skip


@pytest.mark.parametrize("dtype", FORMATS)
def test_the_functions_written_are_within_4_ulp(dtype):
    exponents = accurate_exponents(map(accurate_exp, EXPONENTS))
    assert len(exponents) == len(EXPONENTS)
    parts = [helpers(called_by(exponents, dtype), dtype)]
    parts += [exponent_function(name, e, dtype) for name, e in exponents.items()]
    module = {"np": np, "real": np.dtype(dtype).type, "elementary": lambda function: function}
    exec("\n\n".join(parts), module)  # noqa: S102 (what was written just now, as ordinary Python)
    at = points(240, 5, dtype)
    for name, exponent in exponents.items():
        with np.errstate(all="ignore"), mp.workprec(2100):
            values = [module[name](v) for v in at]
            truths = [exact(exp(exponent), {x: mp.mpf(float(v))}) for v in at]
            errors = [ulps(float(v), t, *FORMATS[dtype]) for v, t in zip(values, truths, strict=True)]
        assert max(errors) <= 4, (name, at[int(np.argmax(errors))])


def test_a_function_reads_what_its_exponent_reads():
    a, b = (array(name)[0] for name in "ab")
    exponent, leaves = template(accurate_exp(-a * b / 3))
    assert leaves == [a, b]
    assert exponent == -x * scalar("y") / 3


def test_names_are_identifiers_however_long_the_exponent_and_of_one_exponent_alone():
    exponents = [-Rational(n, 10**9) * Abs(x + Rational(m, 10**9) * x**3) for n in (797884561, 7) for m in (3, 35677408136)]
    names = [name_of_exponent(e) for e in (*EXPONENTS, *exponents)]
    assert all(name.isidentifier() for name in names)
    assert len(set(names)) == len(names)
