"""Examples and their targets: checked once, here, so that nothing behind it meets a NaN or a ragged row."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from symbackprop.train.data.source_location import Place, check_finite
from symbackprop.train.protocol import Array

FEWEST = 10  # examples from which three parts can be made


@dataclass(frozen=True, eq=False)
class Dataset:
    """Checked examples.

    Attributes
    ----------
    X
        (N, inputs), real numbers, all finite.
    y
        Labels int64 (N,) from 0 on, or vectors float64 (N, n_out).
    classes
        The name of each label; empty for vectors of measured values.
    features
        The name of each column of X; empty where the file has none.
    labels
        Where the targets were found: column names or numbers, or an array's key.
    name
        Where the examples come from.
    targets
        The name of each column of targets; empty where the file has none.
    left_out
        Columns of the file that are neither, by number.
    notes
        What someone should know of the columns, in words.
    """

    X: Array
    y: Array
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    name: str = "data"
    targets: tuple[str, ...] = ()
    left_out: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: Array) -> "Dataset":
        """Return the examples of some rows, in that order."""
        return replace(self, X=self.X[rows], y=self.y[rows])


class Split(NamedTuple):
    """Three parts of one dataset, no example in two of them."""

    train: Dataset
    validation: Dataset
    test: Dataset


def split(data: Dataset, seed: int = 0, validation: float = 0.15, test: float = 0.15) -> Split:
    """Shuffle the examples and cut them into three parts.

    Parameters
    ----------
    data
        At least ten examples.
    seed
        Of the shuffle; the same seed gives the same parts.
    validation, test
        Shares of the examples, each part rounded to at least one.

    Raises
    ------
    ValueError
        If there are fewer than ten examples.
    """
    if len(data) < FEWEST:
        raise ValueError(
            f"{data.name}: {len(data)} examples are too few to train, validate and test with; "
            f"at least {FEWEST} are needed"
        )
    order = np.random.default_rng(seed).permutation(len(data))
    sizes = [max(1, round(share * len(data))) for share in (validation, test)]
    held, tested, rest = np.split(order, np.cumsum(sizes))
    return Split(data.take(rest), data.take(held), data.take(tested))


def digits(target: str = "label") -> Dataset:
    """Return scikit-learn's 1797 handwritten digits of 8 × 8 pixels.

    Parameters
    ----------
    target
        ``"label"`` for y of shape (1797,), ``"vector"`` for (1797, 10), 1.0 in the column of the digit.

    Raises
    ------
    ModuleNotFoundError
        If scikit-learn is not installed; the message says how to get it.
    """
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 (only this function needs it)
    except ImportError:
        raise ModuleNotFoundError(
            'the digits need scikit-learn: pip install "symbackprop[demo]", or give a .csv or .npz file'
        ) from None
    X, y = load_digits(return_X_y=True)
    classes = tuple(str(c) for c in range(10))
    features = tuple(f"pixel {i},{j}" for i in range(8) for j in range(8))
    data = Dataset(X, y.astype(np.int64), classes, features, name="digits of scikit-learn")
    return data if target == "label" else replace(data, y=np.eye(10)[data.y])


def as_inputs(X: Any, place: Place) -> Array:
    """Return X as a matrix of finite real numbers, images flattened to rows.

    Parameters
    ----------
    X
        An array of at least two dimensions, N examples first.
    place
        What to call it in an error.

    Raises
    ------
    ValueError
        If the dtype is not numeric, the shape is not a matrix's, it is empty, or a number is not finite.
    """
    X = np.asarray(X)
    if X.dtype.kind not in "biuf":
        raise ValueError(f"{place} has dtype {X.dtype}, expected real numbers")
    if X.ndim < 2:
        hint = "; for one input use X.reshape(-1, 1)" if X.ndim == 1 else ""
        raise ValueError(f"{place} has shape {X.shape}, expected (examples, inputs){hint}")
    if X.size == 0:
        raise ValueError(f"{place} has shape {X.shape}, expected at least one example and one input")
    X = np.ascontiguousarray(X.reshape(len(X), -1))
    check_finite(X, place)
    return X
