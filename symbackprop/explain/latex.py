"""A derivation as a LaTeX fragment of headings and align* environments; amsmath is the only package it needs."""

from __future__ import annotations

from collections.abc import Iterator

from symbackprop.explain.outline import Line, Outline, Section
from symbackprop.explain.printer import label, latex, plain


def as_latex(outline: Outline) -> str:
    """Return an outline as a LaTeX fragment."""
    parts = [f"% needs \\usepackage{{amsmath}}\n\\section*{{{plain(outline.title)}}}"]
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
