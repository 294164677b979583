"""Which loops of a product of arrays with fixed sizes are unrolled and jammed, so that what is loaded is used often."""

from __future__ import annotations

from sympy import Expr, Indexed, Mul, Symbol

from symbackprop.expr.equations import Equation
from symbackprop.expr.reductions import Reduction, outermost
from symbackprop.loops.lower import innermost

WINDOW = 8  # turns of a sum that are written out whole
ROWS = (4, 5, 6, 3, 2)  # turns of another loop at a time, the first of these that divides its size


def register_tile(equation: Equation) -> dict[str, int]:
    """Return how many turns of which loops become one, by the name of the index.

    Innermost is the loop that runs along most rows (see `lower`). Of the others, the last short one that moves along
    all but one array is written out, and so are some turns of the first that leaves one of the arrays in place.
    """
    product, ranges = _product(equation)
    elements = [equation.lhs, *product.atoms(Indexed)]
    if len(ranges) < 4 or len(elements) < 3:
        return {}
    inner = innermost(equation.ranges, elements)
    others = [i for i in ranges if i != inner]
    own = equation.lhs.free_symbols
    short = [
        i for i in others if 1 < ranges[i] <= WINDOW and _is_shared(i, elements) and not _meets(i, inner, equation)
    ]
    reused = [i for i in others if _is_shared(i, elements) and i not in short[-1:] and not _meets(i, inner, equation)
              and (i in own or equation.is_scattered)]  # fmt: skip
    made = {short[-1].name: ranges[short[-1]]} if short else {}
    if reused:
        count = next((n for n in ROWS if ranges[reused[0]] % n == 0), 1)
        made |= {reused[0].name: count} if count > 1 else {}
    return made


def _product(equation: Equation) -> tuple[Expr, dict[Symbol, int]]:
    """Return the product that an equation adds up, and the sizes of its indices where all are fixed."""
    nodes = outermost(equation.rhs, *Reduction)
    value = nodes[0].function if len(nodes) == 1 else equation.rhs - equation.lhs if equation.is_scattered else None
    if not isinstance(value, Mul):
        return Mul(), {}
    if not all(n.is_Integer for n in equation.ranges.values()):
        return Mul(), {}
    return value, {i: int(n) for i, n in equation.ranges.items()}


def _is_shared(index: Symbol, elements: list[Indexed]) -> bool:
    """Whether an index leaves one array in place, whose elements are used again, and moves along others."""
    moved = [e for e in elements if e.has(index)]
    return 0 < len(moved) < len(elements)


def _meets(index: Symbol, inner: Symbol, equation: Equation) -> bool:
    """Whether turns over an index add to elements that turns of the innermost loop add to as well."""
    return any(i.has(index) and i.has(inner) for i in equation.lhs.indices)
