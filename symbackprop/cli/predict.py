"""``symbackprop predict``: what a model says of data, and how right it is."""

from pathlib import Path
from typing import Annotated

import typer

from symbackprop.cli.options import ModulePath, Quiet, flag, option
from symbackprop.cli.request import module_for
from symbackprop.cli.say import tell
from symbackprop.train import import_module, load_model, read_inputs
from symbackprop.train.data.read import read_scored
from symbackprop.train.files.atomic import apart, check_writable, shown, write_text
from symbackprop.train.files.model import Model
from symbackprop.train.protocol import Array
from symbackprop.train.run.predictions import as_csv, predictions, scores_of
from symbackprop.train.run.scores import report


def predict(
    model: Annotated[Path, typer.Argument(help="What train wrote, an .npz.")],
    data: Annotated[Path, typer.Argument(help="A .csv or .npz with the same inputs; labels are used by --score only.")],
    *,
    proba: Annotated[
        bool, flag("Probabilities in place of classes, below a line with their names.", "--proba")
    ] = False,
    score: Annotated[
        bool, flag("Compare with the labels in DATA; print errors in place of predictions.", "--score")
    ] = False,
    label: Annotated[
        list[str] | None,
        option("Label column for --score by name or number, or key of y.", default="as in training", metavar="NAME"),
    ] = None,
    output: Annotated[
        Path | None, option("A .csv with a header.", "--output", "-o", default=False, metavar="PATH")
    ] = None,
    module: ModulePath = None,
    quiet: Quiet = False,
) -> None:
    """Print one prediction for each example, one a line, or with --score how good they are."""
    _check_files(model, data, output)
    if label and not score:
        raise ValueError(f"--label is {label[0]!r:.40}, but labels are only looked at with --score")
    known = load_model(model)
    X, y = read_scored(data, known, label or ()) if score else (_inputs(data, known), None)
    kernels = import_module(module) if module else module_for(known.about.request)
    header, rows = predictions(known, kernels, X, proba=proba)
    if output:
        write_text(output, as_csv([header, *rows]))
        tell(f"wrote {len(rows)} predictions to {shown(output)}", quiet=quiet or score)
    if y is not None:
        typer.echo(report(scores_of(known, kernels, X, y)))
    elif not output:
        typer.echo(as_csv([header, *rows] if proba or len(header) > 1 else rows), nl=False)


def _inputs(data: Path, known: Model) -> Array:
    about = known.about
    return read_inputs(data, known.sizes[0], about.features, about.labels, about.left_out)


def _check_files(model: Path, data: Path, output: Path | None) -> None:
    if model.suffix.lower() in {".csv", ".py"}:
        order = f"; write symbackprop predict {shown(data)} {shown(model)}" if data.suffix.lower() == ".npz" else ""
        raise ValueError(f"{model} is no model, expected the .npz that train wrote{order}")
    apart({"the model": model, "the data": data}, {"the predictions": output})
    if output:
        check_writable(output)
