"""The form chosen is no worse than the one derived, on points it was not chosen by; and the choice can be remembered."""

import json

import numpy as np
import pytest
from mpmath import mp
from sympy import (
    Abs,
    Piecewise,
    Rational,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    cosh,
    erfc,
    exp,
    gamma,
    log,
    sign,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
)  # fmt: skip

from symbackprop.expr.symbols import accurate_exp, normal
from symbackprop.precision import apply
from symbackprop.precision.choice import recalled
from symbackprop.precision.max_shift import by_rules
from symbackprop.precision.points import points
from symbackprop.precision.search import HELD_OUT, choose, needs_none
from symbackprop.precision.truth import exact
from symbackprop.precision.ulp_error import LARGEST, WRONG, computed, sample
from tests.precision.test_rewrites import FORMULAS
from tests.ulps import ulps

x, T = apply.X, apply.T


@pytest.fixture(scope="module")
def chosen():
    return {name: choose(f, x, (), by_rules) for name, f in FORMULAS.items()}


@pytest.mark.parametrize("name", FORMULAS)
def test_no_worse_than_derived_at_other_points(name, chosen):
    choice = chosen[name]
    other = sample(FORMULAS[name], x, {}, 400, 12345)
    before, after = (other.errors(e) for e in (by_rules(FORMULAS[name]), choice.after))
    assert (after == WRONG).sum() <= (before == WRONG).sum()
    assert after.max() <= max(before.max(), 8)
    assert (after == WRONG).sum() == 0


@pytest.mark.parametrize("name", FORMULAS)
def test_a_choice_is_remembered_by_names_and_numbers(name, chosen):
    choice = chosen[name]
    known = json.loads(json.dumps(choice.remembered()))
    assert recalled(FORMULAS[name], known) == choice


def test_a_remembered_form_is_not_found_again(chosen, monkeypatch):
    known = json.loads(json.dumps(chosen["mish"].remembered()))
    monkeypatch.setattr("symbackprop.precision.search.choose", lambda *_: pytest.fail("found again"))
    assert recalled(FORMULAS["mish"], known) == chosen["mish"]


@pytest.mark.parametrize("tree", [None, "x", ["exp", "x"], ["exp", "z"], ["exp"], 3.5, {}])
def test_a_form_of_another_value_is_not_recalled(tree, chosen):
    known = {**chosen["mish"].remembered(), "form": tree}
    assert recalled(FORMULAS["mish"], known) is None


@pytest.mark.parametrize(
    "damaged",
    [None, {}, [], "derived", {"recipe": ["no such form"]}, {"recipe": 3}, {"recipe": ["derived"], "patches": [["a"]]},
     {"recipe": ["derived"], "patches": [], "error": "x"}],
)  # fmt: skip
def test_what_is_damaged_is_not_recalled(damaged):
    assert recalled(FORMULAS["silu"], damaged) is None


def test_a_choice_is_the_same_again(chosen):
    assert choose(FORMULAS["silu"], x, (), by_rules) == chosen["silu"]


def test_what_is_good_is_kept():
    for f in (tanh(x), sin(x), x**2, Piecewise((0, x <= 0), (x, True)), 1 / (1 + x**2)):
        assert not choose(f, x, (), by_rules).changed
    assert needs_none(tanh(x))
    assert not needs_none(tanh(x) * x)


def test_sine_over_x_is_not_made_worse():
    choice = choose(sin(x) / x, x, (), by_rules)
    assert choice.error_after <= choice.error


def test_a_loss_is_good_for_every_target():
    loss = log(1 + exp(-x)) - x * T + x
    choice = choose(loss, x, (T,), by_rules)
    assert choice.changed
    assert choice.error_after < 4 < choice.error
    assert choice.still_wrong == 0


def test_limits_are_used_only_at_infinity(chosen):
    patched = {name for name, choice in chosen.items() if any(at != "0" for at, _ in choice.patches)}
    assert patched
    for name in patched:
        inside = np.array([LARGEST, -LARGEST], np.float32)
        found = computed(chosen[name].after, {x: inside})
        plain = computed(chosen[name].after.args[-1].expr, {x: inside})
        np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_points_are_numbers_of_the_type(dtype):
    known = sample(x * exp(-(x**2)), x, {}, 100, 3, dtype)
    assert points(100, 3, dtype).dtype == known.at[x].dtype == computed(x * exp(x), known.at).dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 4, 5, 7, 12, Rational(3, 2), -5, Rational(-5, 2)])
