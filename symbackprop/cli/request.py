"""From what was typed to the request for a module, to the network and the module."""

import warnings
from collections.abc import Collection, Mapping
from types import ModuleType
from typing import Any

import typer

import symbackprop
from symbackprop.cli.config import option_name
from symbackprop.cli.say import advise
from symbackprop.train import find_module
from symbackprop.train.request import choices
from symbackprop.train.request.advice import AdviceWarning, advice_of
from symbackprop.train.request.network_file import read_network

MANY = 32  # hidden layers that are generated within a minute
_FIELDS = {  # what a request and a network file call an option, where it is another name
    "activation": "layers",
    "hidden": "layers",
    "hidden_layers": "layers",
    "output_function": "output",
    "constant": "constants",
    "learn": "learned",
    "learn_per_unit": "learned_per_unit",
}


def typed(ctx: typer.Context) -> set[str]:
    """Return which options were given, on the command line or in a file of settings."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    return {name for name, source in sources.items() if source and source.name in {"COMMANDLINE", "DEFAULT_MAP"}}


def field_of(name: str) -> str:
    """Return what a request and a network file call an option."""
    name = name.replace("-", "_")
    return _FIELDS.get(name, name)


def asked_for(ctx: typer.Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request for a module; a file says all of its network, and no penalty if it names none.

    Raises
    ------
    ValueError
        If an option is unusable, or the file says what an option says too.
    """
    fields = {field_of(name): value for name, value in options.items() if field_of(name) != "layers"}
    fields |= named({name: options[name] for name in ("constant", "learn", "learn_per_unit")})
    path, penalty = fields.pop("network"), fields.pop("penalty")
    if path is None:
        activations = choices.hidden_activations(options["activation"] or [], options["hidden_layers"])
        return choices.request(activations, penalty="l2" if penalty is None else penalty, **fields)
    entries = read_network(path)
    said = {name for name in typed(ctx) & {*options, "hidden"} if field_of(name) in entries}
    refuse_both(ctx, said, f"{path} says it")
    layers, shape = entries.pop("layers"), entries.pop("input")
    chosen = {"penalty": "none" if penalty is None else penalty, **fields, **entries}
    return choices.request(layers, shape=shape, **chosen)


def refuse_both(ctx: typer.Context, options: Collection[str], why: str) -> None:
    """Raise ValueError if there are options that something else decides already."""
    for parameter in ctx.command.params:
        if parameter.name in options:
            raise ValueError(f"--{option_name(parameter)} cannot be chosen, since {why}; leave one of them out")


def named(texts: Mapping[str, list[str] | None]) -> dict[str, dict[str, float]]:
    """Return the numbers that options were given as NAME=VALUE, by what a network calls them."""
    return {
        _FIELDS[name]: choices.named_numbers(f"--{name.replace('_', '-')}", numbers or ())
        for name, numbers in texts.items()
    }


def network_of(asked: dict[str, Any]) -> Any:
    """Return the network of a request."""
    return symbackprop.Network(**choices.network_arguments(asked))


def build_module(asked: dict[str, Any], name: str | None = None, only: str | None = None) -> Any:
    """Return the module for a request; what it is advised against stands in its SPEC."""
    depth = len(asked["activations"])
    if depth > MANY:
        lines = f"{230 * depth:,} lines of kernels"
        advise([f"{depth} hidden layers are written out one by one, in about {lines}: this takes minutes, or more"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AdviceWarning)
        exact = asked.get("exact_form", False)
        return symbackprop.build(network_of(asked), name=name, dtype=asked["dtype"], exact_form=exact, only=only)


def module_for(asked: dict[str, Any] | None) -> ModuleType:
    """Return the module of a request that a model file holds, generated where the cache has none."""
    if asked is None:
        raise ValueError("the model was trained with a module of its own; name it with --module PATH")
    choices.network_arguments(asked)
    module = find_module(asked, lambda: build_module(asked).text)
    advise(advice_of(module.SPEC))
    return module
