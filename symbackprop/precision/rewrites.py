"""Forms of a formula of one number x that have its value, and keep their digits where others lose them.

Each function here, and in `exponentials`, knows one remedy and returns the formula rewritten by it, or None where it
does not apply. None of them decides whether its form is better: that is measured (`precision.search`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

from sympy import (
    Abs,
    Add,
    Dummy,
    Expr,
    Function,
    Integer,
    Max,
    Min,
    Mul,
    Piecewise,
    Poly,
    Pow,
    Symbol,
    atan,
    cancel,
    collect,
    cos,
    cosh,
    erf,
    erfc,
    exp,
    expand,
    fraction,
    log,
    pi,
    sign,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
    together,
)

from symbackprop.expr.symbols import accurate_exp, decay, gauss, normal, scaled
from symbackprop.precision.exponentials import (
    LARGEST_POWER,
    by_sign,
    exponentials,
    exponentials_less_one,
    exponentials_scaled,
    in_factors,
    kept_in_order,
)  # fmt: skip

FARTHEST = Integer(2) ** 100  # of a number that was rounded the angle is anything long before
MOST_TERMS = 64  # of what is multiplied out: a dozen factors of two terms each are thousands


def roots(f: Expr, x: Symbol) -> Iterator[Expr]:
    """Yield forms of an algebraic function with one √(p + q x²).

    They are: the root as a product that does not overflow, m √(1 + (n/m)²); a difference A - B as (A² - B²)/(A + B);
    and both.
    """
    bases = {p.base for p in f.atoms(Pow) if not p.exp.is_Integer and p.base.has(x)}
    if len(bases) != 1 or not _is_algebraic(f):
        return
    (base,) = bases
    if not base.is_polynomial(x) or Poly(base, x).degree() != 2:
        return
    q, none, p = Poly(base, x).all_coeffs()
    if none != 0 or not (p.is_positive and q.is_positive):
        return
    r = Dummy("r", positive=True)
    flat = together(f.replace(lambda e: isinstance(e, Pow) and e.base == base, lambda e: r ** (2 * e.exp)))
    m, n = Max(Abs(x), sqrt(p / q)), Min(Abs(x), sqrt(p / q))
    for made in (flat, _conjugate(flat, r, base)):
        if made is not None:
            yield made.xreplace({r: sqrt(base)})
            yield made.xreplace({r: sqrt(q) * m * sqrt(1 + (n / m) ** 2)})


def _is_algebraic(f: Expr) -> bool:
    return not f.atoms(exp, log, tanh, sinh, cosh, erf, Piecewise, sign) and _is_half(f) and f.count_ops() < 100


def _is_half(f: Expr) -> bool:
    return all((2 * p.exp).is_Integer and abs(p.exp) <= LARGEST_POWER for p in f.atoms(Pow))


def _conjugate(f: Expr, r: Symbol, base: Expr) -> Expr | None:
    """Return N/D as (A² - B² r²)/((A - B r) D) where N = A + B r."""
    above, below = fraction(f)
    above = expand(above)
    if Poly(above, r).degree() != 1:
        return None
    B, A = Poly(above, r).all_coeffs()
    other = A - B * r
    if A == 0 or other == above:
        return None
    made = cancel(expand(A**2 - B**2 * base))
    number, other = (-made, -other) if made.is_number and made < 0 else (made, other)
    return number / (other * below)


def reciprocal(f: Expr, x: Symbol) -> Expr | None:
    """Write an algebraic function by t = 1/|x|, so that nothing overflows where |x| is large."""
    if not _is_algebraic(f) or not f.has(Pow):
        return None
    t = Dummy("t", positive=True)
    sides = []
    for s in (1, -1):
        made = cancel(together(_rootless(f.xreplace({Abs(x): s * x}).xreplace({x: s / t}), t)))
        if made.has(x):
            return None
        sides.append(_polished_by(made, t).xreplace({t: 1 / Abs(x)}))
    return by_sign(sides[0], sides[1], x)


def _rootless(f: Expr, t: Symbol) -> Expr:
    """Take 1/t² out of every root: √(p + q/t²) = √(p t² + q)/t."""

    def out(node: Pow) -> Expr:
        above, below = fraction(together(node.base))
        k = Poly(below, t).degree() if below.has(t) else 0
        if k % 2 or expand(below / t**k).has(t):
            return node
        return expand(above / expand(below / t**k)) ** node.exp / t ** (k * node.exp)

    return f.replace(lambda e: isinstance(e, Pow) and not e.exp.is_Integer and e.has(t), out)


def _polished_by(f: Expr, t: Symbol) -> Expr:
    found = [p for p in f.atoms(Pow) if not p.exp.is_Integer and p.has(t)]
    roots_ = {p: Dummy(positive=True) for p in sorted(found, key=str)}
    above, below = fraction(cancel(f.xreplace(roots_)))
    made = in_factors(above, t) / in_factors(below, t)
    return made.xreplace({d: p for p, d in roots_.items()})


def complements(f: Expr, x: Symbol) -> Iterator[Expr]:
    """Yield erf u as 1 - erfc u, and as erfc(-u) - 1: what cancels is gone; and both with exponentials by halves."""
    if f.has(erf):
        made = [expand(f.replace(erf, lambda u, s=s: s - s * erfc(s * u))) for s in (1, -1)]
        yield from made
        yield from (accurate_halves(g, x) for g in made)


def half_angles(f: Expr, _: Symbol) -> Expr | None:
    """Write cos u as 1 - 2 sin²(u/2): 1 - cos u is gone."""
    return expand(f.replace(cos, lambda u: 1 - 2 * sin(u / 2) ** 2)) if f.has(cos) else None


def saturated(f: Expr, _: Symbol) -> Expr | None:
    """Write tanh² u as 1 - 4 E/(1 + E)², E = exp(-2 |u|): what is left of 1 - tanh² u does not cancel."""

    def square(node: Expr) -> Expr:
        u = node.base.args[0]
        E = decay(2 * u)
        return (1 - 4 * E / (1 + E) ** 2) * node.base ** (node.exp - 2)

    made = f.replace(lambda e: e.is_Pow and isinstance(e.base, tanh) and e.exp.is_Integer and e.exp > 1, square)
    return None if made == f else made


def decay_of(u: Expr) -> Expr:
    """Return exp(-|u|), its exponent computed with what its roundings lost where all its operations are known."""
    size = Abs(u.replace(lambda e: isinstance(e, sinh | cosh), lambda e: e.rewrite(exp)))
    known = size.atoms(Function) <= size.atoms(Abs, exp, accurate_exp)
    return accurate_exp(-size) if known and not size.args[0].is_Symbol else decay(u)


def normals(f: Expr, x: Symbol) -> Iterator[Expr]:
    """Yield f with erf as `normal`, which is small where 1 - erf would cancel, and exp(-k x²) as powers of `gauss`.

    First as it is, then multiplied out.
    """
    P = {e: Dummy(positive=True) for e in sorted(f.atoms(erf), key=str)}
    plain = f.xreplace({e: 2 * d - 1 for e, d in P.items()}) if P else f
    squares = {e: -2 * e.args[0] / x**2 for e in plain.atoms(exp)}
    turned = {e: gauss(x) ** k for e, k in squares.items() if k.is_Integer and 0 < k <= 4}
    if not P and not turned:
        return
    for made in dict.fromkeys((expand(plain), plain)) if P else (collect(plain.xreplace(turned), x),):
        gaussian = made.xreplace(turned)
        yield kept_in_order(gaussian.xreplace({d: normal(expand(sqrt(2) * e.args[0])) for e, d in P.items()}), x)


def in_terms(f: Expr, _: Symbol) -> Expr | None:
    """Multiply out: (x cos x - sin x)/x² is cos(x)/x - sin(x)/x², where x² may overflow."""
    sums = prod(len(u.args) ** abs(int(n)) if isinstance(u, Add) and n.is_Integer else 1
                for u, n in (g.as_base_exp() for g in Mul.make_args(f)))  # fmt: skip
    return expand(f, power_exp=False, log=False) if sums <= MOST_TERMS else None


def clamped(f: Expr, x: Symbol) -> Expr:
    """Keep what angles are of finite: sin(x²)/x² is 0 far out, where x² may be infinite and its sine is NaN."""
    names = {e: Max(-FARTHEST, Min(FARTHEST, e.args[0])) for e in f.atoms(sin, cos, tan) if e.args[0] != x}
    return f.xreplace({e: e.func(within) for e, within in names.items()})


def reflected(f: Expr, x: Symbol) -> Expr | None:
    """Write atan u as ±π/2 - atan(1/u): in 1/2 + atan(x)/π what cancels is gone."""
    if not f.has(atan):
        return None
    sides = [expand(f.replace(atan, lambda u, s=s: s * pi / 2 - atan(1 / u))) for s in (1, -1)]
    return by_sign(sides[0], sides[1], x)


def accurate(f: Expr, _: Symbol) -> Expr:
    """Compute each exponent with what its roundings lost; sinh u and cosh u by e^(u - log 2), which is as large."""

    def halves(node: Expr) -> Expr:
        up, down = (accurate_exp(s * node.args[0] - log(2)) for s in (1, -1))
        return up - down if isinstance(node, sinh) else up + down

    return f.replace(lambda e: isinstance(e, sinh | cosh), halves).replace(exp, accurate_exp)


def accurate_halves(f: Expr, x: Symbol, *, numbers: bool = False) -> Expr:
    """Write m e^u, where e^u alone may be subnormal or infinite, as (m h) h with h = e^(u/2); e^u e^v as e^(u + v).

    With `numbers`, where m is a number too: e^128 is infinite in float32, log(2) e^128 is not.
    """

    def halved(*factors: Expr) -> Expr:
        powers = [e for e in factors if isinstance(e, exp)]
        rest = Mul(*(e for e in factors if e not in powers))
        exponent = Add(*(e.args[0] for e in powers))
        if not powers:
            return rest
        in_halves = rest.has(x) or (numbers and rest != 1)
        return scaled(rest, accurate_exp(exponent / 2)) if in_halves else rest * accurate_exp(exponent)

    return f.replace(Mul, halved).replace(exp, accurate_exp)


def logarithms(f: Expr) -> Expr:
    """Write the logarithm of a product as a sum, of a power as a multiple: in log(1/x²) x² may overflow, or vanish."""

    def in_terms(u: Expr) -> Expr:
        number, rest = u.as_coeff_Mul()
        powers = [g.as_base_exp() for g in Mul.make_args(rest)]
        odd = [g for g, n in powers if not n.is_even]
        if len(odd) > 1 or (number.is_negative and not odd):
            return log(u)
        sides = {g: -g if number.is_negative else g for g in odd}
        return log(abs(number)) + Add(*(n * log(sides.get(g, Abs(g))) for g, n in powers))

    return f.replace(log, in_terms)


FORMS: dict[str, Callable[[Expr, Symbol], Iterator[Expr | None]]] = {
    "exponentials": lambda f, x: iter([exponentials(f, x)]),
    "scaled": lambda f, x: iter([exponentials_scaled(f, x)]),
    "expm1": lambda f, x: iter([exponentials_less_one(f, x)]),
    "roots": roots,
    "reciprocal": lambda f, x: iter([reciprocal(f, x)]),
    "normal": normals,
}
COSTLY: dict[str, Callable[[Expr, Symbol], Iterator[Expr | None]]] = {
    "terms": lambda f, x: iter([in_terms(f, x)]),
    "complements": complements,
    "clamped": lambda f, x: iter([clamped(f, x)]),
    "half angle": lambda f, x: iter([half_angles(f, x)]),
    "saturated": lambda f, x: iter([saturated(f, x)]),
    "reflected": lambda f, x: iter([reflected(f, x)]),
    "accurate": lambda f, x: iter([accurate(f, x)]),
    "halves": lambda f, x: (accurate_halves(f, x, numbers=numbers) for numbers in (False, True)),
    "logarithms": lambda f, _: iter([logarithms(f)]),
}
