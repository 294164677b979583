"""A derivation as plain text: names in a column, equals signs under one another, long formulas over several lines."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from sympy import Expr, Mul

from symbackprop.explain.array_printer import ArrayPrinter
from symbackprop.explain.arrays import GRADIENT
from symbackprop.explain.outline import Line, Outline, Section
from symbackprop.explain.printer import is_derivative
from symbackprop.expr.printing import MathPrinter, by_kind, mathematical, subscript

WIDTH = 100
_BREAK = re.compile(r" (?=[-+⊙⊘] )|(?<=;) | (?=if |otherwise)")  # before a term, after a piece, before its condition
_OPEN, _CLOSED = "([{", ")]}"


class TextPrinter(ArrayPrinter, MathPrinter):
    """Mathematics with a dot between two derivatives, which otherwise look like one, and with whole arrays."""

    def _print_Whole(self, expr: Any) -> str:
        name = str(expr.args[0])
        return f"∇{mathematical(name.removeprefix(GRADIENT))}" if name.startswith(GRADIENT) else mathematical(name)

    def _print_Unit(self, expr: Any) -> str:
        return "e" + subscript([self._print(expr.args[0])])

    def _print_Transposed(self, expr: Any) -> str:
        return self._as_base(expr.args[0]) + "ᵀ"

    def _power(self, base: str, power: Expr) -> str:
        return f"{base}^⊙{self._close(power)}"

    def _product(self, expr: Expr) -> str:
        factors = sorted(Mul.make_args(expr), key=by_kind)
        if sum(map(is_derivative, factors)) < 2:
            return super()._product(expr)
        first = next(n for n, factor in enumerate(factors) if is_derivative(factor))
        head, rest = Mul(*factors[: first + 1]), Mul(*factors[first + 1 :])
        return f"{self._print(head)} · {super()._product(rest)}"


def as_text(outline: Outline) -> str:
    """Return an outline as plain text."""
    column = max(len(line.name) for section in outline.sections for line in section.lines)
    parts = [[outline.title, "═" * len(outline.title)]]
    parts += [textwrap.wrap(outline.preface, WIDTH)] if outline.preface else []
    parts += [_section(section, column) for section in outline.sections]
    return "\n\n".join("\n".join(part) for part in parts)


def _section(section: Section, column: int) -> list[str]:
    lines = [section.title, "─" * len(section.title)]
    margin = ""
    for line in section.lines:
        label = f"{line.number or '':3}  {line.name:{column}}  "
        head = margin if line.continues else TextPrinter().doprint(line.target) + " "
        margin = " " * len(head)
        lines += _lines(line, label, head)
    return lines


def _lines(line: Line, label: str, head: str) -> list[str]:
    """Return a line, one side of it on each line of text, each under its equals sign."""
    lines: list[str] = []
    if len(head) > WIDTH // 3:  # of a formula rather than a name: what it equals stands below it
        before, *rest = wrap(head.rstrip(), WIDTH - len(label))
        lines = [label + before, *(" " * len(label) + "    " + more for more in rest)]
        label, head = " " * len(label), "    "
    for n, side in enumerate(line.sides):
        left = label + head if n == 0 else " " * len(label + head)
        sign = line.sign if n == 0 else "="
        first, *rest = wrap(TextPrinter().doprint(side), WIDTH - len(left) - 2)
        lines += [f"{left}{sign} {first}", *(" " * len(left) + "    " + more for more in rest)]
    return [*lines[:-1], *_note(lines[-1], line.note, len(label + head))]


def _note(text: str, note: str, margin: int) -> list[str]:
    """Return a line with its note behind it, or below it where there is no room."""
    if not note:
        return [text]
    if len(text) + len(note) + 5 <= WIDTH:
        return [f"{text}   ({note})"]
    room = " " * margin
    return [text, *textwrap.wrap(f"({note})", WIDTH, initial_indent=f"{room}  ", subsequent_indent=f"{room}   ")]


def wrap(text: str, width: int) -> list[str]:
    """Return a formula in lines of a width, broken between terms, outside brackets where there is such a place.

    >>> wrap("a (b + c) + d - e", 12)
    ['a (b + c)', '+ d - e']
    """
    if len(text) <= width:
        return [text]
    places = [m.start() for m in _BREAK.finditer(text) if 0 < m.start() <= width]
    if not places:
        return [text]
    # two lines rather than three, then outside brackets, then as late as possible
    at = min(places, key=lambda place: (len(text) - place > width - 2, _depth(text[:place]), -place))
    return [text[:at], *wrap(text[at + 1 :], width - 2)]


def _depth(text: str) -> int:
    return sum((c in _OPEN) - (c in _CLOSED) for c in text)
