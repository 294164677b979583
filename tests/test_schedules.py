"""Every schedule is exact per-example SGD: equal to `plain` without rounding, and to rounding in floats.

Over the fractions a rational network's numbers grow with every layer and update, so that runs there are short. The long
ones are over the integers modulo a prime: every sum, product and quotient is exact there too, and two rational formulas
that differ agree at a random point with a probability of about their degree in 2⁶¹.
"""

import functools
import itertools
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Symbol, sin

from symbackprop import Network, build
from tests import modules

PRIME = 2**61 - 1
SIZES = {0: (5, 9), 1: (5, 9, 7), 2: (5, 9, 7, 3), 3: (5, 9, 7, 11, 3)}  # larger than the tiles, no multiples of them
SMALL = {0: (1, 1), 1: (2, 3, 1), 2: (3, 1, 2, 2), 3: (1, 2, 1, 3, 2)}
BLOCKS = (1, 2, 3, 5, 16)
UPDATES = 23


class Residue:
    """An integer modulo PRIME."""

    __slots__ = ("n",)

    def __init__(self, value=0):
        if isinstance(value, Residue):
            self.n = value.n
        else:
            exact = Fraction(value)
            self.n = exact.numerator * pow(exact.denominator, -1, PRIME) % PRIME

    @classmethod
    def of(cls, n):
        made = object.__new__(cls)
        made.n = n % PRIME
        return made

    def __add__(self, other):
        return Residue.of(self.n + Residue(other).n)

    def __sub__(self, other):
        return Residue.of(self.n - Residue(other).n)

    def __mul__(self, other):
        return Residue.of(self.n * Residue(other).n)

    def __truediv__(self, other):
        return Residue.of(self.n * pow(Residue(other).n, -1, PRIME))

    def __neg__(self):
        return Residue.of(-self.n)

    def __eq__(self, other):
        return self.n == Residue(other).n

    def __lt__(self, other):  # any order will do: all schedules take the same branch at the same weight
        return (self.n + PRIME // 2) % PRIME < (Residue(other).n + PRIME // 2) % PRIME

    def __gt__(self, other):
        return Residue(other) < self

    def __le__(self, other):
        return not Residue(other) < self

    def __ge__(self, other):
        return not self < other

    __hash__ = None


def rational(a):
    """An activation without roots and exponentials."""
    return a / (1 + a**2)


def network(depth, penalty="none", step_size="inverse"):
    return Network((rational,) * depth, "squared", penalty, step_size=step_size)


def exact_module(text, number):
    """A module whose kernels compute in exact numbers."""
    return modules.interpret(
        text, real=number, zero=number(0), one=number(1), isfinite=lambda _: True,
        abs=lambda value: -value if value < 0 else value,
    )  # fmt: skip


def drawn(module, sizes, number, seed, updates, examples):
    """Data, order, parameters and settings of a run, as small as tests over the fractions need them."""
    generator = np.random.default_rng(seed)

    def some(*shape):
        values = generator.integers(-4, 5, shape)
        return np.array([number(Fraction(int(v), 4)) for v in values.flat], dtype=object).reshape(shape)

    if number is Residue:
        some = lambda *shape: np.array(  # noqa: E731
            [Residue.of(int(v)) for v in generator.integers(PRIME, size=int(np.prod(shape)))], dtype=object
        ).reshape(shape)
    X, Y = some(examples, sizes[0]), some(examples, sizes[-1])
    parameters = [some(*(sizes[axis] for axis in axes)) for axes in module.SPEC["parameters"].values()]
    order = generator.integers(examples, size=updates)
    values = [number(Fraction(1, 2 + n)) for n in range(1 + len(module.SPEC["hyperparameters"]))]
    return X, Y, order, parameters, values


def run(module, kernel, case, *last, t=3):
    """What a kernel returns, and the parameters after it."""
    X, Y, order, before, values = case
    parameters = [p.copy() for p in before]
    done, losses = getattr(module, kernel)(X, Y, order, *parameters, *values, t, *last)
    return [done, losses, *(v for p in parameters for v in p.flat)]


def assert_exact(module, case, blocks):
    plain = run(module, "sgd", case)
    assert plain[0] == len(case[2])
    assert plain[2:] != [v for p in case[3] for v in p.flat]
    assert run(module, "sgd_overlapped", case) == plain
    for block in blocks if "deferred" in module.SCHEDULES else ():
        assert run(module, "sgd_deferred", case, block) == plain


# --- equality ---


@pytest.mark.parametrize("penalty", ["none", "l2"])
@pytest.mark.parametrize(("depth", "updates"), [(0, 12), (1, 3), (2, 2), (3, 1)])
def test_over_fractions_every_schedule_equals_plain(depth, updates, penalty):
    module = exact_module(modules.text_of(network(depth, penalty)), Fraction)
    assert "deferred" in module.SCHEDULES
    case = drawn(module, SIZES[depth], Fraction, depth, updates, 7)
    assert_exact(module, case, (1, 2, 5) if depth < 2 else (1, 2))


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 2, 1), (1, 3, 1)])
def test_over_fractions_small_networks_run_longer(sizes):
    module = exact_module(modules.text_of(network(1, "l2")), Fraction)
    updates = {1: 5, 2: 3, 3: 3}[sizes[1]]
    assert_exact(module, drawn(module, sizes, Fraction, 0, updates, 2), (1, 2, 3, 16))


