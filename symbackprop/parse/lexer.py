"""The spelling of a formula: which characters may occur, how many, and how deep; then its syntax tree."""

from __future__ import annotations

import ast
import re
import warnings

from symbackprop.expr.suggest import shown_character

LENGTH, DEPTH, NODES = 500, 40, 200
_ALLOWED = re.compile(r"[A-Za-z0-9_+\-*/.,()\[\]<>=! ]")
_JOINED = re.compile(r"(?<![A-Za-z0-9_])((?>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))[A-Za-z_]")


class RefusedError(ValueError):
    """What is wrong with a formula, and at which column from 0."""

    def __init__(self, column: int, what: str) -> None:
        super().__init__(what)
        self.column = column


def normalised(text: str) -> str:
    """Return a formula that `parse` accepts, in one spelling: ``a*2`` and ``a * 2`` are the same.

    >>> normalised("(a)*tanh( a )")
    'a * tanh(a)'
    """
    return ast.unparse(tree_of(text.strip(" ")))


def tree_of(text: str) -> ast.Expression:
    """Return the syntax tree of a text in which only harmless characters occur, and not too many."""
    _check_characters(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None) or 1
        what = str(getattr(error, "msg", error)).lower()
        raise RefusedError(min(column, len(text)) - 1, f"a mistake in its form: {what}") from None
    _check_size(tree)
    return tree


def _check_characters(text: str) -> None:
    if not isinstance(text, str) or not text.strip(" "):
        raise RefusedError(0, "nothing; write something like a*tanh(a)")
    if len(text) > LENGTH:
        raise RefusedError(LENGTH, f"more than {LENGTH} characters; there are {len(text)}")
    for column, character in enumerate(text):
        if not _ALLOWED.match(character):
            hint = "; a power is written **" if character == "^" else ""
            allowed = "a to z, A to Z, digits, spaces and + - * / . , ( ) < >"
            raise RefusedError(column, f"{shown_character(character)}; allowed are {allowed}{hint}")
    if joined := _JOINED.search(text):
        number = joined[1]
        raise RefusedError(joined.end(1), f"a name right behind the number {number}; a product is written {number}*x")
    depth = 0
    for column, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth > DEPTH:
            raise RefusedError(column, f"more than {DEPTH} brackets within each other")


def _check_size(tree: ast.Expression) -> None:
    level: list[ast.AST] = [tree.body]
    count = depth = 0
    while level:
        count, depth = count + len(level), depth + 1
        if depth > DEPTH or count > NODES:
            column = getattr(level[0], "col_offset", 0)
            raise RefusedError(column, f"more than {DEPTH} operations within each other, or {NODES} in all")
        level = [child for node in level for child in ast.iter_child_nodes(node) if hasattr(child, "col_offset")]
