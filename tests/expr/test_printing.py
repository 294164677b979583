"""How formulas are written, as mathematics for people and as identifiers for code; what is written is what is meant."""

import math

import pytest
from hypothesis import given, strategies
from sympy import Abs, Add, Eq, Mul, Piecewise, Pow, Rational, S, exp, log, sin, sqrt, tanh

from symbackprop.expr.printing import formula, identifier, mathematical, split, subscript
from symbackprop.expr.reductions import Maximum, Sum
from symbackprop.expr.symbols import LABEL, Axis, Partial, array, indicator, scalar, size
from tests.precision import values

n = size("n^k")
i, j = Axis("i", n), Axis("j", n)
I, J = i.index, j.index  # noqa: E741
a, b, W, f, y = array("a^k"), array("b^k"), array("W^k"), array("f"), array("y")
dW, da = array("∂l/∂W^k"), array("∂l/∂a^k")
u, v, w, α, λ = map(scalar, "uvwαλ")


@pytest.mark.parametrize(
    ("name", "paper", "code"),
    [
        ("W^k", "W⁽ᵏ⁾", "Wk"),
        ("W^12", "W⁽¹²⁾", "W12"),
        ("h^0", "h⁽⁰⁾", "x"),
        ("a^L+1", "a⁽ᴸ⁺¹⁾", None),
        ("h^k-1", "h⁽ᵏ⁻¹⁾", None),
        ("∂l/∂W^2", "∂l/∂W⁽²⁾", "dW2"),
        ("∂l/∂h^0", "∂l/∂h⁽⁰⁾", None),
        ("f", "f", "f"),
        ("α", "α", "learning_rate"),
        ("δ", "δ", "decay"),
        ("λ", "λ", "penalty"),
        ("λ₁", "λ₁", "l1"),
        ("λ₂", "λ₂", "l2"),
        ("n^3", "n⁽³⁾", "n3"),
    ],
)
def test_names(name, paper, code):
    assert mathematical(name) == paper
    assert "^".join(filter(None, split(name))) == name
    if code is not None:
        assert identifier(name) == code
        assert identifier(name).isidentifier()


