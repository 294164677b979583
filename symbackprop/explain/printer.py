"""Formulas and words in LaTeX, with the conventions of `symbackprop.expr.printing`: layers above, indices below."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from sympy import Eq, Expr, Indexed, Integer, Mul, Piecewise, Rational, S, fraction
from sympy.printing.latex import LatexPrinter, accepted_latex_functions
from sympy.printing.precedence import PRECEDENCE

from symbackprop.expr.printing import by_kind, by_size, is_negative, split
from symbackprop.expr.reductions import Maximum, Sum
from symbackprop.expr.symbols import Partial

_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "θ": "theta", "λ": "lambda", "μ": "mu", "π": "pi",
    "σ": "sigma", "Δ": "Delta", "Σ": "Sigma", "Ω": "Omega",
}  # fmt: skip
_WORDS = {
    **_GREEK, "∂": "partial", "√": "surd", "·": "cdot", "≤": "leq", "≥": "geq", "≠": "neq", "←": "leftarrow",
    "⊙": "odot", "⊘": "oslash", "∇": "nabla", "∞": "infty", "±": "pm", "𝟏": "mathbf 1", "‖": "Vert", "⟨": "langle",
    "⟩": "rangle",
}  # fmt: skip
_DOWN = str.maketrans("₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "0123456789aehijklmnoprstuvx")
_UP = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵏᴸⁿᵗ", "0123456789+-()kLnt")
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "&%$#_{}"},
}


def letters(name: str) -> str:
    r"""Return the letters of a name, without its layer, in LaTeX.

    >>> letters("Ω₁"), letters("f"), letters("gain")
    ('\\Omega_{1}', 'f', '\\mathrm{gain}')
    """
    word = re.fullmatch(r"(.*?)([₀-₉]*)", name)
    assert word is not None
    stem, mark = word[1], word[2].translate(_DOWN)
    latex = "\\" + _GREEK[stem] if stem in _GREEK else stem if len(stem) == 1 else rf"\mathrm{{{plain(stem)}}}"
    return latex + (f"_{{{mark}}}" if mark else "")


def named(name: str, indices: str = "") -> str:
    r"""Return a name with its layer and its indices in LaTeX; a derivative is a fraction.

    >>> named("W^k+1", "ij"), named("∂l/∂a^k", "i")
    ('W^{(k+1)}_{ij}', '\\frac{\\partial l}{\\partial a^{(k)}_{i}}')
    """
    above, _, below = name.partition("/∂")
    if below and above.startswith("∂"):
        return rf"\frac{{\partial {named(above.removeprefix('∂'))}}}{{\partial {named(below, indices)}}}"
    letter, layer = split(name)
    return letters(letter) + (f"^{{({layer})}}" if layer else "") + (f"_{{{indices}}}" if indices else "")


class MathLatexPrinter(LatexPrinter):
    """Print expressions in LaTeX as `symbackprop.expr.printing.MathPrinter` prints them in Unicode."""

    def _print_Symbol(self, expr: Any, style: str = "plain") -> str:  # noqa: ARG002 (SymPy's signature)
        return named(expr.name)

    _print_Dummy = _print_Symbol

    def _print_Indexed(self, expr: Any) -> str:
        indices = [self._print(i) for i in expr.indices]
        long = any(not i.is_Atom for i in expr.indices)
        return named(str(expr.base.label), ("," if long else "").join(indices))

    def _reduction(self, sign: str, expr: Any) -> str:
        marks = "".join(f"{sign}_{{{self._range(*limit)}}} " for limit in reversed(expr.limits))
        return marks + self.parenthesize(expr.function, PRECEDENCE["Mul"], strict=True)

    def _range(self, index: Any, low: Any, high: Any) -> str:
        """Return an index, with the end of its range where that is not the size of an axis."""
        whole = low == 0 and (high + 1).is_Symbol and (high + 1).is_positive
        return index.name if whole else f"{index.name} < {self._print(high + 1)}"

    def _print_Sum(self, expr: Any) -> str:
        return self._reduction(r"\sum", expr)

    def _print_Maximum(self, expr: Any) -> str:
        return self._reduction(r"\max", expr)

    def _print_Place(self, expr: Any) -> str:
        ranges = ", ".join(self._range(*limit) for limit in reversed(expr.limits))
        return rf"\arg\max_{{{ranges}}} {self.parenthesize(expr.function, PRECEDENCE['Mul'], strict=True)}"

    def _print_Partial(self, expr: Any) -> str:
        q, p = map(self._print, expr.args)
        return rf"\frac{{\partial {q}}}{{\partial {p}}}"

    def _print_exp(self, expr: Any, exp: str | None = None) -> str:
        return rf"\exp{f'^{{{exp}}}' if exp else ''}\left({self._print(expr.args[0])}\right)"

    def _hprint_Function(self, func: str) -> str:
        return f"\\{func}" if func in accepted_latex_functions else rf"\mathrm{{{func}}}"  # GitHub has no \operatorname

    def _print_Pow(self, expr: Any) -> str:
        base, power = expr.args
        if isinstance(base, Indexed | Sum | Maximum) and power.is_positive and power != S.Half:
            body = self._print(base)
            above = isinstance(base, Sum | Maximum) or "^" in body or "\\frac" in body
            return (rf"\left({body}\right)" if above else body) + f"^{{{self._print(power)}}}"
        if power.is_negative and not expr.is_Rational:
            return rf"\frac{{1}}{{{self._print(base ** (-power))}}}"
        return super()._print_Pow(expr)

    def _print_Piecewise(self, expr: Any) -> str:
        first, last = expr.args[0], expr.args[-1]
        if len(expr.args) == 2 and last.expr == 0 and isinstance(first.cond, Eq):
            mark = rf"\mathbf{{1}}_{{[{self._print(first.cond.lhs)} = {self._print(first.cond.rhs)}]}}"
            return (
                mark if first.expr == 1 else f"{mark} {self.parenthesize(first.expr, PRECEDENCE['Mul'], strict=True)}"
            )
        pieces = [f"{self._print(e)} & {self._condition(c)}" for e, c in expr.args]
        return r"\begin{cases} " + r" \\ ".join(pieces) + r" \end{cases}"

    def _condition(self, condition: Any) -> str:
        return r"\text{otherwise}" if condition == S.true else rf"\text{{if }} {self._print(condition)}"

    def _print_Mul(self, expr: Any) -> str:
        if is_negative(expr):
            return "- " + self.parenthesize(-expr, PRECEDENCE["Mul"], strict=True)
        number, rest = expr.as_coeff_Mul()
        if decimal(number):
            return f"{decimal(number)} {self._print(rest)}"
        above, below = fraction(expr, exact=True)
        if below == 1:
            return self._product(above)
        beside = [f for f in Mul.make_args(above) if is_derivative(f) or isinstance(f, Piecewise)]
        rest = above / Mul(*beside)
        quotient = rf"\frac{{{self._product(rest)}}}{{{self._product(below)}}}"
        factors = [self._product(Mul(*beside))] if beside else []
        return " ".join([quotient, *factors] if rest == 1 else [*factors, quotient])

    def _product(self, expr: Expr) -> str:
        """Write factors in the order of a lecture, sums last; all but the last in brackets, for they have no end."""
        factors = sorted(Mul.make_args(expr), key=lambda f: (isinstance(f, Sum | Maximum), by_kind(f)))
        if len(factors) == 1:
            return self._print(factors[0])
        shown = [self.parenthesize(f, PRECEDENCE["Mul"], strict=True) for f in factors]
        open_ = [isinstance(f, Sum | Maximum) for f in factors[:-1]]
        return " ".join([*(rf"\left({s}\right)" if o else s for s, o in zip(shown, open_, strict=False)), shown[-1]])

    def _print_Add(self, expr: Any, order: str | None = None) -> str:  # noqa: ARG002 (SymPy's signature)
        first, *rest = sorted(expr.args, key=by_size)
        text = self._print(first)
        for term in rest:
            minus = is_negative(term)
            text += (" - " if minus else " + ") + self.parenthesize(
                -term if minus else term, PRECEDENCE["Add"], strict=not minus
            )
        return text

    def _print_Rational(self, expr: Any) -> str:
        return decimal(expr) or super()._print_Rational(expr)


def is_derivative(factor: Expr) -> bool:
    """Return whether a factor is written ∂q/∂p."""
    return isinstance(factor, Partial) or (isinstance(factor, Indexed) and str(factor.base.label).startswith("∂"))


def decimal(number: Expr) -> str:
    """Return a number that people write as a decimal, such as 1.7159, and nothing for 2 or 2/3."""
    if not isinstance(number, Rational) or isinstance(number, Integer) or number.q < 10:
        return ""
    rest = number.q
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return f"{float(number):.10g}" if rest == 1 else ""


def plain(text: str) -> str:
    r"""Return words as the text of a LaTeX document; a word with mathematics in it becomes a formula.

    >>> plain("penalty w⁴, f_y & λ∂Ω/∂θ")
    'penalty $w^{4},$ f\\_y \\& $\\lambda \\partial \\Omega /\\partial \\theta $'
    """
    return " ".join(f"${_formula(word)}$" if _is_formula(word) else _words([word]) for word in text.split(" "))


def label(text: str) -> str:
    r"""Return words as a part of a formula, without a dollar sign, at which Markdown would end it.

    >>> label("update, θ ← θ + αΔ")
    '\\text{update, }\\theta ~\\leftarrow ~\\theta \\text{ + }\\alpha \\Delta '
    """
    runs = [(is_formula, list(run)) for is_formula, run in groupby(text.split(" "), key=_is_formula)]
    parts = []
    for n, (is_formula, run) in enumerate(runs):
        before, after = " " if n else "", " " if n + 1 < len(runs) else ""
        parts.append("~".join(map(_formula, run)) if is_formula else rf"\text{{{before}{_words(run)}{after}}}")
    return "".join(parts)


def _is_formula(word: str) -> bool:
    return any(map(_kind, word))


def _formula(word: str) -> str:
    """Return a word in Unicode mathematics as a formula; its scripts are put together."""
    parts = []
    for kind, run in groupby(word, key=_kind):
        script = "".join(run)
        if kind in {"^", "_"}:
            parts.append(f"{kind}{{{script.translate(_UP if kind == '^' else _DOWN)}}}")
        else:
            parts += [f"\\{_WORDS[c]} " if c in _WORDS else c if c in "_^" else _words([c]) for c in script]
    return "".join(parts)


def _words(words: Iterable[str]) -> str:
    return " ".join("".join(_SPECIAL.get(c, c) for c in word) for word in words)


def _kind(character: str) -> str:
    code = ord(character)
    return "^" if code in _UP else "_" if code in _DOWN else "sign" if character in _WORDS else ""
