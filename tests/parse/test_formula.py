"""Typed formulas become the expressions they say; everything else is refused in one line, at once, with its place."""

import math
import time

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop import Network
from symbackprop.definitions.user_formulas import is_typed
from symbackprop.expr.functions import FUNCTIONS
from symbackprop.parse.formula import parse
from symbackprop.parse.lexer import DEPTH, LENGTH, normalised
from tests import modules
from tests.hostile import HOSTILE

A = sympy.Symbol("a", real=True)
NAMES = {"a": A, "beta": sympy.Rational(3, 2)}

VALUES = {
    "1": 1, "0.1": sympy.Rational(1, 10), ".5": sympy.Rational(1, 2), "2.": 2, "1e-3": sympy.Rational(1, 1000), "a": A,
    "-a": -A, "+a": A, "a+2*a": 3 * A, "a-1": A - 1, "a/2": A / 2, "a**2": A**2, "a**-1": 1 / A, "a**0.5": sympy.sqrt(A),
    "2**a": sympy.exp(A * sympy.log(2)), "e**a": sympy.exp(A), "pi*a": sympy.pi * A, "beta*a": sympy.Rational(3, 2) * A,
    "(a)": A, "  a  ": A, "-a**2": -(A**2), "2**3**2": 512, "-2**2": -4, "exp(a)": sympy.exp(A),
    "max(a, 0)": sympy.Max(A, 0), "min(a, 1, 2*a)": sympy.Min(A, 1, 2 * A), "abs(a)": sympy.Abs(A),
    "a if a > 0 else 0": sympy.Piecewise((A, A > 0), (0, True)),
    "1 if -1 < a <= 1 else a": sympy.Piecewise((1, sympy.And(A > -1, A <= 1)), (A, True)),
    "1 if a > 1 or a < -1 else a": sympy.Piecewise((1, sympy.Or(A > 1, A < -1)), (A, True)),
    "1 if not a > 1 else a": sympy.Piecewise((1, A <= 1), (A, True)),
    "sign(a)": sympy.Piecewise((-1, A < 0), (1, A > 0), (0, True)),
    "sigmoid(a)": 1 / (1 + sympy.exp(-A)), "softplus(a)": sympy.log(1 + sympy.exp(A)), "log1p(a)": sympy.log(1 + A),
}  # fmt: skip
FORMULAS = [
    "a*tanh(log(1+exp(a)))", "a/(1+exp(-a))", "a if a > 0 else 0.1*(exp(a)-1)", "a/(1+abs(a))", "(a+sqrt(a**2+4))/2",
    "a/sqrt(1+a**2)", "log(cosh(a))", "a*sigmoid(a)**2", "a*sigmoid(1.702*a)", "exp(-a**2/2)*cos(5*a)",
    "max(a, 0.01*a)", "min(max(a, -1), 1)", "a*atan(a)", "sin(a) + a", "a**3/(1+a**2)", "2*sigmoid(2*a)-1",
    "a*erf(log(1+exp(a)))", "asinh(a)", "0.5*a*(1+tanh(0.7978845608*(a+0.044715*a**3)))", "softplus(a)-softplus(-a)",
    "max(0, a)*abs(a)", "a*sign(a) + a", "relu(a)**2", "sqrt(1+a**2)-1", "a*heaviside(a)-0.1*a", "beta*a*exp(-a**2)",
]  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_a_formula_is_what_it_says(text):
    assert parse(text, NAMES) == VALUES[text]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_the_values_of_its_name(name):
    reference = {"arctan": "atan", "abs": "fabs", "max": None, "min": None}.get(name, name)
    arguments = "a, 0.3" if name in {"max", "min", "atan2"} else "a"
    found = sympy.lambdify(A, parse(f"{name}({arguments})", {"a": A}), "mpmath")
    ours = {"max": lambda u: max(u, 0.3), "min": lambda u: min(u, 0.3), "relu": lambda u: max(u, 0), "sign": mpmath.sign,
            "sigmoid": lambda u: 1 / (1 + mpmath.exp(-u)), "softplus": lambda u: mpmath.log1p(mpmath.exp(u)),
            "heaviside": lambda u: float(u > 0), "exp2": lambda u: 2**u, "log2": lambda u: mpmath.log(u, 2),
            "sinc": lambda u: mpmath.sin(u) / u, "softsign": lambda u: u / (1 + abs(u)),
            "logsigmoid": lambda u: -mpmath.log1p(mpmath.exp(-u)), "atan2": lambda u: mpmath.atan2(u, 0.3)}  # fmt: skip
    right = ours.get(name) or getattr(mpmath, reference)
    for u in (0.2, 0.7) if name != "acosh" else (1.2, 1.7):
        assert abs(found(mpmath.mpf(u)) - right(mpmath.mpf(u))) < 1e-12


def test_there_are_many_hostile_texts():
    assert len(set(HOSTILE)) > 300


@pytest.mark.parametrize("text", sorted(set(HOSTILE)))
def test_hostile_texts_are_refused_at_once_in_one_line(text, monkeypatch):
    for name in ("eval", "exec", "input"):
        monkeypatch.setattr(f"builtins.{name}", lambda *_, name=name, **__: pytest.fail(f"{name} was called"))
    start = time.process_time()
    with pytest.raises(ValueError, match="column") as raised:
        parse(text, {"a": A})
    took = time.process_time() - start
    monkeypatch.undo()
    assert took < 0.2
    message = str(raised.value)
    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize("text", sorted(set(HOSTILE)))
