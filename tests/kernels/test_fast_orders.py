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
from sympy import sin

from symbackprop import Network, build
from tests import modules

PRIME = 2**61 - 1
SIZES = {0: (5, 9), 1: (5, 9, 7), 2: (5, 9, 11, 7), 3: (5, 9, 7, 11, 7)}  # larger than the tiles, no multiples of them
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
    """Data, order, parameters and settings of a run: any residues, but small fractions, for these grow."""
    generator = np.random.default_rng(seed)

    def some(*shape):
        small = (Fraction(int(v), 4) for v in generator.integers(-4, 5, int(np.prod(shape))))
        any_ = (int(v) for v in generator.integers(PRIME, size=int(np.prod(shape))))
        return np.array([number(v) for v in (any_ if number is Residue else small)], dtype=object).reshape(shape)

    X, Y = some(examples, sizes[0]), some(examples, sizes[-1])
    parameters = [some(*([sizes[axis] for axis in axes] or (1,))) for axes in module.SPEC["parameters"].values()]
    order = generator.integers(examples, size=updates)
    values = [number(Fraction(1, 4 << n)) for n in range(1 + len(module.SPEC["hyperparameters"]))]
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
@pytest.mark.parametrize(
    ("sizes", "updates"),
    [((5, 9), 12), ((5, 9, 7), 3), ((1, 1, 1), 5), ((2, 9, 2, 1), 2), ((1, 1, 1, 1), 3), ((1, 2, 1, 2, 1), 2)],
)
def test_over_fractions_every_schedule_equals_plain(sizes, updates, penalty):
    module = exact_module(modules.text_of(network(len(sizes) - 2, penalty)), Fraction)
    assert "deferred" in module.SCHEDULES
    case = drawn(module, sizes, Fraction, len(sizes), updates, 7)
    assert all(isinstance(v, Fraction) for v in run(module, "sgd", case)[1:])
    assert_exact(module, case, [block for block in BLOCKS if block <= updates])


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


def hill(a, height, width):
    """The gradient of each parameter reads the other: both come before the first update."""
    return height * a / (1 + width**2 * a**2)


HEIGHT, WIDTH = {"height": 1.0}, {"width": 0.5}
LEARNT = {"of layers": (HEIGHT | WIDTH, {}), "of units": ({}, HEIGHT | WIDTH), "of both": (HEIGHT, WIDTH)}


@pytest.mark.parametrize("name", LEARNT)
@pytest.mark.parametrize(("depth", "penalty"), [(1, "l2"), (2, "none"), (1, "l1")])
def test_learnt_parameters_are_exact_in_every_schedule(depth, penalty, name):
    made = Network((hill,) * depth, "squared", penalty, learned=LEARNT[name][0], learned_per_unit=LEARNT[name][1])
    module = exact_module(modules.text_of(made), Residue)
    case = drawn(module, SIZES[depth], Residue, 0, UPDATES, 7)
    assert_exact(module, case, BLOCKS)
    assert run(module, "sgd_minibatch", case, 1) == run(module, "sgd", case)
    module = exact_module(modules.text_of(made), Fraction)
    assert_exact(module, drawn(module, SMALL[depth], Fraction, 1, 2, 3), (1, 2))


@pytest.mark.parametrize("name", LEARNT)
def test_a_batch_is_the_mean_of_the_gradients_of_learnt_parameters(name):
    of_layer, of_unit = LEARNT[name]
    assert_means(Network((hill,), "squared", "l2", learned=of_layer, learned_per_unit=of_unit))


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


def test_a_batch_is_the_mean_of_its_gradients_without_rounding():
    assert_means(network(1, "l2"))


def assert_means(made):
    module = exact_module(modules.text_of(made), Residue)
    X, Y, order, parameters, (rate, decay, l2) = drawn(module, SIZES[1], Residue, 0, 17, 7)
    now = [p.copy() for p in parameters]
    for update, start in enumerate(range(0, len(order), 5)):
        batch, means = order[start : start + 5], [p - p for p in now]
        for example in batch:
            slopes = [np.empty_like(p) for p in now]
            module.backward(X[example], Y[example], *now, *slopes, l2)
            means = [m + s / Residue(len(batch)) for m, s in zip(means, slopes, strict=True)]
        α = rate / (Residue(1) + Residue(3 + update) * decay)
        now = [p - m * α for p, m in zip(now, means, strict=True)]
    found = run(module, "sgd_minibatch", (X, Y, order, parameters, (rate, decay, l2)), 5)
    assert found[2:] == [v for p in now for v in p.flat]


