"""From the layers of one network to those of another, 2 to k and k to 3: only the numbers in names change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import singledispatch
from typing import Any

from sympy import Expr, IndexedBase, Symbol

from symbackprop.calculus.chain_rule import Target
from symbackprop.expr.equations import Derivation, Equation, Step
from symbackprop.expr.printing import split
from symbackprop.expr.symbols import Axis, array, array_of_integers

Labels = Mapping[str, str]


def relabelled(what: Any, labels: Labels) -> Any:
    """Return an expression, an equation, a step or a derivation with other numbers of layers in its names.

    >>> from symbackprop.definitions.network import Network
    >>> print(relabelled(Network().resolved.layers[1].pre_activation, {"2": "k", "1": "k-1"}))
    a⁽ᵏ⁾ᵢ = b⁽ᵏ⁾ᵢ + Σⱼ W⁽ᵏ⁾ᵢⱼ h⁽ᵏ⁻¹⁾ⱼ
    """
    return _relabelled(what, {old: new for old, new in labels.items() if old != new})


def of_layer(k: int) -> Labels:
    """Return what layer k, and those below and above it, are called where they stand for others like them."""
    return {str(k): "k", str(k - 1): "k-1", str(k + 1): "k+1"}


def of_last(k: int) -> Labels:
    """Return what layer k, the last, and that below it are called in the lecture."""
    return {str(k): "L+1", str(k - 1): "L"}


def labels_in(expr: Expr) -> set[str]:
    """Return the layers that the names in an expression have."""
    return {split(s.name)[1] for s in expr.free_symbols if isinstance(s, Symbol)} - {""}


@singledispatch
def _relabelled(what: Any, labels: Labels) -> Any:
    raise TypeError(f"{type(what).__name__} has no layers to be called {', '.join(labels.values())}")


@_relabelled.register
def _(name: str, labels: Labels) -> str:
    letter, layer = split(name)
    return f"{letter}^{labels[layer]}" if layer in labels else name


@_relabelled.register
def _(expr: Expr, labels: Labels) -> Expr:
    swap: dict[Expr, Expr] = {}
    for symbol in (s for s in expr.free_symbols if isinstance(s, Symbol)):
        if (name := _relabelled(symbol.name, labels)) != symbol.name:
            swap[symbol] = Symbol(name, **symbol.assumptions0)
    for base in expr.atoms(IndexedBase):
        if (name := _relabelled(str(base.label), labels)) != str(base.label):
            swap[base] = (array_of_integers if base.label.is_integer else array)(name)
    return expr.xreplace(swap)


@_relabelled.register
def _(axis: Axis, labels: Labels) -> Axis:
    return Axis(axis.name, _relabelled(axis.size, labels))


@_relabelled.register
def _(several: tuple, labels: Labels) -> tuple[Any, ...]:
    return tuple(_relabelled(one, labels) for one in several)


@_relabelled.register
def _(want: Target, labels: Labels) -> Target:
    return Target(_relabelled(want.name, labels), _relabelled(want.axes, labels), want.role)


@_relabelled.register
def _(equation: Equation, labels: Labels) -> Equation:
    return replace(equation, **_fields(equation, labels, "lhs", "rhs", "over"))


@_relabelled.register
def _(step: Step, labels: Labels) -> Step:
    return replace(step, **_fields(step, labels, "target", "before", "after", "over", "given", "added"))


@_relabelled.register
def _(derivation: Derivation, labels: Labels) -> Derivation:
    return replace(derivation, **_fields(derivation, labels, "given", "steps", "results", "sections"))


def _fields(what: Any, labels: Labels, *names: str) -> dict[str, Any]:
    return {name: _relabelled(getattr(what, name), labels) for name in names}
