"""The table of plausible bugs still fits the source; `python -m tests.mutations` tries them, which takes long."""

import ast

import pytest

from tests.mutations import MUTATIONS, ROOT, occurrences


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_bug_can_be_put_in(mutation):
    """In one place, and what is left is Python: a text that has moved on is a bug that nobody tries any more."""
    assert occurrences(mutation) == 1
    text = (ROOT / "symbackprop" / mutation.file).read_text("utf-8")
    ast.parse(text.replace(mutation.old, mutation.new))
    assert mutation.old != mutation.new
    assert all((ROOT / "tests" / name.split("::")[0]).exists() for name in mutation.tests.split())


def test_there_are_enough():
    assert len({m.name for m in MUTATIONS}) == len(MUTATIONS) >= 30
