"""The layers of the literature in docs/layers.md, as they are written there, pass every check."""

import re

import pytest

from symbackprop import Network, build, check_module, conv1d, dense, layer
from symbackprop.check import gradients
from tests.test_generated import FOLDER

ROW = re.compile(r"^\| ([^|`]+) \| [^|]+ \| `([^`|]+)` \| h\[([\d,]+)\]([^|]*) \|$", re.MULTILINE)
TABLE = {name: rest for name, *rest in ROW.findall((FOLDER.parent / "docs" / "layers.md").read_text("utf-8"))}


def network(name):
    """Two layers about the one in the table, so that its gradients are passed on and received."""
    text, axes, rest = TABLE[name]
    shape, values = tuple(map(int, axes.split(","))), dict(re.findall(r"(\w+)=([\w.-]+)", rest))
    uses = {key: value for key, value in values.items() if value == "x"}
    numbers = {key: float(value) if "e" in value else int(value) for key, value in values.items() if key not in uses}
    below = dense(*shape) if len(shape) == 1 else conv1d(shape[0], 1)
    made = [below, "tanh", layer(text, uses=uses, **numbers), "tanh", dense(2)]
    return Network(made, input=(3,) if len(shape) == 1 else shape, penalty="l2")


def test_the_table_is_read():
    assert len(TABLE) >= 24


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("number", "name"), [*enumerate(TABLE)])
def test_every_layer_passes_in_every_order(number, name, monkeypatch):
    """Compiled, in float32, every fourth; which are compiled does not matter: the loops are of one kind."""
    monkeypatch.setattr(gradients, "SECONDS", 0.5)
    kernels = ("forward", "loss", "backward") if number % 4 == 0 else ()
    results = check_module(build(network(name), dtype="float32" if kernels else "float64"), compiled=kernels)
    assert all(r.passed for r in results), [str(r) for r in results if not r.passed]
