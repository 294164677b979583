"""Forms of a formula of one number x that have its value, and keep their digits where others lose them.

Each function here knows one remedy and returns the formula rewritten by it, or None where it does not apply. None of
them decides whether its form is better: that is measured (`precision.search`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import prod

from sympy import (
    Abs,
    Add,
    Basic,
    Dummy,
    Expr,
    Function,
    Max,
    Min,
    Mul,
    Piecewise,
    Poly,
    Pow,
    S,
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
    factor_list,
    fraction,
    gcd_list,
    log,
    pi,
    sign,
    sin,
    sinh,
    sqrt,
    tanh,
    together,
)  # fmt: skip
from sympy.codegen.cfunctions import expm1, log1p

from symbackprop.expr.symbols import accurate_exp, decay, gauss, normal, plus, scaled

LARGEST_POWER = 12  # of any symbol in a quotient: the work grows with it
LARGEST_FORMULA = 400  # operations
MOST_TERMS = 64  # of what is multiplied out: a dozen factors of two terms each are thousands


def by_sign(above: Expr, below: Expr, x: Symbol) -> Expr:
    """Return `above` where x > 0 and `below` elsewhere, NaN included; one division where they share a divisor."""
    if above == below:
        return above
    (over, under), (over2, under2) = (fraction(e, exact=True) for e in (above, below))
    if under2 == -under:
        over2, under2 = -over2, under
    if under == under2 and not under.is_number:
        return Piecewise((over, x > 0), (over2, True)) / under
    return Piecewise((above, x > 0), (below, True))


def exponentials(f: Expr, x: Symbol) -> Expr | None:
    """Write a rational function of x, exponentials and their logarithms by E = exp(-c |x|), which is at most 1.

    What exp(x) would be divided by is divided out: each sign of x has a quotient of its own, in which E stands where it
    is small. log(u) is the logarithm of what dominates, plus log1p of the rest.
    """
    return _in_exponentials(f, x, _side)


def exponentials_less_one(f: Expr, x: Symbol) -> Expr | None:
    """Write the same by q = expm1(-c |x|), which is small near 0, where differences of exponentials cancel."""
    return _in_exponentials(f, x, _side_near_zero)


def exponentials_scaled(f: Expr, x: Symbol) -> Expr | None:
    """Write the same by E = exp(-c |x|/2): m E² where m grows with x, as (m E) E, which E² alone need not survive."""
    return _in_exponentials(f, x, _side_scaled, S.Half)


def _in_exponentials(f: Expr, x: Symbol, side: Callable[..., Expr | None], part: Expr = S.One) -> Expr | None:
    growing = f.atoms(exp, tanh, sinh, cosh)
    if any(e.args[0].replace(log, lambda _: x).has(exp, tanh, sinh, cosh) for e in growing):
        return None  # one within another is no rational function of E, and could take minutes to expand
    f = f.replace(lambda e: isinstance(e, tanh | sinh | cosh), lambda e: e.rewrite(exp))
    rates = {e: expand(e.args[0]) / x for e in f.atoms(exp)}
    if not rates or not all(r.is_Rational for r in rates.values()):
        return None
    c = gcd_list([abs(r) for r in rates.values()]) * part
    E = Dummy("E", positive=True)
    sides = []
    for s in (1, -1):
        quotient = f.xreplace({e: E ** int(-s * r / c) for e, r in rates.items()})
        sides.append(side(quotient.xreplace({Abs(x): s * x}), E, c, s * x))
    if None in sides:
        return None
    return by_sign(kept_in_order(sides[0], x), kept_in_order(sides[1], x), x)


def kept_in_order(f: Expr, x: Symbol) -> Expr:
    """Write m E² n, where m grows with x, E vanishes and n is bounded, as n (m E) E, m multiplied by no number.

    A compiler may multiply first, and n m may overflow where E is 0; E² alone may be subnormal where m E² is not.
    """
    return f.replace(Mul, lambda *factors: _ordered(factors, x))


def _ordered(factors: tuple[Expr, ...], x: Symbol) -> Expr:
    powers = [f for f in factors if isinstance(f, Pow) and isinstance(f.base, accurate_exp | decay | gauss)]
    small = [f for f in powers if f.exp % 2 == 0]
    E = small[0].base if small else S.One
    grow = [f for f in factors if f not in small and not isinstance(f, _BOUNDED) and f.subs(E, 0).has(x)]
    if len(small) != 1 or not grow:
        return Mul(*factors)
    rest = [f for f in factors if f not in small and f not in grow]
    scales = [_scale(f, E) for f in grow]
    growing = Mul(*(expand(f / by) for f, by in zip(grow, scales, strict=True)))
    return Mul(*rest, *scales, scaled(growing, E ** (small[0].exp / 2)))


_BOUNDED = (accurate_exp, decay, gauss, scaled, normal)


def _side(f: Expr, E: Symbol, c: Expr, size: Expr) -> Expr | None:
    """Return one side of 0: `size` is |x| there, written by x."""
    made = f.replace(log, lambda u: _log_of(u, E, c, size))
    x = next(iter(size.free_symbols))
    return _restored(made, E, x, decaying(c, x))


def decaying(c: Expr, x: Symbol) -> Expr:
    """Return exp(-c |x|), whose exponent is exact where c is a power of 2."""
    return decay(c * x) if log(c, 2).is_integer else accurate_exp(-c * Abs(x))


def _side_scaled(f: Expr, E: Symbol, c: Expr, size: Expr) -> Expr | None:
    """Return the same where there is no logarithm: in it E² is as good as E."""
    made = _side(f, E, c, size)
    return None if made is None or made.has(log1p) else made


def _log_of(u: Expr, E: Symbol, c: Expr, size: Expr) -> Expr:
    """Return log u with log E = -c |x| and log g = log g(0) + log1p(g/g(0) - 1) for every other factor g of u."""
    x = next(iter(size.free_symbols))
    if u.has(log) or u.free_symbols - {E, x}:
        return log(u)
    number, factors = _factors(u)
    total = log(abs(number))  # u is positive, its factors need not be
    for g, power in factors:
        if not g.has(E):
            total += power * log(Abs(g))
            continue
        if g == E:
            total -= power * c * size
            continue
        at_zero = g.subs(E, 0)
        if at_zero == 0 or g.has(x):
            return log(u)
        total += power * (log(abs(at_zero)) + log1p(collect(expand(g / at_zero) - 1, E)))
    return total


def _side_near_zero(f: Expr, E: Symbol, c: Expr, size: Expr) -> Expr | None:
    q = Dummy("q", real=True)
    x = next(iter(size.free_symbols))

    def log_of(u: Expr) -> Expr:
        inside = cancel(together((u - 1).xreplace({E: 1 + q})))
        return log1p(_polished(inside, q))

    made = f.replace(log, log_of)
    return _restored(made.xreplace({E: 1 + q}), q, x, expm1(-c * Abs(x)))


def _restored(f: Expr, E: Symbol, x: Symbol, value: Expr) -> Expr | None:
    """Return a function of E with quotients reduced, and then E's value put in."""
    kept = {node for node in f.atoms(log) if not node.has(E)}
    logs = {node: Dummy(positive=True) for node in sorted(f.atoms(log1p) | kept, key=str)}
    flat = f.xreplace(logs)
    if any(e.free_symbols for e in flat.atoms(exp, log)) or not _is_small(flat):
        return None
    back = {d: node for node, d in logs.items()}
    made = _polished(flat, E) if not logs or fraction(together(flat))[1] != 1 else collect(expand(flat), x)
    made = made.replace(lambda e: isinstance(e, Add), lambda e: _fixed_first(e, {E, x}))
    return made.xreplace(back).xreplace({E: value})


