"""From a network to a module: the one place that knows every stage and the order of the passes.

    Network -> [Equation] -> Derivation -> [Equation] -> stabilise -> lower -> passes -> Kernel -> text
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from sympy import Expr, Indexed, Integer, Symbol

from symbackprop.calculus.instance import at_layer
from symbackprop.calculus.stability import stabilise
from symbackprop.definitions.network import Network
from symbackprop.definitions.schedules import t, α
from symbackprop.derivation import Sections, sections
from symbackprop.emit.module import Header, module_text
from symbackprop.loops.ir import Accumulate, Argument, Assign, Body, Break, If, Kernel, Loop, Row
from symbackprop.loops.lower import lower
from symbackprop.loops.passes.cse import share
from symbackprop.loops.passes.hoist import hoist
from symbackprop.loops.verify import verify
from symbackprop.notation import formula, identifier
from symbackprop.symbols import LABEL, Finite, scalar, size
from symbackprop.terms import Equation

FORMAT = 1
STEP = scalar("step")
N = size("N")


@dataclass(frozen=True)
class Module:
    """A generated module: its SPEC, its kernels as statements, and its text."""

    spec: dict[str, Any]
    kernels: tuple[Kernel, ...]
    text: str

    def write(self, path: Any) -> None:
        """Write the text to a file, whole or not at all."""
        from symbackprop.train.files import write_text  # noqa: PLC0415

        write_text(path, self.text)


@dataclass(frozen=True)
class Stages:
    """The equations of a whole network in the order in which they are computed, as derived, not yet stabilised."""

    forward: tuple[Equation, ...]
    loss: Equation
    backward: tuple[Equation, ...]
    gradients: tuple[Equation, ...]
    updates: tuple[Equation, ...]
    penalties: tuple[tuple[Expr, tuple[Equation, ...]], ...]


def build(network: Network, *, name: str | None = None, dtype: str = "float32") -> Module:
    """Derive a network's gradients and generate its kernels.

    Parameters
    ----------
    network
        The definitions.
    name
        The module's name; by default made from the definitions.
    dtype
        ``"float32"`` or ``"float64"``.

    Returns
    -------
    Module
        With `text`, `spec`, `kernels` and `write`.

    Raises
    ------
    ValueError
        If `dtype` is neither, or a formula has no derivative, or none that a kernel can compute.
    """
    if dtype not in {"float32", "float64"}:
        raise ValueError(f"the dtype is {dtype!r}, expected 'float32' or 'float64'")
    stages = stages_of(network, sections(network))
    spec = _spec(network, name or default_name(network), dtype)
    kernels = tuple(make(network, stages) for make in (_forward, _loss, _backward, _sgd))
    for kernel in kernels:
        verify(kernel)
    scalars = {"initial_scale": network.chosen_initializer.scale, "step_size": network.step_size_formula}
    return Module(spec, kernels, module_text(_header(network, spec, stages), spec, kernels, scalars))


def stages_of(network: Network, parts: Sections) -> Stages:
    """Return the equations of layers 1 to L + 1, from those of the generic layers."""
    depth, hidden = network.depth, dict(parts.hidden)
    loss, output = parts.output.results
    forward, backward, gradients, updates = [], [], [], []
    for k, g in enumerate(network.activations, 1):
        forward += [network.pre_activation(str(k)), network.activation(g, str(k))]
    forward += [network.pre_activation(str(depth + 1)), network.outputs(str(depth + 1))]
    backward.append(at_layer(output, depth + 1, depth))
    for k in range(depth, 0, -1):
        backward += [at_layer(e, k, depth) for e in hidden[network.activations[k - 1]].results]
    for k in range(1, depth + 2):
        results = [at_layer(e, k, depth) for e in parts.parameters.results]
        gradients += [e for e in results if not e.is_update]
        updates += [e for e in results if e.is_update]
    penalties = tuple(
        (scalar(c), tuple(network.penalised(str(k))[n] for k in range(1, depth + 2)))
        for n, c in enumerate(network.penalties())
    )
    return Stages(
        tuple(forward), at_layer(loss, depth + 1, depth), tuple(backward), tuple(gradients), tuple(updates), penalties
    )


def default_name(network: Network) -> str:
    """Return a file name made of the choices: tanh_nll_l2."""
    names = network.names()
    hidden = list(dict.fromkeys(names["activations"])) or ["linear"]
    depth = [str(network.depth)] if network.depth > 1 else []
    penalty = [names["penalty"]] if names["penalty"] != "none" else []
    return re.sub(r"\W+", "_", "_".join([*hidden, *depth, names["loss"], *penalty])).strip("_")


def optimise(body: Body) -> Body:
    """The passes of the plain schedule: the lecture's order, with nothing computed twice in one loop."""
    return hoist(share(body))


