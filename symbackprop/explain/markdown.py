"""A derivation as Markdown whose formulas Jupyter and GitHub render."""

from __future__ import annotations

import re

from symbackprop.explain.latex import rows
from symbackprop.explain.outline import Outline, Section


def as_markdown(outline: Outline) -> str:
    """Return an outline as Markdown: a heading for each section, and its formulas in one block."""
    preface = [_escaped(outline.preface)] if outline.preface else []
    return "\n\n".join([f"## {_escaped(outline.title)}", *preface, *map(_section, outline.sections)])


def _section(section: Section) -> str:
    body = " \\\\\n".join(rows(section))
    return f"### {_escaped(section.title)}\n\n$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_$<>\[\]|#])", r"\\\1", text)
