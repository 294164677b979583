"""How names and formulas are written: as mathematics for people, as identifiers for generated code.

A name is a letter with an optional layer behind a caret: ``W^k``, ``h^k-1``, ``∂l/∂a^2``. One spelling serves the
derivation (layer ``k``), its instances (layer ``2``), the printed text (``W⁽ᵏ⁾``) and the generated code (``W2``).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from sympy import Add, Eq, Expr, Function, Indexed, Mul, Piecewise, S, Symbol, fraction
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.str import StrPrinter

from symbackprop.expr.reductions import Sum

_SUPER = str.maketrans("0123456789+-()kLnt", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵏᴸⁿᵗ")
_SUB = str.maketrans("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_GREEK = {
    "α": "learning_rate",
    "δ": "decay",
    "λ": "penalty",
    "λ₁": "l1",
    "λ₂": "l2",
    "Ω": "omega",
    "β": "beta",
    "γ": "gamma",
    "μ": "mu",
    "σ": "sigma",
}


def split(name: str) -> tuple[str, str]:
    """Return the letter and the layer of a name; the layer is empty where there is none.

    >>> split("∂l/∂W^k+1")
    ('∂l/∂W', 'k+1')
    """
    letter, _, layer = name.partition("^")
    return letter, layer


def identifier(name: str) -> str:
    """Return the Python identifier of a name.

    >>> identifier("∂l/∂W^2"), identifier("∂h/∂a^1"), identifier("h^0"), identifier("λ₂")
    ('dW2', 'dh1_da1', 'x', 'l2')
    """
    letter, layer = split(name)
    if (letter, layer) == ("h", "0"):
        return "x"
    above, slash, below = letter.partition("/")
    prefix = "" if not slash else "d" if above == "∂l" else f"d{above[1:]}{layer}_d"
    letter = below[1:] if slash else letter
    return prefix + _GREEK.get(letter, letter) + layer


def mathematical(name: str) -> str:
    """Return a name as it is written on paper.

    >>> mathematical("W^k+1"), mathematical("∂l/∂a^k")
    ('W⁽ᵏ⁺¹⁾', '∂l/∂a⁽ᵏ⁾')
    """
    letter, layer = split(name)
    return letter + (f"({layer})".translate(_SUPER) if layer else "")


def subscript(indices: Iterable[str]) -> str:
    """Return indices as a subscript where Unicode has the letters, in brackets elsewhere."""
    indices = list(indices)
    text = "".join(indices)
    lowered = text.translate(_SUB)
    if all(len(i) == 1 for i in indices) and all(a != b for a, b in zip(text, lowered, strict=True)):
        return lowered
    return f"_{text}" if text.isalnum() and len(indices) == 1 else "[" + ",".join(indices) + "]"


class MathPrinter(StrPrinter):
    """Print expressions like mathematics; with ``code=True`` name arrays as the generated code does."""

    printmethod = "_mathematics"  # not SymPy's own `_sympystr`, which `Indexed` overrides

    def __init__(self, *, code: bool = False) -> None:
        super().__init__()
        self.code = code

    def _print_Symbol(self, expr: Symbol) -> str:
        return identifier(expr.name) if self.code else mathematical(expr.name)

    _print_Dummy = _print_Symbol

    def _print_Indexed(self, expr: Indexed) -> str:
        indices = [self._print(i) for i in expr.indices]
        name = str(expr.base.label)
        if self.code:
            return f"{identifier(name)}[{','.join(indices).replace(' ', '')}]"
        return mathematical(name) + subscript(indices)

    def _reduction(self, sign: str, expr: Expr) -> str:
        marks = "".join(sign + self._range(*limit) for limit in reversed(expr.limits))
        body = self.parenthesize(expr.function, PRECEDENCE["Mul"], strict=True)
        return f"{marks} {body}"

    def _range(self, index: Symbol, low: Expr, high: Expr) -> str:
        """Return the mark under a sum: its index, and where it ends unless that is the axis' size."""
        bound = "" if (high + 1).is_positive and (high + 1).is_Symbol and low == 0 else self._print(high + 1)
        if not bound:
            return "_" + index.name if self.code else subscript([index.name])
        return f"_{index.name}<{bound}" if self.code else f"_{{{index.name}<{bound}}}"

    def _print_Sum(self, expr: Expr) -> str:
        return self._reduction("Σ", expr)

    def _print_Maximum(self, expr: Expr) -> str:
        return self._reduction("max", expr)

    def _print_Place(self, expr: Expr) -> str:
        ranges = ",".join(self._range(*limit).removeprefix("_") for limit in reversed(expr.limits))
        return f"argmax_{ranges} {self.parenthesize(expr.function, PRECEDENCE['Mul'], strict=True)}"

    def _print_Partial(self, expr: Expr) -> str:
        return f"∂{self._print(expr.args[0])}/∂{self._print(expr.args[1])}"

    def _print_Pow(self, expr: Expr, rational: bool = False) -> str:  # noqa: FBT001, FBT002 (SymPy's signature)
        base, power = expr.args
        if isinstance(base, Sum) and power.is_Integer and power > 0:
            return f"({self._print(base)})" + str(power).translate(_SUPER)
        if power == S.Half:
            return f"√({self._print(base)})"
        if power.is_Integer and power > 0:
            return self.parenthesize(base, PRECEDENCE["Pow"]) + str(power).translate(_SUPER)
        if power.is_negative:
            return "1/" + self.parenthesize(base ** (-power), PRECEDENCE["Pow"])
        return super()._print_Pow(expr, rational)

    def _print_Max(self, expr: Expr) -> str:
        return f"max({', '.join(sorted(self._print(a) for a in expr.args))})"

    def _print_Min(self, expr: Expr) -> str:
        return f"min({', '.join(sorted(self._print(a) for a in expr.args))})"

    def _print_Abs(self, expr: Expr) -> str:
        return f"|{self._print(expr.args[0])}|"

    def _print_Piecewise(self, expr: Piecewise) -> str:
        pairs = list(expr.args)
        if len(pairs) == 2 and pairs[1].expr == 0 and isinstance(pairs[0].cond, Eq):
            mark = f"1[{self._print(pairs[0].cond.lhs)}={self._print(pairs[0].cond.rhs)}]"
            return (
                mark
                if pairs[0].expr == 1
                else f"{mark} {self.parenthesize(pairs[0].expr, PRECEDENCE['Mul'], strict=True)}"
            )
        rows = [f"{self._print(e)} if {self._print(c)}" for e, c in pairs[:-1]]
        last = self._print(pairs[-1].expr)
        return (
            "{"
            + "; ".join(
                [*rows, f"{last} otherwise" if pairs[-1].cond == S.true else f"{last} if {self._print(pairs[-1].cond)}"]
            )
            + "}"
        )

    def _print_decay(self, expr: Expr) -> str:
        return self._print(expr.meaning())

    def _print_accurate_exp(self, expr: Expr) -> str:
        return self._print(expr.meaning())

    def _print_gauss(self, expr: Expr) -> str:
        return self._print(expr.meaning())

    def _print_scaled(self, expr: Expr) -> str:
        return self._print(expr.meaning())

    def _print_plus(self, expr: Expr) -> str:
        first, second = expr.args
        minus = is_negative(second)
        shown = self.parenthesize(-second if minus else second, PRECEDENCE["Add"], strict=not minus)
        return f"{self.parenthesize(first, PRECEDENCE['Mul'])} {'-' if minus else '+'} {shown}"

    def _print_normal(self, expr: Expr) -> str:
        return f"Φ({self._print(expr.args[0])})"

    def _print_AtInfinity(self, expr: Expr) -> str:
        value, end = (-expr.args[0], "-∞") if is_negative(expr.args[0]) else (expr.args[0], "∞")
        return f"{self._print(value)} = {end}"

    def _print_And(self, expr: Expr) -> str:
        return " and ".join(f"({text})" if " or " in text else text for text in sorted(map(self._print, expr.args)))

    def _print_Or(self, expr: Expr) -> str:
        return " or ".join(f"({text})" if " and " in text else text for text in sorted(map(self._print, expr.args)))

    def _print_Pi(self, expr: Expr) -> str:  # noqa: ARG002 (SymPy's signature)
        return "π"

    def _print_Relational(self, expr: Expr) -> str:
        signs = {"==": "=", "<=": "≤", ">=": "≥", "!=": "≠"}
        return f"{self._print(expr.lhs)} {signs.get(expr.rel_op, expr.rel_op)} {self._print(expr.rhs)}"

    def _print_Mul(self, expr: Mul) -> str:
        if is_negative(expr):
            return "-" + self.parenthesize(-expr, PRECEDENCE["Mul"], strict=True)
        number, rest = expr.as_coeff_Mul()
        if is_decimal(number):
            return f"{self._print(number)} {self.parenthesize(rest, PRECEDENCE['Mul'], strict=True)}"
        above, below = fraction(expr, exact=True)
        if below == 1:
            return self._product(expr)
        top = self.parenthesize(above, PRECEDENCE["Mul"], strict=True)
        return f"{top}/{self.parenthesize(below, PRECEDENCE['Pow'], strict=True)}"

    def _product(self, expr: Expr) -> str:
        factors = sorted(Mul.make_args(expr), key=by_kind)
        return " ".join(self.parenthesize(f, PRECEDENCE["Mul"], strict=True) for f in factors)

    def _print_Add(self, expr: Add, order: str | None = None) -> str:  # noqa: ARG002 (SymPy's signature)
        terms = sorted(expr.args, key=by_size)
        text = self._print(terms[0])
        for term in terms[1:]:
            minus = is_negative(term)
            shown = self.parenthesize(-term if minus else term, PRECEDENCE["Add"], strict=not minus)
            text += (" - " if minus else " + ") + shown
        return text

    def _print_Float(self, expr: Expr) -> str:
        return repr(float(expr))

    def _print_Rational(self, expr: Expr) -> str:
        """Write terminating decimals as people do: 1.7159, but 2/3."""
        decimal = is_decimal(expr)
        return f"{float(expr):.10g}" if decimal else f"{expr.p}/{expr.q}"


