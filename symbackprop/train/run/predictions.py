"""Predictions as rows of text."""

import csv
import io
from collections.abc import Iterable
from types import ModuleType

from symbackprop.train.files.model import Model
from symbackprop.train.protocol import Array
from symbackprop.train.run.scores import Scores, score

Rows = list[list[str]]


def predictions(model: Model, module: ModuleType, X: Array, *, proba: bool = False) -> tuple[list[str], Rows]:
    """Return the names of the columns and one row for each example.

    Parameters
    ----------
    model
        The parameters.
    module
        Its generated module.
    X
        (N, inputs), unscaled.
    proba
        Probabilities in place of classes.

    Raises
    ------
    ValueError
        If probabilities are asked of a model that predicts measured values, or the module is another network's.
    """
    values = model.spec["output"] == "identity"
    if proba and values:
        raise ValueError("the model predicts values, not probabilities; leave out --proba")
    digits = 7 if model.spec["dtype"] == "float32" else 15
    predicted = model.values(module, X) if proba else model.predict(module, X)
    rows = [[_text(v, digits) for v in row] for row in predicted.reshape(len(X), -1).tolist()]
    width = len(rows[0])
    if proba and model.about.classes:
        return [f"p({name})" for name in model.about.classes], rows
    if width == 1:
        return ["p" if proba else "prediction"], rows
    names = model.about.targets if len(model.about.targets) == width else range(width)
    return [f"p({name})" if proba else f"prediction {name}" for name in names], rows


def scores_of(model: Model, module: ModuleType, X: Array, y: Array) -> Scores:
    """Compare the predictions of a model with what is right.

    Parameters
    ----------
    model, module
        The parameters, and their generated module.
    X, y
        (N, inputs), and labels (N,) or vectors (N, n_out), neither scaled.
    """
    inputs = model.inputs.apply(X, model.spec["dtype"])
    targets = y if y.ndim == 1 else model.outputs.apply(y, model.spec["dtype"])
    names = model.about.classes or model.about.targets
    return score(model.spec, model.trainer(module), inputs, targets, names, model.outputs)


def as_csv(rows: Iterable[list[str]]) -> str:
    """Return rows as CSV text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _text(value: float | str, digits: int) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
