"""Parameters of activations learnt with the weights, from the formula to the trained network.

Their gradients are judged as all others are: by differences, by the complex step and by NumPy by hand.
"""

import itertools
import math

import numpy as np
import pytest
from sympy import Piecewise, Symbol, exp, log, tanh

from symbackprop import Network, build, check_module, derive, render
from symbackprop.definitions.activations import PARAMETRIC
from symbackprop.explain import FORMS
from symbackprop.expr.printing import formula
from tests import modules, reference

SIZES = {1: (2, 4, 3), 2: (2, 4, 5, 3), 3: (2, 3, 4, 2, 3)}
COEFFICIENTS = {"l1": 0.03, "l2": 0.02}
TABLE = [("prelu",), ("swish",), ("prelu", "swish"), ("swish", "tanh", "prelu"), ("prelu", "prelu")]


def elu(a, low):
    return Piecewise((low * (exp(a) - 1), a <= 0), (a, True))


FORMULAS = {
    "scaled tanh": Network((lambda a, gain: gain * tanh(a),), learned={"gain": 1.0}),
    "scaled tanh of units": Network((lambda a, gain: gain * tanh(a),), learned_per_unit={"gain": 1.0}),
    "steeper tanh": Network((lambda a, gain: tanh(gain * a),), learned={"gain": 1.0}),
    "elu": Network((elu,), learned={"low": 1.0}),
    "elu of units": Network((elu,), "squared", learned_per_unit={"low": 1.0}),
    "softplus": Network((lambda a, sharp: log(1 + exp(sharp * a)) / sharp,), "bce", learned={"sharp": 1.5}),
    "two of a layer": Network((lambda a, up, down: up * a / (1 + down**2 * a**2),), learned={"up": 1, "down": 0.5}),
    "one of each": Network((lambda a, up, down: up * tanh(down * a),), learned={"up": 1}, learned_per_unit={"down": 1}),
    "two layers": Network((lambda a, shift: tanh(a) + shift, "prelu"), learned={"shift": 0.1}),
    "an expression": Network((Symbol("slope") * Symbol("u") + tanh(Symbol("u")),), learned={"slope": 0.5}),
}


def of_the_table(names, loss, penalty, *, per_unit):
    values = {name: v for g in names if g in PARAMETRIC for name, v in PARAMETRIC[g].initial.items()}
    return Network(names, loss, penalty, learned_per_unit=values if per_unit else {})


def is_fit(activations, a):
    """Whether both sides of every kink occur, and none of them is near."""
    kinked = [v for g, v in zip(activations, a[1:-1], strict=True) if g == "prelu"]
    return all(np.abs(v).min() > 0.02 and (v > 0).any() and (v < 0).any() for v in kinked)


def point(network, sizes, activations=()):
    """Parameters in the module's order, x and y, away from kinks."""
    axes = {θ.name: θ.axes for θ in network.resolved.parameters}
    for seed in itertools.count():
        generator = np.random.default_rng([seed, 5])
        parameters = {}
        for name, of in axes.items():
            shape = tuple(sizes[int(str(axis.size).removeprefix("n^"))] for axis in of) or (1,)
            parameters[name.replace("^", "")] = generator.uniform(0.3, 1.2, shape) * generator.choice((-1, 1), shape)
        x = generator.normal(0, 1, sizes[0])
        if not activations or is_fit(activations, reference.propagate(parameters, activations, x)[1]):
            break
    return parameters, x, 1 if network.resolved.target_kind == "label" else generator.uniform(0, 1, sizes[-1])


def objective(module, parameters, x, y, l1=0.0, l2=0.0):
    weights = [w for name, w in parameters.items() if name.startswith("W")]
    penalty = sum(l1 * (w * np.sign(w.real)).sum() + l2 * (w * w).sum() for w in weights)
    return modules.loss(module, parameters, x, y) + penalty


def assert_gradients(network, parameters, x, y):
    """Against central differences and the complex step; return l and the gradients."""
    module = modules.gradients_alone(network)
    given = {name: COEFFICIENTS[name] for name in modules.penalties_of(module)}
    value, found = modules.backward(module, parameters, x, y, **given)
    numeric = modules.differences(lambda p: objective(module, p, x, y, **given), parameters)
    for name, expected in numeric.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-6, atol=1e-9 * max(1, abs(value)), err_msg=name)
    analytic = modules.gradients_alone(network, **modules.COMPLEX_FUNCTIONS)
    exact = modules.complex_differences(lambda p: objective(analytic, p, x, y, **given), parameters)
    assert modules.worst(found, exact) <= 1e-12
    return value, found, given


@pytest.mark.parametrize("per_unit", [False, True], ids=["layer", "unit"])
@pytest.mark.parametrize("loss", reference.LOSSES)
@pytest.mark.parametrize("activations", TABLE, ids="-".join)
def test_gradients_of_the_table(activations, loss, per_unit):
    network = of_the_table(activations, loss, "l1+l2", per_unit=per_unit)
    parameters, x, y = point(network, SIZES[len(activations)], activations)
    value, found, given = assert_gradients(network, parameters, x, y)
    expected_value, expected = reference.value_and_gradients(parameters, activations, loss, x, y, **given)
    assert value == pytest.approx(expected_value, rel=1e-12)
    assert modules.worst(found, expected) <= 1e-12


