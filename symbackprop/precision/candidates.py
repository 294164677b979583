"""Which forms of a formula are tried: of the whole, of what is within its functions, and of what is around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from sympy import Abs, Basic, Dummy, Expr, Function, Mul, Piecewise, PolynomialError, Pow, Symbol, cosh, exp, sinh, tanh

from symbackprop.expr.printing import formula
from symbackprop.expr.symbols import decay
from symbackprop.precision.exponentials import kept_in_order
from symbackprop.precision.rewrites import COSTLY, FORMS, accurate, decay_of, normals

MOST = 12  # candidates of one kind
Inside = Callable[[Expr], Expr]  # returns a form of what is within a formula


def candidates(f: Expr, x: Symbol, derived: Expr, kinds: Iterable[str] = FORMS) -> dict[str, Expr]:
    """Return the formula as derived (and made safe by rule), and every form of it of some kinds, by name."""
    found = {"derived": derived}
    for name, form in ((name, (FORMS | COSTLY)[name]) for name in kinds):
        try:
            for n, made in enumerate(islice(form(f, x), MOST)):
                if made is not None and made not in found.values():
                    found[f"{name} {n + 1}" if n else name] = made
        except (PolynomialError, NotImplementedError, RecursionError, ValueError, TypeError):
            continue  # SymPy cannot write it so: one candidate less
    return found


def nested(f: Expr, x: Symbol, derived: Expr, inside: Inside) -> dict[str, Expr]:
    """Return forms of f in which what its functions are of is in a form of its own, and f in forms of that."""
    made = _around(f, x, inside)
    plain = {"inside": derived} | {f"normal {n} inside": g for n, g in enumerate(normals(f, x))}
    for kind, g in plain.items():
        parts = inner(g, x)
        if not parts:
            continue
        forms = {u: inside(u) for u in parts}
        made[kind] = squares_out(g.xreplace(forms), x)
        for u in parts:
            made |= {f"{kind} {name}": form.xreplace(forms) for name, form in _of_inside(g, u, x).items()}
    for g in (f, derived) if not derived.has(Piecewise) else (f,):
        made |= _of_exponents(g, x)
    return made


def _of_exponents(f: Expr, x: Symbol) -> dict[str, Expr]:
    """Return forms of f as a function of what an exponential within it is of, where that is delicate itself."""
    made: dict[str, Expr] = {}
    for u in exponents(f, x):
        forms = _of_inside(f, u, x)
        made |= {f"of {formula(u)} {name}": form for name, form in forms.items()}
        made |= {f"of {formula(u)} {name}, accurate": accurate(form, x) for name, form in forms.items()}
    return made


def by_piece(f: Expr, inside: Inside) -> dict[str, Expr]:
    """Return f with its conditions outside of all else, and each piece in a form of its own."""
    pieces = [(inside(piece), c) for piece, c in in_cases(f)]
    return {"by piece": Piecewise(*pieces)} if pieces else {}


def _of_inside(g: Expr, u: Expr, x: Symbol) -> dict[str, Expr]:
    """Return the forms of g as a function of u, all else in it kept as it is."""
    v = Dummy("v", real=True)
    h = g.xreplace({u: v})
    rest = {e: Dummy("w", real=True) for e in whole_of(h, v, x)} | {x: Dummy("w", real=True)}
    back = {d: e for e, d in rest.items()}
    h = h.xreplace(rest)
    forms = candidates(h, v, h, ("saturated", *FORMS))
    made = {}
    for name, form in [*forms.items()][1:]:  # behind h itself
        form = form.xreplace(back).xreplace({v: u})  # noqa: PLW2901
        made[name] = kept_in_order(form.replace(decay, decay_of), x)
    return made


def whole_of(h: Expr, v: Symbol, x: Symbol) -> list[Expr]:
    """Return the largest functions and roots of x in h that do not read v."""
    return largest(e for e in h.atoms(Function, Pow) if e.has(x) and not e.has(v))


def _around(f: Expr, x: Symbol, inside: Inside) -> dict[str, Expr]:
    """Return forms of f in which functions that are parts of it have forms of their own."""
    parts = whole(f, x)
    if not parts:
        return {}
    forms = {u: inside(u) for u in parts}
    back = {Dummy(f"w{n}", real=True): u for n, u in enumerate(parts)}
    h = f.xreplace({u: d for d, u in back.items()})
    put = {d: forms[u] for d, u in back.items()}
    return {f"around {name}": form.xreplace(put) for name, form in candidates(h, x, h).items()}


def inner(f: Expr, x: Symbol) -> list[Expr]:
    """Return what the functions and roots of a formula are of, and what it divides by, where that is delicate too."""
    return largest(u for e in f.atoms(Function, Pow) for u in _inside(e) if _is_delicate(u, x, e) and u != f)


def exponents(f: Expr, x: Symbol) -> list[Expr]:
    """Return what exponentials within exponentials are of: of each f may be known as a function."""
    found = {e.args[0] for e in f.atoms(exp, tanh, sinh, cosh)}
    return sorted((u for u in found if u.atoms(Function, Pow) and _is_delicate(u, x, f)), key=str)


def in_cases(f: Expr) -> list[tuple[Expr, Basic]]:
    """Return a formula with conditions in it as one for each case of the first of them; nothing where it has none."""
    choices = largest(f.atoms(Piecewise))
    conditions = [c for _, c in choices[0].args] if choices else []
    alike = [p for p in choices if [c for _, c in p.args] == conditions]
    return [(f.xreplace({p: p.args[n].expr for p in alike}), c) for n, c in enumerate(conditions)]


def largest(nodes: Iterable[Expr]) -> list[Expr]:
    """Return those of some nodes that lie in no other of them, in an order that is always the same."""
    found = sorted(set(nodes), key=str)
    return [e for e in found if not any(e != other and other.has(e) for other in found)]


def _is_delicate(u: Expr, x: Symbol, outside: Expr) -> bool:
    nodes = [e for e in u.atoms(Function, Pow) if e.has(x)]
    return any(not _is_square(e) for e in nodes) or (bool(nodes) and isinstance(outside, Function))


def whole(f: Expr, x: Symbol) -> list[Expr]:
    """Return the functions and roots in a formula that may stay whole, those that grow like exponentials aside."""
    nodes = [e for e in f.atoms(Function, Pow) if e.has(x) and not isinstance(e, Piecewise | Abs | exp) and e != f]
    nodes = [e for e in nodes if not _is_square(e) and not (isinstance(e, tanh | sinh | cosh) and e.args[0] == x)]
    return largest(e for e in nodes if not (isinstance(e, Pow) and e.exp.is_Integer))


def _inside(e: Expr) -> tuple[Expr, ...]:
    if isinstance(e, Pow):
        return () if e.exp.is_Integer and e.exp > 0 else (e.base,)
    return () if isinstance(e, Piecewise) else e.args


def _is_square(e: Expr) -> bool:
    return isinstance(e, Abs) or (isinstance(e, Pow) and bool(e.exp.is_Integer and e.exp > 0))


def squares_out(f: Expr, x: Symbol) -> Expr:
    """Write √(x² u) as |x| √u: x² may overflow."""

    def out(node: Pow) -> Expr:
        even = [e for e in Mul.make_args(node.base) if isinstance(e, Pow) and e.base == x and e.exp.is_even]
        k = sum(e.exp for e in even)
        rest = Mul(*(e for e in Mul.make_args(node.base) if e not in even))
        return Abs(x) ** (k * node.exp) * rest**node.exp

    return f.replace(lambda e: isinstance(e, Pow) and not e.exp.is_Integer and e.base.is_Mul, out)
