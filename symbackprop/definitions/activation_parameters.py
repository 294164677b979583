"""Parameters of activations that are learnt with the weights: what they may be called, and where they start.

A name is followed by its layer wherever it is written, in formulas (slope⁽ᵏ⁾) and in code (slope1), and is printed
apart there from all others: it must only be no name that formulas have for something else.
"""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from sympy import Expr, Symbol

from symbackprop.definitions.exact import exact
from symbackprop.expr.functions import FUNCTIONS
from symbackprop.expr.names import word_of

Values: TypeAlias = Mapping[str, float] | tuple[tuple[str, float], ...]

LARGEST = 3.4028234663852886e38  # of float32, the smaller of the two types that a module may have
RESERVED = frozenset([*FUNCTIONS, "gamma", "pi", *keyword.kwlist])  # what formulas have for something else


def values_of(initial: Any, field: str) -> tuple[tuple[str, float], ...]:
    """Return names with their initial values, sorted and checked.

    >>> values_of({"slope": 0.25}, "learned")
    (('slope', 0.25),)

    Raises
    ------
    ValueError
        If a name is none that can be given, or a value is not a finite number.
    """
    try:
        pairs = dict(initial)
    except (TypeError, ValueError):
        raise ValueError(
            f"{field} is {initial!r}, expected names with initial values such as {{'slope': 0.25}}"
        ) from None
    for name, value in pairs.items():
        _check_name(name, field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
            raise ValueError(f"{field} gives {name} the value {value!r}, expected a number from -3.4e38 to 3.4e38")
    return tuple(sorted((name, float(value)) for name, value in pairs.items()))


def _check_name(name: Any, field: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z_]*[A-Za-z]", name, re.ASCII):
        raise ValueError(
            f"{field} has the name {name!r}, expected a word of two or more letters a-z, A-Z and _ between them, "
            "such as 'slope'"
        )
    if name in RESERVED:
        raise ValueError(f"{field} has the name {name!r}, which formulas use; call it {name}_learnt")


def check_used(learned: Mapping[str, float], per_unit: Mapping[str, float], used: Mapping[str, float]) -> None:
    """Raise ValueError for a name given twice, or one that no activation uses.

    `used` are the parameters of all layers, with their layers.
    """
    if twice := sorted(learned.keys() & per_unit.keys()):
        raise ValueError(f"{twice[0]!r} is in both learned and learned_per_unit, expected one of them")
    names = {word_of(name) for name in used}
    if unused := sorted((learned.keys() | per_unit.keys()) - names):
        known = f"they use {', '.join(sorted(names))}" if names else "they use none"
        raise ValueError(f"no activation uses the learnt parameter {unused[0]!r}, {known}; leave it out")


def as_texts(used: Mapping[str, float], per_unit: Mapping[str, float]) -> dict[str, list[str]]:
    """Return what is learnt as texts like slope=0.25, by the field of the network that has it."""
    values = dict(sorted((word_of(name), value) for name, value in used.items()))
    fields = {"learned": values.keys() - per_unit.keys(), "learned_per_unit": per_unit.keys()}
    return {field: [f"{n}={v!r}" for n, v in values.items() if n in names] for field, names in fields.items()}


def apply(formula: Any, argument: Expr, symbol: Symbol, learnt: Mapping[str, Expr] = MappingProxyType({})) -> Expr:
    """Return a formula of one symbol and of learnt parameters, by their names, or a function of them, at arguments."""
    if callable(formula) and not isinstance(formula, Expr):
        arguments = arguments_for(formula, learnt)
        try:
            return exact(formula(argument, **arguments))
        except (TypeError, AttributeError) as error:  # it wants a number, not a symbol
            name = getattr(formula, "__name__", repr(formula))
            raise ValueError(
                f"the function {name:.40} cannot be applied to the symbol {argument}: {error}; use SymPy's functions, "
                "and Piecewise((x, condition), (y, True)) in place of x if condition else y"
            ) from None
    formula = exact(formula)
    swap = {s: learnt[s.name] for s in formula.free_symbols if s.name in learnt}
    free = formula.free_symbols - set(swap)
    if not free <= {symbol} and len(free) != 1:
        more = " beside those in learned" if learnt else ""
        raise ValueError(f"the formula {formula} has the symbols {sorted(map(str, free))}, expected one{more}")
    return formula.xreplace({**dict.fromkeys(free, argument), **swap})


def arguments_for(g: Callable[..., Expr], learnt: Mapping[str, Expr]) -> dict[str, Expr]:
    """Return the learnt parameters that a function of (a, ...) takes; ValueError if it takes what is not learnt."""
    try:
        parameters = list(inspect.signature(g).parameters.values())[1:]
    except (TypeError, ValueError):  # a class or a function of C says nothing of its arguments
        return {}
    named = [p for p in parameters if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY}]
    for parameter in named:
        if parameter.default is parameter.empty and parameter.name not in learnt:
            known = f"learned={{{parameter.name!r}: 0.25}}"
            raise ValueError(f"the activation takes {parameter.name!r}, which is not learnt; say {known} if it should")
    return {p.name: learnt[p.name] for p in named if p.name in learnt}
