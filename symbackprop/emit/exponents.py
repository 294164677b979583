"""Exponentials whose exponent is computed with what its roundings lost, written as functions of a generated module.

exp(u) has |u| times the relative error of u: 60 ULP for exp(-1.702 x) in float32, 500 in float64. So u is computed as
it stands, and beside each operation the error it made: of a sum and a product exactly, of the rest to first order.
The sum of those errors is added where exp has reduced u to less than ½ log 2.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from zlib import crc32

from mpmath import mp
from sympy import Abs, Add, Expr, Mul, Pow, S, Symbol

from symbackprop.emit.minimax import DIGITS, FORMATS, Format
from symbackprop.expr.printing import formula
from symbackprop.expr.reductions import outermost
from symbackprop.expr.symbols import accurate_exp, scalar

LETTERS = "xyzuvw"
_LONGEST = 40  # characters of a name
_SPOKEN = {"-": " minus ", "+": " plus ", "/": " over ", "√": " root "}


def accurate_exponents(values: Iterable[Expr]) -> dict[str, Expr]:
    """Return the exponents that some formulas have, each with x, y, ... for what it reads, by the function's name."""
    found = {template(e)[0] for value in values for e in exponentials(value)}
    return {name_of_exponent(e): e for e in sorted(found, key=str)}


def exponentials(expr: Expr) -> Iterator[Expr]:
    """Yield the accurate exponentials that a formula calls; one that is an operation of another's exponent is not."""
    for node in outermost(expr, accurate_exp):
        yield node
        for leaf in template(node)[1]:
            yield from exponentials(leaf)


def template(expr: accurate_exp) -> tuple[Expr, list[Expr]]:
    """Return the exponent with a letter for each value that it reads, and those values."""
    leaves = sorted(set(expr.reads()), key=str)
    letters = [scalar(letter) for letter in LETTERS[: len(leaves)]]
    return expr.args[0].xreplace(dict(zip(leaves, letters, strict=True))), leaves


def name_of_exponent(exponent: Expr) -> str:
    """Return the name of the function of an exponent.

    >>> name_of_exponent(-scalar("x") ** 2 / 4)
    'exp_minus_x2_over_4'
    """
    text = re.sub(r"\|([^|]*)\|", r" abs \1 ", unicodedata.normalize("NFKD", formula(exponent)))
    for sign, word in _SPOKEN.items():
        text = text.replace(sign, word)
    name = re.sub(r"[^0-9a-z]+", "_", f"exp {text}").strip("_")
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}_{crc32(text.encode()) % 99991}"


def exponent_function(name: str, exponent: Expr, dtype: str) -> str:
    """Return the source text of the function of one exponent."""
    letters = [s.name for s in sorted(exponent.free_symbols, key=lambda s: LETTERS.index(s.name))]
    writer = _Writer(FORMATS[dtype])
    high, low = writer.pair(exponent)
    doc = textwrap.wrap(
        f"exp({formula(exponent)}), its exponent as computed, plus what that lost.", 96, break_on_hyphens=False
    )
    lines = [f"@elementary\ndef {name}({', '.join(letters)}):", f'    """{doc[0]}']
    lines[1:] = [lines[1] + '"""'] if len(doc) == 1 else [lines[1], *(f"    {d}" for d in doc[1:]), '    """']
    lines += [f"    {line}" for line in writer.lines]
    lines.append(f"    return exp_of_sum({high}, {low or 'real(0.0)'})")
    return "\n".join(lines)


def called_by(exponents: Mapping[str, Expr], dtype: str) -> set[str]:
    """Return the elementary functions that the functions of exponents call."""
    text = "\n".join(exponent_function(name, e, dtype) for name, e in exponents.items())
    return {f for f in ("exp_of_sum", "exp", "exp_error", "sum_error", "product_error") if f"{f}(" in text}


Pair = tuple[str, str]  # the names of a value as computed, and of what is to be added to it: "" where that is 0


