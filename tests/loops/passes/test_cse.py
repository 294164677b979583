"""A function or quotient that a value uses twice is computed once; the numbers stay the same."""

import pytest
from hypothesis import given, strategies
from mpmath import mp
from sympy import Add, Mul, Piecewise, asin, exp, sin, tanh

from symbackprop.emit.numba_text import lines
from symbackprop.expr.symbols import accurate_exp, decay, scalar, scaled
from symbackprop.loops.ir import Accumulate, Assign, If, walk
from symbackprop.loops.passes.cse import share
from tests.calculus.test_simplify import quotients
from tests.loops.passes.programs import a, assert_same, b, before_and_after, c, i, j, loop, n, programs, s
from tests.precision import values


@given(body=programs())
def test_programs_leave_the_same_integers(body):
    assert_same(body, share(body))


GOLDEN = {
    "a_function_and_a_quotient": (loop(Assign(a[i], exp(b[i]) * sin(c[i]) / (1 + exp(b[i])) + 1 / (1 + exp(b[i])))),),
    "what_conditions_choose": (
        loop(Assign(a[i], Piecewise((tanh(b[i]) ** 2, b[i] > 0), (tanh(b[i]) * exp(c[i]), True)) + exp(c[i]) ** 2)),
    ),
    "what_conditions_on_indices_guard": (
        loop(
            Assign(
                a[i], Piecewise((exp(b[i + 1]) ** 2 + exp(b[i + 1]), n > i + 1), (0, True)) + exp(c[i]) * sin(exp(c[i]))
            )
        ),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name, golden):
    golden(name, before_and_after(GOLDEN[name], share(GOLDEN[name])))


def computed(body, arrays, at):
    """The value of the last of some assignments."""
    for statement in body:
        value = values.value(statement.value, arrays, at)
        arrays[str(statement.target), ()] = value
    return value


@given(value=quotients(3, ("+", "*", "*", "/", "{")), seed=strategies.integers(0, 99))
def test_shared_values_are_the_same(value, seed):
    body = share((Assign(s, value * exp(a[i]) + tanh(a[i]) * exp(a[i]) + value),))
    expected = values.value(value * exp(a[i]) + tanh(a[i]) * exp(a[i]) + value, values.Arrays(seed), {i: 1})
    found = computed(body, values.Arrays(seed), {i: 1})
    assert abs(found - expected) <= mp.mpf("1e-30") * (1 + abs(expected))


def test_a_function_used_twice_is_computed_once():
    made = lines(share((loop(Assign(a[i], exp(b[i]) * (1 + exp(b[i])))),)))
    assert sum(line.count("exp(") for line in made) == 1
    assert made[1] == "    shared = exp(b[i])"


def test_a_power_of_a_function_used_twice_calls_it_once():
    made = lines(share((loop(Assign(a[i], tanh(b[i]) ** 2 / (1 + tanh(b[i]) ** 2))),)))
    assert sum(line.count("tanh(") for line in made) == 1
    assert made[1] == "    shared = tanh(b[i])"


def test_a_quotient_used_twice_is_computed_once():
    made = lines(share((Accumulate(s, (1 - 1 / (1 + s)) / (1 + s)),)))
    assert sum(line.count("/") for line in made) == 1


def test_cheap_arithmetic_is_left_to_the_compiler():
    body = (Assign(a[i], (b[i] + c[i]) * (b[i] + c[i] + 1)),)
    assert share(body) == body


def test_names_of_shared_values_differ():
    twice = Add(exp(b[i]) ** 3, exp(b[i]) * sin(c[i]), Mul(sin(c[i]), tanh(exp(b[i]) + sin(c[i]))), evaluate=False)
    made = share((Assign(a[i], twice),))
    names = [statement.target for statement in made[:-1]]
    assert len(names) == len(set(names)) >= 2


def test_what_a_condition_on_indices_guards_is_not_read_before():
    """b[i + 1] does not exist in the last turn."""
    guarded = Piecewise((exp(b[i + 1]) * (1 + exp(b[i + 1])), n > i + 1), (0, True))
    body = (loop(Assign(a[i], guarded + exp(c[i]) * (1 + exp(c[i])))),)
    moved = [s for s in walk(share(body)) if isinstance(s, Assign)][:-1]
    assert len(moved) == 1
    assert not moved[0].value.has(b)
    assert moved[0].value == exp(c[i])


def test_statements_within_conditions_are_shared_too():
    inner = Assign(a[j], exp(b[j]) * sin(exp(b[j])))
    (made,) = share((If(s > 0, (inner,)),))
    assert [statement.target for statement in made.body] == [scalar("shared"), a[j]]


def test_what_a_condition_on_values_chooses_shares_its_functions():
    """Where the loop takes many elements at a time, each form of each case is computed for all of them."""
    E = decay(b[i])
    made = share((loop(Assign(a[i], Piecewise((b[i], b[i] > 0), (scaled(b[i], E), True)) / (1 + E**2))),))
    assert sum(line.count("exp(") for line in lines(made)) == 1


@pytest.mark.parametrize("f", [asin(b[i]), sin(b[i]), 1 / b[i], 1 / (b[i] - 3)], ids=str)
def test_what_may_raise_stays_where_its_condition_holds(f):
    body = (loop(Assign(a[i], Piecewise((f * (2 + f), b[i] > 4), (0, True)))),)
    assert share(body) == body


def test_what_an_exponent_compensates_is_no_value_of_its_own():
    """Shared, exp(b[i]) would be rounded before the exponent reads it; the whole is computed once all the same."""
    E = accurate_exp(-exp(b[i]) * tanh(c[i]))
    made = share((Assign(a[i], (1 + E) / (2 + E) + exp(b[i]) + 1 / (1 + exp(b[i])) + tanh(c[i])),))
    values = [statement.value for statement in made]
    assert sum(v.has(accurate_exp) for v in values) == 1
    assert sum(v.has(tanh) for v in values) == 1
    (found,) = (set(e.reads()) for v in values for e in v.atoms(accurate_exp))
    assert b[i] in found
    assert len(found & {statement.target for statement in made}) == 1
