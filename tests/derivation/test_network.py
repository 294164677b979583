"""The lecture's results, each under its own name, from a derivation whose every step checks itself."""

import functools
import itertools

import pytest
from sympy import Derivative, DiracDelta, sin

from symbackprop import Network, derive
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.definitions.losses import LOSSES
from symbackprop.definitions.penalties import PENALTIES
from symbackprop.expr.equations import Derivation, Step
from symbackprop.expr.printing import formula

LECTURE = derive(Network(("tanh",), penalty="l2"))


def texts(derivation, why):
    return [str(result) for result in derivation.result(why)]


def test_output_layer():
    assert texts(LECTURE, "output") == ["∂l/∂a⁽ᴸ⁺¹⁾ᵢ = fᵢ - 1[i=y]"]


def test_the_gradient_of_independent_labels_is_shown_as_in_the_lecture_and_computed_by_the_logit():
    made = derive(Network(("tanh",), "bce"))
    assert texts(made, "output") == ["∂l/∂a⁽ᴸ⁺¹⁾ᵢ = fᵢ - yᵢ"]
    (step,) = (s for s in made.sections[-1].steps if formula(s.target) == "fᵢ - yᵢ")
    assert formula(step.before) == "1/(1 + exp(-a⁽ᴸ⁺¹⁾ᵢ)) - yᵢ"
    step.check()


def test_hidden_layer():
    assert texts(LECTURE, "hidden layer") == ["∂l/∂h⁽ᵏ⁾ⱼ = Σᵢ W⁽ᵏ⁺¹⁾ᵢⱼ ∂l/∂a⁽ᵏ⁺¹⁾ᵢ"]


def test_pre_activation():
    assert texts(LECTURE, "pre-activation") == ["∂l/∂a⁽ᵏ⁾ᵢ = ∂l/∂h⁽ᵏ⁾ᵢ (1 - h⁽ᵏ⁾ᵢ²)"]


def test_parameters():
    assert texts(LECTURE, "parameters") == ["∂l/∂W⁽ᵏ⁾ᵢⱼ = ∂l/∂a⁽ᵏ⁾ᵢ h⁽ᵏ⁻¹⁾ⱼ", "∂l/∂b⁽ᵏ⁾ᵢ = ∂l/∂a⁽ᵏ⁾ᵢ"]


def test_update():
    assert texts(LECTURE, "update") == [
        "W⁽ᵏ⁾ᵢⱼ ← W⁽ᵏ⁾ᵢⱼ + α (-∂l/∂a⁽ᵏ⁾ᵢ h⁽ᵏ⁻¹⁾ⱼ - 2 λ₂ W⁽ᵏ⁾ᵢⱼ)",
        "b⁽ᵏ⁾ᵢ ← b⁽ᵏ⁾ᵢ - α ∂l/∂a⁽ᵏ⁾ᵢ",
    ]


def test_the_chain_rule_is_shown_before_it_is_carried_out():
    shown = [str(step) for step in LECTURE if step.rule == "chain rule"]
    assert "∂l/∂h⁽ᵏ⁾ⱼ = Σᵢ ∂l/∂a⁽ᵏ⁺¹⁾ᵢ ∂a⁽ᵏ⁺¹⁾ᵢ/∂h⁽ᵏ⁾ⱼ = Σᵢ W⁽ᵏ⁺¹⁾ᵢⱼ ∂l/∂a⁽ᵏ⁺¹⁾ᵢ" in shown
    assert any("∂l/∂W⁽ᵏ⁾ᵢⱼ = Σᵣ ∂l/∂a⁽ᵏ⁾ᵣ ∂a⁽ᵏ⁾ᵣ/∂W⁽ᵏ⁾ᵢⱼ" in text for text in shown)


def test_sections_go_from_the_loss_to_the_update():
    assert [section.title.split(",")[0].split(" k")[0] for section in LECTURE.sections] == [
        "Output layer", "Hidden layer", "Parameters of layer", "Computed in forms that",
    ]  # fmt: skip
    rules = [step.rule for step in LECTURE]
    order = [
        rules.index(rule)
        for rule in ("output", "hidden layer", "pre-activation", "parameters", "regulariser", "update")
    ]
    assert order == sorted(order)