def is_decimal(number: Expr) -> bool:
    """Whether a number is written as a decimal: a fraction that terminates, or one too long to read."""
    if not number.is_Rational or number.q < 10:
        return False
    rest = number.q
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1 or number.q > 10**9


def is_negative(term: Expr) -> bool:
    """Return whether a term is written with a minus sign."""
    return bool(term.as_coeff_Mul()[0].is_negative)


def by_kind(factor: Expr) -> tuple[int, int, str]:
    """Numbers, scalars, matrices, gradients, vectors, then functions and sums, as a lecture writes them."""
    if factor.is_Number:
        return (0, 0, "")
    if factor.is_Symbol:
        return (1, 0, str(factor))
    if isinstance(factor, Indexed):
        gradient = str(factor.base.label).startswith("∂")
        return (2 if len(factor.indices) > 1 and not gradient else 3 if gradient else 4, 0, str(factor))
    return (5 if precedence(factor) < PRECEDENCE["Mul"] else 6, factor.count_ops(), str(factor))


def in_order(product: Expr) -> list[Expr]:
    """Return the factors of a product in the order in which it is computed: a number first, then `by_kind`.

    Where a factor may be as small as exp(-|x|), sums and then the number are last: 2 x and x (2 + exp(-|x|)) overflow.
    """
    number, rest = product.as_independent(*product.free_symbols, as_Add=False)
    factors = sorted(Mul.make_args(rest), key=by_kind)
    numbers = [] if number == 1 else [number]
    if any(map(_may_be_tiny, factors)):
        return [*sorted(factors, key=lambda f: f.is_Add), *numbers]
    return [*numbers, *factors]


