"""The spread of rows is that of NumPy however they come: at once, in pieces, or as weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbackprop.estimators.units import Spread, Units

NUMBERS = st.floats(-1e6, 1e6, width=32)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=12).map(np.array)


def assert_same(spread, other):
    assert spread.rows == pytest.approx(other.rows)
    np.testing.assert_array_equal(spread.low, other.low)
    np.testing.assert_array_equal(spread.high, other.high)
    np.testing.assert_allclose(spread.mean, other.mean, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(spread.squares, other.squares, rtol=1e-9, atol=1e-3)


@given(X=ROWS, cut=st.integers(0, 12))
def test_pieces_are_the_whole(X, cut):
    whole = Spread.empty(2).joined(X)
    np.testing.assert_allclose(whole.mean, X.mean(axis=0), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(whole.squares, X.var(axis=0) * len(X), rtol=1e-9, atol=1e-3)
    pieces = Spread.empty(2)
    for piece in (X[:cut], X[cut:]):
        pieces = pieces.joined(piece) if len(piece) else pieces
    assert_same(pieces, whole)


@given(X=ROWS, seed=st.integers(0, 99))
def test_whole_weights_are_repeats(X, seed):
    times = np.random.default_rng(seed).integers(0, 4, len(X))
    times[0] += 1
    assert_same(Spread.empty(2).joined(X, times.astype(float)), Spread.empty(2).joined(np.repeat(X, times, axis=0)))


@given(X=ROWS, y=ROWS)
def test_what_was_scaled_comes_back(X, y):
    units = Units(Spread.empty(2), Spread.empty(2)).seeing(X, X)
    scaled = units.scale_inputs(X, np.float64)
    assert np.abs(scaled).max() <= 3 * (1 + 1e-9)
    np.testing.assert_allclose(units.input_scaling.undo(scaled), X, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(units.restore(units.scale_targets(y)), y, rtol=1e-9, atol=1e-3)


def test_without_a_spread_data_stay_as_they_are():
    X, units = np.array([[1e6, -3.0]]), Units(None, None)
    assert units.are_known
    np.testing.assert_array_equal(units.seeing(X, X).scale_inputs(X, np.float32), X.astype(np.float32))
    assert units.scale_targets(X) is X
    assert units.restore(X) is X


def test_units_are_known_from_the_first_row_on():
    units = Units(Spread.empty(1), None)
    assert not units.are_known
    assert units.seeing(np.ones((1, 1)), np.ones(1)).are_known


def test_what_is_too_wide_is_refused_and_leaves_the_units():
    units = Units(Spread.empty(1), None).seeing(np.zeros((1, 1)), np.zeros(1))
    with pytest.raises(ValueError, match="column 0 runs from"):
        units.seeing(np.array([[1.7e308], [-1.7e308]]), np.zeros(2))
    assert units.inputs.rows == 1
