"""``symbackprop predict``: what a model says of data."""

from pathlib import Path
from typing import Annotated

import typer

from symbackprop.cli.options import ModulePath, option
from symbackprop.cli.request import module_for
from symbackprop.train import import_module, load_model, read_inputs
from symbackprop.train.files import apart, check_writable, shown, write_text
from symbackprop.train.predictions import as_csv, predictions


def predict(
    model: Annotated[Path, typer.Argument(help="What train wrote.")],
    data: Annotated[Path, typer.Argument(help="A .csv or .npz with the same inputs; labels in it are ignored.")],
    *,
    proba: Annotated[bool, typer.Option("--proba", help="Probabilities in place of classes.")] = False,
    output: Annotated[Path | None, option("A .csv with a header.", "--output", "-o", metavar="PATH")] = None,
    module: ModulePath = None,
) -> None:
    """Print one prediction for each example, one a line."""
    apart({"the model": model, "the data": data}, {"the predictions": output})
    if output:
        check_writable(output)
    known = load_model(model)
    X = read_inputs(data, known.sizes[0], known.about.features, known.about.labels)
    found = import_module(module) if module else module_for(known.about.request)
    header, rows = predictions(known, found, X, proba=proba)
    if output:
        write_text(output, as_csv([header, *rows]))
        typer.echo(f"wrote {len(rows)} predictions to {shown(output)}")
    else:
        typer.echo(as_csv(rows), nl=False)
