"""How far the indices of a layer's equations run: found from the shapes of what they read, or given.

An index that stands alone runs over the whole axis; one in 2*y + u runs as far as the axis allows. What is read by
nobody else's shape, such as the number of units, is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import And, Expr, Ge, Gt, Indexed, Integer, Le, Lt, Piecewise, Symbol

from symbackprop.expr.evaluate import evaluated
from symbackprop.expr.printing import formula
from symbackprop.expr.reductions import Maximum, Sum
from symbackprop.expr.symbols import index, name_of, symbols_in
from symbackprop.parse.index_equation import IndexEquation, affine, extent

Shape = tuple[Expr, ...]
GRID = 10**6  # values of indices that are tried where a condition guards a read


@dataclass(frozen=True)
class Access:
    """A read, or the write, of an array: at which indices, under which conditions."""

    element: Indexed
    guards: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The name of the array."""
        return name_of(self.element)


def accesses(expr: Any, guards: tuple[Any, ...] = ()) -> Iterator[Access]:
    """Yield every element that an expression reads, with the conditions around it, those in other indices too."""
    if isinstance(expr, Indexed):
        yield Access(expr, guards)
        for place in expr.indices:
            yield from accesses(place, guards)
    elif isinstance(expr, Piecewise):
        before: tuple[Any, ...] = ()
        for value, condition in expr.args:
            yield from accesses(condition, guards + before)
            about = (condition,) if _is_about_indices(condition) else ()
            yield from accesses(value, (*guards, *before, *about))
            before = (*before, *(~c for c in about))
    else:
        for arg in expr.args:
            yield from accesses(arg, guards)


def _is_about_indices(condition: Any) -> bool:
    return (
        bool(condition.free_symbols) and all(s.is_integer for s in symbols_in(condition)) and not condition.has(Indexed)
    )


def letters(equation: IndexEquation) -> tuple[Symbol, ...]:
    """Return the indices of an equation: those of its left side, then those of its sums, in order."""
    indices: dict[Symbol, None] = {}
    if isinstance(equation.lhs, Indexed):
        indices |= dict.fromkeys(s for i in equation.lhs.indices for s in sorted(i.free_symbols, key=str))
    for node in (*equation.rhs.atoms(Sum, Maximum),):
        indices |= {limit[0]: None for limit in node.limits}
    return tuple(indices)


def sizes_of(
    equation: IndexEquation,
    known: Mapping[str, Shape],
    by_letter: Mapping[str, Expr],
    around: Iterable[IndexEquation] = (),
) -> dict[Symbol, Expr]:
    """Return the size of every index of an equation.

    Parameters
    ----------
    equation
        As written.
    known
        Shapes of the arrays that exist.
    by_letter
        Sizes by the letter of the index.
    around
        The other equations of the layer: an index of whose size this one says nothing may run over an axis there.
        Last of all a condition may restrict the index, as in h[j] if j <= i; then j runs over the axis as well, and i
        as far as j, unless i is restricted elsewhere.

    Raises
    ------
    ValueError
        If a size is found nowhere, or two places say different things; the message has the equation.
    """
    sizes = {i: by_letter[i.name] for i in letters(equation) if i.name in by_letter}
    bounds = [b for access in accesses(equation.rhs) if access.name in known for b in _bounds(access, known, equation)]
    free = [b for b in bounds if not b.ceilings]
    for i in letters(equation):
        if i not in sizes and (whole := _whole(i, free, equation)) is not None:
            sizes[i] = whole
    while more := _infer_one(bounds, sizes):
        sizes |= more
    missing = [i for i in letters(equation) if i not in sizes]
    others = [b for e in around for a in accesses(e.rhs) if a.name in known for b in _bounds(a, known, e)]
    for i in missing:
        sizes |= _agreed(i, {b.size for b in (*bounds, *others) if b.place == i})
    for i in missing:
        if i not in sizes:
            sizes |= _agreed(i, {sizes[j] for j in _compared(i, bounds) if j in sizes})
        if i not in sizes:
            raise ValueError(f"the size of {i} is found nowhere in {equation.text!r}; give it, as in {i}=8")
    for i in letters(equation):
        if sizes[i].is_Integer and sizes[i] < 1:
            raise ValueError(f"the index {i} of {equation.text!r} has no value: a window is larger than its axis")
    return sizes


