"""The equations of a whole network in the order of computation, from the derivations of its layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sympy import Expr

from symbackprop.definitions.instantiate import INDICES
from symbackprop.definitions.resolved import ResolvedNetwork
from symbackprop.derivation.layers import derive_network
from symbackprop.derivation.update import clipping
from symbackprop.expr.equations import Equation
from symbackprop.expr.reductions import Reduction
from symbackprop.expr.symbols import Axis, array, index, names_in, scalar
from symbackprop.precision.apply import Forms
from symbackprop.precision.max_shift import stabilise
from symbackprop.precision.slopes import Slopes


@dataclass(frozen=True)
class Stages:
    """The equations of a whole network in the order in which they are computed, as derived, not yet stabilised.

    Gradients that have to be stored before any parameter is updated are in `backward`, `gradients` has the others in
    the order of their updates. `objective` has
    the gradients of l + λΩ that are not in `backward`; `clipping` follows `backward` before the updates. `slopes`
    are those of `forward` that are computed beside values. What a layer has one of is an array of one element, its
    gradient a scalar.
    """

    forward: tuple[Equation, ...]
    loss: Equation
    backward: tuple[Equation, ...]
    gradients: tuple[Equation, ...]
    updates: tuple[Equation, ...]
    penalties: tuple[tuple[Expr, tuple[Equation, ...]], ...]
    objective: tuple[Equation, ...]
    clipping: tuple[Equation, ...] = ()
    slopes: tuple[Equation, ...] = ()

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
        kept = tuple(slopes.kept.values())
        return replace(self, forward=forward, loss=forms.rewritten(self.loss), backward=backward, slopes=kept)

    @property
    def predicting(self) -> tuple[Equation, ...]:
        """What computes the outputs: the forward pass without slopes."""
        slopes = {e.lhs for e in self.slopes}
        return tuple(e for e in self.forward if e.lhs not in slopes)

    def stable(self) -> Stages:
        """Return the stages with all sums of exponentials shifted, together: what stores a maximum has one name."""
        whole = stabilise((*self.forward, self.loss, *self.backward))
        lefts = [e.lhs for e in whole]
        ends = [lefts.index(self.forward[-1].lhs) + 1, lefts.index(self.loss.lhs)]
        forward, between, backward = whole[: ends[0]], whole[ends[0] : ends[1]], whole[ends[1] + 1 :]
        return replace(self, forward=(*forward, *between), loss=whole[ends[1]], backward=backward)


def stages_of_network(network: ResolvedNetwork) -> Stages:
    """Derive a network's gradients and return all its equations."""
    derived = derive_network(network)
    elements, every = _elements(network), derived.parameters
    parts: tuple[Iterable[Equation], ...] = (
        derived.forward, (derived.composed,), derived.backward,
        (e for p in every if not p.stored for e in p.gradient), (e for p in every for e in p.updates),
        (e for p in every for e in p.objective), (p.kept for p in every),
    )  # fmt: skip
    forward, loss, backward, gradients, updates, objective, kept = (
        tuple(read_at(for_kernels(e), elements) for e in part) for part in parts
    )
    bounded = tuple(read_at(e, elements) for e in clipping(kept)) if network.update.clip else ()
    return Stages(forward, loss[0], backward, gradients, updates, _penalties(network), objective, bounded)


def for_kernels(equation: Equation) -> Equation:
    """Return an equation without the indices r, s and n, which count examples in kernels."""
    used = {*equation.ranges} | {limit[0] for node in equation.rhs.atoms(*Reduction) for limit in node.limits}
    free = [letter for letter in INDICES if index(letter) not in used]
    swap = {i: index(free.pop(0)) for i in sorted(used, key=str) if i.name not in INDICES}
    over = tuple(Axis(swap.get(a.index, a.index).name, a.size) for a in equation.over)
    return Equation(equation.lhs.xreplace(swap), equation.rhs.xreplace(swap), over, equation.role)


def _penalties(network: ResolvedNetwork) -> tuple[tuple[Expr, tuple[Equation, ...]], ...]:
    return tuple((scalar(c), tuple(e for e in (layer.penalties[n] for layer in network.layers) if e.rhs != 0))
                 for n, c in enumerate(network.penalties))  # fmt: skip


def _elements(network: ResolvedNetwork) -> dict[Expr, Expr]:
    """Return where the parameters are that a layer has one of."""
    alone = (θ for θ in network.parameters if not θ.axes)
    return {scalar(n): array(n)[0] for θ in alone for n in (θ.name, *θ.state)}


def read_at(equation: Equation, elements: Mapping[Expr, Expr]) -> Equation:
    """Return an equation with some scalars written as the elements of arrays that hold them."""
    return Equation(equation.lhs.xreplace(elements), equation.rhs.xreplace(elements), equation.over, equation.role)
