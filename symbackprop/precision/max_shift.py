"""Rewriting of derived formulas to forms that neither overflow nor cancel; the value stays the same.

Three rules, each of which checks itself like a derivation step: the shift of a sum of exponentials by its maximum, the
split of log(1 + exp u) by the sign of u, and the primitives log1p and expm1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product

from sympy import Add, Dummy, Expr, Indexed, IndexedBase, Piecewise, S, exp, expand_log, log
from sympy.codegen.cfunctions import expm1, log1p

from symbackprop.expr.equations import Equation
from symbackprop.expr.indices import canonical, factor_out, fresh, named, rebuild
from symbackprop.expr.reductions import Maximum, Reduction, Sum, outermost
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import Axis, accurate_exp, array, names_in, scalar


def stabilise(equations: Iterable[Equation]) -> tuple[Equation, ...]:
    """Return equations of the same values in forms that are safe to compute in floating point.

    Parameters
    ----------
    equations
        In the order in which they are computed; named intermediates are put before their first use.
    """
    shifted = shift_by_maximum(tuple(equations))
    return tuple(Equation(e.lhs, by_rules(e.rhs), e.over, e.role) for e in shifted)


def by_rules(rhs: Expr) -> Expr:
    """Return a formula with its logarithms split and its primitives named, but for exponents that are compensated."""
    kept = {e: Dummy(nonnegative=True) for e in outermost(rhs, accurate_exp)}
    made = primitives(split_log(rhs.xreplace(kept)))
    return made.xreplace({d: e for e, d in kept.items()})


def shift_by_maximum(equations: tuple[Equation, ...]) -> tuple[Equation, ...]:
    """Shift every Σ exp(u) by m = max u: exp(u) = M exp(u - m), M = exp(m), wherever M cancels or meets a logarithm."""
    given = equations
    equations = tuple(Equation(e.lhs, canonical(e.rhs), e.over, e.role) for e in equations)
    before = {e.lhs: (e.rhs, own) for e, own in zip(equations, given, strict=True)}
    sums = {s: None for e in equations for s in _outer_first(e.rhs.atoms(Sum)) if isinstance(s.function, exp)}
    for n, total in enumerate(sums):
        mark = str(n + 1) if n else ""
        equations = _shift(equations, total, mark)
    same = [before[e.lhs][1] if e.lhs in before and before[e.lhs][0] == e.rhs else None for e in equations]
    return tuple(own or replace(e, rhs=named(e.rhs, e.over)) for e, own in zip(equations, same, strict=True))


def _outer_first(sums: Iterable[Expr]) -> list[Expr]:
    """Sort sums so that none comes after one within it; the same way in every process."""
    return sorted(sums, key=lambda s: (-s.count_ops(), str(s)))


def _shift(equations: tuple[Equation, ...], total: Sum, mark: str) -> tuple[Equation, ...]:
    """Shift one sum of exponentials; where it is another one for each row, each has a maximum of its own."""
    u, user = total.function.args[0], next((q for q in equations if q.rhs.has(total)), None)
    if user is None:  # an earlier shift has replaced it
        return equations
    rows = tuple(axis for axis in user.over if total.has(axis.index))
    around = {i for r in user.rhs.atoms(*Reduction) for i, _, _ in r.limits} | {
        a.index for q in equations for a in q.over
    }
    if total.free_symbols & (around - {axis.index for axis in rows}):
        return equations  # the sum is within another one
    letters = iter(letter for letter in "ijkpquv" if letter not in {a.name for a in rows})
    axes = tuple(Axis(next(letters), high + 1) for _, _, high in reversed(total.limits))
    indices = tuple(limit[0] for limit in reversed(total.limits))
    row, e = tuple(a.index for a in rows), array(f"e{mark}")
    if rows:
        m, s = (array(name + mark)[row] for name in ("row_max", "row_sum"))
    else:
        m, s = (scalar(name + mark) for name in ("m", "z"))  # s counts examples
    shift = _Shift(total, row, indices, m, s, e)
    changed = [shift.put_into(q.rhs) for q in equations]
    if all(made is None for made in changed):
        return equations
    here = tuple(a.index for a in axes)
    u_i = u.xreplace(dict(zip(indices, here, strict=True)))
    limits = [axis.limits for axis in reversed(axes)]
    why = Role.SHIFT
    extra = (
        Equation(m, Maximum(u_i, *limits), rows, why),
        Equation(e[row + here], exp(u_i - m), (*rows, *axes), why),
        Equation(s, Sum(e[row + here], *limits), rows, why),
    )
    first = next(n for n, made in enumerate(changed) if made is not None)
    both = zip(equations, changed, strict=True)
    rest = [q if made is None else Equation(q.lhs, made, q.over, q.role) for q, made in both]
    return (*rest[:first], *extra, *rest[first:])


@dataclass(frozen=True)
class _Shift:
    """What a sum of exponentials is made of: m = max u, e = exp(u - m), s = Σ e; of each row where there are some."""

    total: Sum
    row: tuple[Expr, ...]
    indices: tuple[Expr, ...]
    m: Expr
    s: Expr
    e: IndexedBase

    def put_into(self, rhs: Expr) -> Expr | None:
        """Return a shifted right side, or None where the sum does not occur or exp(m) does not go away."""
        rows = {at: node for node in _outer_first(rhs.atoms(Sum)) for at in self._rows(node)}
        if not rows:
            return None
        made, M = rhs, {at: Dummy("M", positive=True) for at in rows}
        for at, node in rows.items():
            swap = dict(zip(self.row, at, strict=True))
            made = made.xreplace({node: self.s.xreplace(swap) * M[at]})
            for place, u in self._exponents(made, swap):
                element = self.e[at + place] * M[at]
                made = made.replace(
                    lambda x, u=u: isinstance(x, exp) and (x.args[0] / u).is_Integer,
                    lambda x, u=u, element=element: element ** (x.args[0] / u),
                )
        made = rebuild(made, factor_out)
        made = made.replace(log, lambda v: expand_log(log(v), force=False))
        for at, factor in M.items():
            made = made.xreplace({log(factor): self.m.xreplace(dict(zip(self.row, at, strict=True)))})
        return None if made.has(*M.values()) else made

    def _rows(self, node: Sum) -> list[tuple[Expr, ...]]:
        """Return of which row another sum is the sum; nothing where it is none of this kind."""
        if node.limits != self.total.limits:
            return []
        reads = self.total.function.atoms(Indexed)
        choices = [
            sorted({other.indices[k] for read in reads for other in node.atoms(Indexed) if other.base == read.base
                    for k, i in enumerate(read.indices) if i == r}, key=str)
            for r in self.row
        ]  # fmt: skip
        return [at for at in product(*choices)
                if self.total.xreplace(dict(zip(self.row, at, strict=True))) == node][:1]  # fmt: skip

    def _exponents(self, expr: Expr, swap: dict[Expr, Expr]) -> list[tuple[tuple[Expr, ...], Expr]]:
        """Return at which places of a row an expression may have exp(u), and u there."""
        u = self.total.function.args[0].xreplace(swap)
        found: dict[tuple[Expr, ...], Expr] = {}
        for access in sorted(expr.atoms(Indexed), key=str):
            for read in (e for e in u.atoms(Indexed) if e.base == access.base and e.rank == access.rank):
                pairs = list(zip(read.indices, access.indices, strict=True))
                at = {i: other for i, other in pairs if i in self.indices}
                same = all(i == other for i, other in pairs if i not in self.indices)
                if same and len(at) == len(self.indices):
                    found[tuple(at[i] for i in self.indices)] = u.xreplace(at)
        return list(found.items())


def in_one_equation(equations: tuple[Equation, ...], kept: frozenset[str] = frozenset()) -> tuple[Equation, ...]:
    """Return equations in which a softmax written over several is one.

    Of e = exp(u), z = Σ e, p = e/z it makes p = exp(u)/Σ exp(u), whose exponentials can be shifted. Where no shift
    would be found, as in e/(1 + z), the equations stay as they are.

    Parameters
    ----------
    equations
        In the order of computation; the last one's values are read by others.
    kept
        Further names that are: what only a softmax reads is left out.
    """
    parts: dict[Expr, Equation] = {}
    made: list[Equation] = []
    for equation in equations:
        whole = replace(equation, rhs=_written_out(equation.rhs, parts))
        is_part = isinstance(whole.rhs, exp) or (isinstance(whole.rhs, Sum) and isinstance(whole.rhs.function, exp))
        if is_part:
            parts[equation.lhs] = whole
        is_shifted = whole.rhs != equation.rhs and not shift_by_maximum((whole,))[-1].rhs.has(exp)
        made.append(whole if is_shifted and not is_part else equation)
    read = kept | {made[-1].name}
    used: list[Equation] = []
    for equation in reversed(made):
        if equation.lhs not in parts or equation.name in read:
            used.insert(0, equation)
            read |= names_in(equation.rhs)
    return tuple(used)


def _written_out(rhs: Expr, parts: Mapping[Expr, Equation]) -> Expr:
    """Return a right side with the definitions of what it reads in their place."""
    read = {target: definition for target, definition in parts.items() if definition.name in names_in(rhs)}
    made = fresh(rhs)
    for target, definition in read.items():
        if not isinstance(target, Indexed):
            made = made.xreplace({target: fresh(definition.rhs)})
            continue
        for access in [e for e in made.atoms(Indexed) if e.base == target.base]:
            at = dict(zip(target.indices, access.indices, strict=True))
            made = made.xreplace({access: fresh(definition.rhs).xreplace(at)})
    return named(canonical(made)) if read else rhs


def split_log(rhs: Expr) -> Expr:
    """Write log(1 + exp u) as u + log(1 + exp(-u)) where u > 0, so that exp never overflows."""

    def is_softplus(node: Expr) -> bool:
        if not isinstance(node, log) or not isinstance(node.args[0], Add) or len(node.args[0].args) != 2:
            return False
        one, other = node.args[0].args
        return one == 1 and isinstance(other, exp)

    def split(node: Expr) -> Expr:
        u = node.args[0].args[1].args[0]
        return Piecewise((u + log(1 + exp(-u)), u > 0), (log(1 + exp(u)), True))

    return rhs.replace(is_softplus, split)


def primitives(rhs: Expr) -> Expr:
    """Write log(1 + u) as log1p(u) and exp(u) - 1 as expm1(u), which keep their digits where u is small."""

    def exponential(node: Expr) -> Expr:
        for term in node.args:
            number, function = term.as_coeff_Mul()
            if isinstance(function, exp) and -number in node.args:
                rest = node - term + number
                return rest + number * expm1(function.args[0])
        return node

    made = rhs.replace(lambda e: isinstance(e, Add), exponential)
    return made.replace(
        lambda e: isinstance(e, log) and isinstance(e.args[0], Add) and S.One in e.args[0].args,
        lambda e: log1p(e.args[0] - 1),
    )
