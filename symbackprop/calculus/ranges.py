"""What is known of conditions on indices from how far the indices run."""

from __future__ import annotations

from collections.abc import Mapping

from sympy import Basic, Eq, Expr, Ge, Gt, Indexed, Le, Lt, Ne, Piecewise, S
from sympy.core.relational import Relational

Ranges = Mapping[Expr, tuple[Expr, Expr]]  # the least and the greatest value of each index


def proven(condition: Basic, ranges: Ranges) -> Basic:
    """Return a condition with every comparison in it that the ranges decide replaced by its answer.

    >>> from sympy import Integer
    >>> from symbackprop.expr.symbols import Axis
    >>> j = Axis("j", Integer(5)).index
    >>> proven((j >= 0) & (j < 5), {j: (Integer(0), Integer(4))}), proven(j > 3, {j: (Integer(0), Integer(4))})
    (True, j > 3)
    """
    return condition.replace(lambda c: isinstance(c, Relational), lambda c: _answer(c, ranges))


def without_decided(expr: Expr, ranges: Ranges) -> Expr:
    """Return an expression with the pieces left out that the ranges exclude."""

    def pieces(choice: Piecewise) -> Expr:
        return Piecewise(*((value, proven(condition, ranges)) for value, condition in choice.args))

    return expr.replace(lambda e: isinstance(e, Piecewise), pieces)


def _answer(comparison: Relational, ranges: Ranges) -> Basic:
    if not comparison.free_symbols & set(ranges) or comparison.has(Indexed):
        return comparison
    difference = (comparison.lhs - comparison.rhs).expand()
    ends = _extremes(difference, ranges)
    if ends is None:
        return comparison
    least, greatest = ends
    match comparison:
        case Ge() | Lt():
            yes, no = least.is_nonnegative, (-greatest).is_positive
            answer = S.true if yes else S.false if no else None
            negated = isinstance(comparison, Lt)
        case Gt() | Le():
            yes, no = least.is_positive, (-greatest).is_nonnegative
            answer = S.true if yes else S.false if no else None
            negated = isinstance(comparison, Le)
        case Eq() | Ne():
            apart = least.is_positive or (-greatest).is_positive
            answer, negated = (
                (S.false if apart else S.true if least == greatest == 0 else None),
                isinstance(comparison, Ne),
            )
    return comparison if answer is None else ~answer if negated else answer


def _extremes(expr: Expr, ranges: Ranges) -> tuple[Expr, Expr] | None:
    """Return the least and the greatest value of an expression that is affine in the indices."""
    least = greatest = expr
    for index, (low, high) in ranges.items():
        factor = expr.coeff(index)
        if not factor.is_Integer or (expr - factor * index).expand().has(index):
            return None
        ends = (low, high) if factor >= 0 else (high, low)
        least, greatest = least.xreplace({index: ends[0]}), greatest.xreplace({index: ends[1]})
    return least.expand(), greatest.expand()
