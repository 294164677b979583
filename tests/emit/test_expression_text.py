"""Formulas as Python text: typed constants, the right parentheses, the same value when run."""

import ast
import math

import pytest
from hypothesis import given, settings, strategies
from mpmath import mp
from sympy import (
    ITE,
    Abs,
    Add,
    Eq,
    Max,
    Min,
    Mul,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    Symbol,
    Xor,
    atan,
    exp,
    pi,
    sin,
    sqrt,
    tanh,
    zeta,
)
from sympy.codegen.cfunctions import expm1, log1p

from symbackprop.emit.expression_text import functions, integer, number, real, truth
from symbackprop.expr.symbols import Finite, array, scalar, size
from symbackprop.loops.ir import Assign, Break, If, Kernel
from tests.precision import values

n = size("n^1")
i = Symbol("i", integer=True, nonnegative=True)
a, W = array("a^1"), array("W^1")
u, v, s = map(scalar, "uvs")
NAMES = {name: getattr(math, name) for name in ("exp", "tanh", "sin", "sqrt", "log1p", "expm1", "atan")}
NAMES |= {"real": float, "zero": 0.0, "one": 1.0}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (S.Zero, "zero"),
        (S.One, "one"),
        (-S.One, "-one"),
        (S(2), "real(2)"),
        (Rational(3, 2), "real(1.5)"),
        (Rational(-1, 3), "-real(0.3333333333333333)"),
        (pi, "real(3.141592653589793)"),
        (sqrt(2), "real(1.4142135623730951)"),
        (S(10) ** 30, "real(1e+30)"),
        (Rational(1, 10**30), "real(1e-30)"),
    ],
    ids=str,
)
def test_constants_have_the_type_of_the_kernel(value, text):
    assert number(value) == text
    assert eval(text, dict(NAMES)) == float(value)


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (a[i], "a1[i]"),
        (W[i, 2 * i + 1], "W1[i,2*i+1]"),
        (a[n - 1 - i], "a1[n1-1-i]"),
        (u - v, "u - v"),
        (-(u - v), "v - u"),
        (u - (v - s), "s + u - v"),
        (u * (v + s), "u * (s + v)"),
        (-u * (v + s), "-u * (s + v)"),
        (u / v, "u / v"),
        (u / (v * s), "u / (s * v)"),
        (u / v / s, "u / (s * v)"),
        (1 / (u * v), "one / (u * v)"),
        (1 / (1 + u) ** 2, "one / ((one + u) * (one + u))"),
        (u**2, "u * u"),
        ((u + v) ** 3, "(u + v) * (u + v) * (u + v)"),
        (u**7, "u ** 7"),
        (u ** Rational(3, 2), "u * sqrt(u)"),
        (u ** Rational(1, 3), "cbrt(u)"),
        (2**u, "real(2) ** u"),
        (sqrt(1 + u**2), "sqrt(one + u * u)"),
        (Abs(u) * 2, "real(2) * abs(u)"),
        (Max(u, 0), "max(u, zero)"),
        (u / n, "u / real(n1)"),
        (exp(-u), "exp(-u)"),
        (log1p(exp(u)), "log1p(exp(u))"),
        (Piecewise((u, u > 0), (0, True)), "u if u > zero else zero"),
        (2 * Piecewise((u, u > 0), (0, True)), "real(2) * (u if u > zero else zero)"),
        (u - Piecewise((v, v > 0), (s, True)), "u - (v if v > zero else s)"),
        (Piecewise((1, Eq(i, 0)), (0, True)), "one if i == 0 else zero"),
        (
            Piecewise((u, u > 0), (Piecewise((v, v > 1), (s, True)), u < -1), (0, True)),
            "u if u > zero else (v if v > one else s) if u < -one else zero",
        ),
    ],
    ids=str,
)
def test_expressions(expr, text):
    assert real(expr) == text
    ast.parse(text, mode="eval")


@pytest.mark.parametrize("expr", [zeta(u), Symbol("k", real=True) * zeta(2 + u)], ids=str)
def test_unknown_functions_are_refused(expr):
    with pytest.raises(ValueError, match="zeta, which no kernel can compute"):
        real(expr)


@strategies.composite
def expressions(draw, depth=3):
    """Anything a kernel may hold, without division by zero."""
    if not depth:
        return draw(strategies.sampled_from([u, v, s, S(2), Rational(-1, 3), -u, S.One]))
    kind = draw(strategies.sampled_from(["+", "*", "-", "/", "^", "f", "{", "max", "leaf"]))
    one, other = draw(expressions(0)), draw(expressions(0))
    if kind != "leaf":
        one, other = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    match kind:
        case "+" | "*" | "max":
            return {"+": Add, "*": Mul, "max": Max}[kind](one, other)
        case "-":
            return one - other
        case "/":
            return one / (1 + other**2)
        case "^":
            return Pow(one, draw(strategies.sampled_from([2, 3, 5])))
        case "f":
            return draw(strategies.sampled_from([sin, tanh, atan, Abs, lambda x: sqrt(1 + x**2)]))(one)
        case "{":
            return Piecewise((one, Or(other <= 0, one > 2)), (Min(other, one), True))
    return one


@settings(max_examples=25)
@given(expr=expressions(), seed=strategies.integers(0, 99))
def test_the_text_has_the_value_of_the_expression(expr, seed):
    arrays = values.Arrays(seed)
    expected = values.value(expr, arrays, {})
    found = eval(real(expr), NAMES | {name: float(arrays[name, ()]) for name in "uvs"})
    scale = max(1, abs(expected))
    assert abs(found - expected) <= mp.mpf("1e-9") * scale


@settings(max_examples=25)
@given(expr=expressions())
def test_every_constant_is_typed(expr):
    """A bare number would make a float32 kernel compute in float64; powers are the exception that Numba allows."""
    for node in ast.walk(ast.parse(real(expr), mode="eval")):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Constant):
                typed = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "real"
                power = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)
                assert typed or power


def test_conditions():
    assert truth((u > 0) & (v <= 1)) == "u > zero and v <= one"
    assert truth(Or((u > 0) & (v > 0), s > 1)) in {
        "(u > zero and v > zero) or s > one",
        "s > one or (u > zero and v > zero)",
    }
    assert truth(~Finite(u)) == "not isfinite(u)"
    assert truth(i + 1 < n) in {"i + 1 < n1", "n1 > i + 1"}
    assert truth(S.true) == "True"
    assert truth(ITE(u > 0, v > 0, s > 0)) == "(v > zero if u > zero else s > zero)"
    with pytest.raises(ValueError, match="Xor, which no kernel can compute"):
        truth(Xor(u > 0, v > 0, s > 0))


@given(expr=strategies.integers(-5, 5), factor=strategies.integers(-3, 3))
def test_indices(expr, factor):
    text = integer(factor * i + n - expr)
    assert eval(text, {"i": 3, "n1": 10}) == factor * 3 + 10 - expr
    assert "real" not in text


def test_functions_that_are_called():
    kernel = Kernel("f", (), (), (Assign(s, exp(u) + sqrt(v) + expm1(u)), If(~Finite(s), (Break(),))))
    assert functions([kernel]) == ["exp", "expm1", "isfinite", "sqrt"]
