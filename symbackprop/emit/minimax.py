"""The numbers behind elementary functions: near-minimax polynomials and split constants, by mpmath."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import count

import numpy as np
from mpmath import mp

DIGITS = 60
CENTRE = 3  # of the substitution by which `normal` makes all numbers above 0 one interval


@dataclass(frozen=True)
class Format:
    """A binary floating-point format, and what NumPy calls it and the integer of the same width."""

    real: str
    integer: str
    precision: int
    bias: int

    @property
    def shift(self) -> int:
        """The number of bits below the exponent."""
        return self.precision - 1

    @property
    def roundoff(self) -> mp.mpf:
        """The largest relative error of one rounding."""
        return mp.ldexp(1, -self.precision)

    def near(self, x: mp.mpf) -> np.floating:
        """The number of this format nearest to x."""
        return np.dtype(self.real).type(float(x))

    def bits(self, x: mp.mpf) -> int:
        """The bits of x, read as an integer."""
        return int(self.near(x).view(self.integer))

    def literal(self, x: mp.mpf) -> str:
        """A typed constant: the shortest text that is x to the last bit of this format.

        >>> FORMATS["float32"].literal(mp.pi)
        'real(3.1415927)'
        """
        return f"real({float(str(self.near(x)))!r})"

    def split(self, x: mp.mpf, spare: int) -> tuple[mp.mpf, mp.mpf]:
        """Split x into high + low; high is so short that high times an integer of `spare` bits is exact."""
        unit = mp.ldexp(1, mp.frexp(x)[1] - self.precision + spare)
        high = mp.nint(x / unit) * unit
        return high, x - high


FORMATS = {
    "float32": Format("float32", "int32", precision=24, bias=127),
    "float64": Format("float64", "int64", precision=53, bias=1023),
}


@cache
def fit(f: Callable[[mp.mpf], mp.mpf], low: mp.mpf, high: mp.mpf, tolerance: mp.mpf) -> tuple[mp.mpf, ...]:
    """The near-minimax polynomial of least degree that stays within `tolerance` of f, constant term first.

    Every f here is a quotient that reads 0/0 at 0; its value at 1e-20 stands for the limit, and 60 digits
    leave 20 right ones there.
    """
    least = mp.mpf("1e-20")
    value = cache(lambda x: f(x if abs(x) > least else least))  # chebyfit asks for each point many times
    with mp.workdps(DIGITS):
        terms = 2
        while terms < 64:
            coefficients, error = mp.chebyfit(value, [low, high], terms, error=True)
            if error <= tolerance:
                return tuple(reversed(coefficients))
            terms += 1 + int(mp.log(error / tolerance, 2) / 8)  # no term here is worth 8 bits: none is missed
    raise ArithmeticError(f"no polynomial of degree 62 or less is within {tolerance} of {f.__name__}")


def exp_tail(r: mp.mpf) -> mp.mpf:
    """(eʳ - 1 - r) / r²"""
    return (mp.exp(r) - 1 - r) / r**2


def exp_rest(r: mp.mpf) -> mp.mpf:
    """(eʳ - 1 - r - r²/2) / r³"""
    with mp.workdps(2 * DIGITS):
        return (exp_tail(r) - mp.mpf(1) / 2) / r


def log_tail(z: mp.mpf) -> mp.mpf:
    """(2 atanh(s) - 2 s) / s³, an even function of s, at s² = z"""
    s = mp.sqrt(z)
    return 2 * (mp.atanh(s) - s) / s**3


def erfc_tail(t: mp.mpf) -> mp.mpf:
    """(-log(erfc t) - t) / t"""
    return -mp.log(mp.erfc(t)) / t - 1


def erf_one(f: Format) -> int:
    """The least integer where erf rounds to 1."""
    return next(n for n in count(1) if mp.erfc(n) < f.roundoff / 2)


def gauss_zero(f: Format) -> int:
    """The least integer where exp(-x²/2), and the normal distribution below -x, are less than any number."""
    least = (f.bias + f.precision + 1) * mp.log(2)
    return int(mp.ceil(mp.sqrt(2 * least)))


def normal_tail(w: mp.mpf) -> mp.mpf:
    """(t + 3) exp(t²/2) erfc(t/√2)/2 at t = 3 (1 + w)/(1 - w)"""
    t = CENTRE * (1 + w) / (1 - w)
    return (t + CENTRE) * mp.exp(t * t / 2) * mp.erfc(t / mp.sqrt(2)) / 2


def approximate(name: str, f: Format) -> tuple[str, str, tuple[mp.mpf, ...]]:
    """The name, the variable and the coefficients of a function's polynomial.

    The tolerances leave an eighth of a rounding error in the sum that the polynomial is part of.
    """
    with mp.workdps(DIGITS):
        u, zero, half_ln2, f_max = f.roundoff / 8, mp.mpf(0), mp.log(2) / 2, mp.sqrt(2) - 1
        match name:
            case "exp_error":  # r³ q(r), beside 1: by it e⁷⁰⁰ gets its exponent
                return "q", "r", fit(exp_rest, -half_ln2, half_ln2, u / 64)
            case "exp" | "expm1" | "exp_of_sum":  # r + r² q(r)
                return "q", "r", fit(exp_tail, -half_ln2, half_ln2, u / half_ln2)
            case "log" | "log1p":  # 2 s + s³ p(s²)
                z = (f_max / (2 + f_max)) ** 2
                return "p", "z", fit(log_tail, zero, z, 2 * u / z)
            case "softplus":  # the same, up to log 2
                return "p", "z", fit(log_tail, zero, 1 / mp.mpf(9), 2 * u * 9)
            case "erf":  # t + t g(t)
                return "g", "t", fit(erfc_tail, zero, mp.mpf(erf_one(f)), u)
            case "normal":
                limit = gauss_zero(f)
                last = mp.mpf(limit - CENTRE) / (limit + CENTRE)
                return "c", "w", fit(normal_tail, mp.mpf(-1), last, u / 4)
    raise KeyError(name)


def horner(name: str, variable: str, literals: Iterable[str]) -> list[str]:
    """The lines that leave a polynomial's value in `name`, two powers a line.

    >>> horner("p", "z", ["c0", "c1", "c2", "c3"])
    ['p = c3 * z + c2', 'p = (p * z + c1) * z + c0']
    """
    *rest, last = literals
    lines = [f"{name} = {last} * {variable} + {rest.pop()}" if len(rest) % 2 else f"{name} = {last}"]
    while rest:
        lines.append(f"{name} = ({name} * {variable} + {rest.pop()}) * {variable} + {rest.pop()}")
    return lines


def polynomial(f: Format, name: str, variable: str, coefficients: tuple[mp.mpf, ...]) -> list[str]:
    """The lines of a polynomial, even and odd powers apart: two short chains run side by side in a CPU."""
    literals, square = [f.literal(c) for c in coefficients], f"{variable}2"
    return [
        f"{square} = {variable} * {variable}",
        *horner(f"{name}0", square, literals[0::2]),
        *horner(f"{name}1", square, literals[1::2]),
        f"{name} = {name}1 * {variable} + {name}0",
    ]
