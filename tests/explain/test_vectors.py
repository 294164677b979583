"""The vector form says what the index form says: read as printed, and computed with NumPy, by code of the tests' own."""

import functools
from contextlib import suppress
from itertools import product

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from sympy import Add, Integer, Max, Mul, Piecewise, exp, sin, tanh

from symbackprop import Network, derive, render
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.definitions.network_file import network_of_file
from symbackprop.explain.outline import Line, outline
from symbackprop.explain.text import TextPrinter
from symbackprop.explain.vector_form import in_vector_form
from symbackprop.explain.vectors import NoVectorFormError, in_vectors, sizes_of
from symbackprop.expr.printing import formula
from symbackprop.expr.reductions import Maximum, Sum
from symbackprop.expr.symbols import LABEL, Axis, array, indicator, scalar, size
from tests.explain.matrices import (
    IDENTITY,
    NO,
    ONES,
    Reader,
    UnknownLengthError,
    element,
    joined,
    length,
    matrix,
    number,
    unit,
)

NP, NQ = size("m"), size("n")
AXES = {name: Axis(name, NP if name in "ikr" else NQ) for name in "ikrjlt"}
ARRAYS = {
    "x": "",
    "c": "",
    "u": "P",
    "v": "P",
    "p": "Q",
    "q": "Q",
    "A": "PP",
    "B": "PQ",
    "C": "PQ",
    "D": "QP",
    "E": "QQ",
}
FIXED = [Integer(0), LABEL]
KIND = dict.fromkeys("ikr", "P") | dict.fromkeys("jlt", "Q")


@st.composite
def formulas(draw, free, depth):
    """A formula in index form whose free indices are among `free`."""
    kind = draw(st.sampled_from(["read"] * 3 + ["sum", "product", "product", "add", "function", "mark", "square"]))
    if depth == 0 or kind == "read":
        return draw(elements(free))
    inside = formulas(free, depth - 1)
    if kind == "sum" and (left := [a for a in AXES if a not in free]):
        bound = draw(st.sampled_from(left))
        return Sum(draw(formulas((*free, bound), depth - 1)), AXES[bound].limits)
    if kind == "mark" and free:
        return draw(inside) * draw(marks(free))
    if kind in {"product", "add"}:
        return (Mul if kind == "product" else Add)(draw(inside), draw(inside))
    if kind == "square":
        return draw(inside) ** 2
    made = draw(inside)
    shapes = [tanh, sin, lambda e: 1 / (2 + tanh(e)), lambda e: exp(-(e**2)), lambda e: e / 3, lambda e: -2 * e]
    pieces = [lambda e: Max(e, 0), lambda e: Piecewise((0, e <= 0), (e, True))] if not made.has(Piecewise, Max) else []
    return draw(st.sampled_from([*shapes, *pieces]))(made)


@st.composite
def elements(draw, free):
    """An element of an array, each of its axes at a free index, at 0 or at y."""
    name = draw(st.sampled_from([*ARRAYS]))
    places = []
    for kind in ARRAYS[name]:
        fitting = [AXES[i].index for i in free if KIND[i] == kind]
        places.append(draw(st.sampled_from([*fitting * 3, *FIXED])))
    return array(name)[tuple(places)] if places else scalar(name)


@st.composite
def marks(draw, free):
    """1[i=j] or 1[i=y]."""
    one = draw(st.sampled_from(free))
    others = [AXES[i].index for i in free if KIND[i] == KIND[one] and i != one]
    return indicator(AXES[one].index, draw(st.sampled_from([*others, LABEL])))


def values(rows, columns, rng):
    made = {n: rng.uniform(-1, 1, [rows if k == "P" else columns for k in kinds]) for n, kinds in ARRAYS.items()}
    y = int(rng.integers(min(rows, columns)))
    names = {n: matrix(v) for n, v in made.items()} | {
        "𝟏": ONES,
        "I": IDENTITY,
        "m": number(rows),
        "n": number(columns),
    }
    for name, kinds in ARRAYS.items():  # of elements, as they are printed
        for places in product(FIXED, repeat=len(kinds)):
            at = tuple(y if place == LABEL else 0 for place in places)
            names |= {formula(array(name)[places]): number(made[name][at])} if kinds else {}
    return made, y, names | {"e_y": unit(y), "e₀": unit(0)}


