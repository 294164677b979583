"""``symbackprop check``: the gradients of a module, as a table."""

from pathlib import Path
from typing import Annotated

import typer

import symbackprop
from symbackprop.train import import_module


def check(module: Annotated[Path, typer.Argument(help="A generated module.")]) -> None:
    """Compare the gradients of a module with independent ones; exit with 1 if they differ."""
    import_module(module)
    results = symbackprop.check_module(module)
    width = max(len(result.name) for result in results)
    typer.echo(typer.style(f"{'check':{width}}  {'difference':>10}  {'allowed':>8}", bold=True))
    for result in results:
        verdict = typer.style("passed", fg="green") if result.passed else typer.style("FAILED", fg="red", bold=True)
        verdict = "none  " if result.note.startswith("does not apply") else verdict
        line = f"{result.name:{width}}  {result.difference:10.1e}  {result.bar:8.0e}  {verdict}  {result.note}"
        typer.echo(line.rstrip())
    if not all(result.passed for result in results):
        raise typer.Exit(1)
