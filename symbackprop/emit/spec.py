"""What a module says of itself: SPEC, the header's formulas, the command that regenerates it, its name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import sympy
from sympy import Expr, Mul, Symbol

from symbackprop import __version__
from symbackprop.calculus.recurrence import Refusal
from symbackprop.definitions import step_sizes, update_rules
from symbackprop.definitions.network import Network
from symbackprop.definitions.resolved import ResolvedNetwork
from symbackprop.derivation.training_step import Stages
from symbackprop.derivation.validate import advise
from symbackprop.emit.module import Header
from symbackprop.expr.printing import formula, identifier
from symbackprop.kernels.plan import Plan
from symbackprop.kernels.training_step import (
    example_arguments,
    masks,
    of_updates,
    scalars_of_update,
    state,
    with_step,
)
from symbackprop.loops.ir import Argument

FORMAT = 1
_LONGEST_TITLE = 96  # with quotes before it and a full stop behind it still a line
_ABOUT_TRAINING = {"initializer", "step_size", "learned", "learned_per_unit", "update", "weighted", "dropout"}


def specification(
    network: ResolvedNetwork, name: str, dtype: str, refused: dict[str, str],
    *, exact_form: bool = False, plain: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Return SPEC: the choices as strings, the shapes by layer, the hyperparameters with their defaults.

    What is advised against is an entry of its own, where there is something: it holds whenever the module is used.
    """
    initializer, fixed = network.initializer, not network.is_generic
    names = network.names
    ranges = {"above_0": step_sizes.ABOVE_0 | update_rules.ABOVE_0, "below_1": update_rules.BELOW_1}
    bounded = {name: [identifier(c) for c in network.hyperparameters if c in of] for name, of in ranges.items()}
    return {
        "format": FORMAT,
        "name": name,
        **names,
        "dtype": dtype,
        **({"exact_form": 1} if exact_form else {}),
        **({"only": "plain"} if plain else {}),
        "layers": network.depth + 1,
        "parameters": {
            identifier(θ.name): [_axis(s) for s in (θ.sizes if fixed else θ.shape)] for θ in network.parameters
        },
        **(_fixed(network) if fixed else {}),
        "hyperparameters": {identifier(c): value for c, value in network.hyperparameters.items()},
        **{name: constants for name, constants in bounded.items() if constants},
        **({"state": _state(network)} if state(network) else {}),
        **({"masks": _masks(network)} if "dropout" in names else {}),
        "initial": {
            "distribution": initializer.distribution,
            "defaults": dict(initializer.defaults),
            "values": {identifier(n): value for n, value in network.initial_values.items()},
            **({"fans": _fans(network)} if fixed else {}),
        },
        **({} if plain else {"refused": refused}),
        **({"advice": lines} if (lines := advise(network)) else {}),
        "network": _identity(network),
    }


def _state(network: ResolvedNetwork) -> dict[str, str]:
    """Return of which parameter each array of the state is."""
    return {identifier(n): identifier(θ.name) for θ in network.parameters for n in θ.state}


def _masks(network: ResolvedNetwork) -> dict[str, list[int | str]]:
    return {identifier(of_updates(name)): [_axis(s) for s in sizes] for name, sizes in masks(network).items()}


def _axis(extent: Expr) -> int | str:
    """Return the number of the layer whose units an axis has, or its fixed size as text."""
    return int(extent.name.removeprefix("n^")) if isinstance(extent, Symbol) else str(extent)


def _fixed(network: ResolvedNetwork) -> dict[str, Any]:
    """Return the sizes of a network that are numbers."""
    widths = [int(Mul(*network.input_sizes)), *(int(layer.width) for layer in network.layers)]
    rows = [n for layer in network.layers for n in layer.definition.rows.values()]
    vocabulary = {"vocabulary": min(rows)} if network.reads_integers else {}
    return {"sizes": widths, "input": [int(n) for n in network.input_sizes], **vocabulary}


def _fans(network: ResolvedNetwork) -> dict[str, list[int]]:
    return {identifier(θ.name): [int(n) for n in θ.fans] for θ in network.parameters if θ.fans}