def vector_form(expr, over):
    """Return an expression, with the indices `over` free, as it is printed in vector form."""
    axes = tuple(AXES[name] for name in over)
    target = array("z")[tuple(a.index for a in axes)] if over else scalar("z")
    every = [Line("", array(n)[tuple(AXES["i" if k == "P" else "j"].index for k in kinds)], (),
                  over=(AXES["i"], AXES["j"])) for n, kinds in ARRAYS.items() if kinds]  # fmt: skip
    line = Line("", target, (expr,), over=axes)
    return TextPrinter().doprint(in_vectors(line, sizes_of([line, *every])).sides[0])


@settings(max_examples=400, deadline=None)
@given(st.data(), st.sampled_from(["", "i", "j", "ij", "ji", "ik", "jl"]), st.integers(1, 3), st.integers(1, 3))
def test_the_vector_form_has_the_values_of_the_index_form(data, over, rows, columns):
    expr = data.draw(formulas(tuple(over), 3))
    try:
        text = vector_form(expr, over)
    except NoVectorFormError:
        event("no vector form")
        return
    event("a vector form")
    with suppress(UnknownLengthError):  # 𝟏ᵀ exp(e_y)
        same_values(text, expr, over, rows, columns)


def same_values(text, expr, over, rows, columns):
    arrays, y, names = values(rows, columns, np.random.default_rng(rows + 3 * columns))
    sizes = {NP: rows, NQ: columns, LABEL: y}
    shape = [rows if KIND[i] == "P" else columns for i in over]
    expected = np.empty(shape)
    for at in np.ndindex(*shape):
        expected[at] = element(expr, sizes | {AXES[i].index: n for i, n in zip(over, at, strict=True)}, arrays)
    found = Reader(text, names).value()
    sides = (*shape, NO, NO)[:2]
    assert (joined(found.rows, sides[0]), joined(found.columns, sides[1])) == sides
    np.testing.assert_allclose(found.at(*map(length, sides)).reshape(shape), expected, rtol=1e-9, atol=1e-12)


def over(names, body):
    return Sum(body, *(AXES[name].limits for name in reversed(names)))


i, j, k, r, t = (AXES[name].index for name in "ijkrt")
A, B, C, D, E, p, q, u, v = (array(name) for name in "ABCDEpquv")


@pytest.mark.parametrize(
    ("free", "expression", "expected"),
    [
        ("i", over("j", B[i, j] * q[j]), "B q"),
        ("j", over("i", B[i, j] * u[i]), "Bᵀ u"),
        ("i", over("j", B[i, j]), "B 𝟏"),
        ("i", B[i, 0], "B e₀"),
        ("j", B[LABEL, j], "Bᵀ e_y"),
        ("ij", u[i] * C[0, j], "u e₀ᵀ C"),
        ("", over("i", u[i]), "𝟏ᵀ u"),
        ("", over("i", u[i] * v[i]), "uᵀ v"),
        ("", over("i", u[i] ** 2), "‖u‖²"),
        ("", over("ij", B[i, j] ** 2), "‖B‖²"),
        ("", over("ij", B[i, j] * C[i, j]), "⟨B, C⟩"),
        ("", over("ij", u[i] * B[i, j] * q[j]), "uᵀ B q"),
        ("", over("i", A[i, i]), "tr(A)"),
        ("", over("ik", A[i, k] * A[k, i]), "⟨A, Aᵀ⟩"),
        ("ij", u[i] * q[j], "u qᵀ"),
        ("ji", u[i] * q[j], "q uᵀ"),
        ("ij", u[i] * B[i, j] * q[j], "Diag(u) B Diag(q)"),
        ("ij", D[j, i] * B[i, j], "B ⊙ Dᵀ"),
        ("ik", over("j", B[i, j] * C[k, j]), "B Cᵀ"),
        ("ik", over("j", B[i, j] * q[j] * D[j, k]), "B Diag(q) D"),
        ("ik", over("jt", B[i, j] * E[j, t] * C[k, t]), "B E Cᵀ"),
        ("ik", indicator(i, k) * u[i], "Diag(u)"),
        ("ik", indicator(i, k), "I"),
        ("i", over("k", indicator(i, k) * u[k]), "u"),
        ("i", u[i] - indicator(i, LABEL), "u - e_y"),
        ("i", u[i] * over("r", u[r] * v[r]), "(uᵀ v) u"),
        ("i", exp(u[i]) / over("k", exp(u[k])), "exp(u)/(𝟏ᵀ exp(u))"),
        ("i", u[i] - over("k", u[k]) / NP, "u - (𝟏ᵀ u) 𝟏/m"),
        ("i", -over("j", (B[i, j] - q[j]) ** 2) / 2, "-(B - 𝟏 qᵀ)^⊙2 𝟏/2"),
        ("ij", u[i] * (q[j] - B[i, j]), "Diag(u) (𝟏 qᵀ - B)"),
        ("i", 1 / (1 + exp(-u[i])), "𝟏 ⊘ (𝟏 + exp(-u))"),
        ("i", exp(u[i] - Maximum(u[k], AXES["k"].limits)), "exp(u - max(u) 𝟏)"),
        ("i", Piecewise((0, u[i] <= 0), (u[i], True)), "{0 if u ≤ 0; u otherwise}"),
    ],
)  # fmt: skip
def test_what_is_written_as_which_product(free, expression, expected):
    text = vector_form(expression, free)
    assert text == expected
    for rows, columns in ((1, 1), (1, 3), (2, 1), (3, 2)):
        same_values(text, expression, free, rows, columns)


