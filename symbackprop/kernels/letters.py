"""The letters of indices: windows and maps have on the way back those that the same arrays have on the way forward."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sympy import Expr, Indexed, Symbol

from symbackprop.definitions.instantiate import INDICES
from symbackprop.derivation.training_step import Stages
from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import split
from symbackprop.expr.reductions import Reduction
from symbackprop.expr.symbols import Axis, index, name_of

MATRIX = {index("i"), index("j")}  # the letters of a matrix, whose rows other passes know by them

Indices = tuple[Expr, ...]


def in_letters_of_forward(stages: Stages) -> Stages:
    """Return equations whose indices have, on the way back, the letters that they have on the way forward."""
    letters: dict[tuple[str, bool], Indices] = {}
    for equation in stages.forward:
        for element in _elements(equation):
            letters.setdefault((name_of(element), _is_plain(element)), element.indices)

    def relettered(equations: tuple[Equation, ...]) -> tuple[Equation, ...]:
        return tuple(_relettered(e, letters) for e in equations)

    return replace(
        stages, backward=relettered(stages.backward), gradients=relettered(stages.gradients),
        updates=relettered(stages.updates), objective=relettered(stages.objective),
        clipping=relettered(stages.clipping),
    )  # fmt: skip


def _relettered(equation: Equation, letters: dict[tuple[str, bool], Indices]) -> Equation:
    bound = dict.fromkeys([*equation.ranges, *(limit[0] for n in equation.rhs.atoms(*Reduction) for limit in n.limits)])
    swap: dict[Expr, Expr] = {}
    for element in sorted(_elements(equation), key=lambda e: -len(e.indices)):
        known = letters.get((_value_of(element), _is_plain(element)), ())
        axes = zip(element.indices, known, strict=False)
        for i, letter in (pair for here, there in axes for pair in _pairs(here, there)):
            if i in bound and i not in swap and letter not in swap.values():
                swap[i] = letter
    if {*swap.values()} <= MATRIX:
        return equation
    free = (letter for letter in map(index, INDICES) if letter not in {*swap.values(), *bound})
    swap |= {i: i if i not in swap.values() else next(free) for i in bound if i not in swap}
    over = tuple(Axis(str(swap[axis.index]), axis.size) for axis in equation.over)
    return replace(equation, lhs=equation.lhs.xreplace(swap), rhs=equation.rhs.xreplace(swap), over=over)


def _pairs(here: Expr, there: Expr) -> Iterator[tuple[Expr, Expr]]:
    """Yield which symbol of an index is which of another, where their factors tell: k and j of 2 k + j are p and u of
    2 p + u.
    """
    for factor in {here.coeff(i) for i in _letters_of(here)}:
        one, other = ([i for i in _letters_of(e) if e.coeff(i) == factor] for e in (here, there))
        if len(one) == len(other) == 1:
            yield one[0], other[0]


def _letters_of(place: Expr) -> list[Symbol]:
    """Return the symbols that an index is a sum of multiples of: where a maximum is has none."""
    return [i for i in place.free_symbols if isinstance(i, Symbol) and place.coeff(i) != 0]


def _elements(equation: Equation) -> list[Indexed]:
    """Return the elements of an equation, the left side first."""
    sides = [equation.lhs] if isinstance(equation.lhs, Indexed) else []
    return [*sides, *sorted(equation.rhs.atoms(Indexed), key=str)]


def _is_plain(element: Indexed) -> bool:
    return all(isinstance(i, Symbol) for i in element.indices)


def _value_of(element: Indexed) -> str:
    """Return the name of the array whose gradient an element is of, or its own."""
    letter, layer = split(name_of(element))
    return "^".join(filter(None, (letter.removeprefix("∂l/∂"), layer)))
