"""Equations with their delicate parts in forms that keep their digits, each chosen by `precision.search`.

A part (`precision.parts`) that reads a stored value, such as the slope 1 - h² of h = tanh(a), stays so where that keeps
its digits. Elsewhere it is computed from what the stored value is computed from: h is ±1 where the slope is not 0 yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from sympy import Add, Basic, Expr, Ge, Gt, Indexed, Le, Lt, Mul, Piecewise, S, Symbol, srepr

from symbackprop.expr.equations import Equation
from symbackprop.expr.reductions import Maximum, Reduction, Sum
from symbackprop.expr.symbols import stored
from symbackprop.precision.choice import Choice, is_measure, recalled
from symbackprop.precision.comparisons import with_difference, wrong_answers
from symbackprop.precision.max_shift import by_rules
from symbackprop.precision.parts import Part, T, X, groups, multiplied_out, part_of, variables
from symbackprop.precision.recipes import GOOD
from symbackprop.precision.search import choose, is_simple, measured, needs_none


@dataclass(frozen=True)
class Change:
    """A part of an equation as derived, the same by what its stored values stand for (`given`), and its form."""

    derived: Expr
    before: Expr
    after: Expr
    choice: Choice
    given: tuple[Equation, ...] = ()


Keep = Callable[[Change], Expr]
LOST = 1e6  # ULP from which on no digits are left, as of the sine of a rounded number of 1e20: then how often counts


@dataclass
class Forms:
    """Chooses forms and remembers them; `known` may come from a file, and may be written to one.

    Attributes
    ----------
    known
        By formula, what was chosen: names and numbers only.
    """

    known: MutableMapping[str, Any] = field(default_factory=dict)
    _choices: dict[Expr, Choice] = field(default_factory=dict, init=False, repr=False)

    def choice(self, part: Expr) -> Choice:
        """Return the form for a function of X, and of T where it is a loss's."""
        if part not in self._choices:
            self._choices[part] = self._found(part)
        return self._choices[part]

    def _found(self, part: Expr) -> Choice:
        key = srepr(part)
        found = recalled(part, self.known.get(key))
        if found is None:
            found = choose(part, X, _targets(part), by_rules)
            self.known[key] = found.remembered()
        return found

    def instead_of(self, through: Expr, part: Expr) -> Choice | None:
        """Return the form for a function that could be computed through a stored value; None where that is as good.

        Parameters
        ----------
        through
            The function as it is computed through the stored value.
        part
            The function as derived.
        """
        error, wrong, many = self._measured(part, through)
        if error <= GOOD and not wrong:
            return None
        own = self.choice(part)
        error_after, still_wrong, many_after = self._measured(part, own.after)
        if (still_wrong, min(error_after, LOST), many_after) >= (wrong, min(error, LOST), many):
            return None
        return replace(own, error=error, wrong=wrong, error_after=error_after, still_wrong=still_wrong)

    def _measured(self, part: Expr, form: Expr) -> tuple[float, int, int]:
        key = f"{srepr(part)} as {srepr(form)}"
        if not is_measure(self.known.get(key)):
            self.known[key] = measured(part, form, X, _targets(part))
        error, wrong, many = self.known[key]
        return error, wrong, many

    def rewritten(self, equation: Equation, kept: Iterable[Equation] = (), keep: Keep | None = None) -> Equation:
        """Return an equation with its parts in the forms chosen for them.

        Parameters
        ----------
        equation
            What is to be computed.
        kept
            What the stored values are computed from.
        keep
            Returns what is written for a part that would lose digits through a stored value: its form, if not given.
        """
        rewriting = replace(_rewriting(self, kept), keep=keep or _form)
        return replace(equation, rhs=rewriting.of(self.compare_by_differences(equation.rhs)))

    def changes(self, equation: Equation, kept: Iterable[Equation] = ()) -> list[Change]:
        """Return the parts of an equation that get another form; the arguments are those of `rewritten`."""
        rewriting = _rewriting(self, kept)
        for relation in equation.rhs.atoms(Gt, Ge, Lt, Le):
            if part := self._difference(relation)[1]:
                rewriting.in_form(part)
        rewriting.of(self.compare_by_differences(equation.rhs))
        return list(rewriting.changes.values())

    def compare_by_differences(self, expr: Expr) -> Expr:
        """Return an expression whose comparisons are of a difference that keeps its sign, where one is found."""
        return expr.replace(lambda e: isinstance(e, Gt | Ge | Lt | Le), lambda e: self._difference(e)[0])

    def _difference(self, relation: Any) -> tuple[Basic, Part | None]:
        """Return a comparison with the fewest wrong answers, and its difference where that has a form of its own."""
        part = part_of(relation.lhs - relation.rhs)
        if part is None or part.outside != 1 or needs_none(part.f):
            return relation, None
        best: tuple[Basic, Part | None] = (relation, None)
        own = (by_rules, lambda f: self.choice(f).after)
        wrong = wrong_answers(with_difference(relation, part.f), X)
        for form, found in zip(own, (None, part), strict=True):
            made = with_difference(relation, form(part.f)) if wrong else None
            if made is not None and (fewer := wrong_answers(made, X)) < wrong:
                best, wrong = (made.xreplace(part.back), found), fewer
        return best


