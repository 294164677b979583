"""The elementary functions: what each is to SymPy, NumPy, mpmath and Python's math.

One row says all of a function that its name alone says. How a kernel computes one is emission's (`emit.elementary`),
in which form it keeps its digits is measured (`precision`); no derivative is here, SymPy has them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import sympy
from mpmath import mp
from sympy import Abs, And, Expr, Ge, Gt, Le, Lt, Max, Min, Piecewise, Rational, S, erfc, exp, log, sin
from sympy.codegen.cfunctions import expm1, log1p

from symbackprop.expr.conditions import compared
from symbackprop.expr.symbols import accurate_exp, decay, gauss, normal, plus, scaled, stored

SATURATED = mp.ldexp(1, 2000)  # beyond it, exp is told to be its limit: exp(-exp(1e30)) would never end
_FAR = mp.ldexp(1, 80)  # beyond it the first term of its expansion is erfc to 160 bits
Computed: TypeAlias = Any  # a function of some kind of numbers, or None


@dataclass(frozen=True)
class Elementary:
    """A function, to each that computes with it.

    Attributes
    ----------
    symbolic
        SymPy's function, or one that builds it from SymPy's.
    array
        NumPy's, None where it has none: then `number`, element by element.
    digits
        mpmath's, of real numbers and, where it is analytic, of complex ones.
    number
        Python's, which raises ValueError outside of its domain.
    inputs
        How many arguments it has; None: two or more.
    node
        The class of its nodes in a formula; None where it is made of others.
    typed
        Whether formulas may say it.
    pieces
        Whether it writes its argument more than once, as the value and in a condition.
    rational
        Whether it is a fraction of fractions.
    raises
        Whether a kernel that is not compiled calls Python's, which raises where a compiled one gives NaN or infinity.
    """

    symbolic: Callable[..., Expr]
    array: Computed = None
    digits: Computed = None
    number: Computed = None
    inputs: int | None = 1
    node: type | None = None
    typed: bool = True
    pieces: bool = False
    rational: bool = False
    raises: bool = False

    @property
    def takes_complex(self) -> bool:
        """Whether NumPy's function takes complex numbers."""
        return any("D" in types for types in getattr(self.array, "types", ()))


def _known(name: str, array: str = "", **more: Any) -> Elementary:
    """Return a function that SymPy, mpmath and Python call by one name, and NumPy by that or another."""
    node = getattr(sympy, name)
    return Elementary(
        node, getattr(np, array or name, None), getattr(mp, name), getattr(math, name), node=node, **more
    )


def _exp(u: Any) -> Any:
    if isinstance(u, mp.mpc):
        return mp.exp(u)
    if u < -SATURATED:
        return mp.mpf(0)
    u = min(u, SATURATED)
    size = mp.frexp(u)[1]
    if size < 30:
        return mp.exp(u)
    with mp.workprec(mp.prec + size + 10):  # beside a huge integer, which mpmath would raise e to by multiplications
        return mp.exp(u + mp.ldexp(1, size - mp.prec))


def _expm1(u: Any) -> Any:
    return mp.expm1(u) if abs(u) < 1 else _exp(u) - 1


def _erfc(u: Any) -> Any:
    """Return erfc u, far out as the first term of its expansion: beside exp(u) it must not saturate earlier."""
    if isinstance(u, mp.mpc):
        return mp.erfc(u)
    return mp.erfc(max(u, -_FAR)) if u < _FAR else _exp(-u * u) / (u * mp.sqrt(mp.pi))