def test_different_names_have_different_identifiers():
    letters = ["W", "b", "a", "h", "n", "∂l/∂W", "∂l/∂b", "∂l/∂a", "∂l/∂h"]
    names = [f"{letter}^{k}" for letter in letters for k in range(1, 13)] + [
        "f",
        "e",
        "m",
        "s",
        "α",
        "δ",
        "λ",
        "λ₁",
        "λ₂",
    ]
    assert len({identifier(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("indices", "text"),
    [("i", "ᵢ"), ("ij", "ᵢⱼ"), ("0", "₀"), ("y", "_y"), ("iy", "[i,y]"), (["i + 1"], "[i + 1]"), (["10"], "_10")],
)  # fmt: skip
def test_subscripts(indices, text):
    assert subscript(indices) == text


WRITTEN = {
    "a⁽ᵏ⁾ᵢ": a[I],
    "W⁽ᵏ⁾ᵢⱼ": W[I, J],
    "f_y": f[LABEL],
    "W⁽ᵏ⁾[i,1 + j]": W[I, J + 1],
    "Σⱼ W⁽ᵏ⁾ᵢⱼ a⁽ᵏ⁾ⱼ": Sum(W[I, J] * a[J], (J, 0, n - 1)),
    "b⁽ᵏ⁾ᵢ + Σⱼ W⁽ᵏ⁾ᵢⱼ a⁽ᵏ⁾ⱼ": b[I] + Sum(W[I, J] * a[J], (J, 0, n - 1)),
    "Σⱼ (a⁽ᵏ⁾ⱼ + b⁽ᵏ⁾ⱼ)": Sum(a[J] + b[J], (J, 0, n - 1)),
    "Σᵢ W⁽ᵏ⁾ᵢⱼ ∂l/∂a⁽ᵏ⁾ᵢ": Sum(da[I] * W[I, J], (I, 0, n - 1)),
    "ΣᵢΣⱼ W⁽ᵏ⁾ᵢⱼ²": Sum(W[I, J] ** 2, (J, 0, n - 1), (I, 0, n - 1)),
    "maxᵢ a⁽ᵏ⁾ᵢ": Maximum(a[I], (I, 0, n - 1)),
    "fᵢ - 1[i=y]": f[I] - indicator(I, LABEL),
    "∂a⁽ᵏ⁾ᵢ/∂W⁽ᵏ⁾ᵢⱼ": Partial(a[I], W[I, J]),
    "∂l/∂a⁽ᵏ⁾ᵢ (1 - a⁽ᵏ⁾ᵢ²)": da[I] * (1 - a[I] ** 2),
    "exp(u)/(1 + exp(u))": exp(u) / (1 + exp(u)),
    "1/(1 + exp(-u))": 1 / (1 + exp(-u)),
    "-log(f_y)": -log(f[LABEL]),
    "α/(1 + u v)": α / (1 + u * v),
    "√(1 + u²)": sqrt(1 + u**2),
    "|u|": Abs(u),
    "-u": -u,
    "u - v": u - v,
    "2 u/3": 2 * u / 3,
    "1.7159 tanh(2 u/3)": Rational("1.7159") * tanh(2 * u / 3),
    "0.01": Rational("0.01"),
    "1/3": Rational(1, 3),
    "{0 if u ≤ 0; u otherwise}": Piecewise((0, u <= 0), (u, True)),
    "(u + v)²": (u + v) ** 2,
    "(u + v)/w": (u + v) / w,
    "w (u + v)": w * (u + v),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_formulas_print_like_mathematics(text):
    made = formula(WRITTEN[text])
    assert sorted(made) == sorted(text)  # the same signs; the order of equal terms is the printer's
    if not any(s in text for s in ("u + v", "α", "w (")):
        assert made == text


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (W[I, J], "Wk[i,j]"),
        (array("h^0")[I], "x[i]"),
        (Sum(array("W^1")[I, J] * array("h^0")[J], (J, 0, n - 1)), "Σ_j W1[i,j] x[j]"),
        (α * λ, "learning_rate penalty"),
        (array("∂l/∂W^2")[I, J], "dW2[i,j]"),
    ],
    ids=str,
)
def test_formulas_with_the_names_of_the_code(expr, text):
    assert formula(expr, code=True) == text


@strategies.composite
def expressions(draw, depth=3):
    """Arithmetic that a reader can compute from the text alone."""
    leaf = strategies.sampled_from([u, v, w, S(2), Rational(1, 3), Rational(-5, 4), S(-1)])
    if not depth:
        return draw(leaf)
    one, other = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    kind = draw(strategies.sampled_from(["+", "-", "*", "/", "^", "f"]))
    match kind:
        case "+" | "*":
            return (Add if kind == "+" else Mul)(one, other)
        case "-":
            return one - other
        case "/":
            return one / (3 + other**2)
        case "^":
            return Pow(one, draw(strategies.sampled_from([2, 3])))
    return draw(strategies.sampled_from([sin, tanh]))(one)


def read(text, names):
    """The value of a formula as a reader takes it: a space multiplies, raised digits are powers."""
    for digit, power in zip("²³⁴⁵⁶⁷⁸⁹", range(2, 10), strict=True):
        text = text.replace(digit, f"**{power}")
    made, depth = [], 0
    for k, sign in enumerate(text):
        if sign == " " and text[k - 1] not in "+-*/" and text[k + 1] not in "+-*/":
            made.append("*")
        else:
            depth += {"(": 1, ")": -1}.get(sign, 0)
            made.append(sign)
    return eval("".join(made), {"sin": math.sin, "tanh": math.tanh, **names})


@given(expr=expressions(), seed=strategies.integers(0, 9))
def test_what_is_written_is_what_is_meant(expr, seed):
    """No parenthesis is missing: the text, read by its own rules, has the value of the expression."""
    text = formula(expr)
    if any(sign in text for sign in "⁰¹√") or "**" in text:
        return
    arrays = values.Arrays(seed)
    expected = float(values.value(expr, arrays, {}))
    found = read(text, {name: float(arrays[name, ()]) for name in "uvw"})
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-9)


def test_what_is_subtracted_is_in_parentheses():
    assert formula(Add(u, Mul(-1, Add(v, w), evaluate=False), evaluate=False)) == "u - (v + w)"
    assert formula(Mul(-1, Add(v, w), evaluate=False)) == "-(v + w)"


def test_conditions_are_written():
    assert formula(Piecewise((u, Eq(I, J)), (0, True))) == "1[i=j] u"
    assert "≥" in formula(Piecewise((u, v >= 2), (w, True)))
