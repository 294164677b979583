"""In which order examples are visited: whole weights are repeats, and the order of the rows need not matter."""

import numpy as np

from symbackprop.train.protocol import Array

MOST = 1000  # visits to an example on average: more is a mistake in the weights rather than a wish


def visits(weight: Array) -> tuple[Array, Array | None]:
    """Return how often each example is visited, and by which factor its loss is multiplied then.

    An example of weight ω is visited ⌈ω⌉ times, each with the factor ω/⌈ω⌉: a whole weight is that many examples, and
    no step is longer than that of an example without a weight.

    Parameters
    ----------
    weight
        (N,), finite, not negative.

    Returns
    -------
    times, factor
        (N,) int64 and (N,) float64, or None where all factors are 1.

    Raises
    ------
    ValueError
        If the weights sum to more than 1000 visits an example.

    Examples
    --------
    >>> visits(np.array([0.0, 2.0, 1.5]))
    (array([0, 2, 2]), array([1.  , 1.  , 0.75]))
    """
    times = np.ceil(weight)
    if times.sum() > MOST * len(weight):
        raise ValueError(
            f"sample_weight has the mean {weight.mean():.6g}, which is as many visits to an example in every epoch; "
            "divide the weights by their mean"
        )
    factor = np.divide(weight, times, out=np.ones(len(weight)), where=times > 0)
    return times.astype(np.int64), None if (factor == 1).all() else factor


def canonical(X: Array, y: Array) -> Array:
    """Return the examples in an order that depends on what they are, not on where they stand; equal ones are alike.

    Parameters
    ----------
    X, y
        (N, inputs) and (N,) or (N, outputs), numbers.
    """
    marks = _mark(X) * np.uint64(0x9E3779B97F4A7C15) + _mark(y.reshape(len(y), -1))
    return np.argsort(marks, kind="stable")


def _mark(values: Array) -> Array:
    """Return a number for each row, the same for equal rows wherever they stand: integers sum without rounding."""
    bits = np.ascontiguousarray(values, np.float64) + 0.0  # -0 is 0
    factors = np.random.default_rng(0).integers(2**63, size=bits.shape[1], dtype=np.uint64) | np.uint64(1)
    whole = bits.view(np.uint64)
    return (whole ^ (whole >> np.uint64(29))) @ factors
