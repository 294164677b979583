"""Kernels of networks with sums over windows: two functions of one example, forward and backward, that they share.

One example keeps the product kernels busy by itself, so that a mini-batch is example after example too; and what a
convolution computes has many loops, which are written and typed once. Only `sgd` has all of its own, to be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from sympy import Expr, Integer, Min, Symbol

from symbackprop.definitions.network import WEIGHT, Network
from symbackprop.definitions.step_sizes import t
from symbackprop.derivation.training_step import Stages, read_at
from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import identifier
from symbackprop.expr.symbols import (
    LABEL,
    Axis,
    Finite,
    array,
    array_of_integers,
    index,
    name_of,
    names_in,
    scalar,
    size,
)
from symbackprop.kernels.fast_orders import SWEEP, in_patches, piece
from symbackprop.kernels.minibatch import terms_of
from symbackprop.kernels.plain import (
    BACKWARD,
    FORWARD,
    LOSS,
    MINIBATCH,
    N,
    arguments_of,
    backward_arguments,
    example_arguments,
    in_arrays,
    input_array,
    masks,
    of_target,
    of_update,
    parameter_sizes,
    per_update,
    state,
    statements,
    weights,
    with_step,
    work_arrays,
)
from symbackprop.loops.calls import is_product
from symbackprop.loops.ir import Accumulate, Argument, Assign, Body, Break, Call, If, Kernel, Loop, Row, written
from symbackprop.precision.max_shift import stabilise

Equations = tuple[Equation, ...]


@dataclass(frozen=True)
class Parts:
    """What is computed of one example, and by which function.

    Attributes
    ----------
    forward, backward
        The calls of the two functions.
    output, loss, slope
        Between them, in place: the output function, the loss, and its derivative by the last pre-activation.
    clipping, updates, objective
        Of the parameters.
    work
        The arrays that all of them fill.
    """

    forward: Call
    output: Equations
    loss: Equations
    slope: Equations
    backward: Call
    clipping: Equations
    updates: Equations
    objective: Equations
    work: tuple[Argument, ...]

    @property
    def value(self) -> Expr:
        """The loss of the example."""
        return self.loss[-1].lhs


def by_example(stages: Stages) -> bool:
    """Whether one example of a network has sums of products that kernels compute."""
    return any(map(is_product, in_patches(stages).forward))


def parts_of(network: Network, stages: Stages) -> Parts:
    """Return what is computed of one example in the parts that kernels share."""
    stages = in_patches(stages)
    whole = stabilise((*stages.forward, stages.loss, *stages.backward))
    names = [e.name for e in whole]
    last = network.layer(str(network.depth + 1))[-1]
    ends = [names.index(e.name) + 1 for e in (last, stages.forward[-1], stages.loss)]
    own = {LABEL.name, *names[ends[0] : ends[2]]}
    ends.append(max((n + 1 for n, e in enumerate(whole) if names_in(e.rhs) & own), default=ends[2]))
    forward, output, loss, slope, backward = _split(whole, ends)
    kept = _elements((*forward, *backward))
    forward, output, loss, slope, backward, clipping, updates, objective = (
        tuple(read_at(e, kept) for e in part)
        for part in (forward, output, loss, slope, backward, stages.clipping, stages.updates, stages.objective)
    )
    work = work_arrays((*forward, *output, *loss, *slope, *backward, *updates), (*weights(network), *state(network)))
    calls = (_function(network, f"{name}_of_example", part, work)
             for name, part in (("forward", forward), ("backward", backward)))  # fmt: skip
    first, second = calls
    return Parts(first, output, loss, slope, second, clipping, updates, objective, work)


def _split(equations: Equations, ends: Iterable[int]) -> list[Equations]:
    edges = [0, *ends, len(equations)]
    return [equations[a:b] for a, b in pairwise(edges)]


def _elements(equations: Iterable[Equation]) -> dict[Expr, Expr]:
    """Return where the scalars are kept that one function computes and others read: in arrays of one element."""
    return {e.lhs: (array_of_integers if e.lhs.is_integer else array)(e.name)[0]
            for e in equations if isinstance(e.lhs, Symbol)}  # fmt: skip


def _function(network: Network, name: str, equations: Equations, work: Iterable[Argument]) -> Call:
    """Return the call of a function of one example; it takes every array that it reads or fills."""
    used = {name_of(e.lhs) for e in equations}.union(*(names_in(e.rhs) for e in equations))
    x = Argument("h^0", network.input_sizes)
    drawn = (Argument(mask, sizes) for mask, sizes in masks(network).items())
    arguments = tuple(a for a in (x, *drawn, *weights(network), *work) if a.name in used)
    taken = frozenset(a.name for a in arguments)
    done = ", ".join(dict.fromkeys(identifier(e.name) for e in equations))
    doc = f"Compute {done} of one example."
    kernel = Kernel(name, arguments, (), piece(equations, {}, taken), (), doc)
    values = (input_array(network, a.name) if a.name == "h^0" else array(a.name) for a in arguments)
    return Call(kernel, tuple(values))


def kernels_by_example(network: Network, stages: Stages) -> tuple[Kernel, ...]:
    """Return the kernels that share two functions of one example: all but the plain order of updates."""
    parts = parts_of(network, stages)
    made = (_forward, _loss, _backward, _overlapped, _minibatch)
    return tuple(make(network, parts) for make in made)


def training_by_example(network: Network, stages: Stages) -> tuple[Kernel, ...]:
    """Return those of them that train: what predicts is another network where units are left out."""
    parts = parts_of(network, stages)
    return _overlapped(network, parts), _minibatch(network, parts)


def _outputs(parts: Parts, taken: frozenset[str]) -> Body:
    return parts.forward, *piece(parts.output, {}, taken)


def _with_loss(parts: Parts, taken: frozenset[str]) -> Body:
    return parts.forward, *piece((*parts.output, *parts.loss), {}, taken)


def _slopes(parts: Parts, taken: frozenset[str]) -> Body:
    return *piece(parts.slope, {}, taken), parts.backward


def _needed(parts: Parts, arguments: Iterable[Argument], body: Body) -> tuple[Argument, ...]:
    """Return the work arrays that a body fills, and that no argument is."""
    filled = written(body) - {a.name for a in arguments}
    return tuple(a for a in parts.work if a.name in filled)


def _forward(network: Network, parts: Parts) -> Kernel:
    X = example_arguments(network)[0]
    arguments = (X, *weights(network), Argument("F", (N, network.output_size)))
    s, taken = index("n"), frozenset(a.name for a in arguments)
    outputs = _outputs(parts, taken)
    work = tuple(w for w in _needed(parts, arguments, outputs) if w.name != "f")
    body = (Loop(s, N, (Row("h^0", "X", s), Row("f", "F", s), *outputs), ordered=True),)
    return Kernel("forward", arguments, work, body, (), FORWARD)


def _loss(network: Network, parts: Parts) -> Kernel:
    arguments = (*example_arguments(network), *weights(network))
    s, mean, taken = index("n"), scalar("mean"), frozenset(a.name for a in arguments)
    example = (*_with_loss(parts, taken), Accumulate(mean, parts.value))
    loop = Loop(s, N, (Row("h^0", "X", s), *of_target(network, s), *example), ordered=True)
    body = (Assign(mean, Integer(0)), loop)
    return Kernel("loss", arguments, _needed(parts, arguments, example), body, (mean / N,), LOSS)


def _backward(network: Network, parts: Parts) -> Kernel:
    arguments = backward_arguments(network)
    taken = frozenset(a.name for a in arguments)
    gradients = statements(in_arrays(network, parts.objective))
    body = (*_with_loss(parts, taken), *_slopes(parts, taken), *gradients)
    work = _needed(parts, arguments, body)
    return Kernel("backward", arguments, work, body, (parts.value,), BACKWARD)


def _overlapped(network: Network, parts: Parts) -> Kernel:
    arguments = arguments_of(network)
    taken = frozenset(a.name for a in arguments)
    n, row, done = map(index, ("n", "row", "done"))
    example = (
        *_with_loss(parts, taken),
        If(~Finite(parts.value), (Break(),), "nothing is learnt from a loss that is not finite"),
        Accumulate(scalar("losses"), parts.value), *per_update(network, t + n), *_slopes(parts, taken),
        *piece(parts.clipping, {}, taken),
        *piece(with_step(parts.updates), SWEEP, taken, backwards=True), Accumulate(done, Integer(1)),
    )  # fmt: skip
    rows = (Row("row", "order", n), Row("h^0", "X", row), *of_target(network, row), *of_update(network, n))
    body = (*_nothing("losses", done), Loop(n, size("updates"), (*rows, *example), ordered=True))
    doc = "As `sgd`, sums over windows as products of matrices: the same updates."
    work = _needed(parts, arguments, example)
    return Kernel("sgd_overlapped", arguments, work, body, (done, scalar("losses")), doc, aligned=True)


def _nothing(total: str, *counters: Symbol) -> Body:
    return (Assign(scalar(total), Integer(0)), *(Assign(c, Integer(0)) for c in counters))


def _minibatch(network: Network, parts: Parts) -> Kernel:
    """Return the kernel that adds up the steps of `batch` examples and then makes their mean."""
    arguments = arguments_of(network, "batch")
    taken = frozenset(a.name for a in arguments)
    r, row, start, update, done = (index(n) for n in ("r", "row", "start", "update", "done"))
    total, count, batch = scalar("total_l"), size("count"), size("batch")
    steps, means = _in_two(network, parts)
    every = parameter_sizes(network) | {a.name: a.sizes for a in state(network)}
    summed = {name: sizes for name, sizes in every.items() if _sum(name) in {e.name for e in steps}}
    example = (
        Row("row", "order", start + r), Row("h^0", "X", row), *of_target(network, row), *of_update(network, start + r),
        *_with_loss(parts, taken), Accumulate(total, parts.value), *_slopes(parts, taken),
        *piece(parts.clipping, {}, taken), *piece(steps, SWEEP, taken, backwards=True),
    )  # fmt: skip
    body = (
        Assign(count, Min(batch, size("updates") - start)), *per_update(network, t + update),
        *piece((_nothing_yet(name, sizes) for name, sizes in summed.items()), {}, taken),
        Assign(total, Integer(0)), Loop(r, count, example, ordered=True),
        If(~Finite(total), (Break(),), "nothing is learnt from a loss that is not finite"),
        Accumulate(scalar("losses"), total), *piece(means, {}, taken),
        Accumulate(update, Integer(1)), Accumulate(done, count),
    )  # fmt: skip
    whole = (*_nothing("losses", update, done), Loop(start, size("updates"), body, "", Integer(0), batch, ordered=True))
    sums = (Argument(_sum(name), sizes) for name, sizes in summed.items())
    work = (*_needed(parts, arguments, (*example, *body)), *sums)
    return Kernel("sgd_minibatch", arguments, work, whole, (done, scalar("losses")), MINIBATCH, aligned=True)


def _sum(parameter: str) -> str:
    return f"sum_{parameter}"


def _nothing_yet(parameter: str, sizes: tuple[Expr, ...]) -> Equation:
    axes = tuple(Axis(letter, n) for letter, n in zip("ijkpq", sizes, strict=False))
    return Equation(array(_sum(parameter))[tuple(a.index for a in axes)], Integer(0), axes)


def _in_two(network: Network, parts: Parts) -> tuple[Equations, Equations]:
    """Return what adds up the steps of examples, and the updates by their mean and by what depends on no example."""
    of_examples = {"h^0", LABEL.name, WEIGHT, *(a.name for a in parts.work), *(e.name for e in parts.clipping)}
    own = of_examples - {e.name for e in parts.updates}
    steps: list[Equation] = []
    means: list[Equation] = []
    added: set[str] = set()  # whose sum an update has taken
    updates = with_step(parts.updates)
    for update in updates:
        if not update.is_update and names_in(update.rhs) & own:  # copied windows, of which an update is the sum
            own.add(update.name)
            steps.append(update)
            continue
        of_example, rest = terms_of(update, frozenset(own)) if update.is_update else (Integer(0), update.rhs)
        target = array(_sum(update.name))[getattr(update.lhs, "indices", ())] if update.is_update else update.lhs
        if of_example != 0:
            steps.append(replace(update, lhs=target, rhs=target + of_example))
        if update.is_scattered:
            continue
        has_sum = of_example != 0 or any(u.is_scattered and u.name == update.name for u in updates)
        if has_sum and update.name not in added:
            added.add(update.name)
            means.append(_by_mean(replace(update, lhs=target, rhs=rest), update.name))
        else:
            means.append(update)
    scattered = dict.fromkeys(u.name for u in updates if u.is_scattered and u.name not in added)
    sizes = parameter_sizes(network)
    means += [_by_mean(_nothing_yet(name, sizes[name]), name) for name in scattered]
    return tuple(steps), tuple(means)


def _by_mean(rest: Equation, parameter: str) -> Equation:
    θ = array(parameter)[rest.lhs.indices]
    return Equation(θ, θ + rest.rhs + rest.lhs / size("count"), rest.over, "update")
