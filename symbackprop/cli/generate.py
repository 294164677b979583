"""``symbackprop generate``: a module, written to a file."""

import keyword
import sys
import unicodedata
from pathlib import Path
from typing import Annotated, Any

import typer

from symbackprop.cli.options import NetworkConfig, Quiet, flag, option, with_network
from symbackprop.cli.request import asked_for, build_module, refuse_both, typed
from symbackprop.cli.say import advise, tell, waiting
from symbackprop.train.files.atomic import check_writable, shown, write_text
from symbackprop.train.files.modules import spec_of

_TAKEN = sys.stdlib_module_names | {"numpy", "numba", "llvmlite"}  # which a module, or Numba, imports


@with_network()
def generate(
    ctx: typer.Context,
    output: Annotated[Path, option("The file to write, a .py.", "--output", "-o", metavar="PATH")],
    config: NetworkConfig = None,  # noqa: ARG001 (its callback has read it)
    explain_schedule: Annotated[  # noqa: FBT002 (a flag)
        bool, flag("Print which orders of computation it has, which not, and why.", "--explain-schedule")
    ] = False,
    only: Annotated[
        str | None, option("plain: the lecture's loop with a short Trainer, to be printed.", "--only", default=False)
    ] = None,
    quiet: Quiet = False,  # noqa: FBT002 (a flag)
    **network: Any,
) -> None:
    """Write a module of readable loops, with a Trainer, that runs without symbackprop."""
    check_writable(output)
    _check_importable(output)
    if only is not None:
        _check_only(ctx, only)
    asked = asked_for(ctx, network)
    with waiting(quiet=quiet)("generating"):
        module = build_module(asked, output.stem, only)
    advise(module.spec.get("advice", ()))
    if output.exists():
        spec_of(output, plain=True)  # nothing but a module that was generated is written over
    write_text(output, module.text)
    tell(f"wrote {shown(output)}", quiet=quiet)
    if explain_schedule:
        typer.echo("\n".join(module.schedules))


def _check_only(ctx: typer.Context, only: str) -> None:
    """Raise ValueError if the word is unknown, or there are options that the plain Trainer has no code for."""
    if only != "plain":
        raise ValueError(f"--only is {only!r}, expected plain")
    more = {"network", "dropout", "weighted", "update", "explain_schedule"}
    refuse_both(ctx, typed(ctx) & more, "--only plain writes the lecture's loop with a short Trainer")


def _check_importable(path: Path) -> None:
    """Raise ValueError if Python could not import a file by its name, or would import it in place of another."""
    name = path.stem
    letters = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).strip("_") or "network"
    better = f"{letters}_net.py" if letters[0].isalpha() else f"net_{letters}.py"
    if path.suffix != ".py" or not name.isidentifier() or keyword.iskeyword(name):
        why = "is not a name that Python can import"
    elif unicodedata.normalize("NFKC", name) != name:
        why = "has letters that Python reads as others"
    elif name in _TAKEN:
        why = f"would be imported in place of {name} itself"
    else:
        return
    raise ValueError(f"{shown(path)} {why}, expected one such as {better}")
