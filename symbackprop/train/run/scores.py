"""How good predictions are: what was taken for what, precision and recall; or R² and mean errors of values."""

import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symbackprop.train.data.scaling import Scaling
from symbackprop.train.protocol import Array, Spec, Trainer, counts_misses, error_kind, misses
from symbackprop.train.run.progress import shown_error

_PAIRS = 20  # of classes taken for one another, where the matrix does not fit
_LONGEST = 24  # characters of a name


@dataclass(frozen=True, eq=False)
class Scores:
    """What predictions of some examples are worth.

    Attributes
    ----------
    spec
        Of the module that made them.
    examples
        How many there are.
    error
        See `misses`.
    loss
        The mean loss, without the penalty; of scaled targets for the squared error.
    names
        Of the classes, the independent labels or the measured values.
    counts
        (C, C) for classes, of a true one in each row and a predicted one in each column; (L, 2, 2) for independent
        labels, the same for absent and present; empty for values.
    values
        (3, n_out) for values: R², mean absolute and mean squared error of each, in the units of the targets.
    """

    spec: Spec
    examples: int
    error: float
    loss: float
    names: tuple[str, ...]
    counts: Array
    values: Array


def score(
    spec: Spec, trainer: Trainer, X: Array, y: Array, names: Sequence[str] = (), outputs: Scaling | None = None
) -> Scores:
    """Compare the predictions of a trainer with what is right.

    Parameters
    ----------
    spec
        The SPEC of the trainer's module.
    trainer
        Gives the predictions.
    X, y
        (N, inputs), and labels (N,) or vectors (N, n_out), scaled as for training; N ≥ 1.
    names
        Of the classes or the columns of y; numbers without.
    outputs
        How the vectors were scaled, where they were.
    """
    width = trainer.sizes[-1]
    scale: Array | float = 1.0 if outputs is None else outputs.scale
    error, loss = misses(spec, trainer, X, y, scale), trainer.loss(X, y)
    names = tuple(names) if len(names) == width else tuple(map(str, range(width)))
    predicted, none = np.asarray(trainer.predict(X)), np.empty((0, 0))
    if spec["target"] == "label" or spec["output"] == "softmax":
        true, said = (v.argmax(axis=1) if v.ndim > 1 else v for v in (y, predicted))
        return Scores(spec, len(X), error, loss, names, confusion(true, said, width), none)
    vectors, predicted = y.reshape(len(y), -1), predicted.reshape(len(y), -1)
    if spec["output"] == "sigmoid":
        columns = zip((vectors > 0.5).T.astype(int), predicted.T.astype(int), strict=True)
        counts = np.array([confusion(true, said, 2) for true, said in columns])
        return Scores(spec, len(X), error, loss, names, counts, none)
    if outputs is not None:
        vectors, predicted = outputs.undo(vectors), outputs.undo(predicted)
    return Scores(spec, len(X), error, loss, names, none, of_values(vectors, predicted))


def confusion(true: Array, predicted: Array, classes: int) -> Array:
    """Return how often each class was taken for each: true ones in rows, predicted ones in columns.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 3).tolist()
    [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    """
    return np.bincount(classes * true.astype(np.int64) + predicted, minlength=classes**2).reshape(classes, classes)


def precision_and_recall(counts: Array) -> tuple[Array, Array]:
    """Return the share of right ones among those predicted, and among those that are, of each class; NaN of none."""
    with np.errstate(invalid="ignore"):
        right = counts.diagonal() * 1.0
        return right / counts.sum(axis=0), right / counts.sum(axis=1)


def of_values(true: Array, predicted: Array) -> Array:
    """Return R², mean absolute and mean squared error of each column, (3, columns); R² is NaN of equal targets."""
    off = np.asarray(predicted, np.float64) - true
    squared = np.mean(off**2, axis=0)
    spread = np.mean((true - true.mean(axis=0)) ** 2, axis=0)
    alike = (true == true[0]).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array([np.where(alike, np.nan, 1 - squared / spread), np.mean(abs(off), axis=0), squared])


def report(scores: Scores, width: int | None = None) -> str:
    """Return scores as lines of text.

    Parameters
    ----------
    scores
        As from `score`.
    width
        Of a line; that of the terminal by default.
    """
    spec, width = scores.spec, width or shutil.get_terminal_size((100, 24)).columns
    kind = "" if counts_misses(spec) else f", {error_kind(spec)},"
    scaled = " of scaled targets" if spec["loss"] == "squared" and spec["output"] == "identity" else ""
    head = [
        f"error      {shown_error(spec, scores.error)}{kind} of {scores.examples} examples",
        f"loss       {scores.loss:.6g}{scaled}",
    ]
    names = [_printable(name) for name in scores.names]
    if scores.values.size:
        return "\n".join([*head, "", *_table(["value", "R²", "mean absolute error", "mean squared error"], [
            [name, *(_number(v, ".6g") for v in column)] for name, column in zip(names, scores.values.T, strict=True)
        ])])  # fmt: skip
    if scores.counts.ndim == 3:
        return "\n".join([*head, "", *_shares("label", names, [(c, 1) for c in scores.counts])])
    shares = _shares("class", names, [(scores.counts, n) for n in range(len(names))])
    return "\n".join([*head, "", *_confusion(names, scores.counts, width), "", *shares])


def _confusion(names: Sequence[str], counts: Array, width: int) -> list[str]:
    """Return the matrix; where it is too wide, with numbers for the names of columns; else what was mistaken most."""
    for heads in (names, [f"[{n}]" for n in range(len(names))]):
        rows = [name if heads is names else f"{head} {name}" for head, name in zip(heads, names, strict=True)]
        table = _table(
            ["true \\ predicted", *heads],
            [[row, *map(str, line)] for row, line in zip(rows, counts.tolist(), strict=True)],
        )
        if max(map(_width, table)) <= width:
            return table
    wrong = counts * (1 - np.eye(len(counts), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    pairs = [(int(n), *divmod(int(at), len(counts))) for at in order if (n := wrong.flat[at])]
    return _table(["true", "predicted as", "times"], [[names[i], names[j], str(n)] for n, i, j in pairs], texts=2)


def _shares(what: str, names: Sequence[str], counts: Sequence[tuple[Array, int]]) -> list[str]:
    rows = []
    for name, (matrix, n) in zip(names, counts, strict=True):
        shares = (_number(float(v[n]), ".3f") for v in precision_and_recall(matrix))
        rows.append([name, *shares, str(matrix[n].sum())])
    return _table([what, "precision", "recall", "examples"], rows)


def _number(value: float, form: str) -> str:
    return "-" if np.isnan(value) else f"{value:{form}}"


def _table(head: list[str], rows: list[list[str]], texts: int = 1) -> list[str]:
    """Return rows with aligned columns: so many of texts to the left, then numbers to the right."""
    widths = [max(map(_width, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, *rows):
        cells = []
        for n, (cell, width) in enumerate(zip(row, widths, strict=True)):
            blank = " " * (width - _width(cell))
            cells.append(cell + blank if n < texts else blank + cell)
        lines.append("  ".join(cells).rstrip())
    return lines


def _printable(name: str) -> str:
    """Return a name of one line that a terminal shows as it is, shortened in the middle if it is long."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name) or "''"
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[: half - 1]}…{text[-half:]}"


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for a wide character, none for an accent behind it."""
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)
