"""The committed modules are what the generator writes today; `pytest tests/test_generated.py --rewrite` renews them."""

import ast
import sys
from pathlib import Path

import pytest

from symbackprop import Network, build, check_module, cli, network_of_file
from symbackprop.check import gradients
from symbackprop.train.files.modules import import_module

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


@pytest.mark.parametrize("name", CANONICAL)
def test_committed_module_is_what_the_generator_writes(name, request):
    network, dtype = CANONICAL[name]
    text = build(network, name=name, dtype=dtype).text
    path = FOLDER / f"{name}.py"
    if request.config.getoption("--rewrite"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.fixture
def _few_differences(monkeypatch):
    """Gradients are compared for less time than a user is given: entries drawn at random, each kind of them."""
    monkeypatch.setattr(gradients, "SECONDS", 0.5)


def require_passed(results):
    assert all(r.passed for r in results), [str(r) for r in results if not r.passed]


@pytest.mark.slow
@pytest.mark.usefixtures("_few_differences")
@pytest.mark.parametrize("name", CANONICAL)
def test_committed_module_passes_its_check_in_every_order_compiled(name):
    module = import_module(FOLDER / f"{name}.py")
    orders = [name for name in vars(module) if name.startswith("sgd_")]
    require_passed(check_module(module, compiled=(*gradients.KERNELS, *orders)))


@pytest.mark.slow
@pytest.mark.usefixtures("_few_differences")
@pytest.mark.parametrize("name", [name for name, (_, dtype) in CANONICAL.items() if dtype == "float32"])
def test_committed_module_passes_its_check_in_float64_too(name):
    """As plain Python in every order; the machine code of what is not `sgd`, which compiles longest."""
    made = build(CANONICAL[name][0], name=name, dtype="float64")
    require_passed(check_module(made, compiled=("forward", "loss", "backward")))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_the_command_in_its_header_writes_a_module_of_layers_again(path, tmp_path):
    made = tmp_path / f"{path.stem}.py"
    assert cli.run(["generate", "--network", str(path), "-o", str(made)]) == 0
    assert made.read_text("utf-8") == path.with_suffix(".py").read_text("utf-8")


def test_no_other_module_is_committed():
    assert {p.stem for p in FOLDER.glob("*.py")} == {*CANONICAL, "__init__"}


@pytest.mark.parametrize("name", CANONICAL)
def test_module_needs_only_numpy_numba_and_the_standard_library(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"numpy", "numba", *sys.stdlib_module_names}
