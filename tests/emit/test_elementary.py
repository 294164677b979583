"""Errors against mpmath and over every float32, the special values, and what LLVM makes of the text."""

import importlib.util
import math
import re
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp

from symbackprop.emit import minimax
from symbackprop.emit.elementary import DECORATOR, helpers
from symbackprop.emit.elementary_texts import AVAILABLE, ERRORS

PLAIN = "def elementary(function):\n    return function"
INF, NAN = math.inf, math.nan
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "elementary.py"
NAMES = sorted(AVAILABLE)
DTYPES = ["float32", "float64"]
SPECIAL = {  # at 0, inf, -inf
    "exp": (1.0, INF, 0.0),
    "expm1": (0.0, INF, -1.0),
    "log": (-INF, INF, NAN),
    "log1p": (0.0, INF, NAN),
    "tanh": (0.0, 1.0, -1.0),
    "sigmoid": (0.5, 1.0, 0.0),
    "softplus": (math.log(2.0), INF, 0.0),
    "erf": (0.0, 1.0, -1.0),
    "gauss": (1.0, 0.0, 0.0),
    "normal": (0.5, 1.0, 0.0),
}
BARS = {"normal": 7}  # a quotient of two approximations; 4 for all others
ODD_AT_ZERO = ["expm1", "log1p", "tanh", "erf"]


