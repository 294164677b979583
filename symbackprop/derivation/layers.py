"""From a network of layers to its gradients and its SGD update: every array in turn, from the loss towards the inputs.

Where a network of dense layers is derived once for a generic layer k, layers of several kinds are derived one by one;
whatever reads an array, be it two layers that share weights, adds to its derivative.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sympy import Add, Symbol

from symbackprop.calculus.chain_rule import Wanted, backpropagate, compose
from symbackprop.definitions.instantiate import INDICES
from symbackprop.definitions.network import Network
from symbackprop.definitions.step_sizes import α
from symbackprop.derivation.update import afterwards, equations, reads_parameters, regularised, updated
from symbackprop.derivation.validate import with_kinks
from symbackprop.expr.equations import Derivation, Equation, Step
from symbackprop.expr.reductions import Place, Reduction
from symbackprop.expr.symbols import Axis, array, index, names_in
from symbackprop.precision.max_shift import in_one_equation


@dataclass(frozen=True)
class Layered:
    """The derivations of a network's layers, the last layer's first, and what follows from them.

    Attributes
    ----------
    sections
        To be read.
    forward, loss
        What one example computes.
    backward
        Adjoints in the order of computation; what is added up where it is read is an update.
    gradients, updates
        Of the parameters; those of activations' parameters last.
    objective
        The gradients of l + λΩ.
    """

    sections: tuple[Derivation, ...]
    forward: tuple[Equation, ...]
    loss: Equation
    backward: tuple[Equation, ...]
    gradients: tuple[Equation, ...]
    updates: tuple[Equation, ...]
    objective: tuple[Equation, ...]


def derive_layers(network: Network) -> Layered:
    """Derive every gradient of a network of layers, and its SGD update."""
    last = network.depth + 1
    layers = [_equations(network, k) for k in range(1, last + 1)]
    forward = tuple(e for equations in layers for e in equations)
    output, loss = network.outputs(str(last)), network.losses(str(last))
    steps, composed = compose(loss, output)
    users = (*forward, composed)
    sections, backward = [], []
    learns = _learns(network, forward)
    for k in range(last, 0, -1):
        wanted = [_wanted(e) for e in reversed(layers[k - 1]) if _is_wanted(e, learns)]
        made = [_derived(want, users, (output,) if k == last else ()) for want in wanted]
        title = f"Layer {k}: {network.item(k)}"
        more = (output, loss) if k == last else ()
        first = steps if k == last else []
        found = [e for d in made for e in d.results]
        given = (*layers[k - 1], *more)
        g = network.hidden[k - 1] if k < last else None
        noted = tuple(with_kinks(step, network, g, str(k)) for d in made for step in d.steps)
        sections.append(Derivation(title, given, (*first, *noted), tuple(found)))
        backward += found
    parameters = [_parameter(network, users, str(k), name, axes) for k in range(1, last + 1)
                  for name, axes in network.parameters(str(k)).items()]  # fmt: skip
    learnt = {n for k, g in enumerate(network.hidden, 1) if g is not None for n in network.learnt(g, str(k))}
    parameters.sort(key=lambda p: p.name in learnt)
    for parameter in (p for p in parameters if p.stored):
        backward = _inserted(backward, parameter.gradient)
    penalised = [e for k in range(1, last + 1) for e in network.penalised(str(k)) if e.rhs != 0]
    everything = tuple(step for p in parameters for step in p.steps)
    results = tuple(e for p in parameters for e in (*p.gradient, *p.updates))
    sections.append(Derivation("Parameters and their update", tuple(penalised), everything, results))
    gradients, updates, objective = ([e for p in parameters for e in getattr(p, field)]
                                     for field in ("gradient", "updates", "objective"))  # fmt: skip
    parts = ((*forward, output), (composed,), backward, gradients, updates, objective)
    computed, (last_loss,), *others = (tuple(map(for_kernels, part)) for part in parts)
    return Layered(tuple(sections), computed, last_loss, *others)


def for_kernels(equation: Equation) -> Equation:
    """Return an equation without the indices r, s and n, which count examples in kernels."""
    used = {*equation.ranges} | {limit[0] for node in equation.rhs.atoms(*Reduction) for limit in node.limits}
    free = [letter for letter in INDICES if index(letter) not in used]
    swap = {i: index(free.pop(0)) for i in sorted(used, key=str) if i.name not in INDICES}
    over = tuple(Axis(swap.get(a.index, a.index).name, a.size) for a in equation.over)
    return Equation(equation.lhs.xreplace(swap), equation.rhs.xreplace(swap), over, equation.why)


def _inserted(backward: list[Equation], gradient: tuple[Equation, ...]) -> list[Equation]:
    """Return the equations with those of a stored gradient as soon as all that they read is known."""
    read = {n for e in gradient for n in names_in(e.rhs) if n.startswith("∂")} - {gradient[0].name}
    at = 1 + max((n for n, e in enumerate(backward) if e.name in read), default=-1)
    return [*backward[:at], *gradient, *backward[at:]]


def _equations(network: Network, k: int) -> tuple[Equation, ...]:
    g = network.hidden[k - 1] if k <= network.depth else None
    others = (e for n in range(1, network.depth + 2) if n != k for e in network.layer(str(n)))
    read = frozenset[str]().union(*(names_in(e.rhs) for e in others))
    return (*in_one_equation(network.layer(str(k)), read), *(network.activated(g, str(k)) if g is not None else ()))


def _learns(network: Network, forward: Iterable[Equation]) -> set[str]:
    """Return the arrays that depend on parameters: the others need no adjoint."""
    found = {n for k in range(1, network.depth + 2) for n in network.parameters(str(k))}
    for equation in forward:
        if names_in(equation.rhs) & found:
            found.add(equation.name)
    return found


def _is_wanted(equation: Equation, learns: set[str]) -> bool:
    return equation.name in learns and not equation.rhs.has(Place)


def _wanted(equation: Equation) -> Wanted:
    """Return the array that an equation defines as one whose adjoint is wanted."""
    indices = getattr(equation.lhs, "indices", ())
    if all(isinstance(i, Symbol) for i in indices):
        return Wanted(equation.name, equation.over, equation.why)
    axes = tuple(Axis(letter, n) for letter, n in zip("ijk", equation.shape, strict=False))
    return Wanted(equation.name, axes, equation.why)


def _derived(want: Wanted, equations: tuple[Equation, ...], stored: tuple[Equation, ...]) -> Derivation:
    # where a maximum is does not change with what it is the maximum of
    users = tuple(e for e in equations if want.name in names_in(e.rhs) and not e.rhs.has(Place))
    return backpropagate(users, [want], stored=stored if want.name.startswith("a^") else (), scattered=True)


@dataclass(frozen=True)
class _Parameter:
    """The gradient of one parameter, its update, and whether the gradient has to be stored before."""

    name: str
    steps: tuple[Step, ...]
    gradient: tuple[Equation, ...]
    updates: tuple[Equation, ...]
    objective: tuple[Equation, ...]
    stored: bool


def _parameter(
    network: Network, users: tuple[Equation, ...], layer: str, name: str, axes: tuple[Axis, ...]
) -> _Parameter:
    want = Wanted(name, axes, "parameters")
    derived = _derived(want, users, ())
    θ, (gradient, *added) = want.element, derived.results
    if gradient.rhs == 0 and not added:
        texts = [e.text for e in network.layers[int(layer) - 1].placed.layer.equations]
        raise ValueError(f"the parameter {name.partition('^')[0]} of {'; '.join(texts)!r} never reaches the loss: "
                         "its derivative is 0 everywhere")  # fmt: skip
    steps, slopes = regularised(network, layer, want)
    # a sum over all elements would be computed again for each of them: one for all units of a layer is stored first
    alone = not axes and any(getattr(e, "over", ()) for e in users if θ in e.rhs.free_symbols)
    chosen = network.chosen_update
    stored = alone or chosen.clip or chosen.has_velocity or reads_parameters(network, (gradient, *added), θ)
    penalty = Add(*(λ * slope for λ, _, slope in slopes))
    given = (gradient, *network.penalised(layer))
    whole = updated(network, want, slopes, gradient.lhs if stored or added else gradient.rhs, given)
    after = afterwards(network, layer, want)
    if stored or not added:
        updates = equations(whole)
    else:
        (rest,) = updated(network, want, slopes, gradient.rhs, ())
        updates = [Equation(θ, rest.after, axes, "update")] if rest.after != θ else []
        updates += [_directly(e, name) for e in added]
    updates += equations(after)
    objective: tuple[Equation, ...] = () if penalty == 0 else (replace(gradient, rhs=gradient.lhs + penalty),)
    if not stored:
        objective = (replace(gradient, rhs=gradient.rhs + penalty), *added)
    everything = (*derived.steps, *steps, *whole, *after)
    return _Parameter(name, everything, derived.results, tuple(updates), objective, stored)


def _directly(added: Equation, name: str) -> Equation:
    """Return θ[...] ← θ[...] - α s from ∂l/∂θ[...] ← ∂l/∂θ[...] + s."""
    target = array(name)[added.lhs.indices]
    return Equation(target, target - α * (added.rhs - added.lhs), added.over, "update")
