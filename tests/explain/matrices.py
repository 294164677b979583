"""Reads the vector form as it is printed and computes it with NumPy; and computes the index form element by element.

Neither shares code with `symbackprop.explain`. A value knows for each of its two sides whether it is an axis (its length,
or None where that shows only beside others, as of 𝟏) or none at all (NO): a vector of one element is no number.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

NO = "no axis"
_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_FUNCTIONS = {"exp": np.exp, "tanh": np.tanh, "sin": np.sin, "√": np.sqrt, "log": np.log}
_RELATIONS = {"≤": np.less_equal, "<": np.less, ">": np.greater, "≥": np.greater_equal}


@dataclass(frozen=True)
class Matrix:
    rows: Any
    columns: Any
    at: Any  # its elements, for a number of rows and of columns

    @property
    def is_number(self):
        return self.rows == self.columns == NO


def number(value):
    return Matrix(NO, NO, lambda r, c: np.array([[float(value)]]))


def matrix(values):
    values = np.asarray(values, float)
    if values.ndim == 0:
        return number(values)
    if values.ndim == 1:
        return Matrix(len(values), NO, lambda r, c: values[:, None])
    return Matrix(*values.shape, lambda r, c: values)


ONES = Matrix(None, NO, lambda r, c: np.ones((r, 1)))
IDENTITY = Matrix(None, None, np.eye)


class UnknownLengthError(Exception):
    """A product of vectors of ones and the like, whose length nothing tells."""


def unit(y):
    """The vector with 1 at y, as long as it has to be."""
    return Matrix(None, NO, lambda r, c: np.eye(r)[:, [y]])


def length(side):
    if side is None:
        raise UnknownLengthError
    return 1 if side == NO else side


def joined(*sides):
    """The length that sides have together; an axis never goes with none."""
    assert len({side == NO for side in sides}) == 1, sides
    known = {side for side in sides if side is not None}
    assert len(known) <= 1, sides
    return known.pop() if known else None


def by_element(function, *values, numbers=False):
    arrays = [v for v in values if not (numbers and v.is_number)] or list(values)
    rows, columns = joined(*(v.rows for v in arrays)), joined(*(v.columns for v in arrays))
    return Matrix(rows, columns, lambda r, c: function(*(v.at(r, c) for v in values)))


def times(one, other):
    if one.is_number or other.is_number:
        scale, array = (one, other) if one.is_number else (other, one)
        return Matrix(array.rows, array.columns, lambda r, c: scale.at(1, 1) * array.at(r, c))
    inside = joined(one.columns, other.rows)
    if one.rows is None and other.columns is None and inside is None:
        return Matrix(None, None, lambda r, c: one.at(r, r) @ other.at(r, c))
    return Matrix(one.rows, other.columns, lambda r, c: one.at(r, length(inside)) @ other.at(length(inside), c))


def transposed(value):
    return Matrix(value.columns, value.rows, lambda r, c: value.at(c, r).T)


def diagonally(value):
    assert value.columns == NO
    return Matrix(value.rows, value.rows, lambda r, c: np.diag(value.at(r, 1)[:, 0]))


def diagonal(value):
    assert NO not in (value.rows, value.columns)
    return Matrix(joined(value.rows, value.columns), NO, lambda r, c: np.diag(value.at(r, r))[:, None])


def summed(*values):
    product = by_element(lambda *arrays: math.prod(arrays), *values)
    return number(product.at(length(product.rows), length(product.columns)).sum())


def largest(value):
    return number(value.at(length(value.rows), length(value.columns)).max())


class Reader:
    """A formula as it is printed, read from left to right, with the values of its names."""

    def __init__(self, text, names):
        words = sorted(
            (*names, *_FUNCTIONS, "max", "tr", "diag", "Diag", "if", "otherwise", "‖²", "^⊙"), key=len, reverse=True
        )
        pattern = "|".join([*map(re.escape, words), r"\d+(?:\.\d+)?(?:e-?\d+)?", "[⁰-⁹¹²³]+", r"\*\*", r"\S"])
        self.words, self.names = [*re.findall(pattern, text), "end"], names

    def value(self):
        made = self.sum()
        assert self.words == ["end"], self.words
        return made

    def take(self, *wanted):
        assert not wanted or self.words[0] in wanted, self.words
        return self.words.pop(0)

    def sum(self):
        made = self.term()
        while self.words[0] in {"+", "-"}:
            made = by_element(np.add if self.take() == "+" else np.subtract, made, self.term())
        return made

    def term(self):
        if self.words[0] == "-":
            self.take()
            return times(number(-1), self.term())
        made = self.chain()
        while self.words[0] in {"⊙", "⊘", "/"}:
            sign = self.take()
            if sign == "/":
                made = times(by_element(np.reciprocal, self.factor()), made)
            else:
                made = by_element(np.multiply if sign == "⊙" else np.divide, made, self.chain())
        return made

    def chain(self):
        made = self.factor()
        while self.words[0] not in {"+", "-", "⊙", "⊘", "/", ")", "}", "⟩", "‖²", ",", ";", "if", "end", "otherwise",
                                    *_RELATIONS}:  # fmt: skip
            made = times(made, self.factor())
        return made

    def factor(self):
        made = self.atom()
        while True:
            if self.words[0] == "ᵀ":
                self.take()
                made = transposed(made)
            elif re.fullmatch("[⁰-⁹¹²³]+", self.words[0]):
                assert made.is_number
                power = int(self.take().translate(_SUPER))
                made = by_element(lambda x, power=power: x**power, made)
            elif self.words[0] in {"^⊙", "**"}:
                assert made.is_number == (self.take() == "**")
                power = float(self.factor().at(1, 1)[0, 0])
                made = by_element(lambda x, power=power: x**power, made)
            else:
                return made

    def atom(self):
        word = self.take()
        if word in self.names:
            return self.names[word]
        if word[0].isdigit():
            return number(word)
        if word == "(":
            return self.closed(self.sum(), ")")
        if word == "‖":
            made = self.closed(self.sum(), "‖²")
            return summed(made, made)
        if word == "⟨":
            one = self.closed(self.sum(), ",")
            return summed(one, self.closed(self.sum(), "⟩"))
        return self.pieces() if word == "{" else self.call(word)

    def call(self, word):
        self.take("(")
        arguments = [self.sum()]
        while self.words[0] == ",":
            self.take()
            arguments.append(self.sum())
        self.take(")")
        if word == "max" and len(arguments) == 1:
            return largest(*arguments)
        if word == "max":
            return by_element(lambda *a: np.maximum.reduce(np.broadcast_arrays(*a)), *arguments, numbers=True)
        own = {"tr": lambda v: summed(diagonal(v)), "diag": diagonal, "Diag": diagonally}
        return own[word](*arguments) if word in own else by_element(_FUNCTIONS[word], *arguments)

    def pieces(self):
        """``{x if a ≤ 0; y otherwise}``."""
        one = self.sum()
        self.take("if")
        left = self.sum()
        relation = _RELATIONS[self.take()]
        right = self.sum()
        self.take(";")
        other = self.sum()
        self.take("otherwise")
        self.take("}")
        return by_element(lambda u, v, x, y: np.where(relation(u, v), x, y), left, right, one, other, numbers=True)

    def closed(self, value, bracket):
        self.take(bracket)
        return value


def element(expr, at, arrays):
    """Return the value of an expression in index form, its free indices and sizes being `at`."""
    if type(expr).__name__ == "Sum":
        value, limits = expr.function, list(expr.limits)
        index, _, high = limits.pop()
        rest = expr.func(value, *limits) if limits else value
        return sum(element(rest, {**at, index: n}, arrays) for n in range(int(element(high, at, arrays)) + 1))
    if type(expr).__name__ == "Maximum":
        ((index, _, high),) = expr.limits
        return max(element(expr.function, {**at, index: n}, arrays) for n in range(int(element(high, at, arrays)) + 1))
    if isinstance(expr, sympy.Indexed):
        return arrays[str(expr.base.label)][tuple(int(element(i, at, arrays)) for i in expr.indices)]
    if isinstance(expr, sympy.Piecewise):
        return next(element(e, at, arrays) for e, c in expr.args if c == sympy.true or element(c, at, arrays))
    if isinstance(expr, sympy.core.relational.Relational):
        left, right = (element(a, at, arrays) for a in expr.args)
        return {"==": left == right, "<=": left <= right, "<": left < right, ">": left > right, ">=": left >= right}[
            expr.rel_op
        ]
    if expr in at:
        return at[expr]
    if expr.is_Symbol:
        return arrays[expr.name]
    if expr.is_number:
        return float(expr)
    values = [element(a, at, arrays) for a in expr.args]
    known = {"Add": sum, "Mul": math.prod, "Pow": lambda v: v[0] ** v[1], "Max": max, "exp": lambda v: math.exp(*v),
             "tanh": lambda v: math.tanh(*v), "sin": lambda v: math.sin(*v), "log": lambda v: math.log(*v)}  # fmt: skip
    return known[type(expr).__name__](values)
