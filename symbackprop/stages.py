"""The equations of a whole network, from the derivations of its generic layers, in the order of computation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sympy import Expr, Integer

from symbackprop.calculus.instance import at_layer
from symbackprop.calculus.stability import stabilise
from symbackprop.definitions.network import Network
from symbackprop.definitions.schedules import α
from symbackprop.derivation import Sections, sections
from symbackprop.indices import Reduction, canonical, named
from symbackprop.layered import derive_layers
from symbackprop.symbols import array, names_in, scalar
from symbackprop.terms import Equation

COUNTERS = frozenset("rsn")


@dataclass(frozen=True)
class Stages:
    """The equations of a whole network in the order in which they are computed, as derived, not yet stabilised.

    Gradients that have to be stored before any parameter is updated are in `backward`; `gradients` has the others of
    dense layers, in the order of their updates, which come first, and all of a network of layers. `objective` has
    the gradients of l + λΩ that are not in `backward`. What a layer has one of is an array of one element, its gradient
    a scalar.
    """

    forward: tuple[Equation, ...]
    loss: Equation
    backward: tuple[Equation, ...]
    gradients: tuple[Equation, ...]
    updates: tuple[Equation, ...]
    penalties: tuple[tuple[Expr, tuple[Equation, ...]], ...]
    objective: tuple[Equation, ...]

    def in_forms(self, change: Callable[[Equation], Equation]) -> Stages:
        """Return the stages with what an example computes, forward and backward, changed to other forms."""
        forward, backward = (tuple(map(change, part)) for part in (self.forward, self.backward))
        return replace(self, forward=forward, loss=change(self.loss), backward=backward)

    def stable(self) -> Stages:
        """Return the stages with all sums of exponentials shifted, together: what stores a maximum has one name."""
        whole = stabilise((*self.forward, self.loss, *self.backward))
        lefts = [e.lhs for e in whole]
        ends = [lefts.index(self.forward[-1].lhs) + 1, lefts.index(self.loss.lhs)]
        forward, between, backward = whole[: ends[0]], whole[ends[0] : ends[1]], whole[ends[1] + 1 :]
        return replace(self, forward=(*forward, *between), loss=whole[ends[1]], backward=backward)


def stages_of_network(network: Network) -> Stages:
    """Derive a network's gradients and return all its equations."""
    return _of_layers(network) if network.layers else stages_of(network, sections(network))


def _of_layers(network: Network) -> Stages:
    made = derive_layers(network)
    elements = _elements(network)
    forward, loss, backward, updates, gradients, objective = (
        tuple(read_at(e, elements) for e in part)
        for part in (made.forward, (made.loss,), made.backward, made.updates, made.gradients, made.objective)
    )
    return Stages(forward, loss[0], backward, gradients, updates, _penalties(network),
                  objective)  # fmt: skip


def _penalties(network: Network) -> tuple[tuple[Expr, tuple[Equation, ...]], ...]:
    layers = range(1, network.depth + 2)
    return tuple((scalar(c), tuple(e for e in (network.penalised(str(k))[n] for k in layers) if e.rhs != 0))
                 for n, c in enumerate(network.penalties()))  # fmt: skip


def _elements(network: Network) -> dict[Expr, Expr]:
    """Return where the parameters are that a layer has one of."""
    layers = (network.parameters(str(k)) for k in range(1, network.depth + 2))
    return {scalar(name): array(name)[0] for found in layers for name, axes in found.items() if not axes}


def stages_of(network: Network, parts: Sections) -> Stages:
    """Return the equations of layers 1 to L + 1, from those of the generic layers."""
    depth, hidden = network.depth, dict(parts.hidden)
    loss, output = parts.output.results
    forward, backward, gradients, updates, learnt = [], [], [], [], []
    for k, g in enumerate(network.hidden, 1):
        forward += [network.pre_activation(str(k)), network.activation(g, str(k))]
    forward += [network.pre_activation(str(depth + 1)), network.outputs(str(depth + 1))]
    backward.append(at_layer(output, depth + 1, depth))
    for k in range(depth, 0, -1):
        results = [at_layer(e, k, depth) for e in hidden[network.hidden[k - 1]].results]
        backward += [e for e in results if not e.is_update]
        learnt += [e for e in results if e.is_update]
    for k in range(1, depth + 2):
        results = [at_layer(e, k, depth) for e in parts.parameters.results]
        gradients += [e for e in results if not e.is_update]
        updates += [e for e in results if e.is_update]
    elements = _elements(network)
    composed = at_layer(loss, depth + 1, depth)
    forward, backward, updates = ([read_at(e, elements) for e in es] for es in (forward, backward, updates + learnt))
    forward, backward, gradients, updates = (
        [_with_other_indices(e) for e in es] for es in (forward, backward, gradients, updates)
    )
    # those of learnt parameters are last, and stored
    pairs = [_stored_first(network, g, u) for g, u in zip(gradients, updates, strict=False)]
    updates[: len(pairs)] = (u for _, u in pairs)
    objective = tuple(e for e in map(_with_penalty, gradients, updates) if e.rhs != e.lhs)
    return Stages(
        tuple(forward), _with_other_indices(composed), (*backward, *(g for g, _ in pairs if g is not None)),
        tuple(g for g, (stored, _) in zip(gradients, pairs, strict=True) if stored is None), tuple(updates),
        _penalties(network), objective
    )  # fmt: skip


def _stored_first(network: Network, gradient: Equation, update: Equation) -> tuple[Equation | None, Equation]:
    """Return a gradient that reads other elements of parameters, which must be the old ones, and the update by it."""
    every = {name for k in range(1, network.depth + 2) for name in network.parameters(str(k))}
    if not names_in(gradient.rhs.xreplace({update.lhs: Integer(0)})) & every:
        return None, update
    rhs = (update.rhs + α * gradient.rhs - α * gradient.lhs).expand()
    return gradient, replace(update, rhs=rhs)


def _with_penalty(gradient: Equation, update: Equation) -> Equation:
    """Return ∂(l + λΩ)/∂θ, which is what the update θ + αΔ subtracts: -Δ."""
    return Equation(gradient.lhs, ((update.lhs - update.rhs) / α).expand(), gradient.over, gradient.why)


def _with_other_indices(equation: Equation) -> Equation:
    """Return an equation whose sums have no index r, s or n, which count examples in kernels."""
    bound = {limit[0].name for node in equation.rhs.atoms(*Reduction) for limit in node.limits}
    if not bound & COUNTERS:
        return equation
    return replace(equation, rhs=named(canonical(equation.rhs), COUNTERS))


def read_at(equation: Equation, elements: Mapping[Expr, Expr]) -> Equation:
    """Return an equation with some scalars written as the elements of arrays that hold them."""
    return Equation(equation.lhs.xreplace(elements), equation.rhs.xreplace(elements), equation.over, equation.why)