def _agreed(i: Symbol, sizes: set[Expr]) -> dict[Symbol, Expr]:
    return dict.fromkeys([i], *sizes) if len(sizes) == 1 else {}


def _compared(i: Symbol, bounds: Iterable[_Bound]) -> Iterator[Symbol]:
    """Yield the indices that an index is compared with, itself and not shifted, where a condition guards a read."""
    for condition in {c for b in bounds for guard in b.access.guards for c in And.make_args(guard)}:
        sides = getattr(condition, "args", ())
        if i in sides and len(sides) == 2:
            yield from (j for j in sides if j.is_Symbol and j != i)


@dataclass(frozen=True)
class _Bound:
    """``place`` of an access must be less than `size`."""

    access: Access
    place: Expr
    size: Expr

    @property
    def ceilings(self) -> tuple[Expr, ...]:
        """What conditions say that `place` is at most."""
        every = [g for guard in self.access.guards for g in And.make_args(guard)]
        pairs = [pair for g in every if (pair := _at_most(g)) is not None]
        ceilings = [(right + self.place - left).expand() for left, right in pairs if (self.place - left).is_number]
        return tuple(ceilings)


def _at_most(condition: Any) -> tuple[Expr, Expr] | None:
    """Return the sides of left ≤ right for a comparison of whole numbers."""
    match condition:
        case Le() | Lt():
            return condition.lhs, condition.rhs - int(isinstance(condition, Lt))
        case Ge() | Gt():
            return condition.rhs, condition.lhs - int(isinstance(condition, Gt))
    return None


def _bounds(access: Access, known: Mapping[str, Shape], equation: IndexEquation) -> list[_Bound]:
    shape = known[access.name]
    if len(access.element.indices) != len(shape):
        raise ValueError(
            f"{formula(access.element, code=True)} in {equation.text!r} has {len(access.element.indices)} indices, "
            f"but {access.name} has {len(shape)} ax{'e' if len(shape) > 1 else 'i'}s: {_shown(shape)}"
        )
    return [_Bound(access, i, n) for i, n in zip(access.element.indices, shape, strict=True)]


def _whole(i: Symbol, bounds: list[_Bound], equation: IndexEquation) -> Expr | None:
    """Return the size of the axes over which an index runs alone, if it is nowhere shifted."""
    alone = [b for b in bounds if b.place == i]
    shifted = [b for b in bounds if b.place != i and b.place.has(i)]
    if not alone or any(b.access.name == s.access.name for b in alone for s in shifted):
        return None
    first, *others = alone
    for other in others:
        if other.size != first.size:
            one, two = (formula(b.access.element, code=True) for b in (first, other))
            raise ValueError(
                f"in {equation.text!r} the index {i} runs to {first.size} in {one} and to {other.size} in {two}"
            )
    return first.size


def _infer_one(bounds: list[_Bound], sizes: Mapping[Symbol, Expr]) -> dict[Symbol, Expr]:
    """Return one more size: of an index that is alone unknown where it is read, as far as every read allows."""
    limits: dict[Symbol, list[Expr]] = {}
    for bound in bounds:
        for i, end in _by_conditions(bound) if bound.ceilings else _by_itself(bound, sizes):
            if i not in sizes:
                limits.setdefault(i, []).append(end)
    free = [symbols_in(b.place) for b in bounds if not b.ceilings]
    waiting = {i for read in free for i in read if i not in sizes and i not in limits}
    for i, ends in limits.items():
        if not waiting & {j for read in free if i in read for j in read}:
            return {i: min(ends) if all(e.is_Integer for e in ends) else ends[0]}
    return {}