def _identity(network: ResolvedNetwork) -> str:
    """Return what the meaning of parameters depends on, and not where or how fast they start, nor how it was typed."""
    names = network.names
    shown = {k: v for k, v in names.items() if k not in _ABOUT_TRAINING}
    if not network.is_generic:
        shown["preactivation"] = ", ".join(layer.definition.identity for layer in network.layers)
    for field in ("learned", "learned_per_unit"):
        if names[field]:
            shown[field] = ", ".join(text.partition("=")[0] for text in names[field])
    return "; ".join(f"{k}={v}" for k, v in shown.items())


def header_of(
    choices: Network, spec: dict[str, Any], stages: Stages, plan: Plan, forms: Sequence[str] = ()
) -> Header:
    """Return the docstring of a module: every formula, given and derived, with the names of the code."""
    network = choices.resolved
    penalties = [
        f"{formula(λ, code=True)} times {' + '.join(formula(e.rhs, code=True) for e in of)}"
        for λ, of in stages.penalties
    ]
    shown = {
        "Given": [*(e.written(code=True) for e in stages.forward), f"l = {formula(network.loss.rhs, code=True)}"],
        "Constants": _constants(network),
        "Penalty": penalties,
        "Derived": [*(e.written(code=True) for e in (*stages.backward, *stages.gradients))],
        "Update after each example": [
            *(f"{name} = {formula(value, code=True)}" for name, value in scalars_of_update(network).items()),
            *(e.written(code=True) for e in (*stages.clipping, *with_step(stages.updates))),
        ],
        "Computed in forms that keep their digits (errors of both types, functions correctly rounded)": forms,
        "Schedules": [] if "only" in spec else _schedules(plan),
    }
    versions = f"symbackprop {__version__} and SymPy {sympy.__version__}"
    return Header(f"{_title(network)}.", versions, shown, shapes_of(network), command_of(choices, spec))


def shapes_of(network: ResolvedNetwork) -> list[str]:
    """Return the shapes of what kernels take: the examples, the parameters of each layer, what is kept, numbers."""
    X, Y, *weight = example_arguments(network)
    integers = " int64" if network.target_kind == "label" else ""
    inputs = " int64" if network.reads_integers else ""
    examples = [f"{_shape(X)}{inputs}", f"{_shape(Y)}{integers}", *map(_shape, weight), "order (updates,) int64"]
    layers = [[_shape(Argument(θ.name, θ.sizes)) for θ in layer.parameters] for layer in network.layers]
    kept = [_shape(a) for a in state(network)]
    numbers = ["learning_rate", *map(identifier, network.hyperparameters), "t updates so far"]
    return [", ".join(row) for row in (examples, *layers, kept, numbers) if row]


def _shape(argument: Argument) -> str:
    sizes = ", ".join(identifier(str(n)) for n in argument.sizes)
    return f"{identifier(argument.name)} ({sizes}{',' * (len(argument.sizes) == 1)})"


def _constants(network: ResolvedNetwork) -> list[str]:
    """Return the named constants, whose values stand in all formulas, with the typed formulas that name them."""
    names = network.names
    texts = list(dict.fromkeys([*names["activations"], names["loss"], names["penalty"]]))
    constants = names.get("constants", {})
    uses = {name: [t for t in texts if name in re.findall(r"\w+", t)] for name in constants}
    return [f"{name} = {value!r} in {', '.join(uses[name])}" for name, value in constants.items()]


def _schedules(plan: Plan) -> list[str]:
    """Return in words which orders of computation the module has, and why they are the same updates."""
    overlapped = (
        "overlapped: every update joins the last sweep that reads its weights; the first layer's joins the next use."
    )
    deferral = plan.deferral
    if isinstance(deferral, Refusal):
        if plan.outlined:
            overlapped = (
                "overlapped: the same steps, in the loops that all other kernels share: windows along short rows are "
                "copied out, and sums over them are products of matrices, a few rows and columns at a time."
            )
        return ["plain: the order of the lecture.", overlapped, f"deferred: not here, {deferral.reason}."]
    block = (*deferral.before, deferral.read, *deferral.saved, *deferral.after)
    deferred = (
        "deferred: after r examples of a block W1 is W1 + p1 W1 + Σ_s<r K1_s da1_s x_sᵀ, and what is kept beside it is "
        "such a sum too; an update acts on the coefficients as on W1, every read of W1 is one from before the block:"
    )
    return ["plain: the order of the lecture.", overlapped, deferred, *(e.written(code=True) for e in block)]


