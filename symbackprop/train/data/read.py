"""Examples from a file: .csv or .npz, chosen by its ending."""

from collections.abc import Sequence
from pathlib import Path

from symbackprop.train.data.examples import Dataset, as_inputs
from symbackprop.train.data.source_location import Place
from symbackprop.train.data.table import Table, labelled, notes_on, read_table, scored, unlabelled
from symbackprop.train.data.targets import as_known_labels, as_labels, as_vectors
from symbackprop.train.files.archive import read_arrays
from symbackprop.train.files.model import Model
from symbackprop.train.protocol import Array, Pair, Spec


def read_data(path: str | Path, spec: Spec, labels: Sequence[str] = (), ignored: Sequence[str] = ()) -> Dataset:
    """Return the examples of a file, with targets of the kind that a module takes.

    Parameters
    ----------
    path
        ``.csv``: numbers in all columns but the label's, with or without a header.
        ``.npz``: X (N, inputs), or images of more dimensions, and y (N,) or (N, outputs).
    spec
        The SPEC of the module to train: its target and loss decide what y may be.
    labels
        Label columns by name or number (the last one by default), or the key of y in an ``.npz`` (``"y"``).
    ignored
        Columns that are neither inputs nor labels, by name or number.

    Raises
    ------
    ValueError
        If the file cannot be read or has a wrong value: one line that names it and its place.
    """
    path = existing(path)
    if path.suffix.lower() == ".csv":
        return _from_table(path, spec, labels or ("-1",), ignored)
    if ignored:
        raise ValueError(f"{path} has arrays and no columns: nothing of it can be ignored")
    return _from_archive(path, spec, labels or ("y",))


def read_inputs(
    path: str | Path,
    width: int,
    features: Sequence[str] = (),
    labels: Sequence[str] = (),
    left_out: Sequence[int] = (),
) -> Array:
    """Return the inputs of a file to predict, (N, width); columns of labels in it are left out.

    Parameters
    ----------
    path
        A ``.csv``, or an ``.npz`` with X.
    width
        The number of the model's inputs.
    features, labels, left_out
        The columns it was trained with, see `Dataset`.

    Raises
    ------
    ValueError
        If the file cannot be read, has a wrong value or another number of columns.
    """
    path = existing(path)
    if path.suffix.lower() == ".csv":
        table = read_table(path, unlabelled(path, features, width, labels, left_out))
        return as_inputs(table.X, _inputs_of(path, table))
    X = as_inputs(read_arrays(path, ["X"])["X"], Place(f"X of {path}"))
    if X.shape[1] != width:
        raise ValueError(f"X of {path} has {X.shape[1]} inputs, the model expects {width}")
    return X


def read_scored(path: str | Path, model: Model, labels: Sequence[str] = ()) -> Pair:
    """Return the inputs of a file, (N, width), and what a model should predict: (N,) or (N, n_out), neither scaled.

    Parameters
    ----------
    path
        A ``.csv``, or an ``.npz`` with X and y.
    model
        Which inputs there are, and of which kind the targets are.
    labels
        Where the targets are, if not where they were when it was trained.

    Raises
    ------
    ValueError
        If the file cannot be read, lacks a column, or has a wrong value.
    """
    path, about, width = existing(path), model.about, model.sizes[0]
    if path.suffix.lower() == ".csv":
        positions, by_name = (labels, ()) if labels else (about.labels or ("-1",), about.targets)
        table = read_table(path, scored(path, about.features, width, positions, by_name, about.left_out))
        names = tuple(table.columns[j] for j in table.layout.labels)
        place = Place(str(path), table.lines, names)
        return as_inputs(table.X, _inputs_of(path, table)), _targets(table.labels, place, model)
    if len(labels) > 1:
        raise ValueError(f"{path}: {len(labels)} labels were named, but an .npz has one array of targets")
    key = labels[0] if labels else "y"
    X, y = read_inputs(path, width), read_arrays(path, [key])[key]
    if y.ndim == 0 or len(y) != len(X):
        raise ValueError(f"{key} of {path} has shape {y.shape}, expected one target for each of the {len(X)} rows of X")
    return X, _targets(y, Place(f"{key} of {path}"), model)


def _targets(y: Array, place: Place, model: Model) -> Array:
    """Return targets of the kind that a model predicts."""
    if model.spec["target"] == "label":
        return as_known_labels(y, place, model.about.classes)
    vectors = as_vectors(y, place, unit=model.spec["output"] == "sigmoid")
    if vectors.shape[1] != model.sizes[-1]:
        raise ValueError(f"{place} has {vectors.shape[1]} targets, the model predicts {model.sizes[-1]}; see --label")
    return vectors


def _from_table(path: Path, spec: Spec, labels: Sequence[str], ignored: Sequence[str]) -> Dataset:
    table = read_table(path, labelled(path, labels, ignored))
    X = as_inputs(table.X, _inputs_of(path, table))
    names = tuple(table.columns[j] for j in table.layout.labels)
    columns = tuple(map(str, table.layout.labels))
    if spec["target"] == "label":
        y, classes = as_labels(table.labels, Place(f"label {' '.join(map(repr, names))} of {path}", table.lines))
    else:
        y, classes = (
            as_vectors(table.labels, Place(str(path), table.lines, names), unit=spec["output"] == "sigmoid"),
            (),
        )
    targets = names if table.layout.header else ()
    return Dataset(X, y, classes, table.names, columns, str(path), targets, table.layout.left_out, notes_on(table))


def _from_archive(path: Path, spec: Spec, labels: Sequence[str]) -> Dataset:
    if len(labels) > 1:
        raise ValueError(f"{path}: {len(labels)} labels were named, but an .npz has one array of targets")
    place = Place(f"{labels[0]} of {path}")
    arrays = read_arrays(path, ["X", labels[0]])
    X, values = as_inputs(arrays["X"], Place(f"X of {path}")), arrays[labels[0]]
    if len(values.shape) == 0 or len(values) != len(X):
        raise ValueError(f"{place} has shape {values.shape}, expected one target for each of the {len(X)} rows of X")
    if spec["target"] == "label":
        y, classes = as_labels(values, place)
        return Dataset(X, y, classes, name=str(path))
    return Dataset(X, as_vectors(values, place, unit=spec["output"] == "sigmoid"), name=str(path))


def _inputs_of(path: Path, table: Table) -> Place:
    return Place(str(path), table.lines, [table.columns[j] for j in table.layout.inputs])


def existing(path: str | Path) -> Path:
    """Return the path of a file that can be read by its ending; ValueError if there is none."""
    path = Path(path)
    if path.suffix.lower() not in {".csv", ".npz"}:
        raise ValueError(f"{path} ends in {path.suffix or 'nothing'!r}, expected a .csv or .npz file")
    if not path.is_file():
        raise ValueError(f"{path} is a folder, expected a file" if path.is_dir() else f"{path} does not exist")
    return path