def _statements(equations: Iterable[Equation]) -> Body:
    return tuple(s for e in stabilise(equations) for s in lower(e))


def _parameters(network: Network) -> dict[str, tuple[Expr, ...]]:
    return {
        name: tuple(axis.size for axis in axes)
        for k in range(1, network.depth + 2)
        for name, axes in network.parameters(str(k)).items()
    }


def _weights(network: Network) -> tuple[Argument, ...]:
    return tuple(Argument(name, sizes, "parameter") for name, sizes in _parameters(network).items())


def _hyperparameters(network: Network) -> list[str]:
    free = sorted(s.name for s in network.step_size_formula.free_symbols - {α, t})
    return [*free, *network.penalties()]


def _work(equations: Iterable[Equation], arguments: Iterable[Argument]) -> tuple[Argument, ...]:
    """Return the arrays that some equations write and no argument holds, each once."""
    known = {a.name for a in arguments}
    found = {
        e.name: Argument(e.name, tuple(axis.size for axis in e.over))
        for e in stabilise(equations)
        if isinstance(e.lhs, Indexed) and e.name not in known and not e.is_update
    }
    return tuple(found.values())


def _input(network: Network) -> tuple[Argument, Argument, str]:
    """Return the arguments X and Y of a run of examples, and the name of one target."""
    outputs = size(f"n^{network.depth + 1}")
    target = Argument("Y", (N,)) if network.target_kind == "label" else Argument("Y", (N, outputs))
    return Argument("X", (N, size("n^0"))), target, "y"


def _example(at: Expr, *, with_target: bool = True) -> Body:
    rows: Body = (Row("h^0", "X", at),)
    return (*rows, Row(LABEL.name, "Y", at)) if with_target else rows


def _kernel(name: str, doc: str, arguments: tuple[Argument, ...], locals_: tuple[Argument, ...], body: Body,
            returns: tuple[Expr, ...] = ()) -> Kernel:  # fmt: skip
    names = frozenset(a.name for a in (*arguments, *locals_))
    return Kernel(name, arguments, locals_, hoist(share(body), names), returns, doc)


def _forward(network: Network, stages: Stages) -> Kernel:
    X, _, _ = _input(network)
    F = Argument("F", (N, size(f"n^{network.depth + 1}")))
    arguments = (X, *_weights(network), F)
    s = Symbol("n", integer=True, nonnegative=True)
    body = (*_example(s, with_target=False), Row("f", "F", s), *_statements(stages.forward))
    work = tuple(w for w in _work(stages.forward, arguments) if w.name != "f")
    return _kernel("forward", "Write the outputs of every example of X to F.", arguments, work, (Loop(s, N, body),))


def _loss(network: Network, stages: Stages) -> Kernel:
    X, Y, _ = _input(network)
    arguments = (X, Y, *_weights(network))
    equations = (*stages.forward, stages.loss)
    s, mean = Symbol("n", integer=True, nonnegative=True), scalar("mean")
    body = (*_example(s), *_statements(equations), Accumulate(mean, stages.loss.lhs))
    doc = "Return the mean loss of the examples, without the penalty."
    loop = (Assign(mean, Integer(0)), Loop(s, N, body))
    return _kernel("loss", doc, arguments, _work(equations, arguments), loop, (mean / N,))


def _backward(network: Network, stages: Stages) -> Kernel:
    _, Y, y = _input(network)
    x = Argument("h^0", (size("n^0"),))
    target = Argument(y, Y.sizes[1:])
    gradients = tuple(Argument(f"∂l/∂{name}", sizes) for name, sizes in _parameters(network).items())
    arguments = (x, target, *_weights(network), *gradients, *(Argument(c) for c in network.penalties()))
    equations = (*stages.forward, stages.loss, *stages.backward, *_with_penalty(stages))
    doc = "Write the gradient of l + λΩ for one example to the arrays dW1, db1, ...; return l."
    return _kernel("backward", doc, arguments, _work(equations, arguments), _statements(equations), (stages.loss.lhs,))


def _with_penalty(stages: Stages) -> tuple[Equation, ...]:
    """Return ∂(l + λΩ)/∂θ, which is what the update θ + αΔ subtracts: -Δ."""
    made = []
    for gradient, update in zip(stages.gradients, stages.updates, strict=True):
        total = ((update.lhs - update.rhs) / α).expand()
        made.append(Equation(gradient.lhs, total, gradient.over, gradient.why))
    return tuple(made)