def test_the_sizes_reach_every_tile_and_every_remainder():
    for depth, sizes in SIZES.items():
        counts = {"count": {min(b, UPDATES - s) for b in BLOCKS for s in range(0, UPDATES, b)}, "r": set(range(16))}
        counts |= {f"n{k}": {n} for k, n in enumerate(sizes)}
        text = modules.text_of(network(depth, "l2")).split("def sgd_overlapped")[1].split("class Trainer")[0]
        found = 0
        for kernel in text.split("\ndef "):
            for size, factor in set(
                re.findall(r"range\((?:0, )?(\w+)(?: - \d)? - \(\1 % (\d+)\), (?:-1, )?-?\2\)", kernel)
            ):
                reached = {n for name in passed(text, kernel, size) for n in counts[name]}
                assert any(n > int(factor) and n % int(factor) for n in reached), (depth, size, factor)
                found += 1
        assert found > 4


def passed(text, kernel, size):
    """The sizes that calls of a kernel pass for one of its own; that size itself if it is not an argument."""
    name, arguments = re.match(r"(\w*)\((.*)\):", kernel).groups() if kernel[0] != "(" else ("", "")
    if size not in arguments.split(", "):
        return {size}
    calls = re.findall(rf"^ +{name}\((.*)\)$", text, re.MULTILINE)
    return {call.split(", ")[arguments.split(", ").index(size)] for call in calls}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("p1 -= real(2)", "p1 -= real(3)"),
        ("total_12 += A_p1k * B_q2k", "total_12 += A_pk * B_q2k"),
        ("for p in range(rows - (rows % 4), rows):", "for p in range(rows - (rows % 4), rows - (rows % 4)):"),
        ("K1[s] = constant * K1[s]", "K1[s] = K1[s]"),
        ("K1[r] = -step", "K1[r] = step"),
        ("x_next = X[row]", "x_next = x"),
        ("real(r + start + t)", "real(start + t)"),
    ],
)
def test_the_judge_sees_mistakes(right, wrong):
    text = modules.text_of(network(1, "l2"))
    fast = text.index("def sgd_overlapped")
    assert right in text[fast:]
    module = exact_module(text[:fast] + text[fast:].replace(right, wrong), Residue)
    with pytest.raises((AssertionError, TypeError)):  # an element that nothing wrote is None
        assert_exact(module, drawn(module, SIZES[1], Residue, 0, UPDATES, 7), BLOCKS)


# --- rounding ---

TANH = Network(("tanh",), "nll", "l2")


def floats(seed, sizes, examples, dtype=np.float64):
    """A task that can be learnt, the same numbers in both precisions."""
    generator = np.random.default_rng(seed)
    X = generator.uniform(-1, 1, (examples, sizes[0])).astype(np.float32)
    y = (X @ generator.normal(size=(sizes[0], sizes[-1]))).argmax(axis=1)
    parameters = []
    for above, below in itertools.pairwise(sizes[::-1]):
        bound = np.sqrt(6 / (above + below))
        parameters[:0] = [generator.uniform(-bound, bound, (above, below)).astype(np.float32), np.zeros(above)]
    return X.astype(dtype), y, [p.astype(dtype) for p in parameters]


def trained(module, kernel, data, order, values, *last):
    X, y, parameters = data
    parameters = [p.copy() for p in parameters]
    done, _ = getattr(module, kernel)(X, y, order, *parameters, *map(module.real, values), 0, *last)
    assert done == len(order)
    return np.concatenate([p.ravel() for p in parameters]).astype(np.float64)


FAST = [("sgd_overlapped",), ("sgd_deferred", 5), ("sgd_deferred", 16), ("sgd_deferred", 48)]