def _may_be_tiny(factor: Expr) -> bool:
    """Whether a factor has an exponential that decays, or a value that is computed first under the name `SHARED`."""
    functions = {type(e).__name__ for e in factor.atoms(Function)}
    named = any(s.name.startswith(SHARED) for s in factor.atoms(Symbol))
    return named or bool(functions & {"accurate_exp", "decay", "gauss"})


SHARED = "shared"


def quotient(product: Expr) -> tuple[Expr, Expr]:
    """Return what is divided, and by what: 851/500 x/y is (1.702 x)/y, for 500 y may overflow where x/y does not."""
    number, rest = product.as_coeff_Mul()
    above, below = fraction(rest, exact=True)
    if number.is_Rational and not below.is_number and number.q != 1 and (number.p != 1 or above != 1):
        return number * above, below
    return fraction(product, exact=True)


@lru_cache(maxsize=4096)
def by_size(term: Expr) -> tuple[bool, int, int, str]:
    """Positive terms first, then numbers, then the shorter."""
    return (is_negative(term), 0 if term.is_Number else 1, term.count_ops(), str(term))


def formula(expr: Expr, *, code: bool = False) -> str:
    """Return an expression written as mathematics, or with the names of the generated code."""
    return MathPrinter(code=code).doprint(expr)
