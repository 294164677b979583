"""``symbackprop generate``: a module, written to a file."""

from pathlib import Path
from typing import Annotated

import typer

from symbackprop.cli.options import (
    Activation,
    Constant,
    Dropout,
    Dtype,
    ExactForm,
    HiddenLayers,
    Initializer,
    Learn,
    LearnPerUnit,
    Loss,
    NetworkFile,
    OutputFunction,
    Penalty,
    StepSize,
    Update,
    Weighted,
    option,
)
from symbackprop.cli.request import asked_for, built, named
from symbackprop.cli.say import advise
from symbackprop.train.files import check_writable, shown, write_text
from symbackprop.train.modules import spec_of


def generate(
    output: Annotated[Path, option("The file to write.", "--output", "-o", metavar="PATH")],
    activation: Activation = None,
    network: NetworkFile = None,
    hidden_layers: HiddenLayers = None,
    learn: Learn = None,
    learn_per_unit: LearnPerUnit = None,
    loss: Loss = "nll",
    penalty: Penalty = None,
    initializer: Initializer = "glorot",
    step_size: StepSize = "inverse",
    update: Update = "sgd",
    weighted: Weighted = False,  # noqa: FBT002 (a flag)
    dropout: Dropout = False,  # noqa: FBT002 (a flag)
    dtype: Dtype = "float32",
    output_function: OutputFunction = None,
    constant: Constant = None,
    exact_form: ExactForm = False,  # noqa: FBT002 (a flag)
    explain_schedule: Annotated[  # noqa: FBT002 (a flag)
        bool, typer.Option("--explain-schedule", help="Print which orders of computation it has, which not, and why.")
    ] = False,
) -> None:
    """Write a module of readable loops, with a Trainer, that runs without symbackprop."""
    check_writable(output)
    asked = asked_for(
        network,
        activation,
        hidden_layers,
        loss=loss,
        penalty=penalty,
        initializer=initializer,
        step_size=step_size,
        update=update,
        weighted=weighted,
        dropout=dropout,
        dtype=dtype,
        output=output_function,
        exact_form=exact_form,
        **named(constant, learn, learn_per_unit),
    )
    made = built(asked, output.stem)
    advise(made.spec.get("advice", ()))
    if output.exists():
        spec_of(output)  # nothing but a module that was generated is written over
    write_text(output, made.text)
    typer.echo(f"wrote {shown(output)}")
    if explain_schedule:
        typer.echo("\n".join(made.schedules))
