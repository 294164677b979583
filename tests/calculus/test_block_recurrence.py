"""The closed form of a block of updates is proven, not assumed, and what has none is refused in words."""

import random
import re
from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
from sympy import Abs, Eq, Integer, Piecewise, Symbol, cos, sin

from symbackprop.calculus.block_recurrence import defer, prove
from symbackprop.calculus.recurrence import Refusal, forces, recurrence_of
from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import formula
from symbackprop.expr.random_model import RandomModel
from symbackprop.expr.reductions import Sum
from symbackprop.expr.symbols import Axis, array, name_of, scalar, size

I, J = Axis("i", size("n")), Axis("j", size("m"))  # noqa: E741
i, j, r = I.index, J.index, Symbol("r", integer=True, nonnegative=True)
W, b, h, d, a, M = array("W^1"), array("b"), array("h"), array("d"), array("a"), array("M")
W0, P, K, M_, c, δ, H = (array(name) for name in ("W", "P", "K", "M", "c", "δ", "h"))  # of the proof
s = Symbol("s", integer=True, nonnegative=True)
step, λ, μ, share = map(scalar, ("step", "λ", "momentum", "share"))
V, mean = array("vW^1"), array("mean_W^1")
READ = Equation(a[i], b[i] + Sum(W[i, j] * h[j], J.limits), (I,), "pre-activation")


def update(rhs, lhs=None):
    return Equation(W[i, j] if lhs is None else lhs, rhs, (I, J), "update")


Δ = -step * (d[i] * h[j] + 2 * λ * W[i, j])
PLAIN = [update(W[i, j] - step * d[i] * h[j])]
DECAYED = [update(W[i, j] + Δ)]
MOMENTUM = [update(μ * V[i, j] + Δ, V[i, j]), update(W[i, j] + V[i, j])]
NESTEROV = [update(μ * V[i, j] + Δ, V[i, j]), update(W[i, j] + μ * V[i, j] + Δ)]
AVERAGED = [*NESTEROV, update(mean[i, j] + share * (W[i, j] - mean[i, j]), mean[i, j])]
RULES = {"plain": PLAIN, "decayed": DECAYED, "momentum": MOMENTUM, "nesterov": NESTEROV, "averaged": AVERAGED}


def proof(rule="decayed"):
    return prove(recurrence_of(RULES[rule], READ))


# --- the proof ---


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("rule", RULES)
def test_every_step_is_right_at_random_values(rule, seed):
    steps = list(proof(rule))
    states = len({u.name for u in RULES[rule]})
    assert [step.rule for step in steps] == ["base case", "induction step"] * states + ["read"]
    for each in steps:
        each.check(seed)


def test_the_proof_can_be_read():
    text = "\n".join(map(str, proof()))
    assert "W_0 = Wᵢⱼ = Wᵢⱼ P₀" in text
    assert "an update acts on the coefficients as on what they are of" in text
    assert [formula(e.lhs) for e in proof().given] == ["Pᵣ", "Kᵣₛ"]


