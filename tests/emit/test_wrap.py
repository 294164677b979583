"""Lines of text keep every word, are as long as they may be, and end within no index."""

from hypothesis import given
from hypothesis import strategies as st

from symbackprop.emit.wrap import parts, wrap

ELEMENTS = st.sampled_from(
    ["a1[i + 1, j]", "W[i, j]", "+", "x", "conv1_forward(a, b)", "q[p[i - 1], 2 * j + 1]", "-", "="]
)
TEXTS = st.lists(ELEMENTS, max_size=30).map(" ".join)


@given(text=TEXTS, width=st.integers(30, 100), first=st.sampled_from(["", "# "]), later=st.sampled_from(["", "    "]))
def test_lines_joined_are_the_text_and_no_index_is_broken(text, width, first, later):
    rows = wrap(text, width, first, later)
    starts = [first, *[later] * len(rows)]
    assert " ".join(row.removeprefix(start) for row, start in zip(rows, starts, strict=False)) == text
    assert all(row.count("[") == row.count("]") for row in rows)
    assert all(len(row) <= width for row in rows)


@given(text=TEXTS)
def test_parts_joined_are_the_text(text):
    made = parts(text, r" (?=\+)")
    assert " ".join(made) == text
    assert all(part.count("[") == part.count("]") for part in made)