def _title(network: ResolvedNetwork) -> str:
    names = network.names
    whole, short = (f"Exact per-example SGD: {layers}{_kinds(names)}" for layers in _layers(network, names))
    return whole if len(whole) <= _LONGEST_TITLE else short


def _layers(network: ResolvedNetwork, names: Mapping[str, Any]) -> tuple[str, str]:
    """Return the layers in words, one by one, and how many there are."""
    if not network.is_generic:
        items = ", ".join(layer.item for layer in network.layers)
        shape = " x ".join(map(str, network.input_sizes))
        return f"{shape}, {items}; ", f"{shape}, {network.depth + 1} layers; "
    *first, last = names["activations"] or ("",)
    hidden = " and ".join(filter(None, (", ".join(first), last)))
    plural = f"hidden layer{'s' * (network.depth > 1)}, "
    return (f"{hidden} {plural}", f"{network.depth} {plural}") if hidden else ("", "")


def _kinds(names: Mapping[str, Any]) -> str:
    penalty = f", penalty {names['penalty']}" if names["penalty"] != "none" else ""
    update = f", {names['update']} update" if "update" in names else ""
    more = "".join(f", {what}" for what in ("weighted", "dropout") if what in names)
    return f"{names['output']} output, {names['loss']} loss{penalty}{update}{more}"


def command_of(network: Network, spec: dict[str, Any]) -> str:
    """Return the command that generates a module again, or where there is none, the Python that does."""
    if not network.resolved.is_generic:
        name = spec["name"]
        return f"symbackprop generate --network {name}.toml -o {name}.py, or build(Network([...])) in Python"
    choices = (*network.activations, network.loss, network.penalty, network.preactivation, network.output or "")
    if not all(isinstance(choice, str) for choice in choices) or network.target is not None:
        return f"build(Network(...), name={spec['name']!r}, dtype={spec['dtype']!r}) in Python, of the formulas above"
    hidden = list(dict.fromkeys(spec["activations"]))
    options = [("activation", g) for g in (hidden if len(hidden) < 2 else spec["activations"])]
    options += [
        ("hidden-layers", len(spec["activations"])),
        *((n, spec[n]) for n in ("loss", "penalty", "initializer")),
    ]
    options += [("output-function", network.output)] if network.output else []
    options += [("step-size", spec["step_size"]), ("dtype", spec["dtype"])]
    options += [("update", network.update)] if "update" in spec else []
    flags = [("exact-form", "exact_form"), ("weighted", "weighted"), ("dropout", "dropout")]
    exact = [f"--{flag}" for flag, key in flags if key in spec]
    options += [("only", spec["only"])] if "only" in spec else []
    options += [("learn", text) for text in spec["learned"]]
    options += [("learn-per-unit", text) for text in spec["learned_per_unit"]]
    options += [("constant", f"{name}={value!r}") for name, value in dict(network.constants).items()]
    written = (f"--{name} {shlex.quote(str(value))}" for name, value in options)
    return " ".join(["symbackprop generate", *written, *exact, f"-o {spec['name']}.py"])


def default_name(network: ResolvedNetwork) -> str:
    """Return a file name made of the choices: tanh_nll_l2."""
    names = network.names
    if not network.is_generic:
        kinds = (re.match(r"\w*", layer.item) for layer in network.layers)
        return "_".join([*(m[0] for m in kinds if m), names["loss"]])[:60].strip("_")
    hidden = list(dict.fromkeys(names["activations"])) or ["linear"]
    depth = [str(network.depth)] if network.depth > 1 else []
    penalty = [names["penalty"]] if names["penalty"] != "none" else []
    return re.sub(r"\W+", "_", "_".join([*hidden, *depth, names["loss"], *penalty]))[:60].strip("_")
