"""What a formula of one number x tends to beside 0 and far out: a few terms of its expansion, and from where they hold.

sin(x)/x, (exp(x) - 1)/x lose their digits near 0, a exp(-a²), log(1 + a²) overflow or are 0 · ∞ far out. There
f(x) = x^k (c₀ + c₁ t + c₂ t² + ...) e^(r x) or e^(r x²), with t = x or t = 1/x. Rate, power and coefficients are
found by values of f to hundreds of digits, and written as the numbers that they are. A form holds as far as it has f's
value to the last digit of float64, at points up to the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache, partial
from typing import Any

from mpmath import mp
from sympy import Abs, Dummy, E, Expr, Integer, Max, Min, Rational, S, Symbol, ceiling, erf, exp, expand, log, pi, sqrt

from symbackprop.expr.symbols import accurate_exp, normal, scaled
from symbackprop.precision.truth import exact

PRECISION = 3800  # bits; of values whose differences are taken up to NODES times
NODES = 42
STEP = 64  # the nodes are multiples of 2^-64
TERMS = (1, 2, 3, 4, 6, 8, 10, 13, 17)
NEAR = mp.mpf(2) ** -55  # the relative error up to which a form holds: float64 has 53 bits
_LONG = 10**16
ALMOST = mp.mpf("1e-50")  # of a coefficient to the number that it is written as
_OVER = 4000  # e to it is infinite in both types, whatever it is multiplied by
LEAST, MOST = mp.ldexp(1, -1076), mp.ldexp(1, 1025)  # beyond both types
FAR = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40, 64, 96, 128, 256, 1024, 2**14, 2**20, 2**28, 2**40, 2**56)
BESIDE = tuple(Rational(n, d) for n, d in ((1, 1), (3, 4), (1, 2), (3, 8), (1, 4), (1, 8), (1, 16), (1, 64), (1, 2**10),
               (1, 2**14), (1, 2**20), (1, 2**28)))  # fmt: skip
_DENOMINATORS = (1, 2, 3, 4, 6, 10, 20, 50, 100, 500, 1000, 2000)  # of a rate
_OUTWARDS = tuple(mp.mpf(v) for v in ("1", "1.07", "1.3", "1.7", "2.3", "3.7", "7", "20", "90", "500", "1e4", "1e6",
                  "1e9", "1e13", "1e19", "1e30", "1e60", "1e100", "1e200"))  # fmt: skip
_BASES: tuple[Expr, ...] = (S.One, 1 / sqrt(pi), sqrt(2) / sqrt(pi), 1 / pi, sqrt(2), pi, log(2), E, 1 / E, sqrt(pi),
                            sqrt(3))  # fmt: skip


_EXPONENT = Dummy("u", real=True)
Values = Callable[[Any], Any]


@dataclass(frozen=True)
class End:
    """A form that holds beside 0 (up to `bound`) or far out (from it on), where x has the sign `side`."""

    form: Expr
    side: int
    at_zero: bool
    bound: Rational


def ends(f: Expr, x: Symbol, side: int, *, at_zero: bool) -> Iterator[End]:
    """Yield forms of f at one end of one side, with more and more terms; none where f has no such expansion."""
    with mp.workprec(PRECISION):
        expansion, truth = _known(f, x, side, at_zero)
        if expansion is None:
            return
        last = None
        for count in (0, *TERMS) if expansion.order == 2 else TERMS:  # first 0, which e^(r x²) soon is
            form = expansion.form(x, side, count, at_zero=at_zero)
            if form == last:
                return
            last, bound = form, _reach(truth, partial(_value, form, x, side), at_zero=at_zero)
            if bound is not None:
                yield End(form, side, at_zero, bound)


@lru_cache(maxsize=32)
def _known(f: Expr, x: Symbol, side: int, at_zero: bool) -> tuple[_Expansion | None, Values]:  # noqa: FBT001 (a key)
    """Return the expansion of f at one end, and f of |x|, each value computed once."""
    values = cache(partial(_value, f if at_zero else _uncancelled(f, x, side), x, side))
    found = _expansion(values, at_zero=True) if at_zero else _expansion(lambda t: values(1 / t), at_zero=False)
    return found, values


def _uncancelled(f: Expr, x: Symbol, side: int) -> Expr:
    """Return f with erf u as ±(1 - erfc(±u)): far out, no precision keeps the digits of 1 - erf u.

    It is written by `normal`, for SymPy makes erfc(-u) 2 - erfc(u).
    """
    if not f.has(erf):
        return f

    def complement(u: Expr) -> Expr:
        s = -1 if u.subs(x, 10 * side) < 0 else 1
        return s * (1 - 2 * normal(-s * sqrt(2) * u))

    return expand(f.replace(erf, complement))


def _value(f: Expr, x: Symbol, side: int, size: Any) -> Any:
    return exact(f, {x: side * size})


@dataclass(frozen=True)
class _Expansion:
    """q log(1/t) + t^k (c₀ + c₁ t + ...) exp(r/tⁿ), n = `order`."""

    power: Rational
    coefficients: tuple[Expr, ...]
    rate: Expr = S.Zero
    of_log: Expr = S.Zero
    order: int = 1

    def form(self, x: Symbol, side: int, count: int, *, at_zero: bool) -> Expr:
        """Return `count` of the terms, those that are not 0, as a formula of x."""
        whole = bool(self.power.is_Integer)
        size = x if whole else Abs(x)
        turn = [Integer(side) ** (n + int(self.power)) if whole else 1 for n in range(len(self.coefficients))]
        t = size if at_zero else 1 / size
        terms = [(n, s * c) for n, (s, c) in enumerate(zip(turn, self.coefficients, strict=True)) if c != 0][:count]
        if not terms:
            return S.Zero
        total = _one_term(*terms[0], self.power, t) if len(terms) == 1 else _nested(t**self.power, t, terms)
        if self.rate != 0:
            bound = side * Integer(2) ** ceiling(log(_OVER / abs(self.rate), 2) / self.order)
            within = Min(x, bound) if side > 0 else Max(x, bound)  # beyond it e^(r x) is 0 or infinite, and x² may be
            return scaled(total.xreplace({x: within}), accurate_exp(self.rate * (side * x) ** self.order / 2))
        return total + self.of_log * log(Abs(x))


def _one_term(n: int, c: Expr, power: Rational, t: Expr) -> Expr:
    """Return c t^(n + power), a factor t at a time where t^(n + power) may be subnormal though the whole is not."""
    k = n + power
    return scaled(c * t ** (k - 2), t) if k >= 2 and abs(c) > 2 else c * t**k


def _nested(first: Expr, t: Expr, terms: list[tuple[int, Expr]]) -> Expr:
    """Return first · Σ c tⁿ by Horner's rule, from the term that counts most."""
    (n, c), *rest = terms
    total = S.Zero
    for (m, later), (earlier, _) in reversed(list(zip(rest, terms, strict=False))):
        total = t ** (m - earlier) * (later + total)
    start = first * t**n
    return c * start + start * total if total != 0 else c * start


