"""Text in lines of a bearable length, of which none ends within the brackets of an index."""

from __future__ import annotations

import re
import textwrap

KEPT = "\N{NO-BREAK SPACE}"  # which `textwrap` breaks no line at


def wrap(text: str, width: int, first: str = "", later: str = "") -> list[str]:
    """Return a text in lines, the first indented by one text and the others by another.

    >>> wrap("a1[i + 1, j] + a1[i + 2, j]", 16)
    ['a1[i + 1, j] +', 'a1[i + 2, j]']
    """
    rows = textwrap.wrap(whole_indices(text), width, initial_indent=first, subsequent_indent=later,
                         break_on_hyphens=False, break_long_words=False)  # fmt: skip
    return [row.replace(KEPT, " ") for row in rows]


def parts(text: str, between: str) -> list[str]:
    """Return the parts of a text where a pattern is between them, not within the brackets of an index."""
    return [part.replace(KEPT, " ") for part in re.split(between, whole_indices(text))]


def whole_indices(text: str) -> str:
    """Return a text with other spaces in square brackets, at which no line is broken."""
    made, depth = [], 0
    for character in text:
        depth = max(0, depth + {"[": 1, "]": -1}.get(character, 0))
        made.append(KEPT if depth and character == " " else character)
    return "".join(made)
