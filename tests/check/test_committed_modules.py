"""Every committed module passes its check: in every order, compiled and plain, in float32 and float64."""

import pytest

from symbackprop import build, check_module
from symbackprop.check import gradients
from symbackprop.train.files.modules import import_module
from tests.test_generated import CANONICAL, FOLDER

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _few_differences(monkeypatch):
    """Gradients are compared for less time than a user is given: entries drawn at random, each kind of them."""
    monkeypatch.setattr(gradients, "SECONDS", 0.5)


def require_passed(results):
    assert all(r.passed for r in results), [str(r) for r in results if not r.passed]


@pytest.mark.parametrize("name", CANONICAL)
def test_committed_module_passes_its_check_in_every_order_compiled(name):
    module = import_module(FOLDER / f"{name}.py")
    orders = [name for name in vars(module) if name.startswith("sgd_")]
    require_passed(check_module(module, compiled=(*gradients.KERNELS, *orders)))


@pytest.mark.parametrize("name", [name for name, (_, dtype) in CANONICAL.items() if dtype == "float32"])
def test_committed_module_passes_its_check_in_float64_too(name):
    """As plain Python in every order; the machine code of what is not `sgd`, which compiles longest."""
    made = build(CANONICAL[name][0], name=name, dtype="float64")
    require_passed(check_module(made, compiled=("forward", "loss", "backward")))
