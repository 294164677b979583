"""A derivation as Markdown whose formulas Jupyter and GitHub render."""

from __future__ import annotations

import re

from symbackprop.explain.latex import rows
from symbackprop.explain.outline import Outline, Section


def as_markdown(outline: Outline) -> str:
    """Return an outline as Markdown: a heading for each section, and its formulas in one block."""
    preface = [_escape(outline.preface)] if outline.preface else []
    return "\n\n".join([f"## {_escape(outline.title)}", *preface, *map(_section, outline.sections)])


def _section(section: Section) -> str:
    body = " \\\\\n".join(rows(section))
    return f"### {_escape(section.title)}\n\n$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_$<>\[\]|#])", r"\\\1", text)
