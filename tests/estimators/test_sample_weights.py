"""Whole weights are repeats, fractions factors; equal examples are alike wherever they stand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from symbackprop.estimators.sample_weights import canonical, visits

WEIGHTS = arrays.arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 9))


@given(WEIGHTS)
def test_visits_times_factors_are_the_weights(weight):
    times, factor = visits(weight)
    np.testing.assert_allclose(times * (1 if factor is None else factor), weight, rtol=1e-15)
    assert factor is None or ((factor > 0) & (factor <= 1)).all()


def test_whole_weights_need_no_factor():
    assert visits(np.array([3.0, 0.0, 1.0]))[1] is None


@given(st.integers(0, 2**32), st.sampled_from(["float32", "float64"]))
def test_an_order_that_does_not_depend_on_where_rows_stand(seed, dtype):
    generator = np.random.default_rng(seed)
    X, y = generator.integers(3, size=(12, 2)).astype(dtype), generator.integers(2, size=12)
    order = generator.permutation(12)
    one, other = canonical(X, y), canonical(X[order], y[order])
    assert (X[one] == X[order][other]).all()
    assert (y[one] == y[order][other]).all()


def test_weights_that_are_no_wish_are_refused():
    with pytest.raises(ValueError, match="divide the weights by their mean"):
        visits(np.full(3, 1e4))
