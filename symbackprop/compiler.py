"""From a network to a module: the one place that knows every stage and the order of the passes.

Network -> [Equation] -> Derivation -> [Equation] -> stabilise -> lower -> passes -> Kernel -> text
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from symbackprop.calculus.block_recurrence import Deferral
from symbackprop.definitions.network import Network
from symbackprop.derivation.training_step import Stages, stages_of_network
from symbackprop.derivation.validate import refuse
from symbackprop.emit.expression_text import functions
from symbackprop.emit.module import module_text, with_called
from symbackprop.emit.numba_text import GLOBALS
from symbackprop.emit.spec import default_name, header_of, specification
from symbackprop.expr.printing import formula
from symbackprop.kernels.deferred import deferred_kernel
from symbackprop.kernels.letters import in_letters_of_forward
from symbackprop.kernels.minibatch import minibatch_kernel
from symbackprop.kernels.overlapped import overlapped_kernel
from symbackprop.kernels.plain import backward_kernel, forward_kernel, loss_kernel, sgd_kernel
from symbackprop.kernels.plan import Plan, has_products, plan_of
from symbackprop.kernels.training_step import TrainingStep, training_step_of
from symbackprop.loops.ir import Kernel
from symbackprop.loops.names import named
from symbackprop.loops.passes.straighten import straighten
from symbackprop.loops.verify import verify
from symbackprop.parse.unforeseen import named_if_it_fails
from symbackprop.precision.memory import remembered_forms
from symbackprop.train.files.atomic import write_text
from symbackprop.train.request.advice import AdviceWarning


@dataclass(frozen=True)
class Module:
    """A generated module: its SPEC, its kernels as statements, its text, and in words which schedules it has."""

    spec: dict[str, Any]
    kernels: tuple[Kernel, ...]
    text: str
    schedules: tuple[str, ...]

    def write(self, path: str | Path) -> None:
        """Write the text to a file, whole or not at all."""
        write_text(path, self.text)


def build(
    network: Network,
    *,
    name: str | None = None,
    dtype: str = "float32",
    exact_form: bool = False,
    only: str | None = None,
) -> Module:
    """Derive a network's gradients and generate its kernels.

    Parameters
    ----------
    network
        The definitions.
    name
        The module's name; by default made from the definitions.
    dtype
        ``"float32"`` or ``"float64"``.
    exact_form
        Compute the formulas as derived, not in the forms that keep their digits (see docs/numerics.md).
    only
        ``"plain"``: the lecture's loop with `forward`, `loss`, `backward` and a short Trainer, to be printed.

    Returns
    -------
    Module
        With `text`, `spec`, `kernels` and `write`.

    Raises
    ------
    ValueError
        If `dtype` is neither, if `only` is another word or leaves out what the network needs, or a formula has no
        derivative, or none that a kernel can compute.

    Warns
    -----
    AdviceWarning
        If an activation is not finite or very steep between -50 and 50, or even around 0; if a penalty is not finite
        there or has no lower bound. The lines stand in the module's SPEC too, as "advice".
    """
    if dtype not in {"float32", "float64"}:
        raise ValueError(f"the dtype is {dtype!r}, expected 'float32' or 'float64'")
    if not isinstance(network, Network):
        raise TypeError(f"a network is {network!r}, expected Network(activations=..., loss=..., ...)")
    _check_only(network, only)
    with named_if_it_fails("network", network.typed):
        resolved = network.resolved
        refuse(resolved)
        module = assembled(network, name or default_name(resolved), dtype, exact_form=exact_form, plain=bool(only))
    for line in module.spec.get("advice", ()):
        warnings.warn(line, AdviceWarning, stacklevel=2)
    return module


def _check_only(network: Network, only: str | None) -> None:
    """Raise ValueError if a module cannot be written with these orders alone."""
    if only not in {None, "plain"}:
        raise ValueError(f"only is {only!r}, expected 'plain', or None for all orders")
    beyond = {"layers of one's own": not network.resolved.is_generic, "dropout": network.dropout,
              "weighted": network.weighted, f"the update {network.update}": network.update != "sgd"}  # fmt: skip
    if only and (more := [what for what, asked in beyond.items() if asked]):
        raise ValueError(f"only is 'plain', whose Trainer knows no {more[0]}; leave one of them out")


def assembled(network: Network, name: str, dtype: str, *, exact_form: bool, plain: bool = False) -> Module:
    """Return the module of a network whose formulas were looked at, or are to be measured whatever they are."""
    resolved, predicting = network.resolved, network.resolved.predicting
    derived = in_letters_of_forward(stages_of_network(resolved))
    stages, notes = _finished(derived, exact_form=exact_form)
    full = derived if predicting is resolved else in_letters_of_forward(stages_of_network(predicting))
    whole = stages if predicting is resolved else _finished(full, exact_form=exact_form)[0]
    plan = plan_of(stages)
    kernels = _kernels(training_step_of(predicting, whole), training_step_of(resolved, stages), plan, plain=plain)
    kernels = named(map(straighten, kernels))
    whole_module = with_called(kernels)
    called = {*functions(whole_module), *GLOBALS, *(kernel.name for kernel in whole_module)}
    for kernel in whole_module:
        verify(kernel, called)
    spec = specification(resolved, name, dtype, plan.refused, exact_form=exact_form, plain=plain)
    scalars = {"initial_scale": resolved.initializer.scale}
    scalars |= {} if plain else {"step_size": resolved.step_size}
    header = header_of(network, spec, derived, plan, notes)
    text = module_text(header, spec, kernels, scalars)
    return Module(spec, kernels, text, tuple(header.formulas["Schedules"]))


def _kernels(whole: TrainingStep, step: TrainingStep, plan: Plan, *, plain: bool) -> tuple[Kernel, ...]:
    """Return the kernels of a network that predicts, `whole`, and those that train it."""
    predicting = (forward_kernel, loss_kernel, backward_kernel)
    deferred = (deferred_kernel,) if isinstance(plan.deferral, Deferral) else ()
    faster = () if plain else (overlapped_kernel, *deferred, minibatch_kernel)
    return (*(make(whole, plan) for make in predicting), *(make(step, plan) for make in (sgd_kernel, *faster)))


def _finished(stages: Stages, *, exact_form: bool) -> tuple[Stages, tuple[str, ...]]:
    """Return the stages as they are computed, and what was chosen for that, in words."""
    stages, notes = (stages, ()) if exact_form else _in_stable_forms(stages)
    return stages.stable(), notes


def _in_stable_forms(stages: Stages) -> tuple[Stages, tuple[str, ...]]:
    """Return the stages in forms that keep their digits, and what was chosen, in words."""
    notes = []
    with remembered_forms() as forms:
        made = stages.in_forms(forms, beside=not has_products(stages))
        for equation in (*stages.forward, stages.loss, *stages.backward):
            for change in forms.changes(equation, stages.forward if equation in stages.backward else ()):
                target, old, new = (formula(e, code=True) for e in (equation.lhs, change.derived, change.after))
                how = f"{old} is computed as {new}; " if new != old else f"{old} has "
                notes.append(f"{target}: {how}{change.choice.note}")
    for value, slope in pairwise(made.forward):
        if slope in made.slopes:
            ours, its = (formula(e.lhs, code=True) for e in (slope, value))
            notes.append(f"{ours} is computed beside {its}, in the forward pass, and kept")
    return made, tuple(notes)
