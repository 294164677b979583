"""An outline in the vector form of lectures, as far as that goes: ∇h = Wᵀ ∇a in place of ∂l/∂hⱼ = Σᵢ Wᵢⱼ ∂l/∂aᵢ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count

from sympy import preorder_traversal

from symbackprop.explain.arrays import Diagonal, Diagonally, Inner, Ones, TraceOf, Unit, UnitMatrix
from symbackprop.explain.outline import Line, Outline, distinct
from symbackprop.explain.vectors import NoVectorFormError, Sizes, in_vectors, sizes_of

_INDEX_FORM = "index form: "
_SIGNS = {
    Ones: "𝟏 is a vector of ones", Unit: "e with an index a unit vector", UnitMatrix: "I the identity",
    Diagonally: "Diag(v) is the matrix with v on its diagonal", Diagonal: "diag(A) is the diagonal of A",
    TraceOf: "tr(A) is the sum of the diagonal of A",
    Inner: "‖v‖² is the sum of the squares of the elements, and ⟨A, B⟩ that of their products",
}  # fmt: skip


def in_vector_form(outline: Outline) -> Outline:
    """Return an outline with products of matrices and vectors in place of sums; what has no such form says why."""
    sizes = sizes_of(line for section in outline.sections for line in section.lines)
    numbers = count(1)
    sections = tuple(
        replace(section, lines=tuple(_number(_lines(section.lines, sizes), numbers))) for section in outline.sections
    )
    return replace(outline, sections=sections, preface=_preface(line for s in sections for line in s.lines))


def _number(lines: Iterable[Line], numbers: Iterator[int]) -> Iterator[Line]:
    for line in lines:
        yield replace(line, number=next(numbers)) if line.number else line


def _lines(lines: Iterable[Line], sizes: Sizes) -> Iterator[Line]:
    """Yield lines in vector form; one that only contracts what vectors do not show is left out."""
    before: Line | None = None
    for line in lines:
        changed = _in_vectors(line, sizes)
        continues = line.continues and before is not None and before.target == changed.target
        last = before.sides[-1] if continues and before is not None else changed.target
        sides = distinct(changed.sides, last) if changed.sides != (changed.target,) else changed.sides
        if continues and sides == (last,):
            if line.name == "contract":
                continue
            continues = False
        before = replace(changed, sides=sides, continues=continues)
        yield before


def _in_vectors(line: Line, sizes: Sizes) -> Line:
    try:
        return in_vectors(line, sizes)
    except NoVectorFormError as error:
        return replace(line, note=", ".join(filter(None, (line.note, f"{_INDEX_FORM}{error}"))))


def _preface(lines: Iterable[Line]) -> str:
    """Return what the signs mean that occur in some lines."""
    lines = list(lines)
    nodes = [node for line in lines for side in (line.target, *line.sides) for node in preorder_traversal(side)]
    kinds = {type(node) for node in nodes}
    words = ["∇v is ∂l/∂v; ⊙, ⊘ and functions go element by element"]
    words += [meaning for kind, meaning in _SIGNS.items() if kind in kinds]
    words += ["what has no such form stands in index form"] if any(_INDEX_FORM in line.note for line in lines) else []
    return "; ".join(words) + "."
