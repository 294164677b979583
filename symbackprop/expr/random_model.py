"""Exact-looking numbers for any formula: the judge of every derivation step.

A `RandomModel` draws a random value for whatever is not defined the first time it is read, computes what is defined,
and takes partial derivatives by central differences at 50 digits: a wrong step differs, and a right one does not.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from sympy import Expr, Float, Indexed, Integer, Piecewise, S, Symbol
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from symbackprop.expr.reductions import Maximum, Place, Sum
from symbackprop.expr.symbols import LABEL, Axis, Partial, name_of

if TYPE_CHECKING:
    from symbackprop.expr.equations import Equation

DIGITS = 50
STEP = Float("1e-14", DIGITS)
SMALLEST_SIZE = 2


class RandomModel:
    """Values for the symbols of some equations.

    Parameters
    ----------
    given
        The equations that hold; what they define is computed, everything else is drawn from (-1, 1).
    seed
        Seed of the draws; the same seed gives the same values.
    """

    def __init__(self, given: tuple[Equation, ...] = (), seed: int = 0) -> None:
        self._given = {e.name: e for e in given if not e.is_update}
        self._random = random.Random(seed)  # noqa: S311 (test points, not secrets)
        self._drawn: dict[Any, Expr] = {}
        self._moved: dict[Any, Expr] = {}
        self._known: dict[Any, Expr] = {}
        self._user = ""  # whose partial derivative is taken

    def value(self, expr: Expr, bound: Mapping[Expr, Expr] | None = None) -> Expr:
        """Return the value of an expression; `bound` gives the values of its free indices."""
        bound = bound or {}
        match expr:
            case Sum():
                return Integer(0) + sum(self._over(expr, bound))
            case Maximum():
                return max(self._over(expr, bound))
            case Place():
                every = self._over(expr.func(expr.function, *reversed(expr.limits)), bound)
                return Integer(every.index(max(every)))
            case Indexed():
                return self._element(expr, tuple(int(self.value(i, bound)) for i in expr.indices))
            case Symbol():
                return bound[expr] if expr in bound else self._symbol(expr)
            case Partial():
                return self._difference(expr.args[0], expr.args[1], bound)
            case Piecewise():
                return next(self.value(e, bound) for e, c in expr.args if self.value(c, bound) == S.true)
            case _ if not expr.args:
                return expr.evalf(DIGITS) if isinstance(expr, Expr) and not expr.is_Integer else expr
        inner = [self.value(a, bound) for a in expr.args]
        if isinstance(expr, Relational | BooleanFunction):
            return expr.func(*inner)
        return expr.func(*inner).evalf(DIGITS)

    def range(self, axis: Axis) -> range:
        """Return the values an axis takes in this model."""
        return range(int(self.value(axis.size)))

    def _over(self, expr: Expr, bound: Mapping[Expr, Expr]) -> list[Expr]:
        indices = [limit[0] for limit in expr.limits]
        ranges = [range(int(self.value(low, bound)), int(self.value(high, bound)) + 1) for _, low, high in expr.limits]
        return [
            self.value(expr.function, {**bound, **dict(zip(indices, map(Integer, at), strict=True))})
            for at in product(*ranges)
        ]

    def _element(self, expr: Indexed, at: tuple[int, ...]) -> Expr:
        name = name_of(expr)
        if not expr.base.label.is_integer or name in self._given:
            return self._read(name, at)
        return self._drawn.setdefault((name, at), Integer(self._random.randrange(SMALLEST_SIZE)))  # it is an index

    def _read(self, name: str, at: tuple[int, ...]) -> Expr:
        key = (name, at)
        if key in self._moved:
            return self._moved[key]
        if name not in self._given:
            return self._draw(key)
        if self._moved and name != self._user:  # a partial derivative: what else q is computed from stays as it is
            moved, self._moved = self._moved, {}
            value = self._read(name, at)
            self._moved = moved
            return value
        if self._moved:
            return self.value(self._given[name].rhs, self._bound_at(self._given[name], at))
        if key not in self._known:
            equation = self._given[name]
            self._known[key] = self.value(equation.rhs, self._bound_at(equation, at))
        return self._known[key]

    def _symbol(self, symbol: Symbol) -> Expr:
        if symbol.name in self._given:
            return self._read(symbol.name, ())
        if symbol == LABEL:
            return Integer(1)
        if symbol.is_integer:
            sizes = sum(1 for key in self._drawn if isinstance(key, Symbol))
            return self._drawn.setdefault(symbol, Integer(SMALLEST_SIZE + sizes))
        return self._read(symbol.name, ())

    def _bound_at(self, equation: Equation, at: tuple[int, ...]) -> dict[Expr, Expr]:
        """Return the values of an equation's indices at an element of its left side, whose index may join several."""
        indices = equation.lhs.indices if isinstance(equation.lhs, Indexed) else ()
        if all(isinstance(i, Symbol) for i in indices):
            return dict(zip(indices, map(Integer, at), strict=True))
        every = product(*(self.range(axis) for axis in equation.over))
        names = [axis.index for axis in equation.over]
        tried = (dict(zip(names, map(Integer, values), strict=True)) for values in every)
        return next(b for b in tried if tuple(int(self.value(i, b)) for i in indices) == at)

    def _draw(self, key: tuple[str, tuple[int, ...]]) -> Expr:
        if key not in self._drawn:
            drawn = self._random.uniform(0.1, 0.9) * (1 if key[0] == "y" else self._random.choice((-1, 1)))
            self._drawn[key] = Float(drawn, DIGITS)
        return self._drawn[key]

    def _difference(self, q: Expr, p: Expr, bound: Mapping[Expr, Expr]) -> Expr:
        at = tuple(int(self.value(i, bound)) for i in p.indices) if isinstance(p, Indexed) else ()
        key = (name_of(p), at)
        middle = self._read(*key)
        before, self._user = self._user, name_of(q)
        sides = []
        for sign in (1, -1):
            self._moved[key] = middle + sign * STEP
            sides.append(self.value(q, bound))
        del self._moved[key]
        self._user = before
        return (sides[0] - sides[1]) / (2 * STEP)