def _fixed_first(total: Add, varying: set[Symbol]) -> Expr:
    """Return a sum with its terms of other symbols, such as a target in 1 - t, added up before those that vary."""
    fixed = [t for t in total.args if not t.free_symbols & varying]
    rest = [t for t in total.args if t not in fixed]
    if not rest or len(fixed) < 2 or not Add(*fixed).free_symbols:
        return total
    return plus(Add(*fixed), Add(*rest))


def _is_small(f: Expr) -> bool:
    if f.count_ops() > LARGEST_FORMULA:
        return False
    powers = [p.exp for p in f.atoms(Pow) if p.base.free_symbols]
    return all(p.is_Integer and abs(p) <= LARGEST_POWER for p in powers)


def _polished(f: Expr, E: Symbol) -> Expr:
    """Return a quotient, reduced, its two sides in factors, each factor a polynomial in E."""
    outside, inside = f.as_independent(E, as_Add=False)  # multiplied out, a dozen factors are thousands of terms
    numbers = {n: Dummy(positive=True) for n in _irrational(inside)}
    above, below = fraction(cancel(together(inside.xreplace(numbers))))
    back = {d: n for n, d in numbers.items()}
    return outside * (_product(above, E) / _product(below, E)).xreplace(back)


def _irrational(f: Expr) -> list[Expr]:
    found = {p for p in f.atoms(Pow, *_NUMBERS) if p.is_number and not p.is_Rational and p.is_positive}
    return sorted(found, key=str)