def _form(change: Change) -> Expr:
    return change.after


def _targets(part: Expr) -> tuple[Symbol, ...]:
    return (T,) if part.has(T) else ()


def _rewriting(forms: Forms, kept: Iterable[Equation]) -> _Rewriting:
    """Return the rewriting by what is computed element by element, and not by sums and products alone."""
    values = {e.name: e for e in kept}
    elements = (e for e in values.values() if isinstance(e.lhs, Indexed) and not e.rhs.has(*Reduction))
    return _Rewriting(forms, {e.name: e for e in elements if not is_simple(e.rhs)}, frozenset(values))


@dataclass(frozen=True)
class _Rewriting:
    """The rewriting of one equation.

    Attributes
    ----------
    kept
        By name, what the stored values are computed from.
    values
        The names of all that is computed before.
    changes
        By what stands in the equation, what was changed.
    keep
        What is written for a part that would lose digits through a stored value.
    known
        Conditions, and whether they hold where the expression is computed.
    """

    forms: Forms
    kept: Mapping[str, Equation]
    values: frozenset[str]
    changes: dict[Expr, Change] = field(default_factory=dict)
    keep: Keep = _form
    known: Mapping[Any, Any] = field(default_factory=dict)

    def of(self, expr: Expr) -> Expr:
        """Return an expression with its largest parts in the forms chosen for them."""
        if not expr.args or isinstance(expr, Indexed):
            return expr
        if part := self._through_kept(expr):
            change = self._instead(expr, part)
            if change is not None:
                self.changes.setdefault(expr, change)
            return replace(self, kept={}).of(expr) if change is None else self.keep(change)
        if part := part_of(expr):
            return self.in_form(part)
        match expr:
            case Add() | Mul():
                return expr.func(*(self.of(group) for group in groups(expr, self._part)))
            case Piecewise():
                return Piecewise(*((case.of(e), c) for e, c, case in self._cases(expr)))
            case Sum() | Maximum():
                return expr.func(self.of(expr.function), *expr.limits)
        if any(not isinstance(a, Expr) for a in expr.args):
            return expr
        return expr.func(*(self.of(a) for a in expr.args))

    def in_form(self, part: Part) -> Expr:
        """Return a part in the form chosen for it."""
        before = part.put_back(part.f)
        if needs_none(part.f):
            return before
        chosen = self.forms.choice(part.f)
        after = part.put_back(chosen.after)
        if chosen.changed or chosen.why:
            self.changes.setdefault(before, Change(before, before, after, chosen))
        return after

    def _part(self, expr: Expr) -> Part | None:
        return self._through_kept(expr) or part_of(expr)

    def _through_kept(self, expr: Expr) -> Part | None:
        """Return what an expression is that reads stored values, by what they are computed from; else None."""
        if not self._read(expr):
            return None
        whole = self.written_out(expr)
        return part_of(whole, self.values) or multiplied_out(whole)

    def _read(self, expr: Expr) -> dict[Expr, Equation]:
        """Return the stored values that an expression reads, with their definitions."""
        names = {access: str(access.base.label) for access in expr.atoms(Indexed)}
        return {access: self.kept[name] for access, name in names.items() if name in self.kept}

    def written_out(self, expr: Expr) -> Expr:
        """Return an expression with what its stored values are computed from in their place."""
        if isinstance(expr, Piecewise):
            return Piecewise(*((case.written_out(e), c) for e, c, case in self._cases(expr)))
        return expr.xreplace({h: _at(h, e) for h, e in self._read(expr).items()}).xreplace(self.known)

    def _cases(self, expr: Piecewise) -> Iterator[tuple[Expr, Any, _Rewriting]]:
        """Yield each piece, its condition, and the rewriting where that and none before it holds."""
        known = dict(self.known)
        for e, condition in expr.args:
            yield e, condition, replace(self, known={**known, condition: S.true})
            known[condition] = S.false

    def _instead(self, expr: Expr, part: Part) -> Change | None:
        """Return what is computed instead of an expression that loses digits through a stored value."""
        read = self._read(expr)
        plain = replace(self, kept={}, changes={}).of(expr)
        computed = {h: stored(_at(h, self.forms.rewritten(e))) for h, e in read.items()}
        through = plain.xreplace(computed).xreplace(part.elements)
        learnt = {p: S.One for p in variables(through) if p not in {X, T}}  # (tanh(a) + p) - p: no part of the function
        chosen = self.forms.instead_of(through.xreplace(learnt), part.f)
        before, after = (part.put_back(e) for e in (part.f, chosen.after if chosen else part.f))
        given = tuple(dict.fromkeys(read.values()))
        return Change(expr, before, after, chosen, given) if chosen else None


def _at(access: Expr, definition: Equation) -> Expr:
    """Return what an element of an array is defined as."""
    return definition.rhs.xreplace(dict(zip(definition.lhs.indices, access.indices, strict=True)))
