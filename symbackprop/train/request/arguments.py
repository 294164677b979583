"""What Python callers give as sizes, names and constants, looked at before anything is made of it."""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np


def layer_sizes(units: Any) -> list[int]:
    """Return the units of the hidden layers; one number is one layer.

    >>> layer_sizes(8), layer_sizes((5, 4)), layer_sizes(())
    ([8], [5, 4], [])

    Raises
    ------
    ValueError
        If it is no positive integer, and no sequence of them.
    """
    sizes: list[Any] = [units] if _is_whole(units) else list(units) if _is_sequence(units) else [None]
    if not all(_is_whole(n) and n > 0 for n in sizes):
        raise ValueError(
            f"hidden_layer_sizes is {units!r:.60}, expected positive integers such as (100,), or () for no hidden layer"
        )
    return [int(n) for n in sizes]


def formulas(name: str, choice: Any) -> list[str]:
    """Return one or several texts as a list; ValueError if there is anything else."""
    texts: list[Any] = [choice] if isinstance(choice, str) else list(choice) if _is_sequence(choice) else [None]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(f"{name} is {choice!r:.60}, expected a name or a formula such as 'tanh', or a list of them")
    return texts


def require_texts(**arguments: Any) -> None:
    """Raise ValueError where an argument is not a text with something in it."""
    for name, value in arguments.items():
        if not (isinstance(value, str) and value.strip()):
            raise ValueError(f"{name} is {value!r:.60}, expected a text, a name or a formula")


def require_whole(least: int, **arguments: Any) -> None:
    """Raise ValueError where an argument is no whole number of at least so much."""
    for name, value in arguments.items():
        if not (_is_whole(value) and value >= least):
            raise ValueError(f"{name} is {value!r:.60}, expected a whole number, at least {least}")


def constants(name: str, numbers: Any) -> dict[str, float]:
    """Return numbers by name, none for None; ValueError if there is anything else, as for every bad parameter."""
    if numbers is None:
        return {}
    if not isinstance(numbers, Mapping):
        raise ValueError(f"{name} is {numbers!r:.60}, expected a dictionary such as {{'decay': 0.01}}")  # noqa: TRY004
    for key, value in numbers.items():
        if not isinstance(key, str):
            raise ValueError(f"{name} has the key {key!r:.60}, expected the name of a constant")  # noqa: TRY004
        if not (isinstance(value, Real) and math.isfinite(value)):
            raise ValueError(f"{name} has {key!r} = {value!r:.60}, expected a finite number")
    return dict(numbers)


def require_one_type(y: Any) -> None:
    """Raise ValueError where labels are of several types: NumPy would make numbers into texts without a word."""
    if not isinstance(y, list | tuple) and getattr(y, "dtype", None) != np.dtype(object):
        return
    kinds = {"numbers" if isinstance(v, Real) else "texts" if isinstance(v, str) else type(v).__name__ for v in y}
    if len(kinds) > 1:
        raise ValueError(f"y has labels of several types, {' and '.join(sorted(kinds))}; expected one type of label")


def require_numbers(y: Any) -> None:
    """Raise ValueError where targets are given that are no finite numbers; texts are none either."""
    try:
        values = np.asarray(y)
        if values.dtype.kind == "c":
            return  # scikit-learn has words for it
        usable = values.ndim and values.dtype.kind in "biufO" and np.isfinite(values.astype(np.float64)).all()
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise ValueError(f"y is {' '.join(repr(y).split()):.60}, expected finite numbers, as many for each row")


def _is_whole(n: Any) -> bool:
    return isinstance(n, Integral) and not isinstance(n, bool | np.bool)


def _is_sequence(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 1
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