_NUMBERS = (type(S.Pi), type(S.Exp1), log)


def _factors(u: Expr) -> tuple[Expr, list[tuple[Expr, int]]]:
    """Return the number and the factors, with their powers, of a quotient of polynomials."""
    above, below = fraction(cancel(together(u)))
    number, up = factor_list(above)
    divisor, down = factor_list(below)
    return number / divisor, [*up, *((g, -n) for g, n in down)]


def _product(polynomial: Expr, E: Symbol) -> Expr:
    number, factors = factor_list(polynomial)
    made = []
    for g, power in factors:
        scale = _scale(g, E)
        number *= scale**power
        made.append(collect(expand(g / scale), E) ** power)
    return Mul(number, *made)


def _scale(g: Expr, E: Symbol) -> Expr:
    """Return what to take out of a polynomial so that it starts with plus, and multiplies x by no more than 1.

    Where E is tiny, E (1/2 + x) 2 is too, but 2 x overflows.
    """
    terms = {t.as_coeff_Mul()[0] for t in Add.make_args(expand(g)) if t.free_symbols - {E}}
    first = g.subs(E, 0)
    sign_ = -1 if first.is_number and first < 0 else 1
    return sign_ * max([S.One, *map(abs, terms)])


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
    made = _product(above, t) / _product(below, t)
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


def accurate_halves(f: Expr, x: Symbol) -> Expr:
    """Write m e^u, where e^u alone may be subnormal or infinite, as (m h) h with h = e^(u/2); e^u e^v as e^(u + v)."""

    def halved(*factors: Expr) -> Expr:
        powers = [e for e in factors if isinstance(e, exp)]
        rest = Mul(*(e for e in factors if e not in powers))
        exponent = Add(*(e.args[0] for e in powers))
        if not powers:
            return rest
        return scaled(rest, accurate_exp(exponent / 2)) if rest.has(x) else rest * accurate_exp(exponent)

    return f.replace(Mul, halved).replace(exp, accurate_exp)


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
    "half angle": lambda f, x: iter([half_angles(f, x)]),
    "saturated": lambda f, x: iter([saturated(f, x)]),
    "reflected": lambda f, x: iter([reflected(f, x)]),
    "accurate": lambda f, x: iter([accurate(f, x)]),
    "halves": lambda f, x: iter([accurate_halves(f, x)]),
}


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
