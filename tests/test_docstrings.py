"""The examples in the docstrings of every module print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import symbackprop

PACKAGE = Path(symbackprop.__file__).parent
WITH_EXAMPLES = [p for p in sorted(PACKAGE.rglob("*.py")) if ">>> " in p.read_text("utf-8")]


@pytest.mark.filterwarnings("ignore")  # examples need not train to the end
@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_examples(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    found = doctest.testmod(importlib.import_module(".".join(parts).removesuffix(".__init__")))
    assert found.attempted
    assert not found.failed
