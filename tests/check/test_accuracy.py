"""The audit measures compiled kernels; what is built in keeps its digits over all floats, in both types."""

import numpy as np
import pytest

from benchmarks import numerics
from symbackprop import Network, cli
from symbackprop.check.accuracy import FORMATS, audit, compare, floats, measured, plot_audit, regimes, report
from symbackprop.definitions.activations import a
from symbackprop.derivation.validate import derivative
from symbackprop.precision.truth import Truth
from symbackprop.precision.ulp_error import WRONG, known_at
from tests.conftest import CACHE

GOOD = {
    "sigmoid": 8, "tanh": 8, "softplus": 8, "elu": 8, "selu": 8, "silu": 8, "a*tanh(log(1+exp(a)))": 8, "gelu": 8,
    "softsign": 8, "-log(1+exp(-a))": 8, "log(cosh(a))": 8, "arctan": 8, "gaussian": 8, "(a+sqrt(a**2+4))/2": 8,
    "a/sqrt(1+a**2)": 8, "a*sigmoid(a)**2": 8,
}  # fmt: skip
NEAR_ITS_ROOT = {"gelu": 20}  # of the derivative, where Φ(a) and a φ(a) cancel


@pytest.fixture(autouse=True, scope="module")
def cache():
    """Modules in a place of the tests' own, where Numba finds again what it compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYMBACKPROP_CACHE_DIR", str(CACHE / "audit"))
        yield


@pytest.mark.slow
@pytest.mark.parametrize("text", GOOD)
def test_compiled_formulas_and_derivatives_keep_their_digits(text):
    g = Network((text,)).resolved.activations[0].at_start()
    for expr, bar in ((g, GOOD[text]), (derivative(g), NEAR_ITS_ROOT.get(text, GOOD[text]))):
        (computed,) = measured(expr, "float32", 200, seed=99, exact_forms=(False,))
        assert computed.wrong_nan == computed.wrong_infinite == 0
        assert computed.largest <= bar, (text, computed.largest)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("target", numerics.TARGETS)
def test_the_compiled_gradient_of_cross_entropy_keeps_its_digits(target, dtype):
    loss, slope = numerics.cross_entropy(target, dtype, 200, exact_form=False)
    for errors in (loss, slope):
        assert errors.largest <= 4
        assert errors.wrong_nan == errors.wrong_infinite == 0


@pytest.mark.slow
def test_the_same_forms_keep_the_digits_of_float64():
    for text in ("silu", "softplus"):
        g = Network((text,)).resolved.activations[0].at_start()
        (computed,) = measured(g, "float64", 60, seed=99, exact_forms=(False,))
        assert computed.largest <= 8
        assert computed.wrong_nan == computed.wrong_infinite == 0


def test_a_report_has_forms_regimes_errors_and_special_values(tmp_path):
    found = audit(Network(("softplus",)), 40)
    text = report(found)
    assert text.startswith("f  as derived  log(1 + exp(a))")
    assert "regimes     exponentials everywhere" in text
    assert text.count("float32") == text.count("float64") == 4
    assert found[0].chosen["float32"].special["inf"] == "inf"
    assert found[0].chosen["float64"].special["nan"] == "nan"
    assert "everywhere" in regimes(found[1].choice)
    assert plot_audit(tmp_path / "x.png", found, "softplus").read_bytes().startswith(b"\x89PNG")


def test_wrong_values_are_counted_apart():
    at = np.array([-2, -1, 1, 2], np.float32)
    known = known_at(Truth(a, a, {}, FORMATS["float32"]), at)
    errors = compare(lambda x: np.where(x > 1, np.nan, np.where(x < -1, np.inf, x)), known)
    assert (errors.wrong_nan, errors.wrong_infinite, errors.largest) == (1, 1, 0)
    assert (errors.errors == WRONG).sum() == 2


@pytest.mark.parametrize("dtype", FORMATS)
def test_floats_are_of_every_magnitude(dtype):
    found = floats(dtype, 2000, 0)
    assert found.dtype == dtype
    assert np.isfinite(found).all()
    assert found[-1] == np.finfo(dtype).max
    assert (np.abs(found) < 1e-20).sum() > 200


@pytest.mark.parametrize("arguments", [["foo(a)"], ["sqrt(a)+b"], ["tanh", "--constant", "x"]])
def test_bad_input(arguments, capsys):
    assert cli.run(["audit", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["audit", "a*a", "--points", "20", "-o", "x.png"]) == 0
    assert "max ULP" in capsys.readouterr().out
    assert (tmp_path / "x.png").exists()
    assert cli.run(["audit", "a*a", "--points", "0"]) == 2


def test_learnt_parameters_have_their_initial_values(capsys):
    assert cli.run(["audit", "swish(a)", "--learn", "beta=1"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    for option in ("--learn", "--learn-per-unit"):
        assert cli.run(["audit", "a*slope", option, "slope=0.25", "--points", "16"]) == 0
        first, second, *_ = capsys.readouterr().out.splitlines()
        assert first == "slope = 0.25, the value from which it is learnt"
        assert second == "f  as derived  a/4"


def test_a_derivative_that_is_flat_is_measured():
    found = audit(Network(("relu",)), points=16)
    assert [a.chosen["float32"].largest for a in found] == [0, 0]
