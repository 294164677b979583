"""Conditions in a form that SymPy leaves alone, and what is decided by comparing: the largest, the smallest.

SymPy writes the conditions of a `Piecewise` anew until they stay the same, which some never do (-y/10 + f/10 <= 9y/10 -
9f/10 goes round for ever), and takes minutes to make sets of conditions that have pieces in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sympy import ITE, Add, And, Basic, Expr, Indexed, Le, Max, Min, Mul, Not, Or, Piecewise, S, Symbol
from sympy.core.relational import Relational

from symbackprop.expr.symbols import plus

CASES = 64  # of a comparison, one for each of the pieces that its sides have
Comparison = Callable[[Expr, Expr], Any]


def compared(kind: Comparison, left: Expr, right: Expr) -> Basic:
    """Return a comparison of real expressions: of a difference, without a common factor, with a number.

    Comparisons with a number, of two elements and of indices stay as they are. Where a side has pieces, there is a
    comparison for each of them.

    >>> from sympy import Ge, Rational, symbols
    >>> f, y = symbols("f y", real=True)
    >>> compared(Ge, Rational(9, 10) * (y - f), Rational(-1, 10) * (y - f)), compared(Ge, y, f)
    (-f + y >= 0, y >= f)

    Raises
    ------
    ValueError
        If there would be more than 64 cases.
    """
    cases = _cases((S.true, in_pieces(left), in_pieces(right)))
    return Or(*(And(condition, _difference(kind, *sides)) for condition, *sides in cases))


def _cases(case: tuple[Basic, Expr, Expr]) -> list[tuple[Basic, Expr, Expr]]:
    """Return what two sides are, without pieces, and when."""
    open_, cases = [case], []
    while open_:
        condition, left, right = open_.pop()
        inner_first = sorted(left.atoms(Piecewise) | right.atoms(Piecewise), key=lambda p: p.count_ops())
        choice = min((p for p in inner_first if p.count_ops() == inner_first[0].count_ops()), key=str, default=None)
        if choice is None:
            cases.append((condition, left, right))
            continue
        others: Basic = S.true
        for value, holds in choice.args:
            here = And(condition, others, holds)
            if here != False:  # noqa: E712 (a SymPy truth)
                open_.append((here, left.xreplace({choice: value}), right.xreplace({choice: value})))
            others = And(others, Not(holds))
        if len(open_) + len(cases) > CASES:
            raise ValueError(f"a comparison of more than {CASES} cases")
    return cases


def _difference(kind: Comparison, left: Expr, right: Expr) -> Any:
    is_plain = all(isinstance(side, Symbol | Indexed) or side.is_integer for side in (left, right))
    if is_plain or left.is_number or right.is_number:
        return kind(left, right)
    number, rest = (left - right).as_coeff_Add()
    factor, rest = rest.primitive()
    return kind(rest, -number / factor) if factor > 0 else kind(-number / factor, rest)


def left_alone(expr: Expr) -> Expr:
    """Return a difference of which no number is taken to the other side of a comparison with 0, which would round it.

    >>> from sympy import cos, symbols
    >>> x = symbols("x", real=True)
    >>> [Piecewise((1, u < 0), (2, True)).args[0].cond for u in (cos(x) - 1, left_alone(cos(x) - 1))]
    [cos(x) < 1, plus(cos(x), -1) < 0]
    """
    match expr:
        case Piecewise():
            return Piecewise(*((left_alone(value), holds) for value, holds in expr.args), evaluate=False)
        case Mul():
            return Mul(*map(left_alone, expr.args))
        case Add() if expr.as_coeff_Add()[0] != 0:
            number, rest = expr.as_coeff_Add()
            return plus(rest, number)
    return expr


def in_pieces(expr: Expr) -> Expr:
    """Return an expression with Max and Min as pieces; a tie goes to the first argument."""

    def of_all(values: Iterable[Expr], is_first: Callable[[Expr, Expr], Basic]) -> Expr:
        pieces, rest = [], list(values)
        while len(rest) > 1:
            first, *rest = rest
            pieces.append((first, And(*(is_first(first, other) for other in rest))))
        return Piecewise(*pieces, (rest[0], True))

    expr = expr.replace(Max, lambda *values: of_all(values, lambda u, v: compared(Le, v, u)))
    return expr.replace(Min, lambda *values: of_all(values, lambda u, v: compared(Le, u, v)))


def normalised(expr: Expr) -> Expr:
    """Return an expression in which every comparison is as `compared` writes it."""
    expr = expr.replace(ITE, lambda c, yes, no: Or(And(c, yes), And(Not(c), no)))  # what SymPy makes of {...} <= x
    return expr.replace(
        lambda e: isinstance(e, Relational) and not any(s.is_integer for s in e.args),
        lambda e: compared(e.func, *e.args),
    )
