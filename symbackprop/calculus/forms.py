"""Equations with their delicate parts in forms that keep their digits, each chosen by `calculus.choice`.

A part is a function of one array element, such as g(a[j]) in an activation or g'(a[i]) in a gradient; in a loss, of one
element and the target beside it.

A gradient that reads targets, such as f[i] - y[i], is where the backward pass starts: every other gradient has its
relative error. Where it is derived through a stored value that has lost digits, it is computed from what that value is
computed from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from sympy import Add, Expr, Indexed, Mul, srepr

from symbackprop.calculus.chain import substitute
from symbackprop.calculus.choice import Choice, choose, needs_none, recalled
from symbackprop.calculus.stability import by_rules
from symbackprop.indices import Reduction
from symbackprop.symbols import names_in, scalar
from symbackprop.terms import Equation

X, T = scalar("x"), scalar("t")
TARGET = "y"


@dataclass(frozen=True)
class Change:
    """A part of an equation as derived, the same by what its stored values stand for (`given`), and its form."""

    derived: Expr
    before: Expr
    after: Expr
    choice: Choice
    given: tuple[Equation, ...] = ()


@dataclass
class Forms:
    """Chooses forms and remembers them; `known` may come from a file, and may be written to one.

    Attributes
    ----------
    known
        By formula, what was chosen: names and numbers only.
    """

    known: MutableMapping[str, Any] = field(default_factory=dict)
    _choices: dict[tuple[Expr, Expr | None], Choice] = field(default_factory=dict, init=False, repr=False)

    def choice(self, part: Expr, through: Expr | None = None) -> Choice:
        """Return the form for a function of X, and of T where it is a loss's.

        Parameters
        ----------
        part
            The function.
        through
            The same in the form in which it would be computed else: by default, made safe by rule.
        """
        asked = (part, through)
        if asked not in self._choices:
            self._choices[asked] = self._found(part, through)
        return self._choices[asked]

    def _found(self, part: Expr, through: Expr | None) -> Choice:
        key = srepr(part) if through is None else f"{srepr(part)} else {srepr(through)}"
        by_rule = by_rules if through is None else lambda _: through
        found = recalled(part, X, self.known.get(key), by_rule)
        if found is None:
            targets = (T,) if part.has(T) else ()
            found = choose(part, X, targets, by_rule)
            self.known[key] = found.remembered()
        return found

    def rewritten(self, equation: Equation, stored: Iterable[Equation] = ()) -> Equation:
        """Return an equation with its parts in the forms chosen for them.

        Parameters
        ----------
        equation
            What is to be computed.
        stored
            What the stored values are computed from: a gradient that reads targets may be written by it.
        """
        if source := self._source(equation, stored):
            return replace(equation, rhs=source.after)
        rhs = _rewritten(equation.rhs, lambda part, back: self.choice(part).after.xreplace(back))
        return replace(equation, rhs=rhs)

    def changes(self, equation: Equation, stored: Iterable[Equation] = ()) -> list[Change]:
        """Return the parts of an equation that get another form; the arguments are those of `rewritten`."""
        if source := self._source(equation, stored):
            return [source]
        found: dict[Expr, Change] = {}

        def note(part: Expr, back: Back) -> Expr:
            chosen = self.choice(part)
            if chosen.changed:
                before = part.xreplace(back)
                found[part] = Change(before, before, chosen.after.xreplace(back), chosen)
            return part

        _rewritten(equation.rhs, note)
        return list(found.values())

    def _source(self, equation: Equation, stored: Iterable[Equation]) -> Change | None:
        """Return what becomes of a gradient that reads a target and stored values, None where it may stay so."""
        read = names_in(equation.rhs)
        definitions = {e.name: e for e in stored if e.name in read and _part(e.rhs)}
        if TARGET not in read or not definitions:
            return None
        found = _part(substitute(equation, definitions).rhs)
        if found is None or not found[0].has(T) or needs_none(found[0]):
            return None
        part, back = found
        computed = {name: self.rewritten(e) for name, e in definitions.items()}
        through = substitute(equation, computed).rhs.xreplace({element: s for s, element in back.items()})
        chosen = self.choice(part, through)
        before, after = (e.xreplace(back) for e in (part, chosen.after))
        return Change(equation.rhs, before, after, chosen, (*definitions.values(),)) if chosen.changed else None


Back = Mapping[Expr, Expr]
Rewrite = Callable[[Expr, Back], Expr]


def _rewritten(expr: Expr, change: Rewrite) -> Expr:
    """Return an expression with `change` applied to its largest parts."""
    if not expr.args or isinstance(expr, Indexed):
        return expr
    found = _part(expr)
    if found is not None:
        return expr if needs_none(found[0]) else change(*found)
    if isinstance(expr, Add | Mul):
        return expr.func(*(_rewritten(group, change) for group in _groups(expr)))
    if isinstance(expr, Reduction):
        return expr.func(_rewritten(expr.function, change), *expr.limits)
    if any(not isinstance(a, Expr) for a in expr.args):
        return expr
    return expr.func(*(_rewritten(a, change) for a in expr.args))


def _part(expr: Expr) -> tuple[Expr, Back] | None:
    """Return an expression as a function of X (and T), and what they stand for; None where it is not one.

    A loss is a function of the difference of element and target, or else has to be linear in the target: then a form
    that is good for some targets is good for others.
    """
    reads = expr.atoms(Indexed)
    targets = {e for e in reads if str(e.base.label) == TARGET}
    elements = reads - targets
    if len(elements) != 1 or len(targets) > 1 or expr.has(*Reduction):
        return None
    back: dict[Expr, Expr] = dict(zip((X, T), (*elements, *targets), strict=False))
    made = expr.xreplace({e: x for x, e in back.items()})
    if not made.free_symbols <= {X, T}:
        return None
    if targets:
        shifted = made.xreplace({X: X + T})
        if not shifted.has(T):
            return shifted, {X: back[X] - back[T]}
        if not made.is_polynomial(T) or made.diff(T, 2) != 0:
            return None
    return made, back


def _groups(expr: Expr) -> list[Expr]:
    """Return the terms or factors of an expression, those that read only one element, and the same one, together."""
    groups: dict[Any, list[Expr]] = {}
    for n, arg in enumerate(expr.args):
        found = _part(arg) if isinstance(arg, Expr) else None
        groups.setdefault(n if found is None else found[1][X], []).append(arg)
    return [expr.func(*group) for group in groups.values()]
