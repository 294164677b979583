"""Where parameters start: at 0 if they are but added, else drawn with the fan-in and fan-out that an equation has."""

from __future__ import annotations

from collections.abc import Mapping

from sympy import Add, Expr, Indexed, Mul, Symbol, preorder_traversal

from symbackprop.definitions.shape_inference import accesses
from symbackprop.expr.reductions import Maximum, Sum
from symbackprop.parse.index_equation import IndexEquation


def is_added(element: Expr, equation: IndexEquation) -> bool:
    """Whether a parameter is a bias: it is but added, or each unit has one that is added to something within."""
    if any(i.has(Indexed) for i in getattr(element, "indices", ())):
        return False
    around = [n for n in preorder_traversal(equation.rhs) if element in n.args]
    of_each_unit = set(getattr(element, "indices", ())) <= equation.lhs.free_symbols
    return _is_term(element, equation.rhs) or (of_each_unit and all(isinstance(n, Add) for n in around))


def _is_term(element: Expr, expr: Expr) -> bool:
    """Whether an expression is a parameter times a number, and what does not depend on it."""
    if isinstance(expr, Sum | Maximum):
        return _is_term(element, expr.function)
    if isinstance(expr, Add):
        return all(_is_term(element, term) for term in expr.args if term.has(element))
    return expr.as_coeff_Mul()[1] == element


def fans_of(element: Expr, equation: IndexEquation, sizes: Mapping[Symbol, Expr], data: set[str]) -> tuple[Expr, Expr]:
    """Return how many elements of a parameter enter one value, and how many meet one value of the layer below."""
    indices = [s for i in getattr(element, "indices", ()) for s in i.free_symbols if s in sizes]
    written = equation.lhs.free_symbols
    reads = [a.element for a in accesses(equation.rhs) if a.name in data]
    alone = {i for read in reads for i in read.indices if i.is_Symbol}
    fan_in = Mul(*(sizes[i] for i in dict.fromkeys(indices) if i not in written))
    fan_out = Mul(*(sizes[i] for i in dict.fromkeys(indices) if i not in alone))
    return fan_in, fan_out
