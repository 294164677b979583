"""Formulas that were typed in place of a name from a table."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sympy import Expr, Rational

from symbackprop.definitions.activations import a
from symbackprop.definitions.losses import Loss
from symbackprop.definitions.penalties import w
from symbackprop.expr.functions import FUNCTIONS
from symbackprop.expr.symbols import LABEL, array, scalar
from symbackprop.parse.formula import LARGEST, parse

_F, _Y = scalar("f"), scalar("y")
VARIABLES: dict[str, dict[str, Any]] = {"activation": {"a": a}, "penalty": {"w": w}, "loss": {"f": _F, "y": _Y}}
_RESERVED = {"a", "w", "f", "y", "pi", "e", *FUNCTIONS}


def is_typed(what: str, choice: Any, table: Mapping[str, Any]) -> bool:
    """Whether a choice is a formula as text, rather than a name, known or misspelt.

    >>> is_typed("activation", "a*sin(a)", {}), is_typed("activation", "leaky-relu", {})
    (True, False)
    """
    if not isinstance(choice, str) or choice in table or what not in VARIABLES:
        return False
    words = set(re.findall(r"[^\W\d]\w*", choice))
    known = words <= {*VARIABLES[what], *FUNCTIONS, "pi", "e"} and bool(re.search(r"\w", choice))
    return known or not re.fullmatch(r"[\w\s-]*", choice)


def read_typed(what: str, text: str, constants: Mapping[str, Expr]) -> Expr:
    """Return a typed formula of the variables that its kind has; ValueError if it is none."""
    return read_formula(text, tuple({**VARIABLES[what], **constants}.items()))


@cache
def read_formula(text: str, names: tuple[tuple[str, Any], ...]) -> Expr:
    """Return a text's formula; each is read once."""
    return parse(text, dict(names))


def typed_loss(text: str, constants: Mapping[str, Expr]) -> Loss:
    """Return a typed loss: of f[y], the output of the right class, or summed over the outputs f and targets y."""
    if "[" in text:
        whole = read_formula(text, tuple({"f": array("f"), "y": LABEL, **constants}.items()))
        _require_outputs(text, whole.has(array("f")))
        return Loss(lambda f, y, axis: whole, "softmax", "label")  # noqa: ARG005 (every loss has the same arguments)
    each = read_typed("loss", text, constants)
    _require_outputs(text, each.has(_F))
    return Loss(lambda f, y, axis: axis.sum(lambda i: each.xreplace({_F: f[i], _Y: y[i]})), "identity", "vector")


def _require_outputs(text: str, has_outputs: bool) -> None:  # noqa: FBT001 (an answer)
    if not has_outputs:
        raise ValueError(f"the loss {text!r:.60} does not depend on the outputs f, expected one such as (f - y)**2")


def exact_constants(constants: Mapping[str, Any]) -> dict[str, Expr]:
    """Return named constants as the decimal numbers they were written as.

    Raises
    ------
    ValueError
        If a name is no identifier or means something else, or a value is no number.
    """
    for name, value in constants.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,29}", name) or name in _RESERVED:
            raise ValueError(f"the constant {name!r:.40} has a name that cannot be used, expected a word such as beta")
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not (value == 0 or 1 / LARGEST <= abs(value) <= LARGEST):
            raise ValueError(f"the constant {name} is {value!r:.40}, expected a number from 1e-30 to 1e30")
    return {name: Rational(repr(value)) for name, value in constants.items()}


def require_used(constants: Iterable[str], choices: Iterable[Any]) -> None:
    """Raise ValueError for a constant that no typed formula uses."""
    words = {word for text in choices if isinstance(text, str) for word in re.findall(r"[^\W\d]\w*", text)}
    for name in constants:
        if name not in words:
            raise ValueError(f"the constant {name} is used in no formula; leave it out, or write {name} in one")
