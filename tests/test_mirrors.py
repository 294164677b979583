"""Every source file has a test file at the same place, or covered_elsewhere.py says which test covers it."""

import ast
from pathlib import Path

import pytest

from tests.covered_elsewhere import COVERED

TESTS = Path(__file__).parent
SOURCES = TESTS.parent / "symbackprop"
FILES = [path.relative_to(SOURCES) for path in sorted(SOURCES.rglob("*.py")) if path.name != "__init__.py"]


def mirror_of(source):
    return TESTS / source.parent / f"test_{source.name}"


def functions_in(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("source", FILES, ids=str)
def test_a_source_file_has_its_tests_or_says_where_they_are(source):
    if not mirror_of(source).exists():
        assert source.as_posix() in COVERED, f"neither {mirror_of(source).relative_to(TESTS)} nor an entry in the table"
        file, _, name = COVERED[source.as_posix()].partition("::")
        assert name in functions_in(TESTS / file)


def test_the_table_names_what_is_there_and_has_no_mirror():
    assert {Path(name) for name in COVERED} == {source for source in FILES if not mirror_of(source).exists()}


def test_every_golden_text_belongs_to_a_test():
    for path in TESTS.rglob("golden/*/*.txt"):
        test = path.parents[2] / f"test_{path.parent.name}.py"
        assert f'"{path.stem}"' in test.read_text("utf-8"), f"no test compares with {path.relative_to(TESTS)}"