def test_what_is_given():
    assert [str(e) for e in LECTURE.given[:4]] == [
        "a⁽ᵏ⁾ᵢ = b⁽ᵏ⁾ᵢ + Σⱼ W⁽ᵏ⁾ᵢⱼ h⁽ᵏ⁻¹⁾ⱼ",
        "h⁽ᵏ⁾ⱼ = tanh(a⁽ᵏ⁾ⱼ)",
        "fᵢ = exp(a⁽ᴸ⁺¹⁾ᵢ)/Σⱼ exp(a⁽ᴸ⁺¹⁾ⱼ)",
        "l = -log(f_y)",
    ]


@pytest.mark.parametrize(
    ("loss", "text"),
    [("nll", "fᵢ - 1[i=y]"), ("bce", "fᵢ - yᵢ"), ("squared", "2 fᵢ - 2 yᵢ")],
)
def test_outputs_of_every_loss(loss, text):
    assert texts(derive(Network((), loss)), "output") == [f"∂l/∂a⁽ᴸ⁺¹⁾ᵢ = {text}"]


@pytest.mark.parametrize(
    ("penalty", "regulariser"),
    [
        ("none", []),
        ("l2", ["2 W⁽ᵏ⁾ᵢⱼ"]),
        ("l1", ["{-1 if W⁽ᵏ⁾ᵢⱼ < 0; 1 if W⁽ᵏ⁾ᵢⱼ > 0; 0 otherwise}"]),
        ("l1+l2", ["{-1 if W⁽ᵏ⁾ᵢⱼ < 0; 1 if W⁽ᵏ⁾ᵢⱼ > 0; 0 otherwise}", "2 W⁽ᵏ⁾ᵢⱼ"]),
        (lambda w: w**4, ["4 W⁽ᵏ⁾ᵢⱼ³"]),
    ],
)
def test_the_gradient_of_every_penalty(penalty, regulariser):
    steps = [step for step in derive(Network((), penalty=penalty)) if step.rule == "regulariser"]
    assert [formula(step.after) for step in steps] == regulariser


def test_only_weights_are_regularised():
    updates = [step for step in derive(Network(penalty="l1+l2")) if step.rule == "update"]
    penalised = {formula(step.target): "λ" in formula(step.after) for step in updates}
    assert sorted(penalised.values()) == [False, True]
    assert all(within is ("W" in target) for target, within in penalised.items())


# --- every step checks itself ---


@functools.cache
def _hidden_layer(activation):
    return derive(Network((activation,)), exact_form=True).sections[1]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_step_of_every_activation(activation):
    for seed in range(4):  # other points, so that several pieces are met
        for step in _hidden_layer(activation):
            step.check(seed)


@pytest.mark.parametrize(("loss", "penalty"), list(itertools.product(LOSSES, PENALTIES)))
def test_every_step_of_every_loss_and_penalty(loss, penalty):
    derivation = derive(Network(("tanh", "silu"), loss, penalty))
    derivation.check()
    assert len(list(derivation)) > 12


def test_every_wrong_step_is_found():
    """Each step of the derivation in turn, with its result changed a little."""
    for section in LECTURE.sections:
        for n, step in enumerate(section.steps):
            wrong = Step(step.rule, step.target, step.before, step.after * (1 + sin(1) / 10**9), step.over, step.given)
            changed = Derivation("", steps=(*section.steps[:n], wrong, *section.steps[n + 1 :]))
            with pytest.raises(ValueError, match=f"{step.rule}|is wrong"):
                changed.check()


def test_no_derivative_is_left_in_a_result():
    for activation in ACTIVATIONS:
        for results in (section.results for section in derive(Network((activation,))).sections):
            assert not any(e.rhs.has(Derivative, DiracDelta) for e in results)


# --- each kind of layer once ---


def test_depth_does_not_add_steps():
    one, many = (derive(Network(("tanh",) * depth)) for depth in (1, 9))
    assert list(one) == list(many)


def test_each_distinct_activation_has_a_section():
    titles = [section.title for section in derive(Network(("tanh", "relu", "tanh"))).sections]
    assert len(titles) == 4
    assert titles[1].endswith("tanh")
    assert titles[2].endswith("relu")


def test_without_hidden_layers_there_is_none():
    derivation = derive(Network(()))
    with pytest.raises(ValueError, match="hidden layer"):
        derivation.result("hidden layer")
    assert len(derivation.sections) == 2


def test_deriving_twice_gives_the_same():
    network = Network(("gelu", "selu"), "bce", "l1+l2")
    assert derive(network) == derive(network)
