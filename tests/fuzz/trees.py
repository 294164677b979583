"""Random formulas as trees: drawn from a grammar of all that `symbackprop.parse.formula` knows, written, and made smaller.

Which functions there are is the package's own table, so that a new one is drawn by itself. Otherwise a tree knows
nothing of SymPy, nor of the parser: what a text means is said a second time by `tests.fuzz.oracle`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from symbackprop.expr.functions import FUNCTIONS

ONE = tuple(name for name, function in FUNCTIONS.items() if function.inputs == 1)
TWO = tuple(name for name, function in FUNCTIONS.items() if function.inputs == 2)
SEVERAL = tuple(name for name, function in FUNCTIONS.items() if function.inputs is None)
BETWEEN = ("+", "-", "*", "/")
COMPARED = ("<", "<=", ">", ">=")
JOINED = ("and", "or")
POWERS = ("2", "3", "-1", "-2", "0.5", "1.5", "-0.5", "4", "0")
NUMBERS = ("0", "1", "2", "3", "-1", "0.5", "0.1", "0.044715", "1.702", "10", "100", "-0.25", "1e-3", "1e10", "pi", "e")
INTERVALS = {"asin": "max(-1, min(1, {}))", "acos": "max(-1, min(1, {}))", "sqrt": "abs({})", "log": "1 + abs({})"}


@dataclass(frozen=True)
class Node:
    """What stands at a place of a formula, and what it is applied to."""

    kind: str
    args: tuple[Node, ...] = ()

    def __str__(self) -> str:
        """The formula as it would be typed, in brackets where Python needs them, and where nobody would be sure."""
        match self:
            case Node(kind, ()):
                return kind
            case Node("neg", (inner,)):
                return f"(-{inner})"
            case Node("not", (inner,)):
                return f"(not {inner})"
            case Node("if", (condition, yes, no)):
                return f"({yes} if {condition} else {no})"
            case Node(kind, (left, right)) if kind in {*BETWEEN, *COMPARED, *JOINED, "**"}:
                return f"({left} {kind} {right})"
        return f"{self.kind}({', '.join(map(str, self.args))})"

    def nodes(self) -> Iterator[Node]:
        """Every node, from the outside in."""
        yield self
        for arg in self.args:
            yield from arg.nodes()

    @property
    def size(self) -> int:
        """How many nodes there are."""
        return sum(1 for _ in self.nodes())


def drawn(rng: random.Random, depth: int, variables: tuple[str, ...] = ("a",)) -> Node:
    """Return a random formula of at most `depth` operations within each other that reads a variable."""
    while True:
        tree = _number(rng, depth, variables)
        if any(node.kind in variables for node in tree.nodes()):
            return tree


def _number(rng: random.Random, depth: int, variables: tuple[str, ...]) -> Node:
    def inner() -> Node:
        return _number(rng, depth - 1, variables)

    if depth == 0 or rng.random() < 0.08:
        return Node(rng.choice(variables) if rng.random() < 0.7 else rng.choice(NUMBERS))
    match rng.choices(("between", "function", "power", "several", "if", "neg"), (9, 9, 2, 1.5, 2, 0.5))[0]:
        case "between":
            return Node(rng.choice(BETWEEN), (inner(), inner()))
        case "function":
            name = rng.choice((*ONE, *TWO))
            return Node(name, (inner(),) if name in ONE else (inner(), inner()))
        case "power":
            return Node("**", (inner(), Node(rng.choice(POWERS))))
        case "several":
            return Node(rng.choice(SEVERAL), tuple(inner() for _ in range(rng.choice((2, 2, 3)))))
        case "if":
            return Node("if", (_condition(rng, depth - 1, variables), inner(), inner()))
    return Node("neg", (inner(),))


def _condition(rng: random.Random, depth: int, variables: tuple[str, ...]) -> Node:
    if depth > 0 and rng.random() < 0.2:
        return Node(rng.choice(JOINED), tuple(_condition(rng, depth - 1, variables) for _ in range(2)))
    if depth > 0 and rng.random() < 0.1:
        return Node("not", (_condition(rng, depth - 1, variables),))
    return Node(rng.choice(COMPARED), (_number(rng, depth // 2, variables), _number(rng, 0, variables)))


def smaller(tree: Node) -> Iterator[Node]:
    """Yield formulas that are a step simpler, the boldest first: a part alone, a leaf, a part of a part."""
    numbers = [arg for arg in tree.args if _is_number(arg)]
    yield from sorted(numbers, key=lambda arg: arg.size)
    if tree.args and _is_number(tree):
        yield from (Node(leaf) for leaf in ("a", "1", "2"))
    elif not tree.args and tree.kind not in {"a", "1", "0", "f", "y", "w"}:
        yield Node("1")
    if len(tree.args) > 2 and tree.kind in SEVERAL:
        yield from (Node(tree.kind, tree.args[:n] + tree.args[n + 1 :]) for n in range(len(tree.args)))
    for n, arg in enumerate(tree.args):
        yield from (Node(tree.kind, (*tree.args[:n], less, *tree.args[n + 1 :])) for less in smaller(arg))


def _is_number(node: Node) -> bool:
    return node.kind not in {*COMPARED, *JOINED, "not"}


def shrunk(tree: Node, fails, tries: int = 200) -> Node:
    """Return the smallest formula found that still fails."""
    while tries > 0:
        for less in smaller(tree):
            tries -= 1
            if less.size <= tree.size and less != tree and fails(less):
                tree = less
                break
            if tries <= 0:
                break
        else:
            break
    return tree
