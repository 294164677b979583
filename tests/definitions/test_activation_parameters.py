"""What learnt parameters may be called, where they may start, and who uses them; all else is one line that says so."""


import pytest
from sympy import Symbol, sin, tanh

from symbackprop import Network
from symbackprop.definitions.activation_parameters import RESERVED
from symbackprop.definitions.activations import ACTIVATIONS, PARAMETRIC

a, slope = Symbol("a"), Symbol("slope")

NAMES = [
    *"Wbahfyxltnks", *"αβ", "", "1", "two words", "slope1", "s2x", "_slope", "slope_", "__import__", "a.b", "a[0]", "ﬁ",
    "slope\n", 'a"""', "exp", "pi", "gamma", "lambda", "import", "None", None, 3, ("slope",),
]  # fmt: skip
VALUES = [float("nan"), float("inf"), -float("inf"), 1e39, "0.25", None, True, 1j, [0.25]]


@pytest.mark.parametrize("field", ["learned", "learned_per_unit"])
@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_name_that_cannot_be_given_is_named(name, field):
    with pytest.raises(ValueError, match=f"^{field} has the name") as raised:
        Network(("prelu",), **{field: {name: 0.25}})
    assert repr(name) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_every_reserved_name_is_refused():
    for name in RESERVED:
        with pytest.raises(ValueError, match="name"):
            Network((tanh(a),), learned={name: 1.0})


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_that_is_no_finite_number_is_named(value):
    with pytest.raises(ValueError, match="slope") as raised:
        Network(("prelu",), learned={"slope": value})
    assert repr(value) in str(raised.value)


@pytest.mark.parametrize("given", ["slope", 3, ["slope"], None])
def test_what_is_no_mapping(given):
    with pytest.raises(ValueError, match=r"learned is .*expected names with initial values"):
        Network(("prelu",), learned=given)


def test_a_name_that_no_activation_uses():
    with pytest.raises(ValueError, match="no activation uses the learnt parameter 'gain', they use slope"):
        Network(("prelu", "tanh"), learned={"gain": 1.0})
    with pytest.raises(ValueError, match="no activation uses the learnt parameter 'gain', they use none"):
        Network((), learned_per_unit={"gain": 1.0})
    with pytest.raises(ValueError, match="'slope' is in both"):
        Network(("prelu",), learned={"slope": 1.0}, learned_per_unit={"slope": 1.0})


def test_a_name_that_kernels_have_is_printed_apart_and_said_as_it_was_given():
    network = Network((lambda a, dslope, slope: a * dslope * slope,), learned={"slope": 1.0, "dslope": 1.0}).resolved
    assert [θ.name for θ in network.parameters if θ.is_of_activation] == ["dslope^1", "slope_^1"]
    assert network.names["learned"] == ["dslope=1.0", "slope=1.0"]


def test_a_formula_of_what_is_not_learnt():
    with pytest.raises(ValueError, match=r"takes 'slope', which is not learnt; say learned=\{'slope': 0.25\}"):
        Network((lambda a, slope: a * slope,))
    with pytest.raises(ValueError, match=r"\['a', 'slope'\], expected one"):
        Network((a * slope,))


@pytest.mark.parametrize(
    "g", [lambda a, slope: slope * sin(a), slope * sin(a), Symbol("slope", real=True) * sin(Symbol("u"))]
)
def test_a_formula_may_be_a_function_or_an_expression(g):
    network = Network((g,), learned={"slope": 1})
    assert str(network.resolved.layers[0].activated[0]) == "h⁽¹⁾ⱼ = slope⁽¹⁾ sin(a⁽¹⁾ⱼ)"
    network = Network((g,), learned_per_unit={"slope": 1})
    assert str(network.resolved.layers[0].activated[0]) == "h⁽¹⁾ⱼ = slope⁽¹⁾ⱼ sin(a⁽¹⁾ⱼ)"
    assert network.resolved.names["activations"] == ["slope sin(a)"]


def test_a_function_may_have_a_default_of_its_own():
    def g(a, times=3):
        return times * a

    assert str(Network((g,)).resolved.layers[0].activated[0]) == "h⁽¹⁾ⱼ = 3 a⁽¹⁾ⱼ"


@pytest.mark.parametrize("name", PARAMETRIC)
def test_the_table(name):
    """Every symbol but a has an initial value, and no name is in both tables."""
    entry = PARAMETRIC[name]
    assert {s.name for s in entry.formula.free_symbols} == {"a", *entry.initial}
    assert name not in ACTIVATIONS
    assert Network((name,)).resolved.initial_values == {f"{n}^1": v for n, v in entry.initial.items()}


def test_values_of_the_table_may_be_others():
    assert Network(("prelu",), learned={"slope": 0.1}).resolved.initial_values == {"slope^1": 0.1}
    assert Network(("prelu",), learned_per_unit={"slope": 0.1}).resolved.names["learned_per_unit"] == ["slope=0.1"]
    assert Network(("prelu",)).resolved.names["learned"] == ["slope=0.25"]


def test_parameters_belong_to_the_layers_that_use_them():
    network = Network(("prelu", "tanh", "swish", "prelu"), learned_per_unit={"slope": 0.25})
    learnt = [[θ for θ in layer.parameters if θ.is_of_activation] for layer in network.resolved.layers]
    assert [[θ.name for θ in of_layer] for of_layer in learnt] == [["slope^1"], [], ["beta^3"], ["slope^4"], []]
    assert [str(axis.size) for axis in learnt[3][0].axes] == ["n^4"]
    assert learnt[2][0].axes == ()
    assert not any(θ.is_weight for of_layer in learnt for θ in of_layer)


def test_networks_are_equal_by_value():
    one, other = Network(("prelu",), learned={"slope": 1}), Network(["prelu"], learned=(("slope", 1.0),))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Network(("prelu",), learned={"slope": 2})
