"""From index form to the vector form of lectures, by one rule for all formulas: what is summed over becomes a product.

A sum over one index of a product is a product of matrices and vectors, transposed as the index stands; where nothing is
summed, factors with the same indices go element by element, and those of different indices are an outer product. An
index that is in no sum and in no factor is one of ones. What has no such form is left as it is, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

from sympy import Add, Eq, Expr, Indexed, Mul, Piecewise, S, Symbol

from symbackprop.explain.arrays import (
    IDENTITY,
    ONES,
    Diagonal,
    Largest,
    Unit,
    diagonally,
    dot,
    inner,
    is_array,
    transpose,
    whole,
)
from symbackprop.explain.outline import Line
from symbackprop.expr.reductions import Maximum, Reduction, Sum
from symbackprop.expr.symbols import Partial, plus

Sizes = Mapping[tuple[str, int], set[Expr]]


class NoVectorFormError(Exception):
    """A formula that stays in index form; the message says why."""


@dataclass(frozen=True)
class Part:
    """An expression with the indices of its rows and columns: none of a number, one of a vector."""

    expr: Any
    axes: tuple[Symbol, ...] = ()


def in_vectors(line: Line, sizes: Sizes) -> Line:
    """Return a line with its target and its sides in vector form.

    Parameters
    ----------
    line
        In index form.
    sizes
        How far each axis of each array is read, as `sizes_of` returns it.

    Raises
    ------
    NoVectorFormError
        If a side has no vector form.
    """
    ranges = {axis.index: axis.size for axis in line.over}
    places = [i for e in (*getattr(line.target, "args", ()), line.target) for i in getattr(e, "indices", ())]
    target = Vectors(ranges, sizes, places).part(line.target)
    frame = Vectors(ranges, sizes, target.axes)
    return replace(line, target=target.expr, sides=tuple(frame.fit(frame.part(s), target.axes) for s in line.sides))


def sizes_of(lines: Iterable[Line]) -> dict[tuple[str, int], set[Expr]]:
    """Return how far the indices run with which each axis of each array is read in some lines."""
    sizes: dict[tuple[str, int], set[Expr]] = {}
    for line in lines:
        for side in (line.target, *line.sides):
            for element, ranges in _elements(side, {axis.index: axis.size for axis in line.over}):
                for n, place in enumerate(element.indices):
                    if place in ranges:
                        sizes.setdefault((str(element.base.label), n), set()).add(ranges[place])
    return sizes


def _elements(expr: Any, ranges: Mapping[Symbol, Expr]) -> Iterator[tuple[Indexed, Mapping[Symbol, Expr]]]:
    """Yield the elements of arrays in an expression, each with how far the indices around it run."""
    if isinstance(expr, Indexed):
        yield expr, ranges
    if isinstance(expr, Reduction):
        ranges = {**ranges, **{index: high + 1 for index, _, high in expr.limits}}
    for arg in expr.args:
        yield from _elements(arg, ranges)


class Vectors:
    """Turns expressions, in which some indices are free, into vector form."""

    def __init__(self, ranges: Mapping[Symbol, Expr], sizes: Sizes, frame: Iterable[Symbol]) -> None:
        self.ranges, self.sizes, self.frame = dict(ranges), sizes, tuple(frame)

    def part(self, expr: Any) -> Part:
        """Return an expression as a number, a vector or a matrix."""
        match expr:
            case Indexed() | Partial():
                return self._array(expr)
            case Sum():
                return self._within(expr).sum(expr)
            case Maximum():
                return self._largest(expr)
            case Piecewise() if self._is_indicator(expr):
                return self.product([expr])
            case Mul():
                return self.product([expr])
            case Add() | plus():
                parts = [self.part(a) for a in expr.args]
                axes = self._axes(parts)
                return _part(expr.func(*(self.fit(p, axes) for p in parts)), axes)
            case Symbol() if expr in self.ranges:
                raise NoVectorFormError(f"{expr} as a number")
        return self._by_element(expr)

    def fit(self, part: Part, axes: tuple[Symbol, ...]) -> Expr:
        """Return an expression with some axes, in their order: transposed, or times ones for those that it has not."""
        i_j = axes if len(axes) > 1 else ()
        match part.axes:
            case _ if part.axes == axes:
                return part.expr
            case ():
                return part.expr * (dot(ONES, transpose(ONES)) if len(axes) == 2 else ONES)
            case _ if len(axes) > 2 or not set(part.axes) <= set(axes):
                raise NoVectorFormError("more than two indices")
            case (i,):
                return dot(part.expr, transpose(ONES)) if i == i_j[0] else dot(ONES, transpose(part.expr))
        return transpose(part.expr)

    def product(self, factors: Iterable[Expr]) -> Part:
        """Return a product: by element where indices are the same, an outer product where they are not."""
        return self._together([p for f in factors for p in self._factors(f)])

    def sum(self, expr: Sum) -> Part:
        """Return a sum, each of its terms as a product of matrices and vectors."""
        indices = [index for index, _, _ in expr.limits]
        parts = [self._together(self._eliminate([*self._factors(term)], indices))
                 for term in Add.make_args(expr.function)]  # fmt: skip
        axes = self._axes(parts)
        return _part(Add(*(self.fit(p, axes) for p in parts)), axes)

    def _within(self, reduction: Any) -> Vectors:
        """Return the same with the indices of a reduction free."""
        limits = {index: high + 1 for index, _, high in reversed(reduction.limits)}
        indices = {*self.ranges, *limits}
        whole_axes = all(low == 0 for _, low, _ in reduction.limits) and not self.ranges.keys() & limits.keys()
        if not whole_axes or any(size.free_symbols & indices or size.has(Indexed) for size in limits.values()):
            raise NoVectorFormError("a part of an axis")
        return Vectors({**self.ranges, **limits}, self.sizes, self.frame)

    def _axes(self, parts: Iterable[Part]) -> tuple[Symbol, ...]:
        """Return the axes of some parts together, in the order of the left side, then of the sums."""
        indices: set[Symbol] = reduce(or_, (set(p.axes) for p in parts), set())
        axes = tuple(i for i in dict.fromkeys((*self.frame, *self.ranges)) if i in indices)
        if len(axes) > 2 and axes != self.frame:
            raise NoVectorFormError("more than two indices")
        return axes

    def _array(self, expr: Any) -> Part:
        """Return an array that is read at free indices, each over the whole of an axis; or a number at fixed ones."""
        reads = self._reads(expr)
        places = [place for _, _, place in reads]
        free = [place for place in places if place in self.ranges]
        if not free:
            return Part(expr)
        if any(place in self.ranges and self.sizes.get((name, n)) != {self.ranges[place]} for name, n, place in reads):
            raise NoVectorFormError("a part of an axis")
        match places:
            case [i, j] if i == j:
                return Part(Diagonal(whole(expr)), (i,))
            case [i, j] if len(free) == 1:
                matrix = whole(expr) if i in self.ranges else transpose(whole(expr))
                return Part(dot(matrix, Unit(j if i in self.ranges else i)), tuple(free))
        if len(set(free)) < len(places) or (len(places) > 2 and tuple(places) != self.frame):
            raise NoVectorFormError("more than two indices")
        return Part(whole(expr), tuple(places))

    def _reads(self, expr: Any) -> list[tuple[str, int, Expr]]:
        """Return where the arrays of an element, or of a derivative, are read: the name, which axis, and the index."""
        elements = expr.args if isinstance(expr, Partial) else (expr,)
        reads = [(str(e.base.label), n, i) for e in elements for n, i in enumerate(getattr(e, "indices", ()))]
        for _, _, place in reads:
            free = place.free_symbols & {*self.ranges}
            if place not in self.ranges and (free or not place.is_Atom):
                raise NoVectorFormError("an index is computed")
        return reads

    def _largest(self, expr: Maximum) -> Part:
        inside = self._within(expr).part(expr.function)
        if len(expr.limits) > 1 or inside.axes != (expr.limits[0][0],):
            raise NoVectorFormError("a maximum of each row")
        return Part(Largest(inside.expr))

    def _by_element(self, expr: Any) -> Part:
        if not expr.args:
            return Part(expr)
        parts = [self.part(a) for a in expr.args]
        axes = self._axes(parts)
        fitted = [self.fit(p, axes) if p.axes else p.expr for p in parts]
        return _part(expr.func(*fitted, evaluate=False) if isinstance(expr, Piecewise) else expr.func(*fitted), axes)

    def _is_indicator(self, expr: Any) -> bool:
        """Return whether an expression is a value where two indices are equal, else 0."""
        (_, condition), *rest = expr.args
        sides = set(condition.args) if isinstance(condition, Eq) else set()
        return bool(sides & {*self.ranges}) and len(rest) == 1 and rest[0].expr == 0

    def _factors(self, expr: Expr) -> Iterator[Part]:
        """Yield the factors of a product; an indicator is a unit vector or the identity."""
        for factor in Mul.make_args(expr):
            if isinstance(factor, Piecewise) and self._is_indicator(factor):
                yield self._unit(*factor.args[0].cond.args)
                yield from self._factors(factor.args[0].expr)
            else:
                yield self.part(factor)

    def _unit(self, i: Expr, j: Expr) -> Part:
        if j in self.ranges and i not in self.ranges:
            i, j = j, i
        if j not in self.ranges and j.is_Atom:
            return Part(Unit(j), (i,))
        if i == j or self.ranges.get(i) != self.ranges.get(j):
            raise NoVectorFormError("indices are compared")
        return Part(IDENTITY, self._axes([Part(S.One, (i, j))]))

    def _together(self, parts: list[Part]) -> Part:
        """Return the product of some parts, over the axes that they have together."""
        axes = self._axes(parts)
        if len(axes) != 2:
            if any(p.axes not in {(), axes} for p in parts):
                raise NoVectorFormError("more than two indices")
            return _part(Mul(*(p.expr for p in parts)), axes)
        number, matrix = Mul(*_over(parts, set())), [self.fit(p, axes) for p in parts if len(p.axes) == 2]
        left, right = (_over(parts, {i}) for i in axes)
        if not matrix:
            return Part(number * dot(Mul(*left), transpose(Mul(*right))), axes)
        sides = [diagonally(Mul(*side)) if side else IDENTITY for side in (left, right)]
        return Part(number * dot(sides[0], Mul(*matrix), sides[1]), axes)

    def _eliminate(self, parts: list[Part], indices: list[Symbol]) -> list[Part]:
        """Return factors whose product is that of `parts` summed over some indices, the simplest index first."""
        if not indices:
            return parts
        k = min(indices, key=lambda index: len(_neighbours(parts, index)))
        rest = [i for i in indices if i != k]
        inside, outside = [p for p in parts if k in p.axes], [p for p in parts if k not in p.axes]
        others = [i for i in dict.fromkeys((*self.frame, *self.ranges)) if i in _neighbours(parts, k)]
        if len(others) == 1 and others[0] in rest and all(set(p.axes) == {k, *others} for p in inside) and not any(
            others[0] in p.axes for p in outside
        ):  # fmt: skip
            total = inner(Mul(*(self.fit(p, inside[0].axes) for p in inside)))
            return self._eliminate([*outside, Part(total)], [i for i in rest if i != others[0]])
        return self._eliminate([*outside, self._sum(inside, k, others)], rest)

    def _sum(self, inside: list[Part], k: Symbol, others: list[Symbol]) -> Part:
        """Return the sum over one index of a product of parts that all have it."""
        if not inside:
            return Part(self.ranges[k])
        weights = Mul(*_over(inside, {k}))
        matrices = [Mul(*(self.fit(p, (i, k)) for p in inside if i in p.axes)) for i in others]
        match matrices:
            case []:
                return Part(inner(weights))
            case [matrix]:
                return Part(dot(matrix, weights if _over(inside, {k}) else ONES), tuple(others))
            case [left, right]:
                middle = diagonally(weights) if _over(inside, {k}) else IDENTITY
                return Part(dot(left, middle, transpose(right)), tuple(others))
        raise NoVectorFormError("more than two indices")


def _part(expr: Expr, axes: tuple[Symbol, ...]) -> Part:
    """Return a part; where arrays cancelled out of one another a number is left."""
    return Part(expr, axes if is_array(expr) else ())


def _over(parts: Iterable[Part], axes: set[Symbol]) -> list[Expr]:
    return [p.expr for p in parts if set(p.axes) == axes]


def _neighbours(parts: Iterable[Part], index: Symbol) -> set[Symbol]:
    """Return the other indices of the parts that have an index."""
    return {i for p in parts if index in p.axes for i in p.axes if i != index}