@pytest.mark.parametrize(
    ("free", "expression", "reason"),
    [
        ("i", u[i + 1], "an index is computed"),
        ("i", u[i] * i, "i as a number"),
        ("i", Sum(u[k], (k, 0, i)), "a part of an axis"),
        ("i", Sum(u[k], (k, 0, 1)), "a part of an axis"),
        ("i", over("kr", A[i, k] * A[i, r] * A[k, r]), None),
        ("ij", over("k", A[i, k] * B[k, j] * u[k]), None),
        ("ik", over("r", A[i, r] * A[k, r] * tanh(A[i, r] + A[k, r])), "more than two indices"),
        ("i", Maximum(A[i, k], AXES["k"].limits), "a maximum of each row"),
        ("ik", Piecewise((u[i], i <= k), (0, True)), "i as a number"),
    ],
)
def test_what_has_no_vector_form(free, expression, reason):
    if reason is None:
        assert vector_form(expression, free)
        return
    with pytest.raises(NoVectorFormError, match=reason):
        vector_form(expression, free)


LECTURE = """
     chain rule             ∂p/∂a = (∂q/∂a)ᵀ (∂p/∂q)
     loss                   l = log(𝟏ᵀ exp(a⁽ᴸ⁺¹⁾)) - a⁽ᴸ⁺¹⁾_y
     output                 ∇a⁽ᴸ⁺¹⁾ = f - e_y
     hidden layer           ∇h⁽ᵏ⁾ = W⁽ᵏ⁺¹⁾ᵀ ∇a⁽ᵏ⁺¹⁾
     pre-activation         ∇a⁽ᵏ⁾ = ∇h⁽ᵏ⁾ ⊙ (𝟏 - h⁽ᵏ⁾ ⊙ h⁽ᵏ⁾)
     parameters             ∇W⁽ᵏ⁾ = ∇a⁽ᵏ⁾ h⁽ᵏ⁻¹⁾ᵀ
                            ∇b⁽ᵏ⁾ = ∇a⁽ᵏ⁾
     regulariser            ∂Ω⁽ᵏ⁾/∂W⁽ᵏ⁾ = 2 W⁽ᵏ⁾
     update                 W⁽ᵏ⁾ ← W⁽ᵏ⁾ + α (-∇a⁽ᵏ⁾ h⁽ᵏ⁻¹⁾ᵀ - 2 λ₂ W⁽ᵏ⁾)
                            b⁽ᵏ⁾ ← b⁽ᵏ⁾ - α ∇a⁽ᵏ⁾
"""


def test_the_results_of_the_lecture():
    text = render(derive(Network(penalty="l2")), vectors=True)
    assert text.split("Results\n───────")[1].strip() == LECTURE.strip()


def test_a_contraction_of_indices_is_no_step_and_the_others_are_numbered_throughout():
    sections = in_vector_form(outline(derive(Network(("tanh", "relu"), penalty="l1")))).sections
    lines = [line for section in sections[2:-1] for line in section.lines]
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert all(line.sides != (line.target,) for line in lines)


@functools.cache
def told(name):
    if name in ACTIVATIONS:
        return in_vector_form(outline(derive(Network((name,), penalty="l1+l2"))))
    return in_vector_form(outline(derive(network_of_file(f"generated/{name}.toml"))))


@pytest.mark.parametrize("name", [*ACTIVATIONS, "attention", "gated", "rbf", "residual", "autoencoder"])
def test_all_results_of_networks_of_vectors_are_in_vector_form(name):
    assert [line.note for line in told(name).sections[-1].lines if "index form" in line.note] == []


def test_a_convolution_stays_in_index_form_and_says_so():
    lines = {str(line.target): line for line in told("convolutions").sections[-1].lines}
    assert lines["Whole(∂l/∂W^4, 2)"].note == ""
    assert lines["∂l/∂W^3[o, c, u, v]"].note == "index form: an index is computed"
    assert "what has no such form stands in index form" in told("convolutions").preface
