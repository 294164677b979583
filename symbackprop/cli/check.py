"""``symbackprop check``: the gradients of modules, as tables."""

from pathlib import Path
from typing import Annotated, Any

import typer

import symbackprop
from symbackprop.cli.options import Quiet, check_seed, option
from symbackprop.cli.say import waiting
from symbackprop.train import import_module
from symbackprop.train.files.atomic import shown


def check(
    modules: Annotated[list[Path], typer.Argument(help="Generated modules.", metavar="MODULE...")],
    *,
    seed: Annotated[int, option("Of the parameters and examples that are tried.", metavar="N")] = 0,
    quiet: Quiet = False,
) -> None:
    """Compare the gradients of modules with independent ones; exit with 1 if they differ."""
    check_seed(seed)
    for path in modules:
        import_module(path, plain=True)  # all of them first: a wrong name shall not be found after minutes
    failed = False
    for number, path in enumerate(modules):
        with waiting(quiet=quiet)(f"checking {shown(path)}"):
            results = symbackprop.check_module(path, seed=seed)
        if len(modules) > 1 and not quiet:
            typer.echo(f"{chr(10) * bool(number)}{shown(path)}")
        _show(path, results, quiet=quiet)
        failed = failed or not all(result.passed for result in results)
    if failed:
        raise typer.Exit(1)


def _show(path: Path, results: list[Any], *, quiet: bool) -> None:
    """Print a row for each check, only those that failed where it shall be quiet."""
    width = max(len(result.name) for result in results)
    if not quiet:
        typer.echo(typer.style(f"{'check':{width}}  {'difference':>10}  {'allowed':>8}", bold=True))
    for result in results:
        verdict = typer.style("passed", fg="green") if result.passed else typer.style("FAILED", fg="red", bold=True)
        verdict = "none  " if result.note.startswith("does not apply") else verdict
        line = f"{result.name:{width}}  {result.difference:10.1e}  {result.bar:8.0e}  {verdict}  {result.note}"
        if not quiet or not result.passed:
            typer.echo(f"{f'{shown(path)}: ' * quiet}{line.rstrip()}")
