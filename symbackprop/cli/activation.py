"""``symbackprop plot-activation`` and ``audit``: one formula, looked at and measured."""

from pathlib import Path
from typing import Annotated, Any

import typer

import symbackprop
from symbackprop.cli import say
from symbackprop.cli.options import Constant, Learn, LearnPerUnit, Quiet, check_seed, option
from symbackprop.cli.request import named
from symbackprop.cli.say import tell, waiting
from symbackprop.train.files.atomic import shown
from symbackprop.train.files.pictures import check_picture

_Texts = list[str] | None


def plot_activation(
    activation: Annotated[str, typer.Argument(help="A name or a formula in a.", metavar="FORMULA")],
    output: Annotated[Path, option("The picture: .png, .pdf or .svg.", "--output", "-o", metavar="PATH")],
    constant: Constant = None,
    learn: Learn = None,
    learn_per_unit: LearnPerUnit = None,
    span: Annotated[float, option("From -X to X.", metavar="X")] = 6.0,
    quiet: Quiet = False,  # noqa: FBT002 (a flag)
) -> None:
    """Draw an activation and its derivative, and say where they have kinks."""
    from symbackprop.derivation.validate import advise, kinks  # noqa: PLC0415
    from symbackprop.explain.plot import plot_activation as draw  # noqa: PLC0415 (it loads SymPy)

    check_picture(output)
    network = _network(activation, constant, learn, learn_per_unit)
    with waiting(quiet=quiet)("drawing"):
        draw(output, network, span)
    say_initial(network)
    for word in kinks(network.resolved.activations[0].at_start()):
        typer.echo(f"kink: {word}")
    say.advise(advise(network.resolved))
    tell(f"wrote {shown(output)}", quiet=quiet)


def audit(
    activation: Annotated[str, typer.Argument(help="A name or a formula in a.", metavar="FORMULA")],
    output: Annotated[Path | None, option("A picture of the errors.", "--output", "-o", metavar="PATH")] = None,
    constant: Constant = None,
    learn: Learn = None,
    learn_per_unit: LearnPerUnit = None,
    points: Annotated[int, option("How many floats of each type to try.", metavar="N")] = 1000,
    seed: Annotated[int, option("Of the floats that are tried.", metavar="N")] = 7,
    quiet: Quiet = False,  # noqa: FBT002 (a flag)
) -> None:
    """Measure the errors of an activation and its derivative, as compiled, over all floats, against mpmath."""
    from symbackprop.check.accuracy import audit as measure  # noqa: PLC0415 (few commands need it)
    from symbackprop.check.accuracy import plot_audit, report  # noqa: PLC0415

    check_picture(output)
    network = _network(activation, constant, learn, learn_per_unit)
    say_initial(network)
    with waiting(quiet=quiet)("measuring"):
        errors = measure(network, points, check_seed(seed))
    typer.echo(report(errors))
    if output:
        plot_audit(output, errors, activation)
        tell(f"\nwrote {shown(output)}", quiet=quiet)


def _network(activation: str, constant: _Texts, learn: _Texts, learn_per_unit: _Texts) -> Any:
    texts = {"constant": constant, "learn": learn, "learn_per_unit": learn_per_unit}
    return symbackprop.Network((activation,), **named(texts))


def say_initial(network: Any) -> None:
    """Say at which values of its learnt parameters an activation is looked at, where it has some."""
    values = (text for field in ("learned", "learned_per_unit") for text in network.resolved.names[field])
    for text in values:
        typer.echo(f"{text.replace('=', ' = ')}, the value from which it is learnt")
