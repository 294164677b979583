"""Equations with their delicate parts in forms that keep their digits, each chosen by `calculus.choice`.

A part is a function of one array element, such as g(a[j]) in an activation or g'(a[i]) in a gradient; in a loss, of one
element and the target beside it; where β is learnt, of the product u = β a[j], times a power of β or of a[j].

A gradient that reads targets, such as f[i] - y[i], is where the backward pass starts: every other gradient has its
relative error. Where it is derived through a stored value that has lost digits, it is computed from what that value is
computed from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from mpmath import mp
from sympy import Abs, Add, Basic, Expr, Function, Ge, Gt, Indexed, Le, Lt, Mul, Piecewise, Pow, S, srepr

from symbackprop.calculus.chain import substitute
from symbackprop.calculus.choice import Choice, choose, needs_none, recalled
from symbackprop.calculus.comparisons import with_difference, wrong_answers
from symbackprop.calculus.scoring import exact
from symbackprop.calculus.stability import by_rules
from symbackprop.reductions import Reduction
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
        found = recalled(part, self.known.get(key))
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
        rhs = self.compare_by_differences(equation.rhs)
        return replace(equation, rhs=_rewritten(rhs, lambda part: part.put_back(self.choice(part.f).after)))

    def compare_by_differences(self, expr: Expr) -> Expr:
        """Return an expression whose comparisons are of a difference that keeps its sign, where one is found."""
        return expr.replace(lambda e: isinstance(e, Gt | Ge | Lt | Le), lambda e: self._difference(e)[0])

    def _difference(self, relation: Any) -> tuple[Basic, Part | None]:
        """Return a comparison with the fewest wrong answers, and its difference where that has a form of its own."""
        part = _part(relation.lhs - relation.rhs)
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

    def changes(self, equation: Equation, stored: Iterable[Equation] = ()) -> list[Change]:
        """Return the parts of an equation that get another form; the arguments are those of `rewritten`."""
        if source := self._source(equation, stored):
            return [source]
        found: dict[Expr, Change] = {}

        def note(part: Part) -> Expr:
            chosen = self.choice(part.f)
            before = part.put_back(part.f)
            if chosen.changed:
                found[before] = Change(before, before, part.put_back(chosen.after), chosen)
            return before

        for relation in equation.rhs.atoms(Gt, Ge, Lt, Le):
            if part := self._difference(relation)[1]:
                note(part)
        _rewritten(self.compare_by_differences(equation.rhs), note)
        return list(found.values())

    def _source(self, equation: Equation, stored: Iterable[Equation]) -> Change | None:
        """Return what becomes of a gradient that reads a target and stored values, None where it may stay so."""
        read = names_in(equation.rhs)
        definitions = {e.name: e for e in stored if e.name in read and _part(e.rhs)}
        if TARGET not in read or not definitions:
            return None
        part = _part(substitute(equation, definitions).rhs)
        if part is None or not part.f.has(T) or needs_none(part.f):
            return None
        computed = {name: self.rewritten(e) for name, e in definitions.items()}
        through = substitute(equation, computed).rhs.xreplace({element: s for s, element in part.back.items()})
        chosen = self.choice(part.f, through)
        before, after = (part.put_back(e) for e in (part.f, chosen.after))
        return Change(equation.rhs, before, after, chosen, (*definitions.values(),)) if chosen.changed else None


@dataclass(frozen=True)
class Part:
    """A function of X (and T), what they stand for, and what it is multiplied by."""

    f: Expr
    back: Mapping[Expr, Expr]
    outside: Expr = S.One

    def put_back(self, form: Expr) -> Expr:
        """Return a form of the function as it stands in the equation."""
        return self.outside * form.xreplace(self.back)


Rewrite = Callable[[Part], Expr]


def _rewritten(expr: Expr, change: Rewrite) -> Expr:
    """Return an expression with `change` applied to its largest parts."""
    if not expr.args or isinstance(expr, Indexed):
        return expr
    found = _part(expr)
    if found is not None:
        return expr if needs_none(found.f) else change(found)
    if isinstance(expr, Add | Mul):
        return expr.func(*(_rewritten(group, change) for group in _groups(expr)))
    if isinstance(expr, Reduction):
        return expr.func(_rewritten(expr.function, change), *expr.limits)
    if any(not isinstance(a, Expr) for a in expr.args):
        return expr
    return expr.func(*(_rewritten(a, change) for a in expr.args))


def _part(expr: Expr) -> Part | None:
    """Return an expression as a function of X (and T); None where it is not one.

    A loss is a function of the difference of element and target, or else has to be linear in the target: then a form
    that is good for some targets is good for others.
    """
    reads = expr.atoms(Indexed)
    targets = {e for e in reads if str(e.base.label) == TARGET}
    elements = reads - targets
    if expr.has(*Reduction):
        return None
    if len(scalars := _variables(expr)) == 2 and not targets:
        return _of_product(expr, *scalars)
    if len(elements) != 1 or len(targets) > 1:
        return None
    back: dict[Expr, Expr] = dict(zip((X, T), (*elements, *targets), strict=False))
    made = expr.xreplace({e: x for x, e in back.items()})
    if not made.free_symbols <= {X, T}:
        return None
    if targets:
        shifted = made.xreplace({X: X + T})
        if not shifted.has(T):
            return Part(shifted, {X: back[X] - back[T]})
        if not made.is_polynomial(T) or made.diff(T, 2) != 0:
            return None
    return Part(made, back)


def _variables(expr: Expr) -> list[Expr]:
    """Return the array elements and scalars that an expression reads."""
    reads = expr.atoms(Indexed)
    inside = {s for e in reads for s in e.free_symbols}
    return sorted([*reads, *(s for s in expr.free_symbols - inside if s.is_Symbol and not s.is_integer)], key=str)


def _of_product(expr: Expr, one: Expr, other: Expr) -> Part | None:
    """Return p^k F(u), u = p q, for the numbers p and q that an expression reads; None where it is no such product.

    It is found by values, as each step of a derivation is checked, and has to be defined where the expression is.
    """
    delicate = expr.atoms(Function) - expr.atoms(Piecewise, Abs) | {p for p in expr.atoms(Pow) if not p.exp.is_Integer}
    if not any(node.has(one) and node.has(other) for node in delicate):  # a quotient of polynomials stays as derived
        return None
    found = [_power_times(expr, p, q) for p, q in ((one, other), (other, one))]
    return min((part for part in found if part), key=lambda part: part.f.count_ops(), default=None)


def _power_times(expr: Expr, p: Expr, q: Expr) -> Part | None:
    flat = expr.xreplace({p: _P, q: X})
    F = flat.xreplace({_P: S.One})
    if flat.free_symbols != {_P, X}:
        return None
    with mp.workprec(200):
        degree = next((k for k in _DEGREES if all(_agree(flat, F, k, *at) for at in _PLACES)), None)
        if degree is None or _is_less_defined(F, degree, flat):
            return None
    return Part(F, {X: p * q}, p**degree)


def _is_less_defined(F: Expr, degree: int, flat: Expr) -> bool:
    """Whether p^k F(p x) has no value where p or x is 0, though the formula has one."""
    divides = degree < 0 and not _has_none(flat, X, _P)
    return divides or (_has_none(F, _P, X) and not _has_none(flat, _P, X))


def _agree(flat: Expr, F: Expr, k: int, p: str, x: str) -> bool:
    """Whether f(p, x/p) = p^k F(x)."""
    at = {_P: mp.mpf(p), X: mp.mpf(x) / mp.mpf(p)}
    left, right = exact(flat, at), at[_P] ** k * exact(F, {X: mp.mpf(x)})
    return bool(abs(left - right) <= mp.mpf("1e-40") * abs(right))


def _has_none(f: Expr, kept: Expr, zero: Expr) -> bool:
    """Whether f has no value where one of its numbers is 0."""
    return bool(mp.isnan(exact(f, {kept: mp.mpf("0.8125"), zero: mp.mpf(0)})))


_P = scalar("p")
_DEGREES = (0, 1, -1, 2, -2, 3, -3)
_PLACES = (("1.75", "0.6875"), ("0.375", "-1.3125"), ("-1.25", "2.4375"), ("-0.625", "-0.3125"))


def _groups(expr: Expr) -> list[Expr]:
    """Return the terms or factors of an expression, those that read only one element, and the same one, together."""
    parts = [_part(arg) if isinstance(arg, Expr) else None for arg in expr.args]
    products = [part.back[X] for part in parts if part and part.back[X].is_Mul]
    groups: dict[Any, list[Expr]] = {}
    for n, (arg, part) in enumerate(zip(expr.args, parts, strict=True)):
        key: Any = n if part is None else part.back[X]
        if isinstance(expr, Add) and part is not None:  # terms of different degrees are no part together
            key = (key, part.outside)
        if isinstance(expr, Mul) and part is not None and arg.as_base_exp()[0] == key:
            key = next((u for u in products if key in u.args), key)  # a in a σ(β a)
        groups.setdefault(key, []).append(arg)
    return [expr.func(*group) for group in groups.values()]
