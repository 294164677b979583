"""Step sizes against the same formulas in plain Python."""

import math

import pytest
from sympy import Float, Integer

from symbackprop.definitions.step_sizes import FACTORS, defaults, step_size, t

GIVEN = {"α": 0.3, "δ": 0.01, "power": 0.6, "γ": 0.7, "interval": 40.0, "horizon": 300.0, "warmup": 25.0}
EXPECTED = {
    "constant": lambda t: 0.3,
    "inverse": lambda t: 0.3 / (1 + 0.01 * t),
    "power": lambda t: 0.3 / (t + 1) ** 0.6,
    "steps": lambda t: 0.3 * 0.7 ** (t // 40),
    "cosine": lambda t: 0.15 * (1 + math.cos(math.pi * min(t, 300) / 300)),
    "warmup": lambda t: 0.3 * min(1, (t + 1) / 25),
    "warmup+inverse": lambda t: 0.3 * min(1, (t + 1) / 25) / (1 + 0.01 * t),
}


@pytest.mark.parametrize("names", EXPECTED)
def test_a_step_size_is_its_textbook_formula(names):
    formula = step_size(names)
    assert {s.name for s in formula.free_symbols} <= {*GIVEN, "t"}
    for at in (0, 1, 24, 25, 39, 40, 79, 80, 299, 300, 301, 12345):
        value = formula.xreplace({t: Integer(at)}).xreplace(
            {s: Float(GIVEN[s.name]) for s in formula.free_symbols - {t}}
        )
        assert float(value) == pytest.approx(EXPECTED[names](at), rel=1e-12, abs=1e-15)


def test_every_factor_is_tried():
    assert {n for names in EXPECTED for n in names.split("+")} == {*FACTORS}


def test_what_divides_has_a_default():
    assert defaults("steps+warmup") == {"γ": 0.5, "interval": 10000.0, "warmup": 1000.0}
