"""Whole vectors and matrices as SymPy's expressions; their sums, products and functions go element by element."""

from __future__ import annotations

from typing import Any

from sympy import Expr, Integer, Mul, S, Symbol
from sympy.printing.precedence import PRECEDENCE

from symbackprop.expr.symbols import Partial, scalar

GRADIENT = "∂l/∂"  # what the name of a stored derivative of the loss begins with


class Array(Expr):
    """A vector or a matrix, or a number made of them: a node that is not computed element by element."""

    is_commutative = True
    is_real = True
    rows = True
    columns = False

    @property
    def is_scalar(self) -> bool:
        """Whether it is one number."""
        return not (self.rows or self.columns)

    def count_ops(self, visual: bool | None = None) -> int:  # noqa: FBT001 (SymPy's signature)
        """Return how many operations it takes, by which terms are put in order."""
        return sum(1 + a.count_ops(visual) for a in self.args)


class Whole(Array):
    """An array under its name and with the number of its indices; one index makes a column."""

    @property
    def columns(self) -> bool:  # type: ignore[override]
        """Whether it has more than one index."""
        return bool(self.args[1] > 1)

    def count_ops(self, visual: bool | None = None) -> int:  # noqa: ARG002, FBT001 (SymPy's signature)
        """Return 0: it is read."""
        return 0


class Ones(Array):
    """The vector whose elements are all 1, as long as it has to be."""


class Unit(Array):
    """The vector with 1 at an index and 0 elsewhere."""


class UnitMatrix(Array):
    """The matrix with ones on its diagonal."""

    columns = True


class Diagonal(Array):
    """The diagonal of a matrix, as a vector."""


class Diagonally(Array):
    """A vector as the diagonal of a matrix."""

    columns = True


class Transposed(Array):
    """A matrix or a vector with rows and columns exchanged."""

    @property
    def rows(self) -> bool:  # type: ignore[override]
        """Whether it is more than one row."""
        return shape(self.args[0])[1]

    @property
    def columns(self) -> bool:  # type: ignore[override]
        """Whether it is more than one column."""
        return shape(self.args[0])[0]


class MatrixProduct(Array):
    """A product of matrices and vectors, in the order of its factors."""

    precedence = PRECEDENCE["Mul"]

    @property
    def rows(self) -> bool:  # type: ignore[override]
        """Whether the first factor has rows."""
        return shape(self.args[0])[0]

    @property
    def columns(self) -> bool:  # type: ignore[override]
        """Whether the last factor has columns."""
        return shape(self.args[-1])[1]


class Inner(Array):
    """The sum of the products of the elements of two arrays; of an array with itself, its norm's square."""

    rows = False


class TraceOf(Array):
    """The sum of the diagonal of a matrix."""

    rows = False


class Largest(Array):
    """The largest element of a vector."""

    rows = False


ONES, IDENTITY = Ones(), UnitMatrix()


def shape(expr: Any) -> tuple[bool, bool]:
    """Return whether an expression has rows, and whether it has columns; a number has neither."""
    if isinstance(expr, Array):
        return expr.rows, expr.columns
    if isinstance(expr, Partial):
        rank = sum(int(a.args[1]) for a in expr.args if isinstance(a, Whole))
        return rank > 0, rank > 1
    shapes = [shape(a) for a in expr.args]
    return any(rows for rows, _ in shapes), any(columns for _, columns in shapes)


def is_array(expr: Any) -> bool:
    """Return whether an expression is a vector or a matrix, not a number."""
    return any(shape(expr))


def whole(element: Expr) -> Expr:
    """Return the array of an element; a scalar is itself, and ∂l/∂p as the array that it is stored in."""
    if isinstance(element, Partial):
        q, p = map(whole, element.args)
        stored = q == scalar("l") and isinstance(p, Whole)
        return Whole(Symbol(GRADIENT + str(p.args[0])), p.args[1]) if stored else Partial(q, p)
    indices = getattr(element, "indices", ())
    return Whole(Symbol(str(element.base.label)), Integer(len(indices))) if indices else element


def factors_of(expr: Expr) -> tuple[Expr, list[Expr]]:
    """Return the product of the factors that are numbers, and the arrays among them in the order of a lecture."""
    factors = Mul.make_args(expr)
    arrays = sorted((f for f in factors if is_array(f)), key=_by_kind)
    return Mul(*(f for f in factors if not is_array(f))), arrays


def _by_kind(array: Expr) -> tuple[int, int, str]:
    """Gradients first, then other arrays, then what is computed from them, sums last."""
    name = str(array.args[0]) if isinstance(array, Whole) else ""
    kind = 0 if name.startswith("∂") else 1 if name else 3 if array.is_Add else 2
    return (kind, array.count_ops(), str(array))


def transpose(expr: Expr) -> Expr:
    """Return Aᵀ, numbers in front; (Aᵀ)ᵀ is A, and a diagonal matrix is its own."""
    number, arrays = factors_of(expr)
    array = Mul(*arrays)
    if isinstance(array, Transposed):
        return number * array.args[0]
    if isinstance(array, MatrixProduct):
        return number * dot(*map(transpose, reversed(array.args)))
    return number * (array if isinstance(array, UnitMatrix | Diagonally) else Transposed(array))


def diagonally(vector: Expr) -> Expr:
    """Return the matrix with a vector on its diagonal."""
    return IDENTITY if vector == ONES else Diagonally(vector)


def dot(*factors: Expr) -> Expr:
    """Return a product of matrices and vectors: numbers in front, no identities, diagonals side by side made one."""
    number: Expr = S.One
    merged: list[Expr] = []
    for factor in factors:
        scale, arrays = factors_of(factor)
        number *= scale
        array = Mul(*arrays)
        for part in array.args if isinstance(array, MatrixProduct) else (array,):
            if merged and isinstance(part, Diagonally) and isinstance(merged[-1], Diagonally):
                merged.append(Diagonally(merged.pop().args[0] * part.args[0]))
            elif part != IDENTITY:
                merged.append(part)
    return number * (MatrixProduct(*merged) if len(merged) > 1 else merged[0] if merged else IDENTITY)


def inner(product: Expr) -> Expr:
    """Return the sum of the elements of a product that goes element by element."""
    number, (first, *rest) = factors_of(product)
    if not rest and first.is_Pow and first.exp == 2:
        return number * Inner(first.base, first.base)
    if not rest and isinstance(first, Diagonal):
        return number * TraceOf(first.args[0])
    if not rest:
        return number * dot(Transposed(ONES), dot(first, ONES) if shape(first)[1] else first)
    other = Mul(*rest)
    return number * (Inner(first, other) if shape(first)[1] else dot(transpose(first), other))
