"""The kernels of a module, each put together from the equations of the stages it needs."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr, Indexed, IndexedBase, Integer, Symbol

from symbackprop.calculus.stability import stabilise
from symbackprop.definitions.network import Network
from symbackprop.definitions.schedules import t, α
from symbackprop.loops.ir import Accumulate, Argument, Assign, Body, Break, If, Kernel, Loop, Row
from symbackprop.loops.lower import lower
from symbackprop.loops.passes.cse import share
from symbackprop.loops.passes.hoist import hoist
from symbackprop.notation import formula
from symbackprop.stages import Stages, read_at
from symbackprop.symbols import LABEL, Finite, array, array_of_integers, index, scalar, size
from symbackprop.terms import Equation

STEP = scalar("step")
N = size("N")
FORWARD = "Write the outputs of every example of X to F."
LOSS = "Return the mean loss of the examples, without the penalty."
BACKWARD = "Write the gradient of l + λΩ for one example to the arrays dW1, db1, ...; return l."
MINIBATCH = "Update after every `batch` examples of X[order], by the mean of their gradients."


def statements(equations: Iterable[Equation]) -> Body:
    """Return the loops of equations, one after another."""
    return tuple(s for e in stabilise(equations) for s in lower(e))


def parameter_sizes(network: Network) -> dict[str, tuple[Expr, ...]]:
    """Return the sizes of every parameter array, layer by layer; what has no axis is an array of one element."""
    return {
        name: tuple(axis.size for axis in axes) or (Integer(1),)
        for k in range(1, network.depth + 2)
        for name, axes in network.parameters(str(k)).items()
    }


def weights(network: Network) -> tuple[Argument, ...]:
    """Return the parameters as arguments of a kernel."""
    return tuple(Argument(name, sizes, "parameter") for name, sizes in parameter_sizes(network).items())


def hyperparameters(network: Network) -> list[str]:
    """Return the names of the step size's and the penalties' constants."""
    free = sorted(s.name for s in network.step_size_formula.free_symbols - {α, t})
    return [*free, *network.penalties()]


def work_arrays(equations: Iterable[Equation], arguments: Iterable[Argument]) -> tuple[Argument, ...]:
    """Return the arrays that some equations write and no argument holds, each once."""
    known = {a.name for a in arguments}
    found = {
        e.name: Argument(e.name, e.shape, "label" if e.lhs.base.label.is_integer else "")
        for e in stabilise(equations)
        if isinstance(e.lhs, Indexed) and e.name not in known and not e.is_update
    }
    return tuple(found.values())


def example_arguments(network: Network) -> tuple[Argument, Argument, str]:
    """Return the arguments X and Y of a run of examples, and the name of one target."""
    outputs = network.output_size
    target = Argument("Y", (N,)) if network.target_kind == "label" else Argument("Y", (N, outputs))
    return Argument("X", (N, *network.input_sizes)), target, "y"


def _example(at: Expr, *, with_target: bool = True) -> Body:
    rows: Body = (Row("h^0", "X", at),)
    return (*rows, Row(LABEL.name, "Y", at)) if with_target else rows


def _kernel(name: str, doc: str, arguments: tuple[Argument, ...], locals_: tuple[Argument, ...], body: Body,
            returns: tuple[Expr, ...] = ()) -> Kernel:  # fmt: skip
    names = frozenset(a.name for a in (*arguments, *locals_))
    return Kernel(name, arguments, locals_, hoist(share(body), names), returns, doc)


def forward_kernel(network: Network, stages: Stages) -> Kernel:
    """Return the kernel that writes the outputs of a run of examples."""
    X, _, _ = example_arguments(network)
    F = Argument("F", (N, network.output_size))
    arguments = (X, *weights(network), F)
    s = index("n")
    body = (*_example(s, with_target=False), Row("f", "F", s), *statements(stages.forward))
    work = tuple(w for w in work_arrays(stages.forward, arguments) if w.name != "f")
    return _kernel("forward", FORWARD, arguments, work, (Loop(s, N, body),))


def loss_kernel(network: Network, stages: Stages) -> Kernel:
    """Return the kernel of the mean loss."""
    X, Y, _ = example_arguments(network)
    arguments = (X, Y, *weights(network))
    equations = (*stages.forward, stages.loss)
    s, mean = index("n"), scalar("mean")
    body = (*_example(s), *statements(equations), Accumulate(mean, stages.loss.lhs))
    loop = (Assign(mean, Integer(0)), Loop(s, N, body))
    return _kernel("loss", LOSS, arguments, work_arrays(equations, arguments), loop, (mean / N,))


def backward_arguments(network: Network) -> tuple[Argument, ...]:
    """Return the arguments of a kernel of gradients: an example, its target, parameters, their gradients, settings."""
    _, Y, y = example_arguments(network)
    x = Argument("h^0", network.input_sizes)
    target = Argument(y, Y.sizes[1:])
    gradients = (Argument(f"∂l/∂{name}", sizes) for name, sizes in parameter_sizes(network).items())
    return (x, target, *weights(network), *gradients, *(Argument(c) for c in network.penalties()))


def in_arrays(network: Network, equations: Iterable[Equation]) -> tuple[Equation, ...]:
    """Return equations in which gradients without an axis are elements of the arrays that a caller passes."""
    elements = {scalar(name): array(name)[0] for name in (f"∂l/∂{n}" for n, sizes in parameter_sizes(network).items()
                                                          if sizes == (1,))}  # fmt: skip
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
    X, Y, _ = example_arguments(network)
    order = Argument("order", (size("updates"),))
    settings = tuple(Argument(c) for c in (α.name, *hyperparameters(network), t.name))
    arguments = (X, Y, order, *weights(network), *settings)
    equations = (*stages.forward, stages.loss, *stages.backward)
    updates = with_step(stages.updates)
    s, row = (index(n) for n in ("n", "row"))
    losses, done = scalar("losses"), Symbol("done", integer=True)
    step = network.step_size_formula.xreplace({t: t + s})
    body = (
        Row("row", "order", s), *_example(row), *statements(equations),
        If(~Finite(stages.loss.lhs), (Break(),), "nothing is learnt from a loss that is not finite"),
        Accumulate(losses, stages.loss.lhs),
        Assign(STEP, step, f"step = {formula(network.step_size_formula, code=True)}"),
        *statements(updates), Accumulate(done, Integer(1)),
    )  # fmt: skip
    loop = (Assign(losses, Integer(0)), Assign(done, Integer(0)), Loop(s, size("updates"), body))
    doc = "Update after each example of X[order]; return how many were done and the sum of their losses."
    return _kernel("sgd", doc, arguments, work_arrays(equations, arguments), loop, (done, losses))


def with_step(updates: Iterable[Equation]) -> tuple[Equation, ...]:
    """Name the step size of this update, so that it is computed once."""
    return tuple(Equation(e.lhs, e.rhs.xreplace({α: STEP}), e.over, e.why) for e in updates)


def arguments_of(network: Network, *more: str) -> tuple[Argument, ...]:
    """Return the arguments of a kernel of updates: data, order, parameters, settings, `more`."""
    X, Y, _ = example_arguments(network)
    settings = (α.name, *hyperparameters(network), t.name, *more)
    return (X, Y, Argument("order", (size("updates"),)), *weights(network), *map(Argument, settings))


def input_array(network: Network, name: str) -> IndexedBase:
    """Return an array of inputs, which are integers where tables are read at them."""
    return array_of_integers(name) if network.reads_integers else array(name)


def copied(network: Network, to: IndexedBase, r: Expr) -> Loop:
    """Return the loops that copy the example X[row] to the row r of another array."""
    names = ["j"] if len(network.input_sizes) == 1 else [*"cpqij"[: len(network.input_sizes)]]
    indices = tuple(map(index, names))
    body: Body = (Assign(to[(r, *indices)], input_array(network, "X")[(index("row"), *indices)]),)
    for i, extent in reversed(list(zip(indices, network.input_sizes, strict=True))):
        body = (Loop(i, extent, body),)
    return body[0]  # type: ignore[return-value]


def all_equations(stages: Stages) -> tuple[Equation, ...]:
    """Return what one example computes, forward and backward."""
    return (*stages.forward, stages.loss, *stages.backward)