def test_in_float64_ten_thousand_updates_differ_by_rounding():
    module = modules.compiled(TANH)
    data = floats(0, (20, 13, 4), 500)
    order = np.random.default_rng(1).integers(500, size=10_000)
    values = (0.1, 1e-4, 1e-4)  # learning rate, decay, l2
    plain = trained(module, "sgd", data, order, values)
    assert np.abs(plain - np.concatenate([p.ravel() for p in data[2]])).max() > 0.1
    for kernel, *block in FAST:
        fast = trained(module, kernel, data, order, values, *block)
        assert np.linalg.norm(fast - plain) <= 1e-10 * np.linalg.norm(plain), kernel


def test_in_float32_no_schedule_is_farther_from_float64_than_plain():
    single, double = modules.compiled(TANH, "float32"), modules.compiled(TANH)
    values = [float(np.float32(v)) for v in (0.05, 1e-4, 1e-3)]
    for seed in range(5):
        order = np.random.default_rng(seed).integers(300, size=3000)
        truth = trained(double, "sgd", floats(seed, (30, 17, 5), 300), order, values)
        data = floats(seed, (30, 17, 5), 300, np.float32)
        plain = np.linalg.norm(trained(single, "sgd", data, order, values) - truth)
        for kernel, *block in FAST:
            fast = np.linalg.norm(trained(single, kernel, data, order, values, *block) - truth)
            assert fast <= 2 * plain, (kernel, block)


POOL = [
    Network((), "bce", "l2"),
    Network(("tanh", "sigmoid"), "squared", "l2"),
    Network(("relu",), "nll", "l1+l2"),
    Network(("softplus",), "bce", "none"),
    Network(("silu", "gelu", "elu"), "nll", "l2"),
    Network(("softsign",), "squared", "l1"),
]


@settings(max_examples=60)
@given(st.data())
def test_any_shape_and_step_differ_by_rounding(data):
    module = modules.interpreted(data.draw(st.sampled_from(POOL)))
    spec = module.SPEC
    sizes = tuple(data.draw(st.integers(1, 11)) for _ in range(spec["layers"] + 1))
    examples, updates = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 40))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    X = generator.uniform(-1, 1, (examples, sizes[0]))
    Y = generator.integers(sizes[-1], size=examples)
    if spec["target"] == "vector":
        Y = generator.uniform(0, 1, (examples, sizes[-1]))
    parameters = [generator.uniform(-1, 1, [sizes[a] for a in axes]) for axes in spec["parameters"].values()]
    rate = data.draw(st.floats(1e-4, 0.05))
    penalties = [data.draw(st.floats(0, 1)) for name in spec["hyperparameters"] if name != "decay"]
    values = (rate, data.draw(st.floats(0, 10)), *penalties)
    case = X, Y, generator.integers(examples, size=updates), parameters, values
    t = data.draw(st.integers(0, 10**6))
    plain = run(module, "sgd", case, t=t)
    assert np.isfinite(plain).all()
    block = data.draw(st.integers(1, 45))
    for kernel, *last in [("sgd_overlapped",), ("sgd_deferred", block)]:
        if hasattr(module, kernel):
            found = run(module, kernel, case, *last, t=t)
            assert found[0] == plain[0]
            np.testing.assert_allclose(found, plain, rtol=1e-10, atol=1e-10 * np.abs(plain[2:]).max(), err_msg=kernel)


# --- strong decay: the closed form divides by P ---


@functools.cache
def learnt(dtype="float64"):
    return modules.interpreted(TANH, dtype)


def trainers(module, sizes, seed=3, schedules=("plain", "overlapped", "deferred")):
    return [module.Trainer(sizes, seed, schedule=schedule) for schedule in schedules]


