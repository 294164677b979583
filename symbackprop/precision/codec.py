"""Formulas as nested lists of names and numbers, as JSON has them, and back.

What is read is built from a list of what may occur, node by node; nothing is evaluated as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympy import (
    Add,
    And,
    Equality,
    Expr,
    GreaterThan,
    Integer,
    LessThan,
    Mul,
    Not,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    StrictGreaterThan,
    StrictLessThan,
    Symbol,
    Unequality,
)

from symbackprop.expr.functions import NODES
from symbackprop.expr.symbols import AtInfinity

_OPERATIONS = (
    Add, Mul, Pow, And, Or, Not, Equality, Unequality, StrictLessThan, LessThan, StrictGreaterThan, GreaterThan,
    AtInfinity,
)  # fmt: skip
_NODES: dict[str, Any] = {node.__name__: node for node in _OPERATIONS}
_NODES |= {name: function.node for name, function in NODES.items()}
_CONSTANTS = {"Pi": S.Pi, "Exp1": S.Exp1}


def tree_of(expr: Any) -> Any:
    """Return a formula as nested lists.

    >>> from sympy import exp
    >>> x = Symbol("x", real=True)
    >>> tree_of(2 * exp(x) / 3)
    ['Mul', ['Rational', 2, 3], ['exp', 'x']]

    Raises
    ------
    ValueError
        If something occurs in it that `from_tree` would not build again just so.
    """
    tree = _tree(expr)
    if from_tree(tree, {s.name: s for s in expr.free_symbols}) != expr:
        raise ValueError(f"the formula {expr} would not be built again from its parts")
    return tree


def _tree(expr: Any) -> Any:
    if expr.is_Symbol:
        return expr.name
    if expr in {S.true, S.false}:
        return bool(expr)
    if isinstance(expr, Rational):
        return int(expr) if expr.is_Integer else ["Rational", int(expr.p), int(expr.q)]
    name = type(expr).__name__
    if isinstance(expr, Piecewise):
        return [name, *([_tree(e), _tree(c)] for e, c in expr.args)]
    if name not in _NODES and name not in _CONSTANTS:
        raise ValueError(f"a formula has {name}, which is not on the list of what is remembered")
    return [name, *map(_tree, expr.args)]


def from_tree(tree: Any, symbols: Mapping[str, Symbol]) -> Expr:
    """Return the formula that nested lists stand for.

    Parameters
    ----------
    tree
        What `tree_of` returned.
    symbols
        What each name stands for.

    Raises
    ------
    ValueError
        If it is no such tree.
    """
    match tree:
        case bool():
            return S.true if tree else S.false
        case int():
            return Integer(tree)
        case str() if tree in symbols:
            return symbols[tree]
        case ["Rational", int() as p, int() as q]:
            return Rational(p, q)
        case ["Piecewise", *pairs] if all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            return Piecewise(*(tuple(from_tree(e, symbols) for e in pair) for pair in pairs), evaluate=False)
        case [str() as name] if name in _CONSTANTS:
            return _CONSTANTS[name]
        case [str() as name, *parts] if name in _NODES:
            return _NODES[name](*(from_tree(part, symbols) for part in parts))
    raise ValueError(f"{tree!r:.60} is no tree of a formula")
