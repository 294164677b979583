"""From the equations of a generic layer k to those of layer 1, 2, ..., L + 1: only names change."""

from __future__ import annotations

from sympy import IndexedBase, Symbol

from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import split
from symbackprop.expr.symbols import Axis


def at_layer(equation: Equation, k: int, depth: int) -> Equation:
    """Return an equation with layer k, and L = `depth`, filled in.

    >>> from symbackprop.definitions.network import Network
    >>> print(at_layer(Network().pre_activation("k"), 2, depth=3))
    a⁽²⁾ᵢ = b⁽²⁾ᵢ + Σⱼ W⁽²⁾ᵢⱼ h⁽¹⁾ⱼ
    """
    numbers = {"k": k, "k-1": k - 1, "k+1": k + 1, "L": depth, "L+1": depth + 1}
    swap = {}
    for expr in (equation.lhs, equation.rhs, *(axis.size for axis in equation.over)):
        for symbol in (s for s in expr.free_symbols if isinstance(s, Symbol)):
            letter, layer = split(symbol.name)
            if layer in numbers:
                swap[symbol] = Symbol(f"{letter}^{numbers[layer]}", **symbol.assumptions0)
        for base in expr.atoms(IndexedBase):
            letter, layer = split(str(base.label))
            if layer in numbers:
                swap[base] = IndexedBase(Symbol(f"{letter}^{numbers[layer]}", real=True), real=True)
    over = tuple(Axis(axis.name, axis.size.xreplace(swap)) for axis in equation.over)
    return Equation(equation.lhs.xreplace(swap), equation.rhs.xreplace(swap), over, equation.why)