TAMPERED = {
    "P that does not decay": ("given", 0, Integer(1)),
    "P decayed twice": ("given", 0, Piecewise((1, r < 1), (M_[r - 1] ** 2 * P[r - 1], True))),
    "P decayed by the factor of the next": ("given", 0, Piecewise((1, r < 1), (M_[r] * P[r - 1], True))),
    "K that does not decay": ("given", 1, Piecewise((c[r - 1], Eq(s, r - 1)), (K[r - 1, s], True))),
    "K of the wrong sign": ("given", 1, Piecewise((-c[r - 1], Eq(s, r - 1)), (M_[r - 1] * K[r - 1, s], True))),
    "K begun by the rate of the next": ("given", 1, Piecewise((c[r], Eq(s, r - 1)), (M_[r - 1] * K[r - 1, s], True))),
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
    for wrong in (induction.after.xreplace({P[r + 1]: P[r]}), induction.after.xreplace({r + 1: r})):
        assert wrong != induction.after
        with pytest.raises(ValueError, match="is wrong"):
            replace(induction, after=wrong).check()
    for wrong in (read.after.xreplace({r - 1: r - 2}), read.after.xreplace({H[s, j]: H[r, j]}), 2 * read.after):
        assert wrong != read.after
        with pytest.raises(ValueError, match="is wrong"):
            replace(read, after=wrong).check()


def test_the_closed_form_is_the_recurrence_run_example_by_example():
    _, induction, read = proof()
    world = RandomModel(induction.given)
    for row, column in product(range(2), range(3)):
        at = {i: Integer(row), j: Integer(column)}
        now = world.value(W0[i, j], at)
        for t in range(6):
            here = {**at, r: Integer(t)}
            now = world.value(M_[r], here) * now + world.value(c[r] * δ[r, i] * H[r, j], here)
            assert abs(world.value(induction.after, here) - now) < 1e-40
    assert read.over[0].index == r


# --- the equations of a block ---


def block_by_equations(deferral, states, biases, inputs, slopes, numbers):
    """The pre-activations and the states after a block, from nothing but the deferral's equations."""
    rows, columns, count = len(biases), len(inputs[0]), len(inputs)
    every = list(product(range(rows), range(columns)))
    known = {(name, at): values[at[0]][at[1]] for name, values in states.items() for at in every}
    known |= {("b", (x,)): biases[x] for x in range(rows)}
    known |= {("H^1", (e, y)): inputs[e][y] for e, y in product(range(count), range(columns))}
    sizes = {size("n"): rows, size("m"): columns, size("count"): count}

    def compute(equation, at):
        axes = [axis for axis in equation.over if axis.index not in at]
        found = {}
        for chosen in product(*(range(sizes[axis.size] if axis.size in sizes else at[axis.size]) for axis in axes)):
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
        known |= {("d", (x,)): slopes[e][x] for x in range(rows)} | {
            (name, ()): value[e] for name, value in numbers.items()
        }
        for equation in deferral.saved:
            compute(equation, {r: e})
    for equation in deferral.after:
        compute(equation, {})
    return seen, {name: [[known[name, (x, y)] for y in range(columns)] for x in range(rows)] for name in states}


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


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_block_is_the_updates_one_by_one_without_rounding(count, rule):
    generator = random.Random(count)

    def some(*shape):
        if not shape:
            return Fraction(generator.randint(-9, 9), generator.randint(2, 9))
        return [some(*shape[1:]) for _ in range(shape[0])]

    names = list(dict.fromkeys(["W^1", *(u.name for u in RULES[rule])]))
    states, biases, inputs, slopes = {n: some(3, 2) for n in names}, some(3), some(count, 2), some(count, 3)
    numbers = {"step": [Fraction(1, 3 + e) for e in range(count)], "λ": [Fraction(1, 7)] * count,
               "momentum": [Fraction(2, 3)] * count, "share": [Fraction(1, 2 + e) for e in range(count)]}  # fmt: skip
    expected, now = [], {name: [list(row) for row in values] for name, values in states.items()}
    for e, (x, slope) in enumerate(zip(inputs, slopes, strict=True)):
        expected.append([biases[k] + sum(w * v for w, v in zip(now["W^1"][k], x, strict=True)) for k in range(3)])
        for rule_ in RULES[rule]:
            for k, m in product(range(3), range(2)):
                known = {(n, (k, m)): now[n][k][m] for n in names} | {("d", (k,)): slope[k], ("h", (m,)): x[m]}
                known |= {(name, ()): values[e] for name, values in numbers.items()}
                now[rule_.name][k][m] = exact(rule_.rhs, known, {i: k, j: m})
    found = block_by_equations(defer(RULES[rule], READ), states, biases, inputs, slopes, numbers)
    assert found == (expected, now)


def test_what_does_not_decay_has_no_coefficient_carried():
    deferral = defer(PLAIN, READ)
    assert [e.name for e in (*deferral.before, *deferral.saved)] == ["A^1", "G^1", "D^1", "K^1"]
    assert [e.name for e in defer(DECAYED, READ).before] == ["p^1", "A^1", "G^1"]
    assert deferral.input == h[j]


def test_only_what_the_weights_depend_on_is_multiplied_with_the_inputs():
    assert [e.name for e in defer(AVERAGED, READ).before if e.name.startswith("A")] == ["A^1", "Av^1"]


def test_the_parts_are_found_whatever_the_update_is_called():
    V, x, z = array("V^2"), array("x"), array("z")
    rate, gain = scalar("η"), array("g")
    made = recurrence_of(
        [Equation(V[i, j], (1 - rate / 3) * V[i, j] - rate * z[i] * gain[i] * x[j] / 2, (I, J))],
        Equation(a[i], 5 + Sum(V[i, j] * x[j], J.limits) + 3 * b[i] ** 2, (I,)),
    )
    ((target, value),) = made.assignments
    assert (target, value.coeff(target), forces(made)[target]) == (V[i, j], 1 - rate / 3, -rate / 2)
    assert (made.delta, made.input, made.rest) == (z[i] * gain[i], x[j], 5 + 3 * b[i] ** 2)


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
    assert defer(changed if isinstance(changed, list) else [changed], used) == Refusal(reason)
    assert not re.search(r"\n|Indexed|Sum\(", reason)
