"""``symbackprop derive``: the derivation of every gradient, to be read."""

from typing import Annotated, Literal

import typer

import symbackprop
from symbackprop.cli.options import (
    Activation,
    Constant,
    Dropout,
    ExactForm,
    HiddenLayers,
    Learn,
    LearnPerUnit,
    Loss,
    NetworkFile,
    OutputFunction,
    Penalty,
    StepSize,
    Update,
    Weighted,
)
from symbackprop.cli.request import asked_for, named, network_of


def derive(
    activation: Activation = None,
    network: NetworkFile = None,
    hidden_layers: HiddenLayers = None,
    learn: Learn = None,
    learn_per_unit: LearnPerUnit = None,
    loss: Loss = "nll",
    penalty: Penalty = None,
    step_size: StepSize = "inverse",
    update: Update = "sgd",
    weighted: Weighted = False,  # noqa: FBT002 (a flag)
    dropout: Dropout = False,  # noqa: FBT002 (a flag)
    output_function: OutputFunction = None,
    constant: Constant = None,
    exact_form: ExactForm = False,  # noqa: FBT002 (a flag)
    form: Annotated[Literal["text", "latex", "markdown"], typer.Option("--format", help="How to write it.")] = "text",
) -> None:
    """Print the derivation of every gradient, each step with the rule it applies."""
    asked = asked_for(
        network,
        activation,
        hidden_layers,
        loss=loss,
        penalty=penalty,
        step_size=step_size,
        update=update,
        weighted=weighted,
        dropout=dropout,
        output=output_function,
        **named(constant, learn, learn_per_unit),
    )
    derivation = symbackprop.derive(network_of(asked), exact_form=exact_form)
    typer.echo(symbackprop.render(derivation, form))