def _sgd(network: Network, stages: Stages) -> Kernel:
    X, Y, _ = _input(network)
    order = Argument("order", (size("updates"),))
    hyperparameters = tuple(Argument(c) for c in (α.name, *_hyperparameters(network), t.name))
    arguments = (X, Y, order, *_weights(network), *hyperparameters)
    equations = (*stages.forward, stages.loss, *stages.backward)
    updates = _with_step(stages.updates)
    s, row = (Symbol(n, integer=True, nonnegative=True) for n in ("n", "row"))
    losses, done = scalar("losses"), Symbol("done", integer=True)
    step = network.step_size_formula.xreplace({t: t + s})
    body = (
        Row("row", "order", s), *_example(row), *_statements(equations),
        If(~Finite(stages.loss.lhs), (Break(),), "nothing is learnt from a loss that is not finite"),
        Accumulate(losses, stages.loss.lhs),
        Assign(STEP, step, f"step = {formula(network.step_size_formula, code=True)}"),
        *_statements(updates), Accumulate(done, Integer(1)),
    )  # fmt: skip
    loop = (Assign(losses, Integer(0)), Assign(done, Integer(0)), Loop(s, size("updates"), body))
    doc = "Update after each example of X[order]; return how many were done and the sum of their losses."
    return _kernel("sgd", doc, arguments, _work(equations, arguments), loop, (done, losses))


def _with_step(updates: Iterable[Equation]) -> tuple[Equation, ...]:
    """Name the step size of this update, so that it is computed once."""
    return tuple(Equation(e.lhs, e.rhs.xreplace({α: STEP}), e.over, e.why) for e in updates)


def _spec(network: Network, name: str, dtype: str) -> dict[str, Any]:
    initializer = network.chosen_initializer
    names = network.names()
    return {
        "format": FORMAT,
        "name": name,
        **names,
        "dtype": dtype,
        "layers": network.depth + 1,
        "parameters": {
            identifier(n): [int(str(s).removeprefix("n^")) for s in sizes] for n, sizes in _parameters(network).items()
        },
        "hyperparameters": {identifier(c): 0.0 for c in _hyperparameters(network)},
        "initial": {"distribution": initializer.distribution, "defaults": dict(initializer.defaults)},
        "network": "; ".join(f"{k}={v}" for k, v in names.items() if k not in {"initializer", "step_size"}),
    }


def _header(network: Network, spec: dict[str, Any], stages: Stages) -> Header:
    penalties = [
        f"{formula(λ, code=True)} times {' + '.join(formula(e.rhs, code=True) for e in of)}" for λ, of in stages.penalties
    ]
    shown = {
        "Given": [*map(_written, stages.forward), f"l = {formula(network.losses().rhs, code=True)}"],
        "Penalty": penalties,
        "Derived": [*map(_written, (*stages.backward, *stages.gradients))],
        "Update after each example": [
            f"step = {formula(network.step_size_formula, code=True)}",
            *(_written(e) for e in _with_step(stages.updates)),
        ],
    }
    versions = f"symbackprop {version('symbackprop')} and SymPy {version('sympy')}"
    return Header(f"{_title(network)}.", shown, command_of(spec), versions)


def _written(equation: Equation) -> str:
    sign = "←" if equation.is_update else "="
    return f"{formula(equation.lhs, code=True)} {sign} {formula(equation.rhs, code=True)}"


def _title(network: Network) -> str:
    names = network.names()
    hidden = " and ".join([", ".join(names["activations"][:-1]), names["activations"][-1]] if network.depth > 1 else
                          names["activations"]).strip()  # fmt: skip
    layers = f"{hidden} hidden layer{'s' * (network.depth > 1)}, " if hidden else ""
    penalty = f", penalty {names['penalty']}" if names["penalty"] != "none" else ""
    return f"Exact per-example SGD: {layers}{names['output']} output, {names['loss']} loss{penalty}, {names['step_size']} step size"


def command_of(spec: dict[str, Any]) -> str:
    """Return the command that generates a module again."""
    hidden = [f"--activation {g}" for g in dict.fromkeys(spec["activations"])]
    if len(set(spec["activations"])) > 1:
        hidden = [f"--activation {g}" for g in spec["activations"]]
    return " ".join(
        ["symbackprop generate", *hidden, f"--hidden-layers {len(spec['activations'])}", f"--loss {spec['loss']}",
         f"--penalty {spec['penalty']}", f"--initializer {spec['initializer']}", f"--step-size {spec['step_size']}",
         f"--dtype {spec['dtype']}", f"-o {spec['name']}.py"]
    )  # fmt: skip


