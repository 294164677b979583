"""Every definition is one entry of a table; no entry, and no line beside them, holds a derivative."""

import ast
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp
from sympy import Derivative, Symbol, lambdify

import symbackprop.definitions
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.definitions.initializers import INITIALIZERS
from symbackprop.definitions.layers import LAYERS
from symbackprop.definitions.losses import LOSSES, OUTPUTS
from symbackprop.definitions.network import Network
from symbackprop.definitions.penalties import PENALTIES, w
from symbackprop.definitions.step_sizes import FACTORS, step_size, t, α, δ
from symbackprop.expr.symbols import Axis, array, size
from tests import reference
from tests.precision import values

FOLDER = Path(symbackprop.definitions.__file__).parent
FORBIDDEN = {"diff", "Derivative", "differentiate", "gradient", "grad", "jacobian", "idiff", "Subs", "fdiff"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_no_derivative_is_written_or_taken(path):
    tree = ast.parse(path.read_text("utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import) for alias in node.names
    }
    assert not names & FORBIDDEN
    words = {name.lower() for name in names}
    assert not {name for name in words if name.startswith(("d_", "grad", "deriv")) or name.endswith("_prime")}


def test_formulas_hold_no_derivative():
    for formula in (
        *ACTIVATIONS.values(),
        *map(step_size, FACTORS),
        *(p for ps in PENALTIES.values() for p in ps.values()),
    ):
        assert not formula.has(Derivative)


def test_activations_are_those_of_the_issue():
    assert set(ACTIVATIONS) == set(reference.ACTIVATIONS)
    assert len(ACTIVATIONS) == 17


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_agree_with_numpy(name):
    """Against formulas written by another hand, kinks and far points included."""
    formula = ACTIVATIONS[name]
    (symbol,) = formula.free_symbols
    points = np.array([-50, -3, -2.5, -1, -0.1, 0, 0.1, 1, 2.5, 3, 50.0])
    expected = reference.ACTIVATIONS[name][0](points)
    found = [float(values.value(formula, {}, {symbol: mp.mpf(p)})) for p in points]
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_formulas_of_one_real_symbol(name):
    (symbol,) = ACTIVATIONS[name].free_symbols
    assert symbol == Symbol("a", real=True)


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_agree_with_numpy(name):
    n = size("n")
    i, j = Axis("i", n), Axis("j", n)
    formula = OUTPUTS[name](array("a"), i.index, j)
    arrays, a = values.Arrays(0), np.array([1.5, -2.0, 0.25])
    arrays.update({("a", (k,)): mp.mpf(v) for k, v in enumerate(a)})
    found = [float(values.value(formula, arrays, {n: 3, i.index: k})) for k in range(3)]
    np.testing.assert_allclose(found, reference.OUTPUTS[name](a), rtol=1e-14)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_agree_with_numpy(name):
    """On the outputs they are made for."""
    n = size("n")
    i = Axis("i", n)
    loss = LOSSES[name]
    a, targets = np.array([1.5, -2.0, 0.25]), np.array([0.2, 0.9, 0.5])
    f = reference.OUTPUTS[loss.output](a)
    arrays = values.Arrays(0)
    arrays.update({("f", (k,)): mp.mpf(v) for k, v in enumerate(f)})
    arrays.update({("y", (k,)): mp.mpf(v) for k, v in enumerate(targets)})
    label = loss.target == "label"
    y = Symbol("y", integer=True, nonnegative=True) if label else array("y")
    found = values.value(loss.formula(array("f"), y, i), arrays, {n: 3, y: 1})
    expected = reference.LOSSES[name][1](a, 1 if label else targets)
    assert float(found) == pytest.approx(expected, rel=1e-13)
    assert loss.output == reference.LOSSES[name][0]


def test_penalties():
    """No half anywhere: L2 = w², L1 = |w|."""
    at = {name: {k: lambdify(w, p)(-1.5) for k, p in formulas.items()} for name, formulas in PENALTIES.items()}
    assert at == {"none": {}, "l2": {"λ₂": 2.25}, "l1": {"λ₁": 1.5}, "l1+l2": {"λ₁": 1.5, "λ₂": 2.25}}


def test_step_sizes():
    assert step_size("constant") == α
    assert step_size("inverse").xreplace({α: 3 * α / α, δ: δ / δ / 2, t: 4 * t / t}) == 1
    assert t.is_integer


@pytest.mark.parametrize(
    ("name", "kind", "scale"),
    [("glorot", "uniform", 6**0.5 / 10**0.5), ("he", "normal", 0.5**0.5), ("lecun", "normal", 0.5),
     ("fan_in", "uniform", 0.25), ("normal", "normal", 0.05)],
)  # fmt: skip
def test_initial_values(name, kind, scale):
    initializer = INITIALIZERS[name]
    assert initializer.distribution == kind
    numbers = {"fan_in": 4, "fan_out": 6, **initializer.defaults}
    found = initializer.scale.subs({s: numbers[s.name] for s in initializer.scale.free_symbols})
    assert float(found) == pytest.approx(scale, rel=1e-15)


def test_a_dense_layer():
    (found,) = Network(("tanh",)).resolved.layers[0].equations
    i, j = Axis("i", size("n^1")), Axis("j", size("n^0"))
    W, b, h = (array(name) for name in ("W^1", "b^1", "h^0"))
    assert found.rhs == b[i.index] + j.sum(lambda k: W[i.index, k] * h[k]).xreplace({j.index: j.index})
    assert LAYERS["dense"].equations == "a[i] = b[i] + sum(W[i,j]*h[j], j)"