def test_powers_are_computed_as_numbers_have_them(n, dtype):
    at = np.array([-3.25, -0.5, 0.75, 2], dtype)[2 * (Rational(n).q == 2) :]
    np.testing.assert_allclose(computed(x**n, {x: at}), at.astype(float) ** float(n), rtol=5e-7)


def test_points_are_of_every_magnitude():
    found = points(HELD_OUT[0], 0)
    exponents = np.frexp(found[found != 0])[1]
    assert exponents.min() < -100
    assert exponents.max() == 128
    assert (found == np.sort(found)).all()


@pytest.mark.parametrize("at", ["1e20", "1e30", "1e100", "1e300"])
def test_what_decays_faster_than_an_exponential_grows_is_0_beside_it(at):
    with mp.workprec(4000):
        assert exact(exp(x) * erfc(x), {x: mp.mpf(at)}) < mp.mpf("1e-1000")
        assert exact(exp(x) * normal(-x), {x: mp.mpf(at)}) < mp.mpf("1e-1000")


def test_what_a_kernel_does_not_compensate_in_an_exponent_is_scored_so():
    known = sample(exp(sinh(x)), x, {}, 200, 3)
    assert known.errors(accurate_exp(sinh(x))).max() > 20
    assert known.errors(accurate_exp(exp(x) / 2 - exp(-x) / 2)).max() < 4


@pytest.mark.parametrize("function", [tan, asin, acos, atan, asinh, acosh, atanh, gamma, sign], ids=str)
def test_every_function_that_can_be_typed_is_scored(function):
    known = sample(function(x), x, {}, 100, 3)
    assert known.errors(function(x)).max() < 1


def test_an_overflow_that_another_factor_shares_is_no_fault():
    at = {x: np.array([1.5e19, 1e30], np.float32)}
    assert (computed(3 * x**2 * exp(x), at) == np.inf).all()


def test_towers_of_exponentials_have_an_end():
    with mp.workprec(200):
        assert exact(exp(-exp(exp(x))), {x: mp.mpf(1e30)}) == 0
        assert exact(sqrt(x), {x: mp.mpf(-1)}) is mp.nan or mp.isnan(exact(sqrt(x), {x: mp.mpf(-1)}))


@pytest.mark.parametrize(
    ("value", "truth", "error"),
    [(1.0, 1, 0), (np.nan, 1, WRONG), (np.inf, 1, WRONG), (np.inf, mp.mpf(2) ** 200, 0), (1 + 2.0**-23, 1, 1),
     (LARGEST, mp.mpf(2) ** 128, 0), (2.0**-149, 0, 1), (np.nan, mp.nan, 0)],
)  # fmt: skip
def test_errors_are_in_units_of_the_last_place(value, truth, error):
    assert ulps(float(value), mp.mpf(truth)) == pytest.approx(error, abs=1.1 if value == LARGEST else 1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("f", "root"),
    [((x - 5) ** 2, 5), (x - 5, 5), (Abs(x - Rational(100, 3)), 100 / 3), (sqrt(Abs(x - 5)), 5), (cosh(x - 300), None),
     ((x - 5) ** 2 + 1, None), (exp((x - 10**6) ** 2), None)],
)  # fmt: skip
def test_points_near_a_root_do_not_count_those_near_a_minimum_do(f, root, dtype):
    known = sample(f, x, {}, 300, 3, dtype)
    at = known.at[x].astype(float)
    finite = np.array([not mp.isnan(t) and mp.mpf(2) ** -126 < abs(t) < mp.mpf(2) ** 127 for t in known.truths])
    left_out = abs(at - root) < 0.2 * root if root else np.zeros(at.size, bool)
    assert not known.counts[left_out].any()
    far = abs(at - root) > 0.3 * root if root else ~left_out
    assert known.counts[far & finite].all()


def test_infinity_beside_the_largest_float_is_an_error_of_rounding():
    """Infinity stands for the power of 2 after the largest float, as where IEEE 754 rounds to it."""
    step = mp.mpf(2) ** 104
    assert ulps(np.inf, 2**128 - 4 * step) == 4
    assert ulps(np.inf, 2**128 - 17 * step) == WRONG
    assert ulps(-np.inf, 2**128 - 4 * step) > 1e7
