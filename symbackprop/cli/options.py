"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, Any

import typer


def option(text: str, *names: str, default: str | bool = True, metavar: str = "NAME") -> Any:
    """Return an option with its help."""
    return typer.Option(*names, help=text, metavar=metavar, show_default=default)


Activation = Annotated[
    list[str] | None,
    option("Of the hidden layers, a name or a formula in a; repeat it for one per layer.", default="tanh"),
]
HiddenLayers = Annotated[int | None, option("How many; one activation serves all.", default="1", metavar="N")]
Loss = Annotated[
    str, option("nll (classes), bce (independent labels 0 or 1), squared (values), or a formula in f and y.")
]
Penalty = Annotated[str | None, option("none, l2, l1 or l1+l2, or a formula in w.", default="l2")]
OutputFunction = Annotated[
    str | None, option("softmax, sigmoid or identity.", default="what the loss is made for", metavar="NAME")
]
ExactForm = Annotated[bool, typer.Option("--exact-form", help="Compute formulas as derived, not in stable forms.")]
Constant = Annotated[
    list[str] | None, option("A number that formulas use by its name; may be repeated.", metavar="NAME=VALUE")
]
Initializer = Annotated[str, option("glorot, he, lecun, fan_in or normal.")]
StepSize = Annotated[str, option("constant, inverse: α/(1+δt), power, steps, cosine, warmup, or several joined by +.")]
Update = Annotated[
    str, option("sgd, momentum or nesterov, and joined by + clip, max_norm, average (see docs/updates.md).")
]
Weighted = Annotated[bool, typer.Option("--weighted", help="A weight for every example, a factor of its loss.")]
Dropout = Annotated[bool, typer.Option("--dropout", help="Hidden units are left out at random while training.")]
Learn = Annotated[
    list[str] | None,
    option("Parameter of an activation to be learnt, one a layer, from this value.", metavar="NAME=X", default=False),
]
LearnPerUnit = Annotated[list[str] | None, option("The same, one for each unit.", metavar="NAME=X", default=False)]
Dtype = Annotated[str, option("float32 or float64.")]
ModulePath = Annotated[Path | None, option("A generated module, for formulas of your own.", "--module", metavar="PATH")]

NetworkFile = Annotated[
    Path | None,
    option("Layers, in place of activations: a TOML file (see docs/layers.md).", "--network", metavar="PATH"),
]