def import_benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_elementary", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bench = import_benchmark()


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Modules by dtype and decorator, each compiled once."""
    folder, modules = tmp_path_factory.mktemp("elementary"), {}

    def loaded(dtype, decorator=DECORATOR):
        if (dtype, decorator) not in modules:
            modules[dtype, decorator] = bench.load(dtype, folder, decorator)
        return modules[dtype, decorator]

    return loaded


def values(module, name, x):
    """A function over an array, from inside a fast-math loop."""
    y = np.empty_like(x)
    getattr(module, f"{name}_loop")(x, y, 1)
    return y


@pytest.mark.parametrize("sign", [0, 1 << 31], ids=["positive", "negative"])
@pytest.mark.parametrize("name", ["exp", "tanh"])
def test_error_over_every_float32(load, name, sign):
    """From 2^-27 to 2^7: what is nearer to 0 is 1 or x to rounding, what is farther 0, 1 or infinite, and sampled below."""
    low, high = (int(np.float32(x).view(np.int32)) for x in (2.0**-27, 2.0**7))
    error, x = bench.sweep(load("float32"), load("float64"), name, bits=range(sign + low, sign + high))
    assert error <= ERRORS[name, "float32"], x


@pytest.mark.parametrize("name", NAMES)
def test_error_over_many_float32(load, name):
    error, x = bench.sweep(load("float32"), load("float64"), name, step=257)
    assert 0.5 < error <= ERRORS[name, "float32"] <= BARS.get(name, 4), x


@pytest.mark.parametrize("name", NAMES)
def test_error_of_float64(load, name):
    error, x = bench.worst64(load("float64"), name, count=6000)
    assert 0.5 < error <= ERRORS[name, "float64"] <= BARS.get(name, 4), x


@pytest.mark.parametrize("name", NAMES)
def test_error_stays_small_where_multiply_and_add_are_fused(load, name):
    error, x = bench.sweep(load("float32", bench.FUSED), load("float64"), name, step=1021)
    assert error <= BARS.get(name, 4), x


def test_the_measure_itself():
    y = np.array([1, 1, NAN, NAN, INF, INF, 1e-45], np.float32)
    truth = np.array([1 + 2.0**-23, NAN, 1, NAN, 2.0**128 - 2.0**104, 1e300, 0])
    errors = np.empty(y.size)
    bench.ulps(y, truth, errors)
    np.testing.assert_allclose(errors, [1, 1e9, 1e9, 0, 1, 0, 1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_special_values(load, name, dtype):
    x = np.resize(np.array([0, INF, -INF, NAN], dtype), 67)
    expected = np.resize(np.array([*SPECIAL[name], NAN], dtype), 67)
    np.testing.assert_array_equal(values(load(dtype), name, x), expected)
    with np.errstate(all="ignore"):
        plain = np.array([getattr(load(dtype, PLAIN), name)(v) for v in x])
    assert plain.dtype == dtype
    np.testing.assert_array_equal(plain, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ends_of_the_domain(load, dtype):
    module = load(dtype)
    x = np.array([-0.0, -1, -1 - 2 * np.finfo(dtype).eps], dtype)
    np.testing.assert_array_equal(values(module, "log1p", x), np.array([-0.0, -INF, NAN], dtype))
    np.testing.assert_array_equal(values(module, "log", x), np.array([-INF, NAN, NAN], dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ODD_AT_ZERO)
def test_zero_keeps_its_sign(load, name, dtype):
    y = values(load(dtype), name, np.array([0.0, -0.0] * 40, dtype))
    assert not y.any()
    np.testing.assert_array_equal(np.signbit(y), [False, True] * 40)


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormals(load, dtype):
    module, least = load(dtype), np.finfo(dtype).smallest_subnormal
    x = np.array([1, -1, 5, -1001], dtype) * least
    for name in ("expm1", "log1p", "tanh"):
        np.testing.assert_array_equal(values(module, name, x), x)
    np.testing.assert_array_equal(values(module, "erf", x), np.array([1, -1, 6, -1130], dtype) * least)
    below = np.log(np.finfo(dtype).smallest_normal) - np.array([1, 3, 8], dtype)
    for name in ("exp", "sigmoid", "softplus"):
        y, truth = values(module, name, below), np.exp(below.astype(np.longdouble))
        assert (abs(y - truth) <= least).all()
        assert (y > 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_overflows_and_underflows_where_it_should(load, dtype):
    largest = np.log(np.finfo(dtype).max)
    x = largest * np.array([1 - np.finfo(dtype).eps, 1 + 2 * np.finfo(dtype).eps])
    for name in ("exp", "expm1"):
        y = values(load(dtype), name, x)
        assert np.isfinite(y[0])
        assert y[1] == INF
    smallest = np.array([-104, -103] if dtype == "float32" else [-746, -745], dtype)
    assert values(load(dtype), "exp", smallest).tolist() == [0.0, np.finfo(dtype).smallest_subnormal]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_plain_python_gives_the_same_bits(load, name, dtype):
    with np.errstate(all="ignore"):
        x = bench.arguments(1200).astype(dtype)
        plain = np.array([getattr(load(dtype, PLAIN), name)(v) for v in x])
    assert plain.dtype == dtype
    np.testing.assert_array_equal(plain, values(load(dtype), name, x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_llvm_vectorises_and_keeps_the_flags(load, name, dtype):
    loop = getattr(load(dtype), f"{name}_loop")
    values(load(dtype), name, np.zeros(1, dtype))
    code = loop.inspect_llvm(loop.signatures[0])
    kind = {"float32": "float", "float64": "double"}[dtype]
    assert re.search(rf"= fmul <\d+ x {kind}>", code), "no vectors"
    assert not re.search(r"= f(add|sub|mul|div) (reassoc|contract|fast|nsz|arcp|afn)", code)
    assert not (dtype == "float32" and re.search(r"\bdouble\b", code))


def test_helpers_come_before_what_calls_them():
    text = helpers(["erf", "tanh", "softplus"], "float32")
    assert re.findall(r"^def (\w+)", text, re.MULTILINE) == ["exp", "expm1", "tanh", "softplus", "erf"]
    assert text == helpers(("softplus", "erf", "tanh", "expm1"), "float32")
    assert helpers([], "float64") == ""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_every_function_states_its_error(name, dtype):
    docstring = helpers([name], dtype).split(f"def {name}(x):")[1].split('"""')[1]
    assert f"Max error {ERRORS[name, dtype]} ULP" in docstring


def test_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"no text for gamma; there are erf, exp, .*tanh"):
        helpers(["exp", "gamma"], "float32")
    with pytest.raises(ValueError, match="'float16'"):
        helpers(["exp"], "float16")


def test_a_fit_has_the_least_degree():
    low, high, tolerance = mp.mpf(-0.3), mp.mpf(0.3), mp.mpf("1e-7")
    p = minimax.fit(minimax.exp_tail, low, high, tolerance)
    x = [low + (high - low) * k / 100 for k in range(101)]
    assert max(abs(mp.polyval(p[::-1], v) - minimax.exp_tail(v)) for v in x if v) < 1.2 * tolerance
    assert mp.chebyfit(minimax.exp_tail, [low, high], len(p) - 1, error=True)[1] > tolerance
