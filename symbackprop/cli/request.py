"""From what was typed to the request for a module, to the network and the module."""

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import symbackprop
from symbackprop.cli.say import advise
from symbackprop.train import choices, find_module
from symbackprop.train.advice import AdviceWarning, advice_of
from symbackprop.train.network_file import read_network


def asked_for(
    path: Path | None, activation: list[str] | None, depth: int | None, *, penalty: str | None, **options: Any
) -> dict[str, Any]:
    """Return the request for a module; a file says all of its network, and no penalty if it names none."""
    if path is None:
        activations = choices.hidden_activations(activation or [], depth)
        return choices.request(activations, penalty="l2" if penalty is None else penalty, **options)
    if activation or depth is not None:
        raise ValueError(f"{path} says which layers there are; leave out --activation, --hidden and --hidden-layers")
    found = read_network(path)
    layers, shape = found.pop("layers"), found.pop("input")
    return choices.request(
        layers, shape=shape, **{"penalty": "none" if penalty is None else penalty, **options, **found}
    )


def named(
    constant: list[str] | None, learn: list[str] | None, learn_per_unit: list[str] | None
) -> dict[str, dict[str, float]]:
    """Return the numbers that were given as NAME=VALUE, by what they are."""
    given = {
        "constants": ("--constant", constant),
        "learned": ("--learn", learn),
        "learned_per_unit": ("--learn-per-unit", learn_per_unit),
    }
    return {field: choices.named_numbers(option, texts or ()) for field, (option, texts) in given.items()}


def network_of(asked: dict[str, Any]) -> Any:
    """Return the network of a request."""
    return symbackprop.Network(**choices.network_arguments(asked))


def built(asked: dict[str, Any], name: str | None = None) -> Any:
    """Return the module for a request; what it is advised against stands in its SPEC."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AdviceWarning)
        exact = asked.get("exact_form", False)
        return symbackprop.build(network_of(asked), name=name, dtype=asked["dtype"], exact_form=exact)


def module_for(asked: dict[str, Any] | None) -> ModuleType:
    """Return the module of a request that a model file holds, generated where the cache has none."""
    if asked is None:
        raise ValueError("the model was trained with a module of its own; name it with --module PATH")
    choices.network_arguments(asked)
    module = find_module(asked, lambda: built(asked).text)
    advise(advice_of(module.SPEC))
    return module
