"""The checks of a generated module find what is wrong with it, and nothing where nothing is."""

import functools
import importlib.util
import math
import sys

import numba
import numpy as np
import pytest
from sympy import log, sin

from symbackprop import Network, check_module
from symbackprop import build as build_anew
from symbackprop.check.cases import interpreted
from symbackprop.check.gradients import KERNELS, Result

NAMES = [
    "text as generated",
    "central differences",
    "complex step",
    "sgd update",
    "exact fractions",
    "compiled kernels",
]
TANH = Network(("tanh",), penalty="l2")


build = functools.cache(build_anew)


def rational(a):
    return a / (1 + a**2)


def checked(module, **options):
    """The results by name, without compiling anything unless asked to."""
    return {r.name: r for r in check_module(module, **({"compiled": ()} | options))}


def failed(module, **options):
    return [r.name for r in checked(module, **options).values() if not r.passed]


@pytest.fixture
def edited(tmp_path):
    """Writes a module with one place of its text changed."""

    def write(old, new, network=TANH, after="def forward"):
        text = build(network, dtype="float64").text
        head, mark, rest = text.partition(after)
        assert old in rest
        path = tmp_path / "edited.py"
        path.write_text(head + mark + rest.replace(old, new, 1), encoding="utf-8")
        return path

    return write


def imported(path):
    found = importlib.util.spec_from_file_location("imported_for_check", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "network",
    [
        Network((), "nll", "l1"),
        Network((), "squared", "none", step_size="constant"),
        Network(("sigmoid",), "bce", "l1+l2"),
        Network(("relu", "gelu"), "squared", "l1"),
        Network(("elu", "softsign", "hard_sigmoid"), "nll", "l2"),
        Network(("arctan",) * 3, "squared", "l1+l2", target="vector"),
        Network((rational,), "squared", "l1+l2"),
    ],
    ids=lambda network: " ".join(map(str, network.resolved.names.values())),
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_generated_module_passes(network, dtype):
    results = check_module(build(network, dtype=dtype), compiled=())
    assert [r.name for r in results] == NAMES
    assert all(r.passed for r in results), [str(r) for r in results if not r.passed]
    assert checked(build(network, dtype=dtype), seed=5)["complex step"].difference < 1e-13


@pytest.mark.parametrize(
    ("own", "note"),
    [
        ({"penalty": lambda w: w**4}, "without the penalty"),
        ({"loss": lambda f, y, axis: -log(f[y]) + axis.sum(lambda i: f[i] ** 2) / 10}, ""),
        ({"preactivation": lambda W, b, h, i, axis: b[i] + axis.sum(lambda j: sin(W[i, j]) * h[j])}, ""),
    ],
    ids=["penalty", "loss", "preactivation"],
)
def test_own_formulas_pass(own, note):
    results = checked(build(Network(("tanh",), **own)))
    assert all(r.passed for r in results.values())
    assert note in results["central differences"].note


def test_the_exact_check_says_where_it_does_not_apply():
    assert checked(build(TANH))["exact fractions"].note == "does not apply: exp, log, tanh of a fraction is none"
    exact = checked(build(Network(("relu", "relu"), "squared", "l1")))["exact fractions"]
    assert (exact.note, exact.difference) == ("", pytest.approx(0, abs=1e-50))


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("dW1[i,j] = da1_i * x[j]", "dW1[i,j] = da1_i * x[0]", {"central differences", "complex step", "sgd update"}),
        ("shared2 * real(4)", "shared2 * real(2)", {"central differences", "complex step", "sgd update"}),
        ("dh1[j] += ", "dh1[j] -= ", {"central differences", "complex step", "sgd update"}),
        ("b2[i] -= step", "b2[i] += step", {"sgd update"}),
        ("decay * real(n + t)", "decay * real(n)", {"sgd update"}),
        ("real(2) * l2", "l2", {"central differences", "complex step", "sgd update"}),
        ("exp(a2[i] - m)", "exq(a2[i] - m)", set()),  # in `forward` alone
    ],
)
def test_a_wrong_kernel_is_found(edited, old, new, found):
    names = set(failed(edited(old, new, after="def backward" if found else "def forward")))
    assert names == {"text as generated", *found}


def test_a_wrong_penalty_is_found(edited):
    path = edited("real(2) * l2", "l2", after="def backward")
    assert "central differences" in failed(path)


def test_a_wrong_schedule_is_found(edited):
    path = edited("W1_ij -= ", "W1_ij += ", after="def sgd_")
    assert failed(path) == ["text as generated", "sgd update"]


def test_a_wrong_sign_is_found_over_the_fractions(edited):
    path = edited("  dW2[i,j] = ", "  dW2[i,j] = -", Network((rational,), "squared"), after="def backward")
    assert "exact fractions" in failed(path)


def test_a_kernel_that_raises_is_a_failed_check(edited):
    result = checked(edited("f[i] - (one", "nothing - (one", after="def backward"))["central differences"]
    assert not result.passed
    assert math.isinf(result.difference)
    assert "NameError" in result.note