def _expansion(f: Values, *, at_zero: bool) -> _Expansion | None:
    nodes = [mp.ldexp(j + 1, -STEP) for j in range(NODES)]
    values = [f(t) for t in nodes[:4]]
    if any(mp.isnan(v) for v in values):
        return None
    if all(abs(v) < mp.ldexp(1, -(2**40)) for v in values):
        return _of_decay(f) if not at_zero else _Expansion(S.Zero, (S.Zero,))
    if not at_zero and all(abs(v) > mp.ldexp(1, 2**40) for v in values):
        return _of_decay(f)
    power = _half(mp.log(abs(values[1] / values[0]), 2)) if values[0] and values[1] else None
    if power is None:
        return None if at_zero else _of_log(f, nodes)
    found = _written(_coefficients([f(t) / t**power for t in nodes], nodes))
    return None if found is None else _Expansion(power, found)


def _half(k: Any) -> Rational | None:
    """Return the multiple of 1/2 that a number is, None if it is none."""
    twice = mp.nint(2 * k)
    return Rational(int(twice), 2) if abs(twice - 2 * k) < ALMOST**0.25 and abs(twice) < NODES else None


def _of_log(f: Values, nodes: list[Any]) -> _Expansion | None:
    """Return q log(1/t) + c₀ + c₁ t + ..."""
    q = (f(nodes[0]) - f(nodes[1])) / mp.log(2)
    of_log = _half(mp.mpf(q))
    if not of_log:
        return None
    found = _written(_coefficients([f(t) + mp.mpf(of_log.p) / of_log.q * mp.log(t) for t in nodes], nodes))
    return None if found is None else _Expansion(S.Zero, found, of_log=of_log)


