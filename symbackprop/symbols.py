"""The symbols every formula is made of, made in one place so that their assumptions agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sympy import Eq, Expr, Indexed, IndexedBase, Piecewise, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.logic.boolalg import BooleanFunction


class Maximum(ExprWithLimits):
    """The largest value of an expression over an index, as `Sum` is its sum."""


class Partial(Expr):
    """An unevaluated partial derivative of one array element with respect to another: ∂q[i]/∂p[r]."""


class Finite(BooleanFunction):
    """Whether a value is neither infinite nor NaN."""


@dataclass(frozen=True)
class Axis:
    """An index with its range 0..size-1; the only maker of index symbols."""

    name: str
    size: Expr

    @property
    def index(self) -> Symbol:
        """The index symbol of this axis."""
        return Symbol(self.name, integer=True, nonnegative=True)

    @property
    def limits(self) -> tuple[Expr, Expr, Expr]:
        """The limits that a `Sum` over this axis takes."""
        return (self.index, 0, self.size - 1)

    def sum(self, body: Callable[[Symbol], Expr]) -> Expr:
        """Return Σ body(index) over this axis."""
        return Sum(body(self.index), self.limits)


def size(name: str) -> Symbol:
    """Return the symbol of an axis' size."""
    return Symbol(name, integer=True, positive=True)


def scalar(name: str) -> Symbol:
    """Return a real scalar: a hyperparameter, a loss, a named intermediate."""
    return Symbol(name, real=True)


def array(name: str) -> IndexedBase:
    """Return a real array; its elements are taken with ``array(name)[i, j]``."""
    return IndexedBase(Symbol(name, real=True), real=True)


LABEL = Symbol("y", integer=True, nonnegative=True)


def indicator(left: Expr, right: Expr) -> Expr:
    """Return 1[left = right]."""
    return Piecewise((1, Eq(left, right)), (0, True))


def name_of(target: Expr) -> str:
    """Return the name of a scalar or of an array element."""
    return str(target.base.label) if isinstance(target, Indexed) else target.name
