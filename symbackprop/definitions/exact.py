"""Formulas as given, made exact: what is no real formula is refused, and a decimal is the number that was written."""

from typing import Any

from sympy import Expr, Float, Rational, S

from symbackprop.expr.conditions import normalised


def exact(made: Any) -> Expr:
    """Return an expression in which a float such as 0.1 is the decimal number it was written as."""
    if isinstance(made, bool) or not isinstance(made, Expr | int | float):
        kind = type(made).__name__
        raise ValueError(f"a formula is {made!r}, a {kind}, expected a SymPy expression of its arguments")  # noqa: TRY004
    made = S.One * made
    for number in (S.NaN, S.Infinity, S.NegativeInfinity, S.ComplexInfinity, S.ImaginaryUnit):
        if made.has(number):
            raise ValueError(f"the formula {made} has {number} in it, expected real and finite numbers")
    return normalised(made.xreplace({x: Rational(str(float(x))) for x in made.atoms(Float)}))
