"""The closed form of a block of updates is proven, not assumed, and what has none is refused in words."""

import random
import re
from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
from sympy import Abs, Integer, Piecewise, Sum, Symbol, cos, sin

from symbackprop.calculus.recurrence import defer, prove, recurrence_of
from symbackprop.notation import formula
from symbackprop.numeric import World
from symbackprop.symbols import Axis, array, name_of, scalar, size
from symbackprop.terms import Equation

I, J = Axis("i", size("n")), Axis("j", size("m"))  # noqa: E741
i, j, r = I.index, J.index, Symbol("r", integer=True, nonnegative=True)
W, b, h, d, a, M = array("W^1"), array("b"), array("h"), array("d"), array("a"), array("M")
W0, P, α, ρ, γ, δ, H = (array(name) for name in ("W", "P", "α", "ρ", "γ", "δ", "h"))  # of the proof
step, λ = scalar("step"), scalar("λ")
READ = Equation(a[i], b[i] + Sum(W[i, j] * h[j], J.limits), (I,), "pre-activation")


def update(rhs, lhs=None):
    return Equation(W[i, j] if lhs is None else lhs, rhs, (I, J), "update")


PLAIN = update(W[i, j] - step * d[i] * h[j])
DECAYED = update(W[i, j] - step * (d[i] * h[j] + 2 * λ * W[i, j]))


def proof():
    return prove(recurrence_of(DECAYED, READ))


# --- the proof ---


@pytest.mark.parametrize("seed", range(4))
def test_every_step_is_right_at_random_values(seed):
    steps = list(proof())
    assert [s.rule for s in steps] == ["base case", "induction step", "read"]
    for each in steps:
        each.check(seed)


def test_the_proof_can_be_read():
    text = "\n".join(map(str, proof()))
    assert "W_0 = Wᵢⱼ = P₀ (Wᵢⱼ - Σ_{s<0}" in text
    assert "P_r+1 = ρ_r P_r, γ_r = α_r / P_r+1" in text
    assert [formula(e.lhs) for e in proof().given] == ["Pᵣ", "γᵣ"]