def test_nan_does_not_pass(edited):
    result = checked(edited("dW1[i,j] = da1_i", "dW1[i,j] = real(np.nan) + da1_i", after="def backward"))[
        "complex step"
    ]
    assert (result.passed, result.difference) == (False, math.inf)


def test_an_edited_text_is_named(edited):
    result = checked(edited("the mean loss", "the  mean loss"))["text as generated"]
    assert not result.passed
    assert result.note == "edited.py was edited after it was generated"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_kernels_agree_with_interpreted_ones(tmp_path, dtype):
    path = tmp_path / "module.py"
    build(TANH, dtype=dtype).write(path)
    module = imported(path)
    result = checked(module, compiled=KERNELS)["compiled kernels"]
    assert result.passed
    assert result.note == f"{dtype}: forward, loss, backward, sgd"
    right, module.forward = module.forward, lambda *arguments: arguments[-1].fill(0.5)
    assert failed(module, compiled=("forward", "loss")) == ["compiled kernels"]
    module.forward = right
    assert not failed(module, compiled=KERNELS)


def test_the_compiler_is_on_again_afterwards(edited):
    check_module(build(TANH), compiled=())
    with pytest.raises(ValueError, match="cannot be imported"):
        check_module(edited("class Trainer:", "class Trainer(Nothing):"))
    assert not numba.config.DISABLE_JIT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("print('run')\n", "no Trainer"),
        ("import sys\nsys.modules['run'] = None\nclass Trainer: pass\n", "not a module that symbackprop generated"),
        ("SPEC = {'format': 1}\n", "no Trainer"),
        ("SPEC = (\n", "is not Python"),
    ],
)
def test_a_foreign_file_is_refused_before_it_runs(tmp_path, capsys, text, expected):
    path = tmp_path / "foreign.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=expected) as error:
        check_module(path)
    assert "\n" not in str(error.value)
    assert not capsys.readouterr().out
    assert "run" not in sys.modules


@pytest.mark.parametrize(("old", "new"), [('"format": 1', '"format": 2'), ('"format": 1,', ""), ('"layers": 2,', "")])
def test_a_module_of_another_format_is_refused(edited, old, new):
    path = edited(old, new, after="SPEC = ")
    with pytest.raises(ValueError, match="SPEC"):
        check_module(path)


@pytest.mark.parametrize("sizes", [(5, 3), (5, 4, 3, 2), (5, 0, 3), (5, 2.5, 3), (5, -1, 3)])
def test_sizes_that_do_not_fit_are_refused(sizes):
    with pytest.raises(ValueError, match="expected 3 positive integers"):
        check_module(build(TANH), sizes=sizes)


def test_sizes_and_seed_are_used():
    module = build(TANH)
    first, *others = (checked(module, **options) for options in ({}, {"seed": 1}, {"sizes": (7, 2, 4)}, {}))
    assert others[-1] == first
    assert len({tuple(r.difference for r in results.values()) for results in (first, *others)}) == 3


def test_a_result_is_shown_on_a_line():
    assert str(Result("complex step", 3e-16, 1e-12, True)) == "complex step         3.0e-16  of 1e-12  passed"


@pytest.mark.parametrize("mode", [("sigmoid", "none"), ("tanh", "none"), ("tanh", "l2"), ("tanh", "l1")], ids="+".join)
def test_the_course_check(mode, tmp_path):
    """Mean difference of backward and central differences: 20 inputs, layers of 4 and 5, 3 classes, ε = 1e-6."""
    activation, penalty = mode
    sizes, ε, λ = (20, 4, 5, 3), 1e-6, 0.001
    module = interpreted(build(Network((activation,) * 2, "nll", penalty), dtype="float64").text, tmp_path)
    generator = np.random.default_rng(4)
    parameters = [generator.normal(0, 0.5, [sizes[a] for a in axes]) for axes in module.SPEC["parameters"].values()]
    x, y = generator.normal(0, 1, (1, 20)), np.array([2])
    coefficients = [λ] * (penalty != "none")

    def objective():
        weights = [p for p in parameters if p.ndim == 2]
        Ω = sum((w**2 if penalty == "l2" else abs(w)).sum() for w in weights)
        return module.loss(x, y, *parameters) + sum(coefficients) * Ω

    found = [np.empty_like(p) for p in parameters]
    module.backward(x[0], y[0], *parameters, *found, *coefficients)
    differences = []
    for parameter, slopes in zip(parameters, found, strict=True):
        for at in np.ndindex(parameter.shape):
            middle = parameter[at]
            parameter[at] = middle + ε
            above = objective()
            parameter[at] = middle - ε
            differences.append(abs((above - objective()) / (2 * ε) - slopes[at]))
            parameter[at] = middle
    assert len(differences) == 20 * 4 + 4 + 4 * 5 + 5 + 5 * 3 + 3
    assert np.mean(differences) <= 1e-8


@pytest.mark.parametrize("text", ["exp(0.7*a)/8", "exp(log(2)*a)/8", "exp(-exp(-0.7*a))"])
def test_an_exponent_that_is_computed_with_its_roundings_is_checked(text):
    for network in (Network((text,)), Network((text,), "squared")):
        assert failed(build(network)) == []
