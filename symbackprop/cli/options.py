"""Options that several commands have: those of a network as one table, given to a command by `with_network`."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from symbackprop.cli.config import take_config


def option(text: str, *names: str, default: str | bool = True, metavar: str = "NAME", panel: str | None = None) -> Any:
    """Return an option with its help, in a panel of the help page; a default in words is part of the text.

    What typer shows of such a one itself has brackets within brackets.
    """
    words = rf"{text} [dim]\[default: {default}][/dim]" if isinstance(default, str) else text
    return typer.Option(*names, help=words, metavar=metavar, show_default=default is True, rich_help_panel=panel)


def check_seed(seed: int) -> int:
    """Return a seed; raise ValueError if it is negative."""
    if seed < 0:
        raise ValueError(f"seed is {seed}, expected at least 0")
    return seed


def flag(text: str, name: str, panel: str | None = None) -> Any:
    """Return an option that is given or not."""
    return typer.Option(name, help=text, rich_help_panel=panel)


def config(names: Callable[[str], bool], text: str) -> Any:
    """Return the option for a file of settings, of which those with these names are used."""
    return typer.Option("--config", help=text, metavar="PATH", is_eager=True, callback=take_config(names))


def _network(text: str, *names: str, default: str | bool = True, metavar: str = "NAME") -> Any:
    return option(text, *names, default=default, metavar=metavar, panel="The network")


_Texts = list[str] | None
Activation = Annotated[
    _Texts, _network("Of the hidden layers, a name or a formula in a; repeat it for one per layer.", default="tanh")
]
NetworkFile = Annotated[
    Path | None,
    _network("Layers, in place of activations: a TOML file (see docs/layers.md).", default=False, metavar="PATH"),
]
HiddenLayers = Annotated[int | None, _network("How many; one activation serves all.", default="1", metavar="N")]
Loss = Annotated[
    str, _network("nll (classes), bce (independent labels 0 or 1), squared (values), or a formula in f and y.")
]
Penalty = Annotated[str | None, _network("none, l2, l1 or l1+l2, or a formula in w.", default="l2")]
OutputFunction = Annotated[str | None, _network("softmax, sigmoid or identity.", default="what the loss is made for")]
Initializer = Annotated[str, _network("glorot, he, lecun, fan_in or normal.")]
StepSize = Annotated[
    str, _network("constant, inverse: α/(1+δt), power, steps, cosine, warmup, or several joined by +.")
]
Update = Annotated[
    str, _network("sgd, momentum or nesterov, and joined by + clip, max_norm, average (see docs/updates.md).")
]
Weighted = Annotated[bool, flag("A weight for every example, a factor of its loss.", "--weighted", "The network")]
Dropout = Annotated[bool, flag("Hidden units are left out at random while training.", "--dropout", "The network")]
Dtype = Annotated[str, _network("float32 or float64.")]
Constant = Annotated[
    _Texts, _network("A number that formulas use by its name; may be repeated.", default=False, metavar="NAME=VALUE")
]
Learn = Annotated[
    _Texts,
    _network("Parameter of an activation to be learnt, one a layer, from this value.", default=False, metavar="NAME=X"),
]
LearnPerUnit = Annotated[_Texts, _network("The same, one for each unit.", default=False, metavar="NAME=X")]
ExactForm = Annotated[bool, flag("Compute formulas as derived, not in stable forms.", "--exact-form", "The network")]

NETWORK: dict[str, tuple[Any, Any]] = {  # the type of each option, and its default
    "activation": (Activation, None),
    "network": (NetworkFile, None),
    "hidden_layers": (HiddenLayers, None),
    "loss": (Loss, "nll"),
    "penalty": (Penalty, None),
    "output_function": (OutputFunction, None),
    "initializer": (Initializer, "glorot"),
    "step_size": (StepSize, "inverse"),
    "update": (Update, "sgd"),
    "weighted": (Weighted, False),
    "dropout": (Dropout, False),
    "dtype": (Dtype, "float32"),
    "constant": (Constant, None),
    "learn": (Learn, None),
    "learn_per_unit": (LearnPerUnit, None),
    "exact_form": (ExactForm, False),
}

ModulePath = Annotated[
    Path | None, option("A generated module, for formulas of your own.", "--module", default=False, metavar="PATH")
]
Quiet = Annotated[bool, flag("Print results, warnings and errors only.", "--quiet")]
NetworkConfig = Annotated[Path | None, config(NETWORK.__contains__, "A file of settings, such as train writes.")]


def with_network(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, in place of its keyword arguments of any name, the options of NETWORK but for some."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        arguments = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for name, (kind, default) in NETWORK.items()
            if name not in without
        ]
        # what typer reads
        command.__signature__ = signature.replace(parameters=[*arguments, *added])  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in (*arguments, *added)}
        return command

    return decorate
