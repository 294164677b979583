"""From what a user says to what a module is asked for, and with which numbers it is trained."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from symbackprop.train.protocol import Spec
from symbackprop.train.request.constants import check_constants
from symbackprop.train.request.network_file import is_layer
from symbackprop.train.run.history import Settings

_FURTHER = ("output", "constants", "exact_form", "input", "update", "weighted", "dropout")
_LEARNED = ("learned", "learned_per_unit")
WIDTH = 64  # units of a hidden layer where nobody says otherwise
DEEPEST = 1000  # hidden layers
# measured on the digits: 2.5 % test error on average over 40 seeds, at most 4 % in 37 of them
HYPERPARAMETERS = {"decay": 1e-5, "l2": 1e-4, "l1": 1e-5, "penalty": 1e-4}
LEARNING_RATE = 0.02  # 0.05 and more is too fast for two layers of ReLU, though not for tanh
VALUES_LEARNING_RATE = 0.01  # the gradient of squared errors grows with them, and diverges at 0.03


def request(
    activations: Sequence[str],
    *,
    loss: str,
    penalty: str,
    initializer: str = "glorot",
    step_size: str = "inverse",
    dtype: str = "float32",
    output: str | None = None,
    constants: Mapping[str, float] | None = None,
    exact_form: bool = False,
    learned: Mapping[str, float] | None = None,
    learned_per_unit: Mapping[str, float] | None = None,
    shape: Sequence[int] = (),
    update: str = "sgd",
    weighted: bool = False,
    dropout: bool = False,
) -> dict[str, Any]:
    """Return what a module is generated from, as JSON: the key of the cache, and a part of the model file.

    With a `shape`, that of one input, the activations are layers and activations.
    """
    more = {
        "output": output,
        "constants": dict(constants or {}),
        "exact_form": exact_form,
        "input": list(shape),
        "update": None if update == "sgd" else update,
        "weighted": weighted,
        "dropout": dropout,
    }
    return {name: value for name, value in more.items() if value or value == ""} | {  # an empty name is refused later
        "activations": list(activations),
        "loss": loss,
        "penalty": penalty,
        "initializer": initializer,
        "step_size": step_size,
        "preactivation": "dense",
        "dtype": dtype,
        "learned": dict(learned or {}),
        "learned_per_unit": dict(learned_per_unit or {}),
    }


def network_arguments(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `Network` for a request; ValueError if the request, out of a file, is none of ours.

    >>> sorted(network_arguments(request(["tanh"], loss="nll", penalty="l2")))[:3]
    ['activations', 'initializer', 'learned']
    """
    asked = {"learned": {}, "learned_per_unit": {}, **asked}  # older files have no such parameters
    expected = request([], loss="", penalty="")
    texts = [key for key in expected if key not in {"activations", *_LEARNED}]
    items = asked.get("activations") or ()
    layers = all(map(is_layer, items)) and all(type(n) is int for n in asked["input"]) if asked.get("input") else True
    names = [
        *(() if asked.get("input") and layers else items),
        *(asked.get(key) for key in texts),
        *(asked.get(key, "") for key in ("output", "update")),
    ]
    values = all(map(_are_values, (asked.get("constants", {}), *(asked[key] for key in _LEARNED))))
    unknown = set(asked) - {*expected, *_FURTHER} or set(expected) - set(asked)
    if unknown or not values or not layers or not all(isinstance(name, str) for name in names):
        raise ValueError("the model does not say from which formulas its module is generated; use --module PATH")
    return {
        k: tuple(v) if k in {"activations", "input"} else v
        for k, v in asked.items()
        if k not in {"dtype", "exact_form"}
    }


def _are_values(values: Any) -> bool:
    return isinstance(values, dict) and all(isinstance(v, int | float) for v in values.values())


