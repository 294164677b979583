"""Functions of exponentials of one number x as quotients in E = exp(-c |x|), at most 1; two sides of 0 as one."""

from __future__ import annotations

from collections.abc import Callable

from sympy import (
    Abs,
    Add,
    Dummy,
    Expr,
    Mul,
    Piecewise,
    Pow,
    S,
    Symbol,
    cancel,
    collect,
    cosh,
    exp,
    expand,
    factor_list,
    fraction,
    gcd_list,
    log,
    sinh,
    tanh,
    together,
)  # fmt: skip
from sympy.codegen.cfunctions import expm1, log1p

from symbackprop.expr.symbols import accurate_exp, decay, gauss, normal, plus, scaled

LARGEST_POWER = 12  # of any symbol in a quotient: the work grows with it
LARGEST_FORMULA = 400  # operations


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
    return outside * (in_factors(above, E) / in_factors(below, E)).xreplace(back)


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


def in_factors(polynomial: Expr, E: Symbol) -> Expr:
    """Return a polynomial in factors, each of which starts with plus where E is 0."""
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