@pytest.mark.parametrize("penalty", ["none", "l2"])
@pytest.mark.parametrize("depth", SIZES)
def test_without_rounding_every_schedule_equals_plain(depth, penalty):
    module = exact_module(modules.text_of(network(depth, penalty)), Residue)
    for seed, sizes in enumerate((SIZES[depth], SMALL[depth])):
        assert_exact(module, drawn(module, sizes, Residue, seed, UPDATES, 7), BLOCKS)


@pytest.mark.parametrize(("depth", "penalty"), [(0, "l1"), (1, "l1+l2"), (2, "l1")])
def test_what_cannot_be_deferred_equals_plain_overlapped(depth, penalty):
    module = exact_module(modules.text_of(network(depth, penalty)), Residue)
    assert list(module.SCHEDULES) == ["plain", "overlapped"]
    for seed, sizes in enumerate((SIZES[depth], SMALL[depth])):
        assert_exact(module, drawn(module, sizes, Residue, seed, UPDATES, 7), ())


def test_a_constant_step_and_another_pre_activation_are_exact_too():
    @functools.cache
    def squares(W, b, h, i, axis):
        return 2 * b[i] ** 2 + axis.sum(lambda j: W[i, j] * h[j])

    made = Network((rational,), "squared", "l2", step_size="constant", preactivation=squares)
    module = exact_module(modules.text_of(made), Residue)
    assert_exact(module, drawn(module, SIZES[1], Residue, 0, UPDATES, 7), BLOCKS)


@pytest.mark.parametrize("updates", [1, 2, 15, 16, 17, 32])
def test_every_last_block_is_exact(updates):
    module = exact_module(modules.text_of(network(1, "l2")), Residue)
    assert_exact(module, drawn(module, SIZES[1], Residue, updates, updates, 1 + updates // 2), (16,))


def test_one_run_equals_two():
    module = exact_module(modules.text_of(network(1, "l2")), Residue)
    X, Y, order, parameters, values = drawn(module, SIZES[1], Residue, 0, UPDATES, 7)
    plain = run(module, "sgd", (X, Y, order, parameters, values))
    for kernel, *block in (("sgd",), ("sgd_overlapped",), ("sgd_deferred", 5)):
        now = [p.copy() for p in parameters]
        for part, t in ((order[:9], 3), (order[9:], 12)):
            getattr(module, kernel)(X, Y, part, *now, *values, t, *block)
        assert [v for p in now for v in p.flat] == plain[2:]


def test_batches_of_one_are_examples():
    for depth, penalty in ((1, "l2"), (2, "none")):
        module = exact_module(modules.text_of(network(depth, penalty)), Residue)
        case = drawn(module, SIZES[depth], Residue, 0, 7, 7)
        assert run(module, "sgd_minibatch", case, 1) == run(module, "sgd", case)


def test_the_sizes_reach_every_tile_and_every_remainder():
    for depth, sizes in SIZES.items():
        counts = {"count": {min(b, UPDATES - s) for b in BLOCKS for s in range(0, UPDATES, b)}, "r": set(range(16))}
        counts |= {f"n{k}": {n} for k, n in enumerate(sizes)}
        text = modules.text_of(network(depth, "l2")).split("def sgd_overlapped")[1].split("def sgd_minibatch")[0]
        tiles = set(re.findall(r"range\(0, (\w+) - \1 % (\d+), \2\)", text))
        assert len(tiles) > 4
        for size, factor in tiles:
            assert any(n > int(factor) and n % int(factor) for n in counts[size]), (depth, size, factor)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("p1 -= real(2)", "p1 -= real(3)"),
        ("count - count % 2, count)", "count - count % 2 + 1, count)"),
        ("P1 = one + p1\n            # E1", "# E1"),
        ("x_next = X[row]", "x_next = x"),
        ("real(start + r + t)", "real(start + t)"),
    ],
)
def test_the_judge_sees_mistakes(right, wrong):
    text = modules.text_of(network(1, "l2"))
    fast = text.index("def sgd_overlapped")
    assert right in text[fast:]
    module = exact_module(text[:fast] + text[fast:].replace(right, wrong), Residue)
    with pytest.raises(AssertionError):
        assert_exact(module, drawn(module, SIZES[1], Residue, 0, UPDATES, 7), BLOCKS)