class _Writer:
    """Writes the lines that compute an exponent and the errors of its operations."""

    def __init__(self, real: Format) -> None:
        self.real = real
        self.lines: list[str] = []
        self._known: dict[Expr, Pair] = {}

    def pair(self, u: Expr) -> Pair:
        """Write what computes u, unless it is there, and return its two names."""
        if u not in self._known:
            self._known[u] = self._written(u)
        return self._known[u]

    def _named(self, letter: str, text: str) -> str:
        name = f"{letter}{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return name

    def _written(self, u: Expr) -> Pair:
        if u.is_number:
            return self._number(u)
        match u:
            case Symbol():
                return u.name, ""
            case Add():
                terms = sorted(u.args, key=lambda term: (term.is_number, str(term)))
                return reduce(self._sum, map(self.pair, terms))
            case Mul():
                return self._product_of(u)
            case Pow():
                return self._power(*u.args)
            case Abs():
                return self._absolute(*self.pair(u.args[0]))
        return self._exponential(*self.pair(u.args[0]))

    def _number(self, u: Expr) -> Pair:
        with mp.workdps(DIGITS):
            value = u._to_mpmath(mp.prec)  # noqa: SLF001 (SymPy's own way to mpmath's numbers)
            rest = value - mp.mpf(float(self.real.near(value)))
            # with all the digits of a float64, so that the text has the same value in wider numbers
            return f"real({float(value)!r})", "" if rest == 0 else self.real.literal(rest)

    def _sum(self, one: Pair, other: Pair) -> Pair:
        s = self._named("s", f"{one[0]} + {other[0]}")
        return s, self._named("e", _joined(f"sum_error({one[0]}, {other[0]}, {s})", one[1], other[1]))

    def _product_of(self, u: Mul) -> Pair:
        number, rest = u.as_independent(*u.free_symbols, as_Add=False)
        value = reduce(self._product, (self.pair(f) for f in sorted(rest.as_ordered_factors(), key=str)))
        if number == -1:
            return f"-{value[0]}", value[1] and f"-{value[1]}"
        if number.is_Rational and abs(number.p) * number.q & (abs(number.p) * number.q - 1) == 0:
            c = self._number(number)[0]
            return self._named("p", f"{c} * {value[0]}"), value[1] and self._named("e", f"{c} * {value[1]}")
        return value if number == 1 else self._product(self._number(number), value)

    def _product(self, one: Pair, other: Pair) -> Pair:
        p = self._named("p", f"{one[0]} * {other[0]}")
        terms = [f"{one[0]} * {other[1]}" if other[1] else "", f"{other[0]} * {one[1]}" if one[1] else ""]
        return p, self._named("e", _joined(f"product_error({one[0]}, {other[0]}, {p})", *terms))

    def _power(self, base: Expr, power: Expr) -> Pair:
        value = self.pair(base)
        if power == S.Half:
            return self._root(*value)
        n = abs(int(power))
        made = value
        for bit in bin(n)[3:]:
            made = self._product(made, made)
            made = self._product(made, value) if bit == "1" else made
        return made if power > 0 else self._reciprocal(*made)

    def _root(self, high: str, low: str) -> Pair:
        r = self._named("r", f"np.sqrt({high})")
        p = self._named("p", f"{r} * {r}")
        lost = _joined(f"({high} - {p}) - product_error({r}, {r}, {p})", low)
        return r, self._named("e", f"({lost}) / ({r} + {r})")

    def _reciprocal(self, high: str, low: str) -> Pair:
        q = self._named("q", f"real(1.0) / {high}")
        p = self._named("p", f"{q} * {high}")
        lost = f"(real(1.0) - {p}) - product_error({q}, {high}, {p})" + (f" - {q} * {low}" if low else "")
        return q, self._named("e", f"({lost}) / {high}")

    def _absolute(self, high: str, low: str) -> Pair:
        return f"abs({high})", low and self._named("e", f"{low} if {high} > real(0.0) else -{low}")

    def _exponential(self, high: str, low: str) -> Pair:
        y = self._named("y", f"exp({high})")
        return y, self._named("e", _joined(f"exp_error({high}, {y})", f"{y} * {low}" if low else ""))


def _joined(*terms: str) -> str:
    return " + ".join(term for term in terms if term).replace("+ -", "- ")