def _of_decay(f: Values) -> _Expansion | None:
    """Return t^k (c₀ + c₁ t + ...) exp(r/t), or the same of r/t², 0 where f vanishes faster than both."""
    near = _growth(f, 7, 2**12)
    if near is not None and abs(near.slopes[1]) > 1.5 * abs(near.slopes[0]):
        vanishing = _of_gaussian(f, _rate(near.of_square)) or _Expansion(S.Zero, (S.Zero,))
        return vanishing if near.slopes[1] < 0 else None
    far = _growth(f, 10, 2**15)
    if near is None or far is None:
        return _Expansion(S.Zero, (S.Zero,)) if f(mp.mpf(1) / 1024) == 0 else None
    rate = _rate(2 * far.slopes[1] - far.slopes[0])
    if not rate:
        return None
    with mp.workprec(2 * PRECISION):
        nodes = [mp.mpf(1) / (250 + 20 * n) for n in range(12)]
        r = mp.mpf(rate.p) / rate.q
        g = [f(t) * mp.exp(-r / t) for t in nodes]
        power = _half(mp.nint(2 * mp.log(abs(g[-1] / g[-2])) / mp.log(nodes[-1] / nodes[-2])) / 2) if g[-2] else None
        if power is None:
            return None
        for k in (power - 1, power - Rational(1, 2), power, power + Rational(1, 2)):
            found = _written(_coefficients([v / t**k for v, t in zip(g, nodes, strict=True)], nodes), exactly=True)
            if found is not None and any(found):
                return _Expansion(k, found, rate)
    return _Expansion(S.Zero, (S.Zero,)) if rate < 0 else None


@dataclass(frozen=True)
class _Growth:
    """Slopes of log |f(1/x)| between three numbers x, each twice the one before, and r where that is r x² + k log x."""

    slopes: tuple[Any, Any]
    of_square: Any


def _growth(f: Values, power: int, bits: int) -> _Growth | None:
    """Return how fast f grows from x = 2^power on; None where it has no values, or is 0."""
    with mp.workprec(bits):
        x = [mp.mpf(2) ** n for n in (power, power + 1, power + 2)]
        values = [abs(f(1 / v)) for v in x]
        if not all(values) or any(mp.isnan(v) for v in values):
            return None
        logs = [mp.log(v) for v in values]
        slopes = [(logs[n + 1] - logs[n]) / (x[n + 1] - x[n]) for n in (0, 1)]
        return _Growth((slopes[0], slopes[1]), (logs[2] - 2 * logs[1] + logs[0]) / (9 * x[0] ** 2))


def _rate(c: Any) -> Rational | None:
    """Return the simple fraction that is almost c, None if there is none."""
    rates = (_rational(c, most, mp.mpf("1e-5")) for most in _DENOMINATORS)
    return next((r for r in rates if r is not None), None)


def _of_gaussian(f: Values, rate: Rational | None) -> _Expansion | None:
    """Return t^k (c₀ + c₁ t + ...) exp(r/t²), a series that need not converge: an expansion all the same."""
    if not rate:
        return None
    nodes = [mp.ldexp(j + 1, -STEP) for j in range(NODES)]
    g = [f(t) * exact(exp(_EXPONENT), {_EXPONENT: -mp.mpf(rate.p) / rate.q / t**2}) for t in nodes]
    power = _half(mp.log(abs(g[1] / g[0]), 2)) if g[0] and g[1] else None
    if power is None:
        return None
    found = _written(_coefficients([v / t**power for v, t in zip(g, nodes, strict=True)], nodes))
    return None if found is None else _Expansion(power, found, rate, order=2)


def _coefficients(values: list[Any], nodes: list[Any]) -> list[Any]:
    """Return the coefficients of the polynomial through some points, by Newton's divided differences."""
    made = list(values)
    for level in range(1, len(nodes)):
        for n in range(len(nodes) - 1, level - 1, -1):
            made[n] = (made[n] - made[n - 1]) / (nodes[n] - nodes[n - level])
    polynomial = [mp.mpf(0)]
    for c, node in zip(reversed(made), reversed(nodes), strict=True):
        shifted = [mp.mpf(0), *polynomial]
        polynomial = [s - node * p for s, p in zip(shifted, [*polynomial, mp.mpf(0)], strict=True)]
        polynomial[0] += c
    return polynomial[: max(2, len(nodes) - 8)]