TAMPERED = {
    "γ not divided by P": ("given", 1, α[r]),
    "γ divided by the P before": ("given", 1, α[r] / P[r]),
    "γ of the wrong sign": ("given", 1, -α[r] / P[r + 1]),
    "P that does not decay": ("given", 0, Integer(1)),
    "P decayed twice": ("given", 0, Piecewise((1, r < 1), (ρ[r - 1] ** 2 * P[r - 1], True))),
    "P decayed by the rate of the next": ("given", 0, Piecewise((1, r < 1), (ρ[r] * P[r - 1], True))),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_definition_is_caught(case):
    _, at, rhs = TAMPERED[case]
    induction = list(proof())[1]
    given = list(induction.given)
    given[at] = replace(given[at], rhs=rhs)
    with pytest.raises(ValueError, match="is wrong: its sides differ"):
        replace(induction, given=tuple(given)).check()


def test_a_tampered_closed_form_is_caught():
    base, induction, read = proof()
    first = next(iter(base.given))
    with pytest.raises(ValueError, match="is wrong"):
        replace(base, given=(replace(first, rhs=Integer(2)),)).check()
    for wrong in (
        induction.after.xreplace({P[r + 1]: P[r]}),
        induction.after.xreplace({r + 1: r}),
        induction.after.replace(γ, α),
    ):
        assert wrong != induction.after
        with pytest.raises(ValueError, match="is wrong"):
            replace(induction, after=wrong).check()
    s = Symbol("s", integer=True, nonnegative=True)
    for wrong in (read.after.xreplace({r - 1: r}), read.after.xreplace({H[s, j]: H[r, j]}), read.after / P[r]):
        assert wrong != read.after
        with pytest.raises(ValueError, match="is wrong"):
            replace(read, after=wrong).check()


def test_the_closed_form_is_the_recurrence_run_example_by_example():
    _, induction, read = proof()
    world = World(induction.given)
    for row, column in product(range(2), range(3)):
        at = {i: Integer(row), j: Integer(column)}
        now = world.value(W0[i, j], at)
        for t in range(6):
            here = {**at, r: Integer(t)}
            now = world.value(ρ[r], here) * now - world.value(α[r] * δ[r, i] * H[r, j], here)
            assert abs(world.value(induction.after, here) - now) < 1e-40
    assert read.over[0].index == r


# --- the equations of a block ---


def block_by_equations(deferral, weights, biases, inputs, slopes, rates, λ_):
    """The pre-activations and the weights after a block, from nothing but the deferral's equations."""
    rows, columns, count = len(weights), len(weights[0]), len(inputs)
    known = {("W^1", (x, y)): weights[x][y] for x, y in product(range(rows), range(columns))}
    known |= {("b", (x,)): biases[x] for x in range(rows)} | {("λ", ()): λ_}
    known |= {("H^1", (e, y)): inputs[e][y] for e, y in product(range(count), range(columns))}
    sizes = {size("n"): rows, size("m"): columns, size("count"): count}

    def compute(equation, at):
        axes = [axis for axis in equation.over if axis.index not in at]
        found = {}
        for chosen in product(*(range(sizes[axis.size]) for axis in axes)):
            here = {**at, **{axis.index: x for axis, x in zip(axes, chosen, strict=True)}}
            name = name_of(equation.lhs)
            place = tuple(here[x] for x in getattr(equation.lhs, "indices", ()))
            found[name, place] = exact(equation.rhs, known, {**here, **sizes})
        known.update(found)

    seen = []
    for equation in deferral.before:
        compute(equation, {})
    for e in range(count):
        compute(deferral.read, {r: e})
        seen.append([known["a", (x,)] for x in range(rows)])
        known |= {("d", (x,)): slopes[e][x] for x in range(rows)} | {("step", ()): rates[e]}
        for equation in deferral.saved:
            compute(equation, {r: e})
    compute(deferral.after, {})
    return seen, [[known["W^1", (x, y)] for y in range(columns)] for x in range(rows)]


def exact(expr, known, at):
    """The value of sums, products and quotients of fractions."""
    if isinstance(expr, Sum):
        index, low, high = expr.limits[0]
        span = range(int(exact(low, known, at)), int(exact(high, known, at)) + 1)
        return sum((exact(expr.function, known, {**at, index: x}) for x in span), Fraction(0))
    if expr in at:
        return Fraction(at[expr])
    if expr.is_Indexed:
        return known[name_of(expr), tuple(int(exact(x, known, at)) for x in expr.indices)]
    if expr.is_Symbol:
        return known[expr.name, ()]
    if expr.is_Rational:
        return Fraction(int(expr.p), int(expr.q))
    parts = [exact(x, known, at) for x in expr.args]
    if expr.is_Pow:
        return parts[0] ** int(parts[1])
    total = Fraction(0) if expr.is_Add else Fraction(1)
    for part in parts:
        total = total + part if expr.is_Add else total * part
    assert expr.is_Add or expr.is_Mul
    return total


@pytest.mark.parametrize("decayed", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_block_is_the_updates_one_by_one_without_rounding(count, decayed):
    generator = random.Random(count)

    def some(*shape):
        if not shape:
            return Fraction(generator.randint(-9, 9), generator.randint(2, 9))
        return [some(*shape[1:]) for _ in range(shape[0])]

    weights, biases, inputs, slopes = some(3, 2), some(3), some(count, 2), some(count, 3)
    rates, λ_ = [Fraction(1, 3 + e) for e in range(count)], Fraction(1, 7) * decayed
    expected, now = [], [list(row) for row in weights]
    for x, slope, rate in zip(inputs, slopes, rates, strict=True):
        expected.append([biases[k] + sum(w * v for w, v in zip(now[k], x, strict=True)) for k in range(3)])
        now = [[w - rate * (slope[k] * v + 2 * λ_ * w) for w, v in zip(now[k], x, strict=True)] for k in range(3)]
    deferral = defer(DECAYED if decayed else PLAIN, READ)
    assert block_by_equations(deferral, weights, biases, inputs, slopes, rates, λ_) == (expected, now)


def test_without_decay_no_scale_is_carried():
    deferral = defer(PLAIN, READ)
    assert deferral.shrinkage == 0
    assert [e.name for e in (*deferral.before, *deferral.saved)] == ["A^1", "G^1", "E^1"]
    assert [e.name for e in defer(DECAYED, READ).before] == ["p^1", "P^1", "A^1", "G^1"]
    assert defer(DECAYED, READ).shrinkage == 2 * step * λ
    assert deferral.input == h[j]


def test_the_parts_are_found_whatever_the_update_is_called():
    V, x, z = array("V^2"), array("x"), array("z")
    rate, gain = scalar("η"), array("g")
    made = recurrence_of(
        Equation(V[i, j], (1 - rate / 3) * V[i, j] - rate * z[i] * gain[i] * x[j] / 2, (I, J)),
        Equation(a[i], 5 + Sum(V[i, j] * x[j], J.limits) + 3 * b[i] ** 2, (I,)),
    )
    assert (made.decay, made.rate, made.delta) == (1 - rate / 3, rate / 2, z[i] * gain[i])
    assert (made.input, made.rest) == (x[j], 5 + 3 * b[i] ** 2)


# --- refusals ---


def read(rhs):
    return Equation(a[i], rhs, (I,), "pre-activation")


LINEAR = "the update of W1 is not linear in W1"
TIMES = "a is not W1 times the layer below"
OUTER = "the gradient of W1 is not an outer product with the layer below"
REFUSED = {
    "own penalty": (update(W[i, j] - step * (d[i] * h[j] + 4 * λ * W[i, j] ** 3)), READ, LINEAR),
    "L1": (
        update(W[i, j] - step * (d[i] * h[j] + λ * Piecewise((1, W[i, j] > 0), (-1, W[i, j] < 0), (0, True)))),
        READ, LINEAR,
    ),
    "absolute value": (update(W[i, j] - step * (d[i] * h[j] + λ * Abs(W[i, j]))), READ, LINEAR),
    "sine of the weights": (
        update(W[i, j] - step * d[i] * cos(W[i, j]) * h[j]), read(b[i] + Sum(sin(W[i, j]) * h[j], J.limits)), LINEAR,
    ),
    "decay by the other weights": (
        update(W[i, j] - step * (d[i] * h[j] + λ * W[i, j] * W[j, i])), READ, LINEAR,
    ),
    "gradient of the sum of weights": (
        update(W[i, j] - step * d[i] * h[j] * Sum(W[i, j], J.limits)), READ, LINEAR,
    ),
    "decay of its own for each weight": (
        update(W[i, j] - step * (d[i] * h[j] + M[i, j] * W[i, j])), READ,
        "the factor of W1 in its update differs from weight to weight",
    ),
    "weights squared": (PLAIN, read(b[i] + Sum(W[i, j] ** 2 * h[j], J.limits)), TIMES),
    "weights twice": (PLAIN, read(b[i] + Sum(W[i, j] * W[j, i], J.limits)), TIMES),
    "weights transposed": (PLAIN, read(b[i] + Sum(W[j, i] * h[j], J.limits)), TIMES),
    "two sums of weights": (PLAIN, read(Sum(W[i, j] * h[j], J.limits) + Sum(W[i, j] * b[j], J.limits)), TIMES),
    "weights beside the sum": (PLAIN, read(W[i, i] + Sum(W[i, j] * h[j], J.limits)), TIMES),
    "function of the layer below": (PLAIN, read(Sum(W[i, j] * sin(h[j]), J.limits)), TIMES),
    "three factors": (PLAIN, read(Sum(W[i, j] * h[j] * b[j], J.limits)), TIMES),
    "constant times": (PLAIN, read(2 * Sum(W[i, j] * h[j], J.limits)), TIMES),
    "weights of no sum": (PLAIN, read(b[i] + h[i]), TIMES),
    "two outer products": (update(W[i, j] - step * d[i] * h[j] - step * b[i] * h[j + 1]), READ, OUTER),
    "two gradients with one input": (update(W[i, j] - step * d[i] * h[j] - step * b[i] * h[j]), READ, OUTER),
    "another input": (update(W[i, j] - step * d[i] * b[j]), READ, OUTER),
    "gradient of each weight": (update(W[i, j] - step * M[i, j] * h[j]), READ, OUTER),
    "gradient of no column": (update(W[i, j] - step * d[i]), READ, OUTER),
    "gradient with a constant": (update(W[i, j] - step * d[i] * h[j] - λ), READ, OUTER),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_in_words(case):
    changed, used, reason = REFUSED[case]
    assert defer(changed, used) == reason
    assert not re.search(r"\n|Indexed|Sum\(", reason)