@pytest.mark.parametrize("ρ", [0.999, 0.9, 0.66, 0.64, 0.5, 0.01, 0, -0.5, -1])
def test_strong_decay_is_plain_to_rounding(ρ):
    module, rate = learnt(), 0.125
    l2 = (1 - ρ) / (2 * rate)
    X, y, _ = floats(0, (6, 9, 3), 40)
    plain, *others = trainers(module, (6, 9, 3))
    assert others[1]._kernel(1)[0].__name__ == "sgd_deferred"
    for epoch in range(3):
        order = np.random.default_rng(epoch).permutation(40)
        expected = plain.sgd(X, y, order=order, learning_rate=rate, l2=l2)
        for other in others:
            assert other.sgd(X, y, order=order, learning_rate=rate, l2=l2) == pytest.approx(expected, rel=1e-12)
            for name, value in plain.parameters.items():
                found = other.parameters[name]
                assert np.isfinite(found).all()
                assert np.abs(found - value).max() <= 1e-12 * max(1, np.abs(value).max())
                found[...] = value  # the next epoch from the same place: at ρ = -1 each magnifies roundings a hundred times


def test_decay_that_weakens_with_the_step_is_plain_to_rounding():
    module = learnt()
    X, y, _ = floats(0, (6, 9, 3), 40)
    plain, _, deferred = trainers(module, (6, 9, 3))
    for _ in range(4):
        for each in (plain, deferred):
            each.sgd(X, y, learning_rate=0.125, decay=0.5, l2=2.0)
    for name, value in plain.parameters.items():
        np.testing.assert_allclose(deferred.parameters[name], value, rtol=1e-11, atol=1e-13)


def test_strong_decay_in_float32_over_the_longest_block_stays_close():
    X, y, _ = floats(0, (3, 256, 2), 96, np.float32)
    (truth,) = trainers(learnt(), (3, 256, 2), schedules=("plain",))
    singles = trainers(learnt("float32"), (3, 256, 2))
    rate, l2 = 0.125, 0.4  # ρ = 0.9, P = 0.006 after 48 examples
    assert singles[2]._kernel(1)[1] == (48,)
    for name, value in truth.parameters.items():
        value[...] = singles[0].parameters[name]
    for each in (truth, *singles):
        each.sgd(X, y, learning_rate=rate, l2=l2)
    far = [max(np.abs(each.parameters[n] - v).max() for n, v in truth.parameters.items()) for each in singles]
    assert max(far) <= 1e-6, far


# --- what is not finite ---


GROWS = Network(("relu",), "squared", "l2")


@functools.cache
def growing():
    return modules.interpreted(GROWS)


@pytest.mark.parametrize("bad", [0, 7, 15, 16, 20, 39])
def test_a_loss_that_is_not_finite_stops_every_schedule_at_the_same_example(bad):
    generator = np.random.default_rng(0)
    X, Y = generator.uniform(0, 1, (40, 4)), generator.uniform(-1, 1, (40, 2))
    X[bad] = 1e200
    order = generator.permutation(40)
    at = int(np.flatnonzero(order == bad)[0])
    messages = []
    for trainer in trainers(growing(), (4, 9, 2)):
        trainer.sgd(X[:1] * (bad != 0), Y[:1])
        before, t = {k: v.copy() for k, v in trainer.parameters.items()}, trainer.t
        with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as raised:
            trainer.sgd(X, Y, order=order, learning_rate=0.01, l2=0.01)
        messages.append(str(raised.value))
        assert trainer.t == t == 1
        for name, value in before.items():
            np.testing.assert_array_equal(trainer.parameters[name], value)
    assert len(set(messages)) == 1
    assert f"at example {bad} (number {at + 1} of 40)" in messages[0]
    assert "\n" not in messages[0]


def test_kernels_stop_before_the_update_and_keep_those_before_it():
    X, Y = np.ones((20, 2)), np.ones((20, 1))
    X[13] = np.inf
    module, results = growing(), []
    start = [v.copy() for v in module.Trainer((2, 3, 1)).parameters.values()]
    for kernel, *block in (("sgd",), ("sgd_overlapped",), ("sgd_deferred", 5), ("sgd_deferred", 16)):
        case = X, Y, np.arange(20), start, (0.01, 0.0, 0.1)
        with np.errstate(all="ignore"):
            results.append(run(module, kernel, case, *block))
    assert results[0][0] == 13
    first = run(module, "sgd", (X, Y, np.arange(13), start, (0.01, 0.0, 0.1)))
    assert results[0] == first
    for found in results[1:2] * 0 + results[2:]:
        np.testing.assert_allclose(found, first, rtol=1e-12)


