"""Constants of step sizes, updates and penalties: what has them, and from where to where they go.

The formulas are in `symbackprop.definitions`, which needs SymPy; a test compares.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

from symbackprop.expr.suggest import did_you_mean

NEEDS: dict[str, tuple[str, tuple[str, ...]]] = {  # the option, and what has to be among its names joined by +
    "decay": ("step-size", ("inverse",)),
    "power": ("step-size", ("power",)),
    "gamma": ("step-size", ("steps",)),
    "interval": ("step-size", ("steps",)),
    "horizon": ("step-size", ("cosine",)),
    "warmup": ("step-size", ("warmup",)),
    "momentum": ("update", ("momentum", "nesterov")),
    "max_gradient": ("update", ("clip",)),
    "max_weights": ("update", ("max_norm",)),
    "l1": ("penalty", ("l1",)),
    "l2": ("penalty", ("l2",)),
}
ABOVE_0 = frozenset({"interval", "horizon", "warmup", "max_gradient", "max_weights"})
BELOW_1 = frozenset({"momentum"})
STRENGTH = "penalty"  # λ of a penalty that is a formula
_SPELLINGS = {"γ": "gamma", "δ": "decay", "μ": "momentum", "λ": "l2"}
_OPTIONS = ("learning-rate", "epochs", "seed", "look-ahead", "dropout", "hidden")


def constants_of(asked: Mapping[str, Any]) -> set[str]:
    """Return the names of the constants that a requested network has.

    >>> sorted(constants_of({"step_size": "steps", "penalty": "l1+l2", "update": "clip"}))
    ['gamma', 'interval', 'l1', 'l2', 'max_gradient']
    """
    chosen = {"update": "sgd", **asked}
    parts = {option: set(str(chosen[option.replace("-", "_")]).split("+")) for option, _ in NEEDS.values()}
    names = {name for name, (option, needed) in NEEDS.items() if parts[option] & set(needed)}
    return names if parts["penalty"] <= {"none", "l1", "l2"} else names | {STRENGTH}


def check_constants(constants: Mapping[str, float | None], has: Collection[str]) -> None:
    """Raise ValueError if a constant that is given is not among those that a network has, or is out of its range.

    Parameters
    ----------
    constants
        Values by name; None where nothing was said.
    has
        The network's.
    """
    for name, value in constants.items():
        if value is not None:
            _check_name(name, value, has)
            _check_range(name, value)


def _check_name(name: str, value: float, has: Collection[str]) -> None:
    if name in has:
        return
    if name == STRENGTH:
        raise ValueError(f"penalty is {value:g}, but the network has no penalty; it needs a formula as --penalty")
    if name in NEEDS:
        option, needed = NEEDS[name]
        needed = (*needed, "l1+l2") if option == "penalty" else needed
        needs = f"--{option} {' or '.join(needed)}"
        raise ValueError(f"{name} is {value:g}, but the network has no {name}; it needs {needs}")
    if (other := name.replace("_", "-")) in _OPTIONS:
        raise ValueError(f"--set has {name}, which is an option of its own: --{other} {value:g}")
    meant = f"did you mean {_SPELLINGS[name]}? " if name in _SPELLINGS else did_you_mean(name, NEEDS)
    known = ", ".join(sorted(has)) or "none"
    raise ValueError(f"--set has the unknown constant {name!r:.40}: {meant}this network has {known}")


def _check_range(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is {value}, expected 0 or a positive number")
    if name in ABOVE_0 and value == 0:
        raise ValueError(f"{name} is {value}, expected a positive number")
    if name in BELOW_1 and value >= 1:
        raise ValueError(f"{name} is {value}, expected a number from 0 to below 1")
