"""The committed modules are what the generator writes today; `pytest tests/test_generated.py --rewrite` renews them.

Six are compared line by line, two dense ones, windows, attention, a learnt activation and a regression: their
differences show what a change of the generator does. The others are compared by digest, in a line each. What they
compute is checked in check/test_committed_modules.py.
"""

import ast
import hashlib
import sys
from pathlib import Path

import pytest

from symbackprop import Network, build, cli, network_of_file

FOLDER = Path(__file__).parent.parent / "generated"
CANONICAL = {
    "tanh_nll_l2": (Network(("tanh",), penalty="l2"), "float32"),
    "sigmoid_nll_l1": (Network(("sigmoid",), penalty="l1"), "float32"),
    "relu_2_nll": (Network(("relu", "relu")), "float32"),
    "tanh_squared": (Network(("tanh",), loss="squared"), "float64"),
    "sigmoid_bce": (Network(("sigmoid",), loss="bce"), "float64"),
    "prelu_nll": (Network(("prelu",)), "float32"),
    "linear_nll": (Network(()), "float32"),
    "silu_softplus_nll_l1_l2": (Network(("silu", "softplus"), penalty="l1+l2", initializer="he"), "float32"),
}


CANONICAL |= {path.stem: (network_of_file(path), "float32") for path in sorted(FOLDER.glob("*.toml"))}


LINE_BY_LINE = ("tanh_nll_l2", "relu_2_nll", "convolutions", "attention", "prelu_nll", "tanh_squared")


def generated_text(name, tmp_path):
    """The text of a module of today, of layers by the command in its header."""
    path = FOLDER / f"{name}.toml"
    if not path.exists():
        network, dtype = CANONICAL[name]
        return build(network, name=name, dtype=dtype).text
    made = tmp_path / f"{name}.py"
    assert cli.run(["generate", "--network", str(path), "-o", str(made)]) == 0
    return made.read_text("utf-8")


@pytest.fixture
def texts(tmp_path, request):
    """Two texts of a module, that of today and the one that is committed, or that of today now committed."""

    def both(name):
        path, text = FOLDER / f"{name}.py", generated_text(name, tmp_path)
        if request.config.getoption("--rewrite"):
            path.write_text(text, encoding="utf-8")
        return text, path.read_text(encoding="utf-8")

    return both


@pytest.mark.parametrize("name", LINE_BY_LINE)
def test_a_module_of_each_kind_is_line_by_line_what_the_generator_writes(name, texts):
    now, committed = texts(name)
    assert now == committed


@pytest.mark.parametrize("name", [name for name in CANONICAL if name not in LINE_BY_LINE])
def test_the_other_modules_are_what_the_generator_writes(name, texts):
    now, committed = (hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts(name))
    assert now == committed, f"generated/{name}.py is another today: `make generated` writes it, `git diff` shows it"


def test_no_other_module_is_committed():
    assert {p.stem for p in FOLDER.glob("*.py")} == {*CANONICAL, "__init__"}


@pytest.mark.parametrize("name", CANONICAL)
def test_module_needs_only_numpy_numba_and_the_standard_library(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"numpy", "numba", *sys.stdlib_module_names}