def test_steps_that_are_too_large_give_the_same_message_too():
    generator = np.random.default_rng(2)
    X, Y = generator.uniform(0, 1, (60, 4)), generator.uniform(-1, 1, (60, 2))
    messages = set()
    for trainer in trainers(growing(), (4, 9, 2)):
        with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as raised:
            trainer.sgd(X, Y, learning_rate=5.0)
        messages.add(str(raised.value))
    assert len(messages) == 1, messages


def test_an_update_that_is_not_finite_is_reported_within_the_run():
    X, Y = np.full((3, 1), 1e150), np.full((3, 1), 1e150)
    for trainer in trainers(modules.interpreted(Network((), "squared", "l2")), (1, 1)):
        trainer.parameters["W1"][...] = 0
        with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as raised:
            trainer.sgd(X, Y, order=[0], learning_rate=1e10)
        assert "at example 0 (number 1 of 1)" in str(raised.value)


# --- refusals ---


def quartic(w):
    return w**4


def sine_of_weights(W, b, h, i, axis):
    return b[i] + axis.sum(lambda j: sin(W[i, j]) * h[j])


def gated(W, b, h, i, axis):
    return b[i] + axis.sum(lambda j: W[i, j] * h[j] ** 2)


REFUSED = {
    "L1": (Network(("tanh",), "nll", "l1"), "not linear"),
    "L1 beside L2": (POOL[2], "not linear"),
    "own penalty": (Network(("tanh",), "nll", quartic), "the update of W1 is not linear in W1"),
    "sine of the weights": (Network(("tanh",), "nll", preactivation=sine_of_weights), "not linear in W1"),
    "square of the layer below": (Network(("tanh",), "nll", preactivation=gated), "a1 is not W1 times"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_told_in_words(case):
    made, reason = REFUSED[case]
    text = modules.text_of(made)
    module = modules.interpreted(made)
    words = module.SPEC["refused"]["deferred"]
    assert reason in words
    assert f"deferred: not here, {words}." in " ".join(module.__doc__.split())
    assert "def sgd_deferred" not in text
    assert list(module.SCHEDULES) == ["plain", "overlapped"]
    with pytest.raises(ValueError, match=re.escape(words)) as raised:
        module.Trainer((2, 3, 2), schedule="deferred")
    assert "\n" not in str(raised.value)
    assert module.Trainer((784, 800, 10)).schedule == "overlapped"


def test_what_is_not_refused_says_why_it_is_the_same():
    module = learnt()
    assert module.SPEC["refused"] == {}
    assert "W1[i,j] ← W1[i,j] + p1 W1[i,j] + Σ_r E1[r,i] H1[r,j]" in module.__doc__
    assert module.Trainer((784, 128, 10)).schedule == "deferred"


@pytest.mark.parametrize("name", ["fastest", "", None, "Plain", "minibatch"])
def test_unknown_schedules_are_refused_in_one_line(name):
    with pytest.raises(ValueError, match=r"expected auto, plain, overlapped, deferred$") as raised:
        learnt().Trainer((2, 3, 2), schedule=name)
    assert "no such schedule" in str(raised.value)
    assert "\n" not in str(raised.value)


# --- memory ---


@pytest.mark.parametrize("made", [TANH, POOL[1], POOL[4], REFUSED["L1"][0]], ids=lambda made: str(made.activations))
def test_no_kernel_allocates_for_every_example(made):
    module = build(made)
    layers = {f"n^{k}" for k in range(made.resolved.depth + 2)}
    for kernel in module.kernels:
        for array in kernel.locals:
            names = [s.name for size in array.sizes for s in size.free_symbols]
            assert set(names) <= layers | {"block", "batch"}, (kernel.name, array)
            assert sum(name in layers for name in names) < 2, (kernel.name, array)
    kernels = module.text.split("class Trainer")[0]
    assert not re.findall(r"np\.(array|stack|concatenate|copy|outer|dot|zeros|ones|full)\b|\.copy\(\)", kernels)
