"""Whole vectors and matrices in print, for text and for LaTeX: a class to be mixed into a printer of either."""

from __future__ import annotations

from typing import Any

from sympy import Expr, Mul, Pow, S, fraction
from sympy.core.function import Application
from sympy.printing.printer import Printer

from symbackprop.explain.arrays import (
    Diagonal,
    Diagonally,
    Inner,
    Largest,
    Ones,
    TraceOf,
    Transposed,
    Unit,
    UnitMatrix,
    Whole,
    factors_of,
    is_array,
    shape,
)
from symbackprop.expr.printing import by_kind, is_decimal, is_negative
from symbackprop.expr.symbols import plus, scaled

_ATOMS = (Whole, Ones, Unit, UnitMatrix, Transposed, Diagonal, Diagonally, Inner, Largest, TraceOf, Application)


class ArrayPrinter(Printer):
    """Prints arrays with the signs of a language, and all else as the printer that it is mixed into."""

    TIMES, OVER, MINUS = " ⊙ ", " ⊘ ", "-"
    ONES, IDENTITY = "𝟏", "I"
    BRACKETS, ANGLES = ("(", ")"), ("⟨", "⟩")
    NORM = ("‖", "‖²")
    RAISED: tuple[type, ...] = (Pow, Transposed)  # has a sign above, and takes no other

    def _print_Ones(self, _: Any) -> str:
        return self.ONES

    def _print_UnitMatrix(self, _: Any) -> str:
        return self.IDENTITY

    def _print_Diagonal(self, expr: Any) -> str:
        return self._call("diag", expr.args[0])

    def _print_Diagonally(self, expr: Any) -> str:
        return self._call("Diag", expr.args[0])

    def _print_TraceOf(self, expr: Any) -> str:
        return self._call("tr", expr.args[0])

    def _print_Largest(self, expr: Any) -> str:
        return self._call("max", expr.args[0])

    def _print_MatrixProduct(self, expr: Any) -> str:
        return " ".join(map(self._close, expr.args))

    def _print_Inner(self, expr: Any) -> str:
        one, other = expr.args
        if one == other:
            return self._print(one).join(self.NORM)
        return f"{self._print(one)}, {self._print(other)}".join(self.ANGLES)

    def _print_Mul(self, expr: Any) -> str:
        if not is_array(expr):
            return super()._print_Mul(expr)
        if is_negative(expr):
            return self.MINUS + self._print(-expr)
        number, arrays = factors_of(expr)
        below = [f for f in arrays if _is_below(f)]
        above = [f for f in arrays if not _is_below(f)]
        if not above:
            return self._scale(number, self._inverse(Mul(*below)))
        alone = len(arrays) == 1 and not above[0].is_Add
        shown = self._print(above[0]) if alone else self.TIMES.join(map(self._close, above))
        return self._scale(number, self.OVER.join([shown, *(self._close(1 / f) for f in below)]))

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:  # noqa: ARG002, FBT001, FBT002 (SymPy's signature)
        base, power = expr.args
        if not is_array(base) or power == S.Half:
            return super()._print_Pow(expr)
        if _is_below(expr):
            return self._inverse(expr)
        if power == 2 and isinstance(base, Whole):
            return self.TIMES.join([self._print(base)] * 2)
        return self._power(self._as_base(base), power)

    def _inverse(self, expr: Expr) -> str:
        """Return 1 by an array, element by element: a vector of ones by a vector, a matrix to the power of -1."""
        if shape(expr)[1]:
            return self._power(self._as_base(1 / expr), S.NegativeOne)
        return self.OVER.join([self.ONES, self._close(1 / expr)])

    def _call(self, name: str, expr: Expr) -> str:
        return name + self._print(expr).join(self.BRACKETS)

    def _power(self, base: str, power: Expr) -> str:
        raise NotImplementedError

    def _scale(self, number: Expr, array: str) -> str:
        """Return an array times a number, what the number is divided by behind it."""
        above, below = (number, S.One) if is_decimal(number.as_coeff_Mul()[0]) else fraction(number, exact=True)
        return self._front(above) + array + (f"/{self._close(below)}" if below != 1 else "")

    def _front(self, number: Expr) -> str:
        if number == 1:
            return ""
        return " ".join(map(self._close, sorted(Mul.make_args(number), key=by_kind))) + " "

    def _close(self, expr: Expr) -> str:
        """Return an expression in print, in brackets unless it is clear where it ends."""
        text = self._print(expr)
        return text if _is_closed(expr) else text.join(self.BRACKETS)

    def _as_base(self, expr: Expr) -> str:
        """Return an expression in print to which a sign is to be added above: one that has one stands in brackets."""
        return self._print(expr).join(self.BRACKETS) if isinstance(expr, self.RAISED) else self._close(expr)


def _is_below(expr: Expr) -> bool:
    """Return whether a factor is one to divide by."""
    return isinstance(expr, Pow) and bool(expr.exp.is_number and expr.exp.is_negative)


def _is_closed(expr: Expr) -> bool:
    """Return whether an expression is clear without brackets, wherever it stands."""
    if isinstance(expr, Pow):
        return not _is_below(expr) and (expr.exp != 2 or not isinstance(expr.base, Whole))
    if expr.is_Number:
        return bool(expr.is_nonnegative and (expr.is_Integer or is_decimal(expr)))
    named = not expr.args or hasattr(expr, "indices")
    return named or (isinstance(expr, _ATOMS) and not isinstance(expr, plus | scaled))
