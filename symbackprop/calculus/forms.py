"""Equations with their delicate parts in forms that keep their digits, each chosen by `calculus.choice`.

A part is a function of one array element, such as g(a[j]) in an activation or g'(a[i]) in a gradient; in a loss, of one
element and the target beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from sympy import Add, Expr, Indexed, Mul, srepr

from symbackprop.calculus.choice import Choice, choose, needs_none, recalled
from symbackprop.calculus.stability import by_rules
from symbackprop.indices import Reduction
from symbackprop.symbols import scalar
from symbackprop.terms import Equation

X, T = scalar("x"), scalar("t")
TARGET = "y"


@dataclass
class Forms:
    """Chooses forms and remembers them; `known` may come from a file, and may be written to one.

    Attributes
    ----------
    known
        By formula, what was chosen: names and numbers only.
    """

    known: MutableMapping[str, Any] = field(default_factory=dict)

    def choice(self, part: Expr) -> Choice:
        """Return the form for a function of X, and of T where it is a loss's."""
        key = srepr(part)
        found = recalled(part, X, self.known.get(key), by_rules)
        if found is None:
            targets = (T,) if part.has(T) else ()
            found = choose(part, X, targets, by_rules)
            self.known[key] = found.remembered()
        return found

    def rewritten(self, equation: Equation) -> Equation:
        """Return an equation with its parts in the forms chosen for them."""
        rhs = _rewritten(equation.rhs, lambda part, back: self.choice(part).after.xreplace(back))
        return Equation(equation.lhs, rhs, equation.over, equation.why)

    def changes(self, equation: Equation) -> list[tuple[Expr, Expr, Choice]]:
        """Return the parts of an equation that get another form: before, after, and what was chosen."""
        found: dict[Expr, tuple[Expr, Expr, Choice]] = {}

        def note(part: Expr, back: Back) -> Expr:
            chosen = self.choice(part)
            if chosen.changed:
                found[part] = (part.xreplace(back), chosen.after.xreplace(back), chosen)
            return part

        _rewritten(equation.rhs, note)
        return list(found.values())


Back = Mapping[Expr, Expr]
Change = Callable[[Expr, Back], Expr]


def _rewritten(expr: Expr, change: Change) -> Expr:
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
