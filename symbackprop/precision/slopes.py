"""Slopes that are computed beside their values, g'(a) beside h = g(a), and kept: one loop has both."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from mpmath import mp
from sympy import Expr, Indexed, Rational

from symbackprop.calculus.differentiate import desugar, slope
from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import split
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import array, name_of
from symbackprop.precision.apply import Change
from symbackprop.precision.parts import X
from symbackprop.precision.truth import exact

_PLACES = ("0.6875", "-1.3125", "2.4375", "-0.3125")  # on both sides of 0 and of ±1


@dataclass(frozen=True)
class Slopes:
    """The slopes that are kept, by the names of their values."""

    kept: dict[str, Equation] = field(default_factory=dict)

    def keep(self, change: Change) -> Expr:
        """Return what a changed part of a gradient is read from: an element of a slope that is kept, else its form.

        It is kept where the part is the slope of the value that it was derived through, or a rational multiple of it.
        """
        reads = _reads(change)
        if reads is None:
            return change.after
        here, there = reads
        (definition,) = change.given
        name = _name(definition.name, name_of(here))
        times = _multiple(change.before.xreplace({here: X}), definition.rhs.xreplace({there: X}))
        if name is None or times is None:
            return change.after
        rhs = change.after.xreplace({here: there}) / times
        self.kept[definition.name] = Equation(array(name)[definition.lhs.indices], rhs, definition.over, Role.SLOPE)
        return times * array(name)[here.indices]

    def beside(self, values: tuple[Equation, ...]) -> tuple[Equation, ...]:
        """Return equations, each slope after that of its value."""
        own = [(e, self.kept[e.name]) if e.name in self.kept else (e,) for e in values]
        return tuple(e for both in own for e in both)


def _reads(change: Change) -> tuple[Indexed, Indexed] | None:
    """Return the one element that a part is a function of, and the same in its value's definition; None for others."""
    if len(change.given) != 1:
        return None
    (definition,) = change.given
    found = [e.atoms(Indexed) for e in (change.before, definition.rhs)]
    if any(len(elements) != 1 for elements in found):
        return None
    here, there = (elements.pop() for elements in found)
    alone = change.before.free_symbols == here.free_symbols and definition.rhs.free_symbols == there.free_symbols
    return (here, there) if alone and there.indices == definition.lhs.indices else None


def _name(value: str, argument: str) -> str | None:
    """Return the name ∂h/∂a of a layer; None where both are not of one layer."""
    (h, layer), (a, other) = split(value), split(argument)
    return f"∂{h}/∂{a}^{layer}" if layer and layer == other else None


def _multiple(f: Expr, g: Expr) -> Rational | None:
    """Return c where f = c g', found by values; None where there is none."""
    derivative = slope(desugar(g), X)
    with mp.workprec(200):
        pairs = [[exact(e, {X: mp.mpf(at)}) for e in (f, derivative)] for at in _PLACES]
        ratio = next((u / v for u, v in pairs if v), mp.nan)
        if not mp.isfinite(ratio):
            return None
        near = Fraction(float(ratio)).limit_denominator(1000)
        c = Rational(near.numerator, near.denominator)
        same = all(abs(u - c.p * v / c.q) <= mp.mpf("1e-40") * (1 + abs(u)) for u, v in pairs)
        return c if c and same else None
