"""Targets as training takes them: labels 0..C-1 with the names of their classes, or vectors of numbers."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from symbackprop.train.data.source_location import Place, check_finite, is_number
from symbackprop.train.protocol import Array

_MANY = 50  # classes; above it, a class of fewer than four examples is rather a quantity, or a name


def as_labels(y: Any, place: Place) -> tuple[Array, tuple[str, ...]]:
    """Return labels numbered from 0 and the names of their classes.

    Parameters
    ----------
    y
        Whole numbers, booleans or text, of shape (N,) or (N, 1).
    place
        What to call it in an error.

    Returns
    -------
    labels : ndarray
        int64 (N,), an index into the classes.
    classes : tuple of str
        In ascending order, numbers by value and text by alphabet.

    Raises
    ------
    ValueError
        If the shape or the dtype is another, a number is not whole, or there are fewer than two classes.
    """
    values = _column(np.asarray(y), place)
    if values.dtype.kind == "U":
        values = _numbers(values, place)
    if values.dtype.kind == "f":
        check_finite(values[:, None], place)
        _check_whole(values, place)
        values = values.astype(np.int64)
    classes, labels = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"{place} is {classes[0]} in every example: expected at least two classes")
    if len(classes) > max(_MANY, len(values) // 4):
        raise ValueError(
            f"{place} has {len(classes)} distinct values in {len(values)} examples, too many for classes; "
            "for a measured quantity use --loss squared, for another column --label"
        )
    return labels.astype(np.int64), tuple(str(c) for c in classes)


def as_known_labels(y: Any, place: Place, classes: Sequence[str]) -> Array:
    """Return labels as numbers of classes that are known, int64 (N,).

    Parameters
    ----------
    y
        As for `as_labels`; it need not have all of the classes.
    place
        What to call it in an error.
    classes
        Their names, as `as_labels` returned them.

    Raises
    ------
    ValueError
        If the shape or the dtype is another, or a label is none of the classes.
    """
    values, number = _column(np.asarray(y), place), {name: n for n, name in enumerate(classes)}
    names = [_name(value, number) for value in values.tolist()]
    for row, name in enumerate(names):
        if name not in number:
            known = ", ".join(classes)
            raise ValueError(f"{place.at(row)}: {name!r:.40}, expected one of the model's classes {known:.100}")
    return np.array([number[name] for name in names], np.int64)


def _name(value: Any, known: Collection[str]) -> str:
    """Return what a class is called, for one value: 1.0 and " 1" are 1 where that is a class."""
    text = str(value).strip()
    if text not in known and is_number(text) and float(text).is_integer():
        return str(int(float(text)))
    return text


def as_vectors(y: Any, place: Place, *, unit: bool = False) -> Array:
    """Return targets as float64 (N, n_out).

    Parameters
    ----------
    y
        Numbers, or text of numbers, (N,) or (N, n_out).
    place
        What to call it in an error.
    unit
        Whether only 0..1 is allowed, as for binary cross-entropy.

    Raises
    ------
    ValueError
        If a target is not a number, not finite, or outside its range.
    """
    values = np.asarray(y)
    if values.ndim not in {1, 2} or values.size == 0:
        raise ValueError(f"{place} has shape {values.shape}, expected (examples,) or (examples, outputs)")
    values = values.reshape(len(values), -1)
    if values.dtype.kind == "U":
        values = _as_numbers(values, place)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{place} has dtype {values.dtype}, expected real numbers")
    vectors = values.astype(np.float64)
    check_finite(vectors, place)
    outside = np.argwhere((vectors < 0) | (vectors > 1)) if unit else np.empty((0, 2))
    if outside.size:
        i, j = (int(v) for v in outside[0])
        raise ValueError(f"{place.at(i, j)}: {vectors[i, j]:g}, binary cross-entropy expects 0 to 1")
    return vectors


def _column(y: Array, place: Place) -> Array:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(f"{place} has shape {y.shape}, expected (examples,); for one-hot rows use y.argmax(axis=1)")
    if y.size == 0:
        raise ValueError(f"{place} is empty: expected one label for each example")
    if y.dtype.kind not in "biufU":
        raise ValueError(f"{place} has dtype {y.dtype}, expected whole numbers or text")
    return y


def _numbers(text: Array, place: Place) -> Array:
    """Return text as numbers where all of it is numeric, so that '10' follows '9' and '1.0' is '1'."""
    text = np.char.strip(text)
    if np.any(text == ""):
        row = int(np.flatnonzero(text == "")[0])
        raise ValueError(f"{place.at(row)}: the label is empty")
    try:
        return text.astype(np.float64)
    except ValueError:
        return text


def _as_numbers(text: Array, place: Place) -> Array:
    try:
        return text.astype(np.float64)
    except ValueError:
        i, j, value = next((*at, str(v)) for at, v in np.ndenumerate(text) if not is_number(str(v)))
        raise ValueError(
            f"{place.at(i, j)}: {value!r}, expected a number; for classes by name use --loss nll"
        ) from None


def _check_whole(values: Array, place: Place) -> None:
    broken = np.flatnonzero((values != np.floor(values)) | (np.abs(values) > 2**53))
    if broken.size:
        row = int(broken[0])
        raise ValueError(
            f"{place.at(row)}: {values[row]:g}, expected a whole number as label; "
            "for a measured quantity use --loss squared"
        )
