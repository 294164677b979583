"""What is given and derived: Equation, Step, Derivation. Frozen data; no derivative is taken here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from sympy import Expr, Integer, Symbol

from symbackprop.expr.printing import formula
from symbackprop.expr.random_model import RandomModel
from symbackprop.expr.reductions import Reduction, outermost
from symbackprop.expr.roles import Role
from symbackprop.expr.suggest import nearest
from symbackprop.expr.symbols import Axis, name_of

STEP_TOLERANCE = 1e-20


@dataclass(frozen=True)
class Equation:
    """``lhs = rhs`` for every value of the axes in `over`; an update where `lhs` occurs in `rhs`."""

    lhs: Expr
    rhs: Expr
    over: tuple[Axis, ...] = ()
    role: Role = Role.NONE

    @property
    def name(self) -> str:
        """The name of the array or scalar that this equation defines."""
        return name_of(self.lhs)

    @property
    def is_update(self) -> bool:
        """Whether the new value is computed from the old one."""
        return self.rhs.has(self.lhs)

    @property
    def is_scattered(self) -> bool:
        """Whether it is an update of the elements that its indices lead to, not of each element once."""
        places = [i for i in getattr(self.lhs, "indices", ()) if not i.is_Integer]
        return self.is_update and (len(places) != len(self.over) or {a.index for a in self.over} != {*places})

    @property
    def ranges(self) -> dict[Symbol, Expr]:
        """How far each index runs: those of the left side, then those of sums and maxima, outer before inner."""
        ranges = {axis.index: axis.size for axis in self.over}
        for node in outermost(self.rhs, *Reduction):
            ranges |= {index: high + 1 for index, _, high in reversed(node.limits)}
        return ranges

    @property
    def shape(self) -> tuple[Expr, ...]:
        """The sizes of the array that it defines: flat where an index joins several, empty for a scalar."""
        last = {axis.index: axis.size - 1 for axis in self.over}
        return tuple(place.xreplace(last) + 1 for place in getattr(self.lhs, "indices", ()))

    def written(self, *, code: bool = False) -> str:
        """Return the equation as mathematics, or with the names of the generated code."""
        sign = "←" if self.is_update else "="
        return f"{formula(self.lhs, code=code)} {sign} {formula(self.rhs, code=code)}"

    def __str__(self) -> str:
        return self.written()


@dataclass(frozen=True)
class Step:
    """One application of one named rule: under the equations `given`, `before` equals `after`.

    Both are values of `target`, for every value of the axes in `over`. What is no value but an assignment, an adjoint
    that is added up where it is read, is `added`.
    """

    rule: Role
    target: Expr
    before: Expr
    after: Expr
    over: tuple[Axis, ...] = ()
    given: tuple[Equation, ...] = ()
    note: str = ""
    added: tuple[Equation, ...] = ()

    @property
    def remark(self) -> str:
        """What is said of the step beside its formulas."""
        return "; ".join(filter(None, (self.note, *(f"added up where it is read: {e}" for e in self.added))))

    def difference(self, seed: int = 0) -> float:
        """Return the largest relative difference between the two sides at random values."""
        model, worst = RandomModel(self.given, seed), 0.0
        for at in product(*(model.range(axis) for axis in self.over)):
            bound = {axis.index: Integer(v) for axis, v in zip(self.over, at, strict=True)}
            before, after = model.value(self.before, bound), model.value(self.after, bound)
            worst = max(worst, float(abs(before - after) / (1 + abs(before))))
        return worst

    def check(self, seed: int = 0) -> None:
        """Raise ValueError unless both sides agree to 20 digits at random values."""
        difference = self.difference(seed)
        if not difference <= STEP_TOLERANCE:
            raise ValueError(f"the step '{self}' is wrong: its sides differ by {difference:.3g} at random values")

    def __str__(self) -> str:
        sides = [formula(side) for side in (self.target, self.before, self.after)]
        shown = [side for n, side in enumerate(sides) if n == 0 or side != sides[n - 1]]
        return " = ".join(shown) + (f"   ({self.remark})" if self.remark else "")


@dataclass(frozen=True)
class Derivation:
    """What is given, the steps taken, and what follows from them; the results are equations again."""

    title: str
    given: tuple[Equation, ...] = ()
    steps: tuple[Step, ...] = ()
    results: tuple[Equation, ...] = ()
    sections: tuple[Derivation, ...] = ()

    def __iter__(self) -> Iterator[Step]:
        yield from self.steps
        for section in self.sections:
            yield from section

    def __str__(self) -> str:
        lines = [self.title, *(f"  {e}" for e in self.given), *(f"  {step.rule}: {step}" for step in self.steps)]
        return "\n".join([*lines, *map(str, self.sections)])

    def check(self) -> None:
        """Raise ValueError at the first step whose two sides differ."""
        for step in self:
            step.check()

    def result(self, role: str) -> tuple[Equation, ...]:
        """Return the results that carry one name, e.g. ``"hidden layer"``.

        Raises
        ------
        ValueError
            If none does; the message has the nearest names.
        """
        every = _results(self)
        results = tuple(e for e in every if e.role == role)
        if not results:
            names = [*dict.fromkeys(str(e.role) for e in every if e.role)]
            near = " or ".join(map(repr, nearest(str(role), names)))
            hint, known = f"did you mean {near}? " * bool(near), ", ".join(map(repr, names)) or "none"
            raise ValueError(f"no result is called {str(role)!r:.60}: {hint}known are {known}")
        return results


def _results(derivation: Derivation) -> tuple[Equation, ...]:
    return derivation.results + tuple(e for section in derivation.sections for e in _results(section))
