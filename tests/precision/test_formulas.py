"""Formulas of the literature, and those that once lost their digits: value and slope beside mpmath, over all floats.

The forms are scored without compiling them; what is compiled is measured by `benchmarks/formulas.py`.
"""

import pytest

from symbackprop import Network
from symbackprop.definitions.activations import a
from symbackprop.derivation.validate import derivative
from symbackprop.precision import apply
from symbackprop.precision.max_shift import by_rules
from symbackprop.precision.search import choose
from symbackprop.precision.ulp_error import FORMATS, WRONG, sample

SEED = 17  # not a seed that forms are chosen with
QUICK = (
    "exp(-exp(-a))", "a*exp(-a**2)", "1/2+atan(a)/pi", "log(1+a**2)", "a/(1+exp(-1.702*a))", "sqrt(sqrt(a**2+1)-1)",
)  # fmt: skip
OTHERS = (
    "a*erf(log(1+exp(a)))", "a*tanh(exp(a))", "(exp(a)-1)/a", "a*tanh(a*(1+erf(a/sqrt(2)))/2)", "sin(a)/a",
    "(sqrt(a**2+1)-1)/2+a", "exp(a)/(1+exp(a))", "sqrt(a**2+1)", "a*(1+tanh(sqrt(2/pi)*(a+0.044715*a**3)))/2",
    "1-erf(a)", "a**2/(1+a**2)", "exp(-a**4)", "sinh(a)/a", "log(1+a**4)", "exp(-(a-3)**2/2)", "gelu", "a-tanh(a)",
    "2*exp(-3*exp(-a/2))", "a*exp(-abs(a))", "tanh(sinh(a))", "sigmoid(a)*log(1+a**2)", "exp(a)*(1-tanh(exp(a)))",
    "log(a+sqrt(a**2+1))", "(exp(a)-1-a)/a**2",
)  # fmt: skip
SUBNORMAL = "Φ(a) is subnormal from -37.9 to -37.5 in float64, where a Φ(a) is not"
CANCELS = "terms cancel beside the numbers that the expansion takes"
STATED = {  # more than 8 ULP, up to what, and why
    "gelu": (64, SUBNORMAL),
    "log(a+sqrt(a**2+1))": (16, CANCELS),
    "(exp(a)-1-a)/a**2": (64, CANCELS),
}


@pytest.mark.parametrize("text", [*QUICK, *(pytest.param(text, marks=pytest.mark.slow) for text in OTHERS)])
def test_value_and_slope_keep_their_digits_over_all_floats(text):
    g = Network((text,)).resolved.activations[0].at_start()
    worst = max(_worst(expr.xreplace({a: apply.X})) for expr in (g, derivative(g)))
    limit, reason = STATED.get(text, (8, ""))
    assert worst <= limit, text
    assert not reason or worst > 8, f"{text} is no exception any longer"


def _worst(f):
    form = choose(f, apply.X, (), by_rules).after
    errors = [sample(f, apply.X, {}, 400, SEED, dtype).errors(form) for dtype in FORMATS]
    assert not any((e == WRONG).any() for e in errors), (f, form)
    return max(e.max() for e in errors)
