"""A derivation as a LaTeX fragment of headings and align* environments; amsmath is the only package it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sympy import Expr, Pow, S, fraction

from symbackprop.explain.array_printer import ArrayPrinter
from symbackprop.explain.arrays import GRADIENT, Transposed, Whole
from symbackprop.explain.outline import Line, Outline, Section
from symbackprop.explain.printer import MathLatexPrinter, decimal, label, letters, named, plain
from symbackprop.expr.printing import split


class ArrayLatexPrinter(ArrayPrinter, MathLatexPrinter):
    """Mathematics in LaTeX, whole arrays too."""

    TIMES, OVER, MINUS = r" \odot ", r" \oslash ", "- "
    ONES, IDENTITY = r"\mathbf{1}", r"\mathbf{I}"
    BRACKETS, ANGLES = (r"\left(", r"\right)"), (r"\left\langle ", r" \right\rangle")
    NORM = (r"\left\lVert ", r" \right\rVert^{2}")
    RAISED = (Pow, Transposed, Whole)

    def _print_Whole(self, expr: Any, above: str = "") -> str:
        name = str(expr.args[0])
        if name.startswith(GRADIENT):
            return rf"\nabla_{{{named(name.removeprefix(GRADIENT))}}}" + (f"^{{{above}}}" if above else "")
        letter, layer = split(name)
        marks = (f"({layer})" if layer else "") + above
        return letters(letter) + (f"^{{{marks}}}" if marks else "")

    def _print_Unit(self, expr: Any) -> str:
        return rf"\mathbf{{e}}_{{{self._print(expr.args[0])}}}"

    def _print_Transposed(self, expr: Any) -> str:
        array = expr.args[0]
        return self._print_Whole(array, r"\top") if isinstance(array, Whole) else rf"{self._as_base(array)}^{{\top}}"

    def _call(self, name: str, expr: Expr) -> str:
        return super()._call(r"\max" if name == "max" else rf"\mathrm{{{name}}}", expr)

    def _power(self, base: str, power: Expr) -> str:
        return rf"{base}^{{\odot {self._print(power)}}}"

    def _scale(self, number: Expr, array: str) -> str:
        """Return an array times a number, a fraction in front of it, or the array by what is no plain number."""
        above, below = (number, S.One) if decimal(number.as_coeff_Mul()[0]) else fraction(number, exact=True)
        if below == 1:
            return self._front(above) + array
        if not below.is_number:
            return rf"\frac{{{self._front(above)}{array}}}{{{self._print(below)}}}"
        return rf"\frac{{{self._front(above).strip() or 1}}}{{{self._print(below)}}} {array}"


def latex(expr: Expr) -> str:
    """Return an expression in LaTeX."""
    return ArrayLatexPrinter().doprint(expr)


def as_latex(outline: Outline) -> str:
    """Return an outline as a LaTeX fragment."""
    parts = [f"% needs \\usepackage{{amsmath}}\n\\section*{{{plain(outline.title)}}}"]
    parts += [plain(outline.preface)] if outline.preface else []
    parts += map(_section, outline.sections)
    return "\n\n".join(parts)


def _section(section: Section) -> str:
    body = " \\\\\n".join(rows(section))
    return f"\\paragraph{{{plain(section.title)}}}\n\\begin{{align*}}\n{body}\n\\end{{align*}}"


def rows(section: Section) -> Iterator[str]:
    """Yield the rows of an aligned environment: each side on a row of its own, the name behind the first."""
    for line in section.lines:
        for n, side in enumerate(line.sides):
            target = "" if n or line.continues else latex(line.target) + " "
            sign = "\\leftarrow" if line.sign == "←" and not n else "="
            words = "" if n else _name(line), line.note if n == len(line.sides) - 1 else ""
            remark = ", ".join(filter(None, words))
            yield f"{target}&{sign} {latex(side)}" + (f" && {label(remark)}" if remark else "")


def _name(line: Line) -> str:
    return f"{line.number}. {line.name}" if line.number else line.name