def test_no_hostile_text_passes_for_a_choice(text):
    for field in ("activations", "penalty", "loss"):
        if (field, text) in {("loss", "f"), ("loss", "y")}:  # which is a formula of these
            continue
        with pytest.raises(ValueError, match=r"column|unknown") as raised:
            Network(**{field: text})
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["sin(a)/a if a != 0 else 1", "1 if a == 0 else sin(a)/a"])
def test_equality_is_refused_with_what_to_write_instead(text):
    with pytest.raises(ValueError, match=r"loses its digits beside it too") as raised:
        parse(text, {"a": A})
    parse(str(raised.value).split("range, as ")[1], {"a": A})


def test_a_refusal_points_at_the_place_and_names_the_nearest():
    with pytest.raises(ValueError, match=r"at column 5 the unknown function sigmiod, did you mean sigmoid\?"):
        parse("a + sigmiod(a)", NAMES)
    with pytest.raises(
        ValueError, match=r"at column 3 the unknown name bta, did you mean beta\?; known are a, beta, pi"
    ):
        parse("a*bta", NAMES)
    with pytest.raises(ValueError, match="a power is written"):
        parse("a^2", NAMES)


def test_one_spelling():
    assert normalised(" (a)*2+ 1.50 ") == "a * 2 + 1.5"
    assert parse(normalised("a if a>0 else(-a)**3"), NAMES) == parse("a if a>0 else(-a)**3", NAMES)


def test_names_are_not_formulas():
    assert not is_typed("activation", "leaky-relu", {})
    assert not is_typed("activation", "tanh", {"tanh": 1})
    assert not is_typed("initializer", "a*2", {})
    assert is_typed("activation", "a", {})
    assert is_typed("penalty", "w**4", {})


def shapes(depth):
    """Texts that look like formulas, right and wrong ones."""
    leaf = st.sampled_from(["a", "beta", "1", "0.5", "2", "-3", "pi", "e", "1e5", "b", "a a", "", "9999999999", "a.b"])
    if depth == 0:
        return leaf
    inner = shapes(depth - 1)
    return st.one_of(
        leaf,
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", "//", "<", " and "]), inner).map("".join),
        st.tuples(st.sampled_from([*FUNCTIONS, "floor", "-", "("]), inner).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} if {p[1]} > 0 else {p[2]})"),
    )


def refusal(make):
    """What a maker raises; None where it makes something."""
    try:
        make()
    except ValueError as error:
        return str(error)
    return None


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.one_of(st.text(max_size=30), st.text("a1+-*/()., <>=!e[]", max_size=40), shapes(3)))
def test_whatever_is_typed_becomes_an_expression_or_a_value_error(text):
    start = time.process_time()
    word = refusal(lambda: parse(text, NAMES))
    assert time.process_time() - start < 1
    assert "\n" not in word if word else parse(text, NAMES).free_symbols <= {A}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(shapes(2))
def test_whatever_is_accepted_becomes_a_kernel_or_a_value_error(text):
    made = []
    word = refusal(lambda: made.append(modules.gradients_alone(Network((text,), "squared"))))
    assert "\n" not in word if word else made[0].backward.__doc__


@pytest.mark.parametrize("text", [f"{'(' * (DEPTH + 1)}a{')' * (DEPTH + 1)}", "a+" * (LENGTH // 2) + "a"])
def test_limits(text):
    with pytest.raises(ValueError, match="more than"):
        parse(text, NAMES)


@pytest.mark.parametrize("text", FORMULAS)
def test_gradients_of_typed_formulas_are_those_of_fifty_digits(text):
    constants = {"beta": 1.5} if "beta" in text else {}
    network = Network((text,), "squared", constants=constants)
    module = modules.gradients_alone(network)
    g = sympy.lambdify(A, parse(text, {"a": A, **network.exact_constants}), "mpmath")
    generator = np.random.default_rng(len(text))
    with mpmath.workdps(50):
        for point in generator.uniform(-4, 4, 200):
            if min(abs(point - kink) for kink in (-1, 0, 1)) < 1e-3:
                continue
            slope = (
                g(mpmath.mpf(point) + mpmath.mpf("1e-12")) - g(mpmath.mpf(point) - mpmath.mpf("1e-12"))
            ) / mpmath.mpf("2e-12")
            found = weight_gradient(module, point)
            right = float(2 * g(mpmath.mpf(point)) * slope)  # l = (g(w x) - 0)², x = 1
            assert math.isclose(found, right, rel_tol=1e-6, abs_tol=1e-9), (point, found, right)


def weight_gradient(module, point):
    """∂l/∂W1 of a 1-1-1 network with x = 1, W1 = point, W2 = 1, y = 0."""
    x, y, one, zero = np.ones(1), np.zeros(1), np.ones((1, 1)), np.zeros(1)
    slopes = [np.empty((1, 1)), np.empty(1), np.empty((1, 1)), np.empty(1)]
    module.backward(x, y, point * one, zero, one, zero, *slopes)
    return float(slopes[0][0, 0])


@pytest.mark.parametrize(
    "text",
    [
        "(((1.0000001**64)**64)**64)*a",  # a moderate number of millions of digits
        "relu(" * 30 + "a" + ")" * 30,  # a comparison at each level
        "sign(a+" * 8 + "a" + ")" * 8,  # written twice at each level
        "heaviside(" + "+".join(f"max(a,{n})*a**{n}" for n in range(2, 9)) + ")",  # a comparison of 128 cases
        "max(" + ",".join(f"sin({i}*a)" for i in range(1, 40)) + ")",
    ],
)
def test_what_a_short_text_would_blow_up_is_refused_at_once(text):
    start = time.process_time()
    with pytest.raises(ValueError, match="column"):
        parse(text, {"a": sympy.Symbol("a", real=True)})
    assert time.process_time() - start < 1  # 0.2 s on an idle core