def _by_itself(bound: _Bound, sizes: Mapping[Symbol, Expr]) -> Iterator[tuple[Symbol, Expr]]:
    """Yield how far the one unknown index of a read may run."""
    parts = affine(bound.place, symbols_in(bound.place))
    unknown = [i for i in parts[0] if i not in sizes] if parts else []
    if parts and len(unknown) == 1 and parts[0][unknown[0]] > 0:
        (i,) = unknown
        others = sum((f * (sizes[j] - 1) for j, f in parts[0].items() if j != i and f > 0), Integer(0))
        yield i, (bound.size - 1 - parts[1] - others) // parts[0][i] + 1


def _by_conditions(bound: _Bound) -> Iterator[tuple[Symbol, Expr]]:
    """Yield how far an index runs if a condition such as i < size(i) - 1 is just to keep a read on its axis."""
    for ceiling in bound.ceilings:
        names = [s.name.removeprefix("size(")[:-1] for s in ceiling.free_symbols if s.name.startswith("size(")]
        if len(names) == 1 and ceiling.free_symbols == {extent(names[0])} and ceiling.coeff(extent(names[0])) == 1:
            yield index(names[0]), bound.size - 1 - (ceiling - extent(names[0]))


def fill_in(equation: IndexEquation, sizes: Mapping[Symbol, Expr]) -> IndexEquation:
    """Return an equation with the sizes of its indices written in."""
    swap = {extent(i.name): n for i, n in sizes.items()}
    return IndexEquation(equation.lhs.xreplace(swap), equation.rhs.xreplace(swap), equation.text)


def require_within(equation: IndexEquation, known: Mapping[str, Shape], sizes: Mapping[Symbol, Expr]) -> None:
    """Raise ValueError if an array is read outside of its axes for some values of the indices."""
    for access in accesses(equation.rhs):
        for place, size in zip(access.element.indices, known[access.name], strict=True):
            if place in sizes and sizes[place] == size:
                continue
            wrong = _outside(place, size, access.guards, sizes)
            if wrong is not None:
                raise ValueError(
                    f"{formula(access.element, code=True)} in {equation.text!r} reads index {wrong} of an axis "
                    f"of {size}; {'its condition' if access.guards else 'write a condition that'} must exclude it"
                )


def _outside(place: Expr, size: Expr, guards: tuple[Any, ...], sizes: Mapping[Symbol, Expr]) -> int | None:
    """Return a value of an index that is not on its axis; None where there is none, or it depends on data."""
    symbols = [i for i in sizes if place.has(i) or any(g.has(i) for g in guards)]
    if place.has(Indexed) or any(g.has(Indexed) for g in guards) or not size.is_Integer:
        return None
    if int(np.prod([int(sizes[i]) for i in symbols], dtype=object)) > GRID:
        raise ValueError(f"the condition around {place} has too many indices to be checked")
    grid = dict(zip(symbols, np.ogrid[tuple(slice(int(sizes[i])) for i in symbols)], strict=True)) if symbols else {}
    values = np.real(evaluated(place, grid))
    wrong = (values < 0) | (values >= int(size))
    for guard in guards:
        wrong = wrong & evaluated(guard, grid)
    return int(np.broadcast_to(values, np.shape(wrong))[wrong][0]) if np.any(wrong) else None


def shape_of(equation: IndexEquation, element: Indexed, sizes: Mapping[Symbol, Expr], rows: int | None = None) -> Shape:
    """Return the smallest shape of an array that has an element wherever an equation reads, or writes, it.

    `rows` is how many there are along an axis with an index that is data.
    """
    return tuple(
        Integer(rows) if rows and place.has(Indexed) else _last(place, sizes, equation) + 1 for place in element.indices
    )


def _last(place: Expr, sizes: Mapping[Symbol, Expr], equation: IndexEquation) -> Expr:
    parts = affine(place, [i for i in sizes if place.has(i)])
    if parts is None or parts[1].free_symbols or any(f < 0 for f in parts[0].values()) or parts[1] < 0:
        raise ValueError(f"the size of the axis with the index {place} is found nowhere in {equation.text!r}")
    return sum((f * (sizes[i] - 1) for i, f in parts[0].items()), parts[1])


def _shown(shape: Shape) -> str:
    return " x ".join(map(str, shape))
