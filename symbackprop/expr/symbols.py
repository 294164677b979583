"""The symbols every formula is made of, made in one place so that their assumptions agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sympy import (
    Abs,
    Add,
    Basic,
    Eq,
    Expr,
    Function,
    Indexed,
    IndexedBase,
    Mul,
    Piecewise,
    Pow,
    S,
    Symbol,
    erfc,
    exp,
    sqrt,
)
from sympy.logic.boolalg import BooleanFunction
from sympy.printing.precedence import PRECEDENCE

from symbackprop.expr.reductions import Sum


class Partial(Expr):
    """An unevaluated partial derivative of one array element with respect to another: ∂q[i]/∂p[r]."""


class Finite(BooleanFunction):
    """Whether a value is neither infinite nor NaN."""


class AtInfinity(BooleanFunction):
    """Whether a value is +∞ itself; that of -u, whether u is -∞."""

    @classmethod
    def eval(cls, value: Expr) -> Any:
        """Return the answer where it is known: no finite number is infinite."""
        return S.true if value is S.Infinity else S.false if value.is_Number else None

    def _latex(self, printer: Any) -> str:
        value = self.args[0]
        minus = value.could_extract_minus_sign()
        return rf"{printer._print(-value if minus else value)} = {'-' * minus}\infty"  # noqa: SLF001 (SymPy's protocol)


class _Defined(Function):
    """A function that is computed by a text of its own, and known to SymPy by what it stands for."""

    nargs = 1

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool | None:
        return self.meaning().is_nonnegative

    def _eval_evalf(self, prec: int) -> Expr:
        return self.meaning()._eval_evalf(prec)  # noqa: SLF001 (SymPy's protocol)

    def _latex(self, printer: Any, exp: str = "") -> str:
        text = self._latex_of_one(printer)
        return rf"\left({text}\right)^{{{exp}}}" if exp else text

    def _latex_of_one(self, printer: Any) -> str:
        """Return the function as LaTeX; its power is put around it."""
        return printer._print(self.meaning())  # noqa: SLF001 (SymPy's protocol)

    def meaning(self) -> Expr:
        """Return what the function stands for, in SymPy's own functions."""
        raise NotImplementedError


class decay(_Defined):
    """exp(-|u|), kept whole: SymPy would write its square as another exponential, to be computed again."""

    def meaning(self) -> Expr:
        """Return exp(-|u|)."""
        return exp(-Abs(self.args[0]))


class accurate_exp(_Defined):
    """exp(u), its exponent computed with what its roundings lost: e^100 has 100 times the relative error of 100."""

    def meaning(self) -> Expr:
        """Return exp(u)."""
        return exp(self.args[0])

    def reads(self) -> Iterator[Expr]:
        """Yield what the exponent is computed from, as it is: of the operations on it the roundings are known."""
        yield from _read_by(self.args[0])


def _read_by(u: Expr) -> Iterator[Expr]:
    if u.is_number:
        return
    if _has_known_rounding(u):
        for part in u.args:
            yield from _read_by(part)
    else:
        yield u


def _has_known_rounding(u: Expr) -> bool:
    if isinstance(u, Pow):
        return bool(u.exp == S.Half or (u.exp.is_Integer and abs(u.exp) <= _LARGEST_POWER))
    return isinstance(u, Add | Mul | Abs | exp | accurate_exp)


_LARGEST_POWER = 12


class gauss(_Defined):
    """exp(-u²/2), whose text does not round u² before it takes the exponential."""

    def meaning(self) -> Expr:
        """Return exp(-u²/2)."""
        return exp(-(self.args[0] ** 2) / 2)


class normal(_Defined):
    """erfc(-u/√2)/2: the probability that a standard normal number is below u."""

    def meaning(self) -> Expr:
        """Return erfc(-u/√2)/2."""
        return erfc(-self.args[0] / sqrt(2)) / 2


class scaled(_Defined):
    """m h², computed as (m h) h: h² alone may be subnormal, and lose its digits, where m h² is not."""

    nargs = 2

    def meaning(self) -> Expr:
        """Return m h²."""
        return self.args[0] * self.args[1] ** 2


class stored(_Defined):
    """u, computed and kept before it is read: SymPy must not make h = log u and exp(h) one."""

    def meaning(self) -> Expr:
        """Return u."""
        return self.args[0]


class plus(_Defined):
    """u + v, computed as it stands: a compiler that regrouped (1 - t) + t e would round 1 + t e, and lose e."""

    nargs = 2
    precedence = PRECEDENCE["Add"]

    def meaning(self) -> Expr:
        """Return u + v."""
        return self.args[0] + self.args[1]

    def _latex_of_one(self, printer: Any) -> str:
        u, v = self.args
        minus = v.could_extract_minus_sign()
        first, second = (printer._print(e) for e in (u, -v if minus else v))  # noqa: SLF001 (SymPy's protocol)
        return rf"\left(\left({first}\right) {'-' if minus else '+'} {second}\right)"


def index(name: str) -> Symbol:
    """Return an index, or a counter."""
    return Symbol(name, integer=True, nonnegative=True)


@dataclass(frozen=True)
class Axis:
    """An index with its range 0..size-1; the only maker of index symbols."""

    name: str
    size: Expr

    @property
    def index(self) -> Symbol:
        """The index symbol of this axis."""
        return index(self.name)

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


def array_of_integers(name: str) -> IndexedBase:
    """Return an array whose elements are indices of others: class numbers, rows of a table, places of maxima."""
    return IndexedBase(index(name))


LABEL = index("y")


def indicator(left: Expr, right: Expr) -> Expr:
    """Return 1[left = right]."""
    return Piecewise((1, Eq(left, right)), (0, True))


def symbols_in(expr: Basic) -> set[Symbol]:
    """Return the names and indices that an expression reads, without SymPy's array elements among them."""
    return {s for s in expr.free_symbols if isinstance(s, Symbol)}


def names_in(expr: Basic) -> frozenset[str]:
    """Return the names of the arrays, scalars and indices that an expression reads."""
    return frozenset(s.name for s in symbols_in(expr))


def name_of(target: Expr) -> str:
    """Return the name of a scalar or of an array element."""
    return str(target.base.label) if isinstance(target, Indexed) else target.name
