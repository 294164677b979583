"""What nobody foresaw is one line that names what was typed, from every door."""

import pytest
from sympy import Function, Max, Piecewise

import symbackprop
from symbackprop import Network, cli, compiler
from symbackprop.check import accuracy
from symbackprop.definitions.network import Network as Definitions
from symbackprop.derivation.validate import derivative
from symbackprop.expr.symbols import scalar
from symbackprop.parse.formula import parse
from symbackprop.parse.unforeseen import UnforeseenError, named_if_it_fails

MAXIMA = ["max(0.9*(y-f), -0.1*(y-f))", "f-y if 0.9*(y-f) > -0.1*(y-f) else y-f", "max(2*(f-y), (y-f)/3, 1e-3*(f-y)**2)"]


@pytest.mark.parametrize("text", MAXIMA)
def test_a_loss_that_is_a_maximum_is_built(text):
    text = symbackprop.build(Network(("tanh",), text, "none")).text
    assert " if " in text


def test_a_maximum_made_in_python_is_built():
    symbackprop.build(Network(("tanh",), lambda f, y, axis: axis.sum(lambda i: Max((y[i] - f[i]) * 9, (f[i] - y[i]) / 10)), output="identity"))


@pytest.mark.parametrize("text", ["min(max(a*pi, 1e-3, sigmoid(a)), sign(a)**0, sigmoid(asinh(a)))", "max(a, relu(a)-1, min(a, 3))"])
def test_pieces_in_conditions_are_compared_one_by_one(text):
    symbackprop.derive(Network((text,), "squared"), exact_form=True)


def test_the_slope_of_a_magnitude_is_real():
    for text in ("abs(sqrt(a))", "a/abs((1*a)**0.5)", "abs(log(a))"):
        found = derivative(parse(text, {"a": scalar("a")}))
        assert {type(e).__name__ for e in found.atoms(Function)} <= {"Abs", "sign", "log", "Piecewise"}


def test_a_slope_that_is_infinite_in_a_whole_piece_is_refused():
    with pytest.raises(ValueError, match="no derivative that a kernel could compute"):
        symbackprop.build(Network(("tanh",), "squared", "(e if 0.1 < w else atan(w))/max(heaviside(w), w)"))


def test_a_piece_whose_end_is_a_root_of_high_order_has_no_kink_named():
    symbackprop.derive(Network(("relu((relu(a) if 0.044715 < a else atan(1e10))**4)",), "squared"), exact_form=True)


def _fail(*_, **__):
    raise RecursionError("maximum\nrecursion")


DOORS = {
    "build": (compiler.build, compiler, "assembled"),
    "derive": (symbackprop.derive, symbackprop.derivation.network, "derive_network"),
    "audit": (accuracy.audit, accuracy, "derivative"),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_failure_is_one_line_with_the_formulas(door, monkeypatch):
    through, module, name = DOORS[door]
    monkeypatch.setattr(module, name, _fail)
    with pytest.raises(UnforeseenError, match=r"atan\(a\)/2.*RecursionError: maximum recursion") as caught:
        through(Network(("atan(a)/2",)))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, RecursionError)


def test_so_is_a_failure_of_the_parser(monkeypatch):
    monkeypatch.setattr(symbackprop.parse.formula.Parser, "value", _fail)
    with pytest.raises(UnforeseenError, match=r"the formula atan\(a\)/2 "):
        parse("atan(a)/2", {})
    with pytest.raises(UnforeseenError, match=r"the layer a\[i\] = h\[i\] "):
        symbackprop.layer("a[i] = h[i]")


def test_the_command_says_it_and_ends_with_2(monkeypatch, capsys):
    monkeypatch.setattr(compiler, "assembled", _fail)
    assert cli.run(["generate", "--activation", "atan(a)/2", "-o", "-"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_was_foreseen_stays_as_it_is():
    with pytest.raises(ValueError, match=r"^a line$"), named_if_it_fails("formula", "a"):
        raise ValueError("a line")
    with pytest.raises(UnforeseenError, match="two lines"), named_if_it_fails("formula", "a"):
        raise ValueError("two\n lines")


def test_the_network_shows_what_was_typed():
    def humped(a):
        return Piecewise((a, a > 0), (0, True))

    assert Definitions((humped, "a*2"), "f - y").typed == "humped, a*2, f - y, none"