def _written(coefficients: list[Any], *, exactly: bool = False) -> tuple[Expr, ...] | None:
    """Return coefficients as the numbers that they are; None where they are no coefficients, for they grow too fast.

    With `exactly`, None too where one of them is not known but as a decimal.
    """
    size = max((abs(c) for c in coefficients[:5]), default=mp.mpf(0))
    if any(mp.isnan(c) or abs(c) > max(size, ALMOST) * mp.mpf(64) ** (n + 1) for n, c in enumerate(coefficients)):
        return None
    made = [S.Zero if abs(c) <= ALMOST * max(size, ALMOST) else _recognised(c) for c in coefficients]
    return None if exactly and any(c.is_Rational and c.q > _LONG for c in made) else tuple(made)


def _recognised(c: Any) -> Expr:
    """Return the number that is c to 50 digits: a quotient, times a root or π where needed; else c to 25 digits."""
    for base in _BASES:
        rational = _rational(c / base._to_mpmath(mp.prec), _LONG, ALMOST)  # noqa: SLF001 (SymPy's own way to mpmath's)
        if rational is not None:
            return rational * base
    return Rational(mp.nstr(c, 25))


def _rational(c: Any, largest: int, within: Any) -> Rational | None:
    """Return the fraction with a divisor up to `largest` that is c, but for a part of it; None if there is none."""
    sign, mantissa, exponent, _ = mp.mpf(c)._mpf_  # mpmath's numbers as integers
    value = Fraction(-int(mantissa) if sign else int(mantissa)) * Fraction(2) ** exponent
    near = value.limit_denominator(largest)
    close = abs(value - near) <= Fraction(mp.nstr(within, 5)) * abs(value)
    return Rational(near.numerator, near.denominator) if close else None


def _reach(f: Values, form: Values, *, at_zero: bool) -> Rational | None:
    """Return the bound of |x| from which a form has f's value, up to 0 or to the largest numbers."""
    same = cache(lambda v: _is_same(f(v), form(v)))
    for bound in BESIDE if at_zero else map(Integer, FAR):
        start = mp.mpf(bound.p) / bound.q
        if all(same(start / v if at_zero else start * v) for v in _OUTWARDS):
            return bound
    return None


def _is_same(truth: Any, value: Any) -> bool:
    if mp.isnan(truth) or mp.isnan(value):
        return False
    both = [max(-MOST, min(v, MOST)) if abs(v) > LEAST else mp.mpf(0) for v in (truth, value)]
    return bool(abs(both[0] - both[1]) <= NEAR * abs(both[0]))


def alike(f: Expr, x: Symbol, found: list[End]) -> list[End]:
    """Return the same ends, those on both sides of 0 with as many terms as the longer, if that is the same on both."""
    made = []
    for end in found:
        other = next((e for e in found if e.at_zero is end.at_zero and e.side != end.side), end)
        longer = max(end, other, key=lambda e: e.form.count_ops())
        others = () if longer is end else ends(f, x, end.side, at_zero=end.at_zero)
        made.append(next((e for e in others if e.form == longer.form), end))
    return made


def joined(found: list[End], x: Symbol) -> list[tuple[Expr, Expr]]:
    """Return forms with the conditions under which they hold, one for both sides where it is the same on both."""
    made = []
    for at_zero in (True, False):
        here = sorted((e for e in found if e.at_zero is at_zero), key=lambda e: -e.side)
        if len(here) == 2 and here[0].form == here[1].form:
            bound = min(e.bound for e in here) if at_zero else max(e.bound for e in here)
            made.append((here[0].form, Abs(x) < bound if at_zero else Abs(x) > bound))
            continue
        made += [(end.form, _condition(end, x)) for end in here]
    return made


def _condition(end: End, x: Symbol) -> Expr:
    if not end.at_zero:
        return x > end.bound if end.side > 0 else x < -end.bound
    return (x >= 0) & (x < end.bound) if end.side > 0 else (x <= 0) & (x > -end.bound)