def named_numbers(option: str, texts: Sequence[str]) -> dict[str, float]:
    """Return the numbers that an option was given as NAME=VALUE.

    >>> named_numbers("--learn", ["slope=0.25", "beta=1"])
    {'slope': 0.25, 'beta': 1.0}

    Raises
    ------
    ValueError
        If a text is not a name, an equals sign and a finite number, or a name occurs twice.
    """
    numbers: dict[str, float] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        number = _number(value)
        if not name or not math.isfinite(number):
            expected = f"a name and its value, a finite number, such as {name or 'slope'!s:.30}=0.5"
            raise ValueError(f"{option} is {text!r:.60}, expected {expected}")
        if name in numbers:
            raise ValueError(f"{option} gives {name!r:.40} twice, expected it once")
        numbers[name] = number
    return numbers


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def hidden_activations(names: Sequence[str], depth: int | None) -> list[str]:
    """Return one activation per hidden layer: one name serves all of them.

    >>> hidden_activations(["relu"], 2), hidden_activations([], 1), hidden_activations(["tanh"], 0)
    (['relu', 'relu'], ['tanh'], [])

    Raises
    ------
    ValueError
        If there are no such depths, or there are several names, and not one for each layer.
    """
    names = list(names) or ["tanh"]
    if depth is None:
        return names
    _check_depth(depth)
    if len(names) == 1:
        return names * depth
    if len(names) != depth:
        raise ValueError(f"{len(names)} activations for {depth} hidden layers; give one, or one for each layer")
    return names


def _check_depth(depth: int) -> None:
    if not 0 <= depth <= DEEPEST:
        raise ValueError(f"hidden layers is {depth}, expected 0 to {DEEPEST}")


def hidden_widths(text: str | None, depth: int | None) -> list[int] | None:
    """Return the units of the hidden layers, None where neither they nor their number are given.

    >>> hidden_widths("64,32", None), hidden_widths("none", None), hidden_widths(None, 2)
    ([64, 32], [], [64, 64])

    Raises
    ------
    ValueError
        If the text is no list of positive numbers, or has another number of layers, or there are too many.
    """
    if depth is not None:
        _check_depth(depth)
    if text is None:
        return None if depth is None else [WIDTH] * depth
    parts = [] if text.strip().lower() == "none" else text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"hidden is {text!r}, expected positive numbers of units such as 64,32, or none")
    if depth not in {None, len(parts)}:
        raise ValueError(f"hidden {text} has {len(parts)} layers, but {depth} hidden layers were asked for")
    return [int(part) for part in parts]


def output_for(loss: str, output: str | None) -> str:
    """Return the output: the one named, else the one that a loss is made for.

    >>> output_for("nll", None), output_for("abs(f - y)", None), output_for("-log(f[y])", None)
    ('softmax', 'identity', 'softmax')
    """
    named = {"nll": "softmax", "bce": "sigmoid"}
    return output or named.get(loss, "softmax" if "[" in loss else "identity")


def penalty_for(penalty: str | None, *, l1: float | None, l2: float | None) -> str | None:
    """Return the penalty: the one named, else the one whose coefficient is given.

    >>> penalty_for(None, l1=0.1, l2=None), penalty_for(None, l1=None, l2=None), penalty_for("l1", l1=None, l2=0.1)
    ('l1', None, 'l1')
    """
    if penalty is not None:
        return penalty
    asked = [name for name, value in (("l1", l1), ("l2", l2)) if value is not None]
    return "+".join(asked) or None


def hyperparameters(spec: Spec, constants: Mapping[str, float | None]) -> dict[str, float]:
    """Return the value of each hyperparameter that a module has: the one given, else the default.

    Raises
    ------
    ValueError
        If one is given that the module does not have, or is out of its range.
    """
    check_constants(constants, spec["hyperparameters"])
    chosen = {name: value for name, value in constants.items() if value is not None}
    return {n: (HYPERPARAMETERS | chosen)[n] for n in spec["hyperparameters"] if n in HYPERPARAMETERS | chosen}


def dropout(spec: Spec, rate: float | None) -> dict[str, float]:
    """Return the keyword for how often units are left out, never by default; ValueError where that cannot be."""
    check_dropout(rate)
    if rate is None:
        return {"dropout": 0.0} if "masks" in spec else {}
    if "masks" not in spec:
        raise ValueError(f"dropout is {rate}, but the module has none; generate it with --dropout")
    return {"dropout": rate}


def check_dropout(rate: float | None) -> None:
    """Raise ValueError if units cannot be left out so often."""
    if rate is not None and not 0 <= rate < 1:
        raise ValueError(f"dropout is {rate}, expected a number from 0 to below 1")


def settings(
    output: str,
    *,
    epochs: int,
    learning_rate: float | None,
    look_ahead: int,
    seed: int,
    given: Mapping[str, float | None],
) -> Settings:
    """Return the settings given, with the learning rate for an output; ValueError if one is out of its range."""
    if learning_rate is None:
        learning_rate = VALUES_LEARNING_RATE if output == "identity" else LEARNING_RATE
    numbers = {name: value for name, value in given.items() if value is not None}
    return Settings(epochs, learning_rate, look_ahead, seed, numbers)
