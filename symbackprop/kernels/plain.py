"""The kernels of a module, each put together from the equations of the stages it needs."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr, Indexed, IndexedBase, Integer, Symbol

from symbackprop.definitions import step_sizes, update_rules
from symbackprop.definitions.network import WEIGHT, Network
from symbackprop.definitions.step_sizes import t, α
from symbackprop.derivation.training_step import Stages, read_at
from symbackprop.derivation.update import state_of
from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import formula
from symbackprop.expr.symbols import LABEL, Axis, Finite, array, array_of_integers, index, scalar, size
from symbackprop.loops.ir import Accumulate, Argument, Assign, Body, Break, If, Kernel, Loop, Row, Statement
from symbackprop.loops.lower import lower
from symbackprop.loops.passes.cse import share
from symbackprop.loops.passes.hoist import hoist
from symbackprop.precision.max_shift import stabilise

STEP = scalar("step")
WEIGHTS = "sample_weight"
N = size("N")
FORWARD = "Write the outputs of every example of X to F."
LOSS = "Return the mean loss of the examples, without the penalty."
BACKWARD = "Write the gradient of l + λΩ for one example to the arrays dW1, db1, ...; return l."
MINIBATCH = "Update after every `batch` examples of X[order], by the mean of their gradients."


def statements(equations: Iterable[Equation]) -> Body:
    """Return the loops of equations, one after another."""
    return tuple(s for e in stabilise(equations) for s in lower(e))


def parameter_axes(network: Network) -> dict[str, tuple[Axis, ...]]:
    """Return the axes of every parameter, layer by layer; a scalar has none."""
    return {name: axes for k in range(1, network.depth + 2) for name, axes in network.parameters(str(k)).items()}


def parameter_sizes(network: Network) -> dict[str, tuple[Expr, ...]]:
    """Return the sizes of every parameter array, layer by layer; what has no axis is an array of one element."""
    return {n: tuple(axis.size for axis in axes) or (Integer(1),) for n, axes in parameter_axes(network).items()}


def weights(network: Network) -> tuple[Argument, ...]:
    """Return the parameters as arguments of a kernel."""
    return tuple(Argument(name, sizes, "parameter") for name, sizes in parameter_sizes(network).items())


def state(network: Network) -> tuple[Argument, ...]:
    """Return what training keeps beside the parameters as arguments of a kernel."""
    of_each = parameter_sizes(network).items()
    return tuple(Argument(n, sizes, "state") for name, sizes in of_each for n in state_of(network, name))


def hyperparameters(network: Network) -> dict[str, float]:
    """Return the constants of the step size, of the update and of the penalties, with their default values."""
    free = sorted(s.name for s in network.step_size_formula.free_symbols - {α, t})
    known = step_sizes.defaults(network.step_size) | update_rules.DEFAULTS
    return {c: known.get(c, 0.0) for c in (*free, *network.chosen_update.constants, *network.penalties())}


def work_arrays(equations: Iterable[Equation], arguments: Iterable[Argument]) -> tuple[Argument, ...]:
    """Return the arrays that some equations write and no argument holds, each once."""
    known = {a.name for a in arguments}
    found = {
        e.name: Argument(e.name, e.shape, "label" if e.lhs.base.label.is_integer else "")
        for e in stabilise(equations)
        if isinstance(e.lhs, Indexed) and e.name not in known and not e.is_update
    }
    return tuple(found.values())


def example_arguments(network: Network) -> tuple[Argument, ...]:
    """Return the arguments that hold a run of examples: X, Y, and their weights where they have any."""
    outputs = network.output_size
    target = Argument("Y", (N,)) if network.target_kind == "label" else Argument("Y", (N, outputs))
    weight = (Argument(WEIGHTS, (N,)),) if network.weighted else ()
    return (Argument("X", (N, *network.input_sizes)), target, *weight)


def of_target(network: Network, at: Expr) -> Body:
    """Return the names of the parts of an example beside its inputs."""
    weight = (Row(WEIGHT, WEIGHTS, at),) if network.weighted else ()
    return (Row(LABEL.name, "Y", at), *weight)


def masks(network: Network) -> dict[str, tuple[Expr, ...]]:
    """Return the names of the masks that dropout multiplies with, and their sizes for one example."""
    layers = [k for k, g in enumerate(network.hidden, 1) if g is not None and network.dropout]
    return {f"mask^{k}": tuple(axis.size for axis in network.activation(network.hidden[k - 1], str(k)).over)
            for k in layers}  # fmt: skip


def of_updates(mask: str) -> str:
    """Return the name of the array that has a mask for every update."""
    return mask.replace("^", "s^")


def of_update(network: Network, n: Expr) -> Body:
    """Return the names of what belongs to an update and not to an example: masks."""
    return tuple(Row(mask, of_updates(mask), n) for mask in masks(network))


def scalars_of_update(network: Network) -> dict[Expr, Expr]:
    """Return the scalars of update t: its step size, and its share in an average where one is kept."""
    share = {update_rules.share: update_rules.SHARE} if network.chosen_update.average else {}
    return {STEP: network.step_size_formula, **share}


def per_update(network: Network, at: Expr) -> Body:
    """Return the statements that compute the scalars of update `at`."""
    made = scalars_of_update(network).items()
    return tuple(Assign(name, value.xreplace({t: at}), f"{name} = {formula(value, code=True)}") for name, value in made)


def _kernel(name: str, doc: str, arguments: tuple[Argument, ...], locals_: tuple[Argument, ...], body: Body,
            returns: tuple[Expr, ...] = ()) -> Kernel:  # fmt: skip
    names = frozenset(a.name for a in (*arguments, *locals_))
    return Kernel(name, arguments, locals_, hoist(share(body), names), returns, doc)


def forward_kernel(network: Network, stages: Stages) -> Kernel:
    """Return the kernel that writes the outputs of a run of examples."""
    X = example_arguments(network)[0]
    F = Argument("F", (N, network.output_size))
    arguments = (X, *weights(network), F)
    s = index("n")
    body = (Row("h^0", "X", s), Row("f", "F", s), *statements(stages.predicting))
    work = tuple(w for w in work_arrays(stages.predicting, arguments) if w.name != "f")
    return _kernel("forward", FORWARD, arguments, work, (Loop(s, N, body, ordered=True),))


def loss_kernel(network: Network, stages: Stages) -> Kernel:
    """Return the kernel of the mean loss."""
    arguments = (*example_arguments(network), *weights(network))
    equations = (*stages.predicting, stages.loss)
    s, mean = index("n"), scalar("mean")
    body = (Row("h^0", "X", s), *of_target(network, s), *statements(equations), Accumulate(mean, stages.loss.lhs))
    loop = (Assign(mean, Integer(0)), Loop(s, N, body, ordered=True))
    return _kernel("loss", LOSS, arguments, work_arrays(equations, arguments), loop, (mean / N,))


def backward_arguments(network: Network) -> tuple[Argument, ...]:
    """Return the arguments of a kernel of gradients: an example, its target, parameters, their gradients, settings."""
    _, Y, *weight = example_arguments(network)
    x = Argument("h^0", network.input_sizes)
    example = (x, Argument(LABEL.name, Y.sizes[1:]), *(Argument(WEIGHT) for _ in weight))
    gradients = (Argument(f"∂l/∂{name}", sizes) for name, sizes in parameter_sizes(network).items())
    return (*example, *weights(network), *gradients, *(Argument(c) for c in network.penalties()))


def in_arrays(network: Network, equations: Iterable[Equation]) -> tuple[Equation, ...]:
    """Return equations in which gradients without an axis are elements of the arrays that a caller passes."""
    alone = (f"∂l/∂{name}" for name, axes in parameter_axes(network).items() if not axes)
    elements = {scalar(name): array(name)[0] for name in alone}
    return tuple(read_at(e, elements) for e in equations)


def backward_kernel(network: Network, stages: Stages) -> Kernel:
    """Return the kernel of all parameter gradients for one example."""
    arguments = backward_arguments(network)
    backward = in_arrays(network, (*stages.backward, *stages.objective))
    equations = (*stages.forward, stages.loss, *backward)
    return _kernel(
        "backward", BACKWARD, arguments, work_arrays(equations, arguments), statements(equations), (stages.loss.lhs,)
    )


def sgd_kernel(network: Network, stages: Stages) -> Kernel:
    """Return the kernel of per-example updates, in the order of the lecture."""
    arguments = arguments_of(network)
    s, row = (index(n) for n in ("n", "row"))
    losses, done = scalar("losses"), Symbol("done", integer=True)
    body = (
        Row("row", "order", s), Row("h^0", "X", row), *of_target(network, row), *of_update(network, s),
        *statements(all_equations(stages)),
        If(~Finite(stages.loss.lhs), (Break(),), "nothing is learnt from a loss that is not finite"),
        Accumulate(losses, stages.loss.lhs), *per_update(network, t + s),
        *statements(with_step(stages.updates)), Accumulate(done, Integer(1)),
    )  # fmt: skip
    loop = (Assign(losses, Integer(0)), Assign(done, Integer(0)), Loop(s, size("updates"), body, ordered=True))
    doc = "Update after each example of X[order]; return how many were done and the sum of their losses."
    return _kernel("sgd", doc, arguments, work_of(stages, arguments), loop, (done, losses))


def with_step(equations: Iterable[Equation]) -> tuple[Equation, ...]:
    """Name the step size of this update, so that it is computed once."""
    return tuple(Equation(e.lhs, e.rhs.xreplace({α: STEP}), e.over, e.why) for e in equations)


def arguments_of(network: Network, *more: str) -> tuple[Argument, ...]:
    """Return the arguments of a kernel of updates: data, order, masks, parameters, state, settings, `more`."""
    settings = (α.name, *hyperparameters(network), t.name, *more)
    n = size("updates")
    drawn = (Argument(of_updates(mask), (n, *sizes)) for mask, sizes in masks(network).items())
    return (
        *example_arguments(network), Argument("order", (n,)), *drawn, *weights(network), *state(network),
        *map(Argument, settings),
    )  # fmt: skip


def input_array(network: Network, name: str) -> IndexedBase:
    """Return an array of inputs, which are integers where tables are read at them."""
    return array_of_integers(name) if network.reads_integers else array(name)


def copied(to: IndexedBase, r: Expr, of: IndexedBase, at: Expr, sizes: tuple[Expr, ...]) -> Statement:
    """Return what copies row `at` of one array, of the given sizes, to row `r` of another."""
    indices = tuple(map(index, "j" if len(sizes) == 1 else "cpqij"[: len(sizes)]))
    made: Statement = Assign(to[(r, *indices)], of[(at, *indices)])
    for i, extent in reversed(list(zip(indices, sizes, strict=True))):
        made = Loop(i, extent, (made,))
    return made


def all_equations(stages: Stages) -> tuple[Equation, ...]:
    """Return what one example computes, forward and backward."""
    return (*stages.forward, stages.loss, *stages.backward, *stages.clipping)


def work_of(stages: Stages, arguments: Iterable[Argument]) -> tuple[Argument, ...]:
    """Return the arrays that a kernel of updates allocates."""
    return work_arrays((*all_equations(stages), *stages.updates), arguments)
