"""Formulas as given, made exact: what is no real formula is refused, and a decimal is the number that was written."""

from typing import Any

from sympy import Expr, Float, Rational, S

from symbackprop.expr.conditions import normalised


def exact(formula: Any) -> Expr:
    """Return an expression in which a float such as 0.1 is the decimal number it was written as."""
    if isinstance(formula, bool) or not isinstance(formula, Expr | int | float):
        what = f"{formula!r}, a {type(formula).__name__}"
        raise ValueError(f"a formula is {what}, expected a SymPy expression of its arguments")  # noqa: TRY004
    formula = S.One * formula
    for number in (S.NaN, S.Infinity, S.NegativeInfinity, S.ComplexInfinity, S.ImaginaryUnit):
        if formula.has(number):
            raise ValueError(f"the formula {formula} has {number} in it, expected real and finite numbers")
    return normalised(formula.xreplace({x: Rational(str(float(x))) for x in formula.atoms(Float)}))