def _of_square(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function whose error is u² times that of what is computed of u on the way, with bits for that."""

    def value(u: Any) -> Any:
        if isinstance(u, mp.mpc) or abs(u) > SATURATED:
            return f(u)
        with mp.workprec(mp.prec + max(0, 2 * mp.mag(u)) + 10):
            return f(u)

    return value


def _normal(u: Any) -> Any:
    """Return erfc(-u/√2)/2 of numbers with more digits than a float64: its slope times what those are more."""
    u = u / np.sqrt(u.dtype.type(2))
    near = np.float64(u)
    return (np.vectorize(math.erfc, otypes=[float])(-near) + np.exp(-u * u) * (u - near) * 2 / math.sqrt(math.pi)) / 2


def _relu(u: Expr) -> Expr:
    return Piecewise((0, compared(Le, u, S.Zero)), (u, True))


def _sign(u: Expr) -> Expr:
    return Piecewise((-1, compared(Lt, u, S.Zero)), (1, compared(Gt, u, S.Zero)), (0, True))


def _heaviside(u: Expr) -> Expr:
    return Piecewise((0, compared(Le, u, S.Zero)), (1, True))


def _cbrt(u: Expr) -> Expr:
    """Return the real cube root, which SymPy's power of a negative number is not; its slope at 0 is told to be 0."""
    root = Rational(1, 3)
    return Piecewise((-((-u) ** root), compared(Lt, u, S.Zero)), (0, compared(Le, u, S.Zero)), (u**root, True))


def _digits_of_cbrt(u: Any) -> Any:
    return mp.cbrt(u) if isinstance(u, mp.mpc) else mp.sign(u) * mp.cbrt(abs(u))


def _sinc(u: Expr) -> Expr:
    """Return sin u / u, 1 at 0."""
    at_zero = And(compared(Le, u, S.Zero), compared(Ge, u, S.Zero))
    return Piecewise((1, at_zero), (sin(u) / u, True))


def _atan2(y: Any, x: Any) -> Any:
    if isinstance(y, mp.mpc) or isinstance(x, mp.mpc):  # continued from the real numbers
        return -1j * mp.log((x + 1j * y) / mp.sqrt(x * x + y * y))
    return mp.atan2(y, x)


ELEMENTARY: dict[str, Elementary] = {
    "exp": Elementary(exp, np.exp, _exp, math.exp, node=exp),
    "log": _known("log"),
    "sqrt": Elementary(sympy.sqrt, np.sqrt, mp.sqrt, math.sqrt),
    "sin": _known("sin", raises=True),
    "cos": _known("cos", raises=True),
    "tan": _known("tan", raises=True),
    "sinh": Elementary(
        sympy.sinh, np.sinh, lambda u: (_exp(u) - _exp(-u)) / 2 if abs(u) > 1 else mp.sinh(u), math.sinh,
        node=sympy.sinh, raises=True,
    ),
    "cosh": Elementary(
        sympy.cosh, np.cosh, lambda u: (_exp(u) + _exp(-u)) / 2, math.cosh, node=sympy.cosh, raises=True
    ),
    "tanh": Elementary(
        sympy.tanh, np.tanh, lambda u: mp.tanh(max(-SATURATED, min(u, SATURATED))), math.tanh, node=sympy.tanh
    ),
    "asin": _known("asin", "arcsin", raises=True),
    "acos": _known("acos", "arccos", raises=True),
    "atan": _known("atan", "arctan"),
    "asinh": _known("asinh", "arcsinh"),
    "acosh": _known("acosh", "arccosh", raises=True),
    "atanh": _known("atanh", "arctanh", raises=True),
    "erf": _known("erf"),
    "erfc": Elementary(erfc, None, _erfc, math.erfc, node=erfc),
    "abs": Elementary(Abs, np.abs, abs, abs, node=Abs, rational=True),
    "max": Elementary(Max, np.maximum, max, max, inputs=None, node=Max, rational=True),
    "min": Elementary(Min, np.minimum, min, min, inputs=None, node=Min, rational=True),
    "log1p": Elementary(lambda u: log(1 + u), np.log1p, mp.log1p, math.log1p, node=log1p),
    "expm1": Elementary(lambda u: exp(u) - 1, np.expm1, _expm1, math.expm1, node=expm1),
    "sigmoid": Elementary(lambda u: 1 / (1 + exp(-u)), number=lambda u: 1 / (1 + math.exp(-u))),
    "softplus": Elementary(lambda u: log(1 + exp(u)), number=lambda u: math.log1p(math.exp(u))),
    "relu": Elementary(_relu, number=lambda u: max(u, 0.0), pieces=True, rational=True),
    "sign": Elementary(
        _sign, np.sign, mp.sign, lambda u: float((u > 0) - (u < 0)), node=sympy.sign, pieces=True, rational=True
    ),
    "heaviside": Elementary(_heaviside, number=lambda u: float(u > 0), pieces=True, rational=True),
    "cbrt": Elementary(_cbrt, np.cbrt, _digits_of_cbrt, math.cbrt, pieces=True),
    "exp2": Elementary(lambda u: exp(u * log(2)), number=math.exp2),
    "log2": Elementary(lambda u: log(u) / log(2), number=math.log2),
    "log10": Elementary(lambda u: log(u) / log(10), number=math.log10),
    "logsigmoid": Elementary(
        lambda u: -log(1 + exp(-u)), number=lambda u: min(u, 0.0) - math.log1p(math.exp(-abs(u)))
    ),
    "sinc": Elementary(_sinc, number=lambda u: math.sin(u) / u if u else 1.0, pieces=True),
    "softsign": Elementary(lambda u: u / (1 + Abs(u)), number=lambda u: u / (1 + abs(u)), rational=True),
    "atan2": Elementary(sympy.atan2, np.arctan2, _atan2, math.atan2, inputs=2, node=sympy.atan2),
    "gamma": _known("gamma", typed=False, raises=True),
    "gauss": Elementary(
        gauss, lambda u: np.exp(-u * u / 2), _of_square(lambda u: _exp(-u * u / 2)), node=gauss, typed=False
    ),
    "normal": Elementary(
        normal, _normal, _of_square(lambda u: _erfc(-u / mp.sqrt(2)) / 2), node=normal, typed=False
    ),
    "decay": Elementary(
        decay, lambda u: np.exp(-abs(u)), lambda u: _exp(-abs(u)), node=decay, typed=False
    ),
    "accurate_exp": Elementary(accurate_exp, np.exp, _exp, node=accurate_exp, typed=False),
    "scaled": Elementary(
        scaled, lambda m, h: (m * h) * h, lambda m, h: m * h * h, inputs=2, node=scaled, typed=False, rational=True
    ),
    "plus": Elementary(plus, operator.add, operator.add, inputs=2, node=plus, typed=False, rational=True),
    "stored": Elementary(stored, lambda u: u, lambda u: u, node=stored, typed=False, rational=True),
}
ALIASES = {"arctan": "atan"}  # further names that formulas may say
FUNCTIONS = {name: row for name, row in ELEMENTARY.items() if row.typed}  # that formulas may say
FUNCTIONS |= {alias: FUNCTIONS[name] for alias, name in ALIASES.items()}
NODES = {row.node.__name__: row for row in ELEMENTARY.values() if row.node}  # by the name of the class in a formula
