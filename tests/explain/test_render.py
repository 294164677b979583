"""What a derivation says, the same in every form."""

import functools

import pytest
from sympy import Rational, Symbol, cos, exp, log, sin, sqrt

from symbackprop import Axis, Equation, Network, Target, backpropagate, render
from symbackprop import derive as derive_anew
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.definitions.losses import LOSSES
from symbackprop.explain import FORMS
from symbackprop.explain.outline import outline
from symbackprop.expr.symbols import Partial, array, scalar, size

derive = functools.cache(derive_anew)
LECTURE = ["chain rule", "loss", "output", "hidden layer", "pre-activation", "parameters", "regulariser", "update"]
OWN = Network(
    ("tanh",),
    loss=lambda f, y, axis: -log(f[y]) + axis.sum(lambda i: f[i] ** 2) / 10,
    penalty=lambda w: w**4,
    preactivation=lambda W, b, h, i, axis: b[i] + axis.sum(lambda j: sin(W[i, j]) * h[j]),
)


def layer_norm():
    """A derivation without sections, from equations that no network has."""
    n = size("n")
    i, j = Axis("i", n), Axis("j", n)
    a, h = array("a"), array("h")
    s = scalar("s")
    equations = (
        Equation(s, j.sum(lambda r: a[r] ** 2)),
        Equation(h[i.index], a[i.index] / sqrt(s), (i,)),
    )
    wanted = [Target("s", (), "scale"), Target("a", (i,), "input")]
    return backpropagate(equations, wanted, "A normalised vector")


def section(text, title):
    return text.split(f"\n{title}\n")[1].split("\n\n")[0]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("form", FORMS)
def test_every_activation_is_told(activation, form):
    text = render(derive(Network((activation,), penalty="l2")), form)
    assert all(name in text for name in LECTURE)
    assert "Partial" not in text
    assert "Piecewise" not in text


def test_results_stand_under_the_names_of_the_lecture():
    lines = outline(derive(Network(penalty="l2"))).sections[-1].lines
    assert [line.name for line in lines if line.name] == LECTURE


def test_the_results_are_those_of_the_lecture():
    results = section(render(derive(Network(penalty="l1+l2"))), "Results")
    shown = [line.strip() for line in results.splitlines()]
    for line in (
        "chain rule             ∂p/∂a = Σᵢ ∂p/∂qᵢ · ∂qᵢ/∂a",
        "output                 ∂l/∂a⁽ᴸ⁺¹⁾ᵢ = fᵢ - 1[i=y]",
        "hidden layer           ∂l/∂h⁽ᵏ⁾ⱼ = Σᵢ W⁽ᵏ⁺¹⁾ᵢⱼ ∂l/∂a⁽ᵏ⁺¹⁾ᵢ",
        "pre-activation         ∂l/∂a⁽ᵏ⁾ᵢ = ∂l/∂h⁽ᵏ⁾ᵢ (1 - h⁽ᵏ⁾ᵢ²)",
        "parameters             ∂l/∂W⁽ᵏ⁾ᵢⱼ = ∂l/∂a⁽ᵏ⁾ᵢ h⁽ᵏ⁻¹⁾ⱼ",
        "∂l/∂b⁽ᵏ⁾ᵢ = ∂l/∂a⁽ᵏ⁾ᵢ",
        "∂Ω₂⁽ᵏ⁾/∂W⁽ᵏ⁾ᵢⱼ = 2 W⁽ᵏ⁾ᵢⱼ",
        "b⁽ᵏ⁾ᵢ ← b⁽ᵏ⁾ᵢ - α ∂l/∂a⁽ᵏ⁾ᵢ",
    ):
        assert line in shown


def test_a_chain_has_one_equals_sign_a_line_and_they_stand_under_one_another():
    lines = section(render(derive(Network())), "Hidden layer k = 1..L").splitlines()
    places = [line.index("=") for line in lines if "1..L" not in line and "─" not in line]
    assert all(line.count(" = ") == 1 for line in lines if "─" not in line)
    chain = [n for n, line in enumerate(lines) if "chain rule" in line][-1]
    assert len(set(places[chain - 1 :])) == 1
    assert lines[chain + 2].split() == ["10", "contract", "=", "∂l/∂h⁽ᵏ⁾ᵢ", "(1", "-", "tanh(a⁽ᵏ⁾ᵢ)²)"]


def test_a_network_without_hidden_layers_has_no_section_about_them():
    text = render(derive(Network(())))
    assert "Hidden layer" not in text
    assert "pre-activation         a⁽ᵏ⁾ᵢ" in text


def test_results_of_several_activations_are_told_apart():
    lines = section(render(derive(Network(("tanh", "sigmoid")))), "Results").splitlines()
    assert sum("(tanh)" in line for line in lines) == sum("(sigmoid)" in line for line in lines) == 1
    assert sum("∂l/∂h⁽ᵏ⁾ⱼ" in line for line in lines) == 1


def test_steps_are_numbered_throughout():
    sections = outline(derive(Network(("tanh", "relu"), penalty="l1"))).sections
    numbers = [line.number for part in sections for line in part.lines if line.number]
    assert numbers == list(range(1, len(numbers) + 1))


def test_no_step_repeats_the_one_before():
    for network in (Network(), Network(("gelu",), "squared"), OWN):
        shown = [
            (line.target, line.sides)
            for part in outline(derive(network)).sections[2:-1]
            for line in part.lines
            if line.name == "contract"
        ]
        assert all(sides != (target,) for target, sides in shown)


@pytest.mark.parametrize("network", [OWN, Network(("hard_sigmoid",) * 2, "bce", "l1+l2")], ids=["own", "pieces"])
def test_lines_of_text_are_not_too_long(network):
    assert max(map(len, render(derive(network)).splitlines())) <= 101


@pytest.mark.parametrize("form", FORMS)
def test_any_derivation_will_do(form):
    text = render(layer_norm(), form)
    assert "A normalised vector" in text
    assert "scale" in text
    assert "input" in text


def test_an_unknown_form_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="the form is 'pdf', expected text, latex, markdown"):
        render(derive(Network()), "pdf")


@pytest.mark.parametrize("loss", LOSSES)
def test_rendering_is_the_same_every_time(loss):
    network = Network(("silu",), loss, "l1+l2")
    assert render(derive(network)) == render(derive_anew(network))


def test_derivatives_that_stand_side_by_side_are_dotted():
    from symbackprop.explain.text import TextPrinter  # noqa: PLC0415

    p, q, a = scalar("p"), scalar("q"), array("∂l/∂a^k")[Symbol("i", integer=True)]
    show = TextPrinter().doprint
    assert show(Partial(p, q) * Partial(q, p)) == "∂p/∂q · ∂q/∂p"
    assert show(2 * a * cos(p)) == "2 ∂l/∂a⁽ᵏ⁾ᵢ cos(p)"
    assert show(Rational(1, 2) * exp(p)) == "exp(p)/2"
