"""Axis, Equation, Step, Derivation: values that print; a step that is wrong says so."""

import dataclasses

import pytest
from sympy import Integer, S, Symbol, exp, log, sin, tanh

from symbackprop import Axis, Derivation, Equation, Step
from symbackprop.expr.random_model import RandomModel
from symbackprop.expr.reductions import Maximum, Sum
from symbackprop.expr.symbols import LABEL, Partial, array, indicator, name_of, scalar, size

n, m = size("n"), size("m")
i, j = Axis("i", n), Axis("j", m)
I, J = i.index, j.index  # noqa: E741
W, h, q, x = map(array, "Whqx")
u, v, l = map(scalar, "uvl")  # noqa: E741
DENSE = Equation(q[I], Sum(W[I, J] * x[J], (J, 0, m - 1)), (i,), "dense")
TANH = Equation(h[I], tanh(q[I]), (i,), "activation")


def test_axes_make_equal_symbols():
    assert Axis("i", n).index == Axis("i", m).index == Symbol("i", integer=True, nonnegative=True)
    assert i.sum(lambda t: x[t]) == Sum(x[I], (I, 0, n - 1))


def test_equations():
    assert DENSE.name == "q"
    assert not DENSE.is_update
    assert str(DENSE) == "qᵢ = Σⱼ Wᵢⱼ xⱼ"
    assert Equation(DENSE.lhs, DENSE.rhs, (i,), "dense") == DENSE
    update = Equation(W[I, J], W[I, J] - u * x[J], (i, j))
    assert update.is_update
    assert str(update) == "Wᵢⱼ ← Wᵢⱼ - u xⱼ"
    assert name_of(Equation(l, x[0]).lhs) == "l"


@pytest.mark.parametrize("what", [DENSE, Step("rule", u, u, u), Derivation("title"), i])
def test_nothing_changes(what):
    field = dataclasses.fields(what)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(what, field, None)
    hash(what)


# --- steps ---

RIGHT = {
    "an identity": Step("rewrite", u, (u + 1) ** 2, u**2 + 2 * u + 1),
    "a logarithm": Step("rewrite", u, log(exp(u) * exp(v)), u + v),
    "for every index": Step("rewrite", q[I], x[I] ** 2 - 1, (x[I] - 1) * (x[I] + 1), (i,)),
    "a partial derivative": Step(
        "partial", q[I], Partial(h[I], q[J]), (1 - tanh(q[I]) ** 2) * indicator(I, J), (i, j), (TANH,)
    ),
    "of a sum": Step("partial", q[I], Partial(q[I], x[J]), W[I, J], (i, j), (DENSE,)),
    "through a definition": Step("fold", h[I], 1 - tanh(q[I]) ** 2, 1 - h[I] ** 2, (i,), (TANH,)),
    "a maximum": Step("maximum", u, Maximum(x[I] + 1, (I, 0, n - 1)), 1 + Maximum(x[I], (I, 0, n - 1))),
    "at the label": Step("label", u, i.sum(lambda t: x[t] * indicator(t, LABEL)), x[LABEL]),
}  # fmt: skip
WRONG = {
    "a sign": Step("rewrite", u, (u - 1) ** 2, u**2 + 2 * u + 1),
    "a small number": Step("rewrite", u, u, u + Integer(10) ** -18),
    "an index": Step("rewrite", q[I], x[I], x[0], (i,)),
    "a transposed matrix": Step("partial", q[I], Partial(q[I], x[J]), W[J, I], (i, j), (DENSE,)),
    "a captured index": Step("rewrite", q[I], DENSE.rhs, Sum(W[J, J] * x[J], (J, 0, m - 1)), (i,)),
    "a forgotten delta": Step("partial", q[I], Partial(h[I], q[J]), 1 - tanh(q[I]) ** 2, (i, Axis("j", n)), (TANH,)),
    "tanh' of another": Step("partial", q[I], Partial(h[I], q[I]), (1 - tanh(q[I])) ** 2, (i,), (TANH,)),
    "a missing factor": Step("partial", u, Partial(l, x[I]), x[I], (i,), (Equation(l, i.sum(lambda t: x[t] ** 2)),)),
    "a definition that does not hold": Step("fold", h[I], 1 - tanh(q[I]) ** 2, 1 - h[I] ** 2, (i,)),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right_steps_pass(name):
    for seed in range(3):
        RIGHT[name].check(seed)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_steps_raise(name):
    with pytest.raises(ValueError, match=r"^the step '.*' is wrong: its sides differ by") as raised:
        WRONG[name].check()
    assert "\n" not in str(raised.value)


@pytest.mark.xfail(strict=True, reason="the largest of 0 and NaN is 0")
def test_a_step_without_a_value_raises():
    with pytest.raises(ValueError, match="is wrong"):
        Step("rewrite", u, u, u + S.NaN).check()


def test_a_derivation_checks_every_step():
    good, bad = RIGHT["an identity"], WRONG["a sign"]
    Derivation("good", steps=(good, good)).check()
    for wrong in (
        Derivation("bad", steps=(good, bad)),
        Derivation("nested", sections=(Derivation("bad", steps=(bad,)),)),
    ):
        with pytest.raises(ValueError, match="is wrong"):
            wrong.check()


def test_a_derivation_is_its_steps_in_order():
    one, two, three = (Step(rule, u, u, u) for rule in ("one", "two", "three"))
    derivation = Derivation("all", steps=(one,), sections=(Derivation("inner", steps=(two, three)),))
    assert [step.rule for step in derivation] == ["one", "two", "three"]


def test_results_are_found_by_name_at_any_depth():
    inner = Derivation("inner", results=(TANH,))
    derivation = Derivation("all", results=(DENSE,), sections=(inner, Derivation("other", results=(TANH,))))
    assert derivation.result("dense") == (DENSE,)
    assert derivation.result("activation") == (TANH, TANH)
    with pytest.raises(ValueError, match="no result is called 'nothing': known are 'dense', 'activation'"):
        derivation.result("nothing")


def test_steps_print_each_side_once():
    assert str(Step("rewrite", l, u + u, 2 * u)) == "l = 2 u"
    assert (
        str(Step("rewrite", l, (u + 1) ** 2, 1 + 2 * u + u**2, note="expanded"))
        == "l = (1 + u)² = 1 + 2 u + u²   (expanded)"
    )


# --- the numbers behind the checks ---


def test_a_world_is_reproducible_and_seeds_differ():
    expr = sin(x[0]) + u * W[1, 0]
    assert RandomModel((), 3).value(expr) == RandomModel((), 3).value(expr) != RandomModel((), 4).value(expr)


def test_a_world_computes_what_is_given():
    world = RandomModel((DENSE, TANH))
    at = {I: Integer(1)}
    assert abs(world.value(h[I], at) - world.value(tanh(DENSE.rhs), at)) < 1e-40
    assert world.value(Partial(q[I], x[0]), at) != 0


def test_a_world_has_different_sizes():
    """A transposed matrix must not fit."""
    world = RandomModel()
    assert len({len(world.range(axis)) for axis in (i, j, Axis("k", size("k")))}) == 3
    assert min(len(world.range(axis)) for axis in (i, j)) >= 2


def test_targets_are_probabilities():
    world = RandomModel()
    assert all(0 < world.value(array("y")[k]) < 1 for k in range(8))
    assert world.value(LABEL) in world.range(i)