@pytest.mark.parametrize("name", FORMULAS)
def test_gradients_of_formulas(name):
    network = FORMULAS[name]
    for seed in range(2):
        for step in derive(network):
            step.check(seed)
    assert_gradients(network, *point(network, SIZES[network.resolved.depth]))


@pytest.mark.parametrize("name", [name for name in FORMULAS if name != "softplus"])  # which divides by it as written
def test_a_parameter_may_be_0(name):
    """No fold divides by one: tanh(a) is not gain * tanh(a) / gain where the gain is 0."""
    network = FORMULAS[name]
    parameters, x, y = point(network, SIZES[network.resolved.depth])
    assert_gradients(network, {n: v if n[0] in "Wb" else 0 * v for n, v in parameters.items()}, x, y)


@pytest.mark.parametrize(
    "network", [of_the_table(TABLE[3], "nll", "l2", per_unit=True), FORMULAS["one of each"]], ids=["table", "formula"]
)
def test_every_check_of_the_module_passes(network):
    for result in check_module(build(network), compiled=()):
        assert result.passed, str(result)


def test_the_derivation_names_the_result_and_the_update():
    (shared,) = derive(Network(("prelu",), penalty="l2")).result("learnt parameters")
    assert str(shared) == "∂l/∂slope⁽ᵏ⁾ = Σᵢ {∂l/∂h⁽ᵏ⁾ᵢ a⁽ᵏ⁾ᵢ if a⁽ᵏ⁾ᵢ ≤ 0; 0 otherwise}"
    own = derive(Network(("prelu",), learned_per_unit={"slope": 0.25}))
    assert str(own.result("learnt parameters")[0]) == "∂l/∂slope⁽ᵏ⁾ᵢ = ∂l/∂h⁽ᵏ⁾ᵢ {a⁽ᵏ⁾ᵢ if a⁽ᵏ⁾ᵢ ≤ 0; 0 otherwise}"
    assert "slope⁽ᵏ⁾ᵢ ← slope⁽ᵏ⁾ᵢ - α ∂l/∂slope⁽ᵏ⁾ᵢ" in map(str, own.result("update"))


def test_what_is_learnt_is_not_regularised():
    targets = {formula(s.target): s for s in derive(Network(("prelu",), penalty="l1+l2")) if s.rule == "update"}
    assert "λ" in formula(targets["W⁽ᵏ⁾ᵢⱼ"].after)
    assert "λ" not in formula(targets["slope⁽ᵏ⁾"].after)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_what_is_learnt(form):
    text = render(derive(Network(("prelu", "swish"), learned_per_unit={"beta": 1.0})), form)
    shown = (
        ["∂l/∂slope⁽ᵏ⁾ = Σ", "∂l/∂beta⁽ᵏ⁾ᵢ = "]
        if form == "text"
        else [r"\mathrm{slope}^{(k)}", r"\mathrm{beta}^{(k)}_{i}"]
    )
    assert all(words in text for words in shown)
    assert "Partial" not in text
    assert "Piecewise" not in text


@pytest.mark.filterwarnings("ignore:overflow", "ignore:underflow")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PARAMETRIC)
def test_gradients_are_finite_far_out(name, dtype):
    """One unit at a large pre-activation: every piece of the formula that overflows is divided by."""
    module = modules.gradients_alone(Network((name,), "squared"), dtype, **modules.NUMPY_FUNCTIONS)
    one, zero = np.ones((1, 1), dtype), np.zeros(1, dtype)
    (parameter, *functions) = reference.LEARNT[name]
    for x in np.array([[-9e3], [-100], [100], [9e3]], dtype):
        parameters = {"W1": one, "b1": zero, f"{parameter}1": zero + 1, "W2": one, "b2": zero}
        _, found = modules.backward(module, parameters, x, functions[0](x, 1.0) - 0.5)
        assert found["db1"] == pytest.approx(functions[1](x, 1.0), abs=1e-3)
        assert found[f"d{parameter}1"] == pytest.approx(functions[2](x, 1.0), abs=1e-3 * float(abs(x[0])))


@pytest.mark.filterwarnings("ignore:overflow", "ignore:underflow")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("field", ["learned", "learned_per_unit"])
def test_the_gradient_of_a_sharpness_is_finite_where_exponentials_overflow(field, dtype):
    network = Network((lambda a, sharp: log(1 + exp(sharp * a)) / sharp,), "squared", **{field: {"sharp": 1.5}})
    module = modules.gradients_alone(network, dtype, **modules.NUMPY_FUNCTIONS)
    one, zero = np.ones((1, 1), dtype), np.zeros(1, dtype)
    for x in np.array([[-9e3], [-100], [-1], [1], [60], [100], [9e3]], dtype):
        parameters = {"W1": one, "b1": zero, "sharp1": zero + module.real(1.5), "W2": one, "b2": zero}
        h = modules.forward(module, parameters, x[None])[0]
        _, found = modules.backward(module, parameters, x, h - module.real(0.5))
        u = 1.5 * float(x[0])
        sigmoid = math.exp(min(u, 0)) / (1 + math.exp(-abs(u)))
        expected = (u * sigmoid - max(u, 0) - math.log1p(math.exp(-abs(u)))) / 1.5**2
        assert found["dsharp1"][0] == pytest.approx(expected, rel=1e-3, abs=1e-6 * abs(float(x[0])))


