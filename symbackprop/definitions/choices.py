"""From a choice, a name from a table or a formula in its place, to what it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from sympy import Expr

from symbackprop.definitions.activations import ACTIVATIONS, PARAMETRIC
from symbackprop.definitions.initializers import INITIALIZERS
from symbackprop.definitions.layers import LAYERS
from symbackprop.definitions.losses import LOSSES, OUTPUTS
from symbackprop.definitions.penalties import PENALTIES
from symbackprop.definitions.step_sizes import FACTORS
from symbackprop.definitions.user_formulas import is_typed, read_typed, typed_loss
from symbackprop.expr.suggest import did_you_mean
from symbackprop.parse.lexer import normalised

Formula: TypeAlias = str | Expr | Callable[..., Expr]
TABLES: dict[str, Mapping[str, Any]] = {
    "activation": {**ACTIVATIONS, **PARAMETRIC},
    "loss": LOSSES,
    "penalty": PENALTIES,
    "initializer": INITIALIZERS,
    "step size": FACTORS,
    "pre-activation": LAYERS,
    "output": OUTPUTS,
}


def look_up(what: str, choice: Any, names: Mapping[str, Expr]) -> Any:
    """Return the entry of a table that a name has, or the formula in its place; others as they are.

    Raises
    ------
    ValueError
        If a name is in no table, and the message has the nearest; if a text is no formula of its variables and `names`.
    """
    table = TABLES[what]
    if is_typed(what, choice, table):
        return typed_loss(choice, names) if what == "loss" else read_typed(what, choice, names)
    if not isinstance(choice, str) or choice in table:
        return table[choice] if isinstance(choice, str) else choice
    raise ValueError(f"unknown {what} {choice!r}: {did_you_mean(choice, table)}known are {', '.join(table)}")


def one_spelling(choice: str) -> str:
    """Return a name as it is, a typed formula in one spelling."""
    return choice if any(choice in TABLES[what] for what in ("activation", "loss", "penalty")) else normalised(choice)
