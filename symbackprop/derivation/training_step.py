"""The equations of a whole network, from the derivations of its generic layers, in the order of computation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sympy import Add, Expr

from symbackprop.calculus.chain_rule import Wanted
from symbackprop.definitions.network import Network
from symbackprop.derivation.layers import derive_layers, for_kernels
from symbackprop.derivation.network import Sections, sections
from symbackprop.derivation.rename import at_layer
from symbackprop.derivation.update import clipping, reads_parameters, regularised, state_of
from symbackprop.expr.equations import Equation
from symbackprop.expr.symbols import array, names_in, scalar
from symbackprop.precision.apply import Forms
from symbackprop.precision.max_shift import stabilise
from symbackprop.precision.slopes import Slopes


@dataclass(frozen=True)
class Stages:
    """The equations of a whole network in the order in which they are computed, as derived, not yet stabilised.

    Gradients that have to be stored before any parameter is updated are in `backward`; `gradients` has the others of
    dense layers, in the order of their updates, which come first, and all of a network of layers. `objective` has
    the gradients of l + λΩ that are not in `backward`; `clipping` follows `backward` before the updates. What a layer
    has one of is an array of one element, its gradient a scalar.
    """

    forward: tuple[Equation, ...]
    loss: Equation
    backward: tuple[Equation, ...]
    gradients: tuple[Equation, ...]
    updates: tuple[Equation, ...]
    penalties: tuple[tuple[Expr, tuple[Equation, ...]], ...]
    objective: tuple[Equation, ...]
    clipping: tuple[Equation, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names of all that is computed, updated and read."""
        parts = (self.forward, (self.loss,), self.backward, self.clipping, self.updates, self.objective)
        return frozenset(name for part in parts for e in part for name in (e.name, *names_in(e.rhs)))

    def in_forms(self, forms: Forms, *, beside: bool = True) -> Stages:
        """Return the stages with what an example computes, forward and backward, in the forms chosen for it.

        Slopes that would lose their digits through the stored values are kept `beside` these, in the forward pass,
        or else computed where they are read.
        """
        slopes = Slopes()
        keep = slopes.keep if beside else None
        backward = tuple(forms.rewritten(e, self.forward, keep) for e in self.backward)
        forward = slopes.beside(tuple(map(forms.rewritten, self.forward)))
        return replace(self, forward=forward, loss=forms.rewritten(self.loss), backward=backward)

    @property
    def predicting(self) -> tuple[Equation, ...]:
        """What computes the outputs: the forward pass without slopes."""
        return tuple(e for e in self.forward if not e.name.startswith("∂"))

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
    whole = [_itself(e) for e in gradients if e.name.startswith("∂") and not e.is_update]
    bounded = tuple(read_at(e, elements) for e in _clipping(network, whole))
    return Stages(forward, loss[0], backward, gradients, updates, _penalties(network), objective, bounded)


def _penalties(network: Network) -> tuple[tuple[Expr, tuple[Equation, ...]], ...]:
    layers = range(1, network.depth + 2)
    return tuple((scalar(c), tuple(e for e in (network.penalised(str(k))[n] for k in layers) if e.rhs != 0))
                 for n, c in enumerate(network.penalties()))  # fmt: skip


def _elements(network: Network) -> dict[Expr, Expr]:
    """Return where the parameters are that a layer has one of."""
    layers = (network.parameters(str(k)) for k in range(1, network.depth + 2))
    alone = [name for found in layers for name, axes in found.items() if not axes]
    return {scalar(n): array(n)[0] for name in alone for n in (name, *state_of(network, name))}


def stages_of(network: Network, parts: Sections) -> Stages:
    """Return the equations of layers 1 to L + 1, from those of the generic layers."""
    depth, hidden = network.depth, dict(parts.hidden)
    loss, output = parts.output.results
    forward, backward, updates, learnt, objective = [], [], [], [], []
    gradients: list[Equation] = []
    for k, g in enumerate(network.hidden, 1):
        forward += [network.pre_activation(str(k)), *network.activated(g, str(k))]
    forward += [network.pre_activation(str(depth + 1)), network.outputs(str(depth + 1))]
    backward.append(at_layer(output, depth + 1, depth))
    for k in range(depth, 0, -1):
        results = [at_layer(e, k, depth) for e in hidden[network.hidden[k - 1]].results]
        backward += [e for e in results if e.name.startswith("∂")]
        learnt += [e for e in results if not e.name.startswith("∂")]
    stored: list[Equation] = []
    for k in range(1, depth + 2):
        results = [at_layer(e, k, depth) for e in parts.parameters.results]
        updates += [e for e in results if not e.name.startswith("∂")]
        for gradient in (e for e in results if e.name.startswith("∂")):
            first = reads_parameters(network, (gradient,), _of(gradient).element)
            (stored if first else gradients).append(gradient)
            objective += _with_penalty(network, str(k), _itself(gradient) if first else gradient)
    every = [*gradients, *map(_itself, stored), *(_itself(e) for e in backward if e.why == "learnt parameters")]
    bounded = _clipping(network, every)
    elements = _elements(network)
    composed = at_layer(loss, depth + 1, depth)

    def whole(equations: Iterable[Equation]) -> tuple[Equation, ...]:
        return tuple(read_at(for_kernels(e), elements) for e in equations)

    loss, backward = for_kernels(composed), [*backward, *stored]
    return Stages(
        whole(forward), loss, whole(backward), tuple(gradients), whole(updates + learnt), _penalties(network),
        whole(objective), whole(bounded),
    )  # fmt: skip


def _clipping(network: Network, gradients: Iterable[Equation]) -> tuple[Equation, ...]:
    return clipping(gradients) if network.chosen_update.clip else ()


def _of(gradient: Equation) -> Wanted:
    """Return the parameter of a gradient."""
    return Wanted(gradient.name.removeprefix("∂l/∂"), gradient.over, gradient.why)


def _with_penalty(network: Network, layer: str, gradient: Equation) -> list[Equation]:
    """Return ∂(l + λΩ)/∂θ; nothing where it is what is stored already."""
    _, slopes = regularised(network, layer, _of(gradient))
    made = replace(gradient, rhs=gradient.rhs + Add(*(λ * slope for λ, _, slope in slopes)))
    return [made] if made.rhs != made.lhs else []


def _itself(gradient: Equation) -> Equation:
    """Return a stored gradient as what it is stored in."""
    return replace(gradient, rhs=gradient.lhs)


def read_at(equation: Equation, elements: Mapping[Expr, Expr]) -> Equation:
    """Return an equation with some scalars written as the elements of arrays that hold them."""
    return Equation(equation.lhs.xreplace(elements), equation.rhs.xreplace(elements), equation.over, equation.why)