# --- training ---


@pytest.mark.parametrize(
    ("load", "schedule"),
    [(modules.interpreted, "plain"), (modules.interpreted, "deferred"), (modules.compiled, "overlapped")],
)
def test_a_hundred_updates_are_those_of_numpy(load, schedule):
    activations = ("prelu", "swish")
    network = Network(activations, "nll", "l2", learned={"slope": 0.1}, learned_per_unit={"beta": 0.8})
    module, generator = load(network), np.random.default_rng(3)
    X, y, order = generator.normal(0, 1, (40, 5)), generator.integers(0, 3, 40), generator.integers(0, 40, 100)
    trainer = module.Trainer((5, 6, 4, 3), seed=1, schedule=schedule)
    expected = {name: value.copy() for name, value in trainer.parameters.items()}
    np.testing.assert_array_equal(expected["slope1"], [0.1])
    np.testing.assert_array_equal(expected["beta2"], [0.8] * 4)
    settings = {"learning_rate": 0.05, "decay": 0.02, "l2": 0.01}
    trainer.sgd(X, y, order=order, **settings)
    reference.sgd(expected, activations, "nll", X, y, order, **settings)
    for name, value in expected.items():
        np.testing.assert_allclose(trainer.parameters[name], value, rtol=1e-11, atol=1e-12, err_msg=name)
    assert abs(trainer.parameters["slope1"][0] - 0.1) > 1e-3
    assert (np.abs(trainer.parameters["beta2"] - 0.8) > 1e-6).all()


def test_training_finds_the_slope_that_made_the_data():
    """One unit, from a slope of 0.25, and data of a PReLU of slope -0.7."""
    X = np.random.default_rng(0).normal(0, 1, (200, 1))
    Y = np.where(X > 0, X, -0.7 * X)
    trainer = modules.interpreted(Network(("prelu",), "squared", step_size="constant")).Trainer((1, 1, 1), seed=2)
    for name in ("W1", "W2"):
        trainer.parameters[name][...] = 1
    for _ in range(20):
        trainer.sgd(X, Y, learning_rate=0.05)
    slope = trainer.parameters["slope1"][0]
    assert trainer.loss(X, Y) < 1e-6
    assert slope == pytest.approx(-0.7, abs=1e-3)


@pytest.mark.parametrize("per_unit", [False, True], ids=["layer", "unit"])
def test_a_model_comes_back_and_another_shape_does_not(tmp_path, per_unit):
    networks = [of_the_table(("prelu",), "squared", "none", per_unit=flag) for flag in (per_unit, not per_unit)]
    mine, other = map(modules.interpreted, networks)
    trainer = mine.Trainer((3, 4, 3))
    X = np.random.default_rng(0).normal(0, 1, (6, 3))
    trainer.sgd(X, X)
    trainer.save(tmp_path / "m.npz")
    again = mine.Trainer.load(tmp_path / "m.npz")
    assert (again.parameters["slope1"] == trainer.parameters["slope1"]).all()
    assert again.parameters["slope1"].shape == ((4,) if per_unit else (1,))
    with pytest.raises(ValueError, match=r"holds a network .*slope"):
        other.Trainer.load(tmp_path / "m.npz")
    arrays = dict(np.load(tmp_path / "m.npz"))
    for bad in (np.zeros(7), np.full_like(arrays["slope1"], np.nan)):
        np.savez(tmp_path / "bad.npz", **{**arrays, "slope1": bad})
        with pytest.raises(ValueError, match="slope1 is no array of"):
            mine.Trainer.load(tmp_path / "bad.npz")


def test_the_spec_and_the_command_tell_what_is_learnt():
    module = build(Network(("prelu", "swish"), learned={"slope": 0.1}, learned_per_unit={"beta": 2}))
    assert module.spec["learned"] == ["slope=0.1"]
    assert module.spec["learned_per_unit"] == ["beta=2.0"]
    assert module.spec["parameters"]["slope1"] == []
    assert module.spec["parameters"]["beta2"] == [2]
    assert module.spec["initial"]["values"] == {"slope1": 0.1, "beta2": 2.0}
    header = " ".join(module.text.split('"""')[1].split())
    assert "--activation prelu --activation swish --hidden-layers 2 --loss nll" in header
    assert "--learn slope=0.1 --learn-per-unit beta=2" in header
    assert "dslope1 = Σ_i" in header
    assert "slope1[0] ← slope1[0] - step dslope1" in header
