"""The order in which a derivation is told: given, rule, steps, results; the same for every form it is written in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sympy import Expr

from symbackprop.expr.equations import Derivation, Equation, Step
from symbackprop.expr.printing import formula
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import Axis, Partial, array, scalar, size


@dataclass(frozen=True)
class Line:
    """``target sign side = side = ...`` under a name.

    Attributes
    ----------
    name
        The rule or the result; empty where it is that of the line before.
    target, sign, sides
        What is computed, ``=`` or ``←``, and its values, one after another.
    note
        A remark.
    number
        Of a step, else 0.
    continues
        Whether the target is that of the line before, which ends with what this one starts from.
    over
        The axes for whose values it holds.
    """

    name: str
    target: Expr
    sides: tuple[Expr, ...]
    sign: str = "="
    note: str = ""
    number: int = 0
    continues: bool = False
    over: tuple[Axis, ...] = ()


@dataclass(frozen=True)
class Section:
    """A heading and the lines under it."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Outline:
    """A whole derivation, in the order in which it is told; below its title what has to be known to read it."""

    title: str
    sections: tuple[Section, ...]
    preface: str = ""


def chain_rule() -> Line:
    """Return ∂p/∂a = Σᵢ ∂p/∂qᵢ ∂qᵢ/∂a, for p that depends on a through q."""
    p, a, q = scalar("p"), scalar("a"), array("q")
    total = Axis("i", size("n")).sum(lambda i: Partial(p, q[i]) * Partial(q[i], a))
    return Line("chain rule", Partial(p, a), (total,))


def outline(derivation: Derivation) -> Outline:
    """Return the sections of a derivation: given, rule, steps part by part and numbered throughout, results."""
    sections = [Section("Given", _given(derivation)), Section("The rule that is used throughout", (chain_rule(),))]
    number = 0
    for part in _parts(derivation):
        lines = tuple(_steps(part.steps, number))
        number += len(lines)
        sections.append(Section(part.title or "Steps", lines))
    sections.append(Section("Results", _results(derivation)))
    return Outline(derivation.title or "Derivation", tuple(s for s in sections if s.lines))


def _parts(derivation: Derivation) -> Iterator[Derivation]:
    if derivation.steps:
        yield replace(derivation, title="") if derivation.sections else derivation
    for section in derivation.sections:
        yield from _parts(section)


def _given(derivation: Derivation) -> tuple[Line, ...]:
    equations = derivation.given or tuple(e for part in derivation.sections for e in part.given)
    titles = {e: part.title for part in _parts(derivation) for e in part.given}
    lines = [(titles.get(e, ""), _equation(e)) for e in dict.fromkeys(equations)]
    return _name_once(_tell_apart(lines))


def _equation(equation: Equation) -> Line:
    return Line(equation.role, equation.lhs, (equation.rhs,), "←" if equation.is_update else "=", over=equation.over)


def _steps(steps: Iterable[Step], number: int) -> Iterator[Line]:
    """Yield a line for each step; one that only repeats the step before it is left out."""
    before: Step | None = None
    for step in steps:
        goes_on = before is not None and _same(before.target, step.target) and _same(before.after, step.before)
        if goes_on and step.rule is Role.CARRY_OUT and _same(step.before, step.after):
            continue
        number += 1
        continues = goes_on and not _same(step.before, step.after)
        before = step
        sides = distinct((step.after,) if continues else (step.before, step.after), step.target)
        sign = "←" if step.rule is Role.UPDATE else "="
        yield Line(step.rule, step.target, sides, sign, step.remark, number, continues, step.over)


def _same(one: Expr, other: Expr) -> bool:
    """Return whether two expressions read the same: ∂l/∂a is written as a derivative and as an array."""
    return formula(one) == formula(other)


def distinct(sides: Iterable[Expr], target: Expr) -> tuple[Expr, ...]:
    """Return the sides without one that reads like the target or the side before it."""
    shown = [target]
    for side in sides:
        if not _same(side, shown[-1]):
            shown.append(side)
    return tuple(shown[1:]) or (target,)


def _results(derivation: Derivation) -> tuple[Line, ...]:
    """Return the chain rule and every result under its name, the penalty's gradient before the updates."""
    titled = [(part.title, _equation(e)) for part in _parts(derivation) for e in part.results]
    results = dict.fromkeys(_tell_apart(titled))
    slopes = (s for s in derivation if s.rule is Role.REGULARISER)
    penalties = dict.fromkeys(Line(s.rule, s.target, (s.after,), over=s.over) for s in slopes)
    equations = [line for line in results if line.sign == "="]
    updates = [line for line in results if line.sign == "←"]
    return _name_once([chain_rule(), *equations, *penalties, *updates]) if results else ()


def _tell_apart(lines: Iterable[tuple[str, Line]]) -> Iterator[Line]:
    """Note the last words of its heading at a result of which other sections have another value."""
    lines = list(lines)
    for title, line in lines:
        others = {other.sides for _, other in lines if (other.name, other.target) == (line.name, line.target)}
        yield replace(line, note=title.rpartition(", ")[2]) if len(others) > 1 else line


def _name_once(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Leave the name out where it is that of the line before."""
    named: list[Line] = []
    last = ""
    for line in lines:
        named.append(replace(line, name="" if line.name == last else line.name))
        last = line.name
    return tuple(named)
