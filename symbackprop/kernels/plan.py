"""Which orders of computation the updates of a network may have, and why not others."""

from __future__ import annotations

from dataclasses import dataclass, replace

from symbackprop.calculus.block_recurrence import Deferral, defer
from symbackprop.calculus.recurrence import Refusal
from symbackprop.derivation.training_step import Stages
from symbackprop.expr.reductions import Sum
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import scalar
from symbackprop.kernels.sweeps import is_of_first_layer
from symbackprop.kernels.training_step import in_patches, with_step
from symbackprop.loops.calls import is_product


@dataclass(frozen=True)
class Plan:
    """The orders of computation of a network.

    Attributes
    ----------
    deferral
        How the first layer's updates are made once a block, or why they are not.
    outlined
        Whether an example is work enough for products of matrices, so that a batch is example after example.
    """

    deferral: Deferral | Refusal
    outlined: bool

    @property
    def refused(self) -> dict[str, str]:
        """Why an order is missing, by its name."""
        return {"deferred": self.deferral.reason} if isinstance(self.deferral, Refusal) else {}


def plan_of(stages: Stages) -> Plan:
    """Return which orders of computation the updates of a network may have."""
    deferral = _deferral_of(stages)
    return Plan(deferral, isinstance(deferral, Refusal) and has_products(stages))


def has_products(stages: Stages) -> bool:
    """Whether one example of a network has sums of products that kernels compute."""
    return any(map(is_product, in_patches(stages).forward))


def _deferral_of(stages: Stages) -> Deferral | Refusal:
    of_first = [u for u in with_step(stages.updates) if len(u.over) > 1 and is_of_first_layer(u)]
    if any(u.role is Role.MAX_NORM for u in of_first):
        return Refusal("a unit's weights are divided by their norm after every update")
    if not of_first:
        return Refusal("the first layer has no weight matrix")
    found = defer(of_first, stages.forward[0], stages.names)
    bounded = stages.clipping if isinstance(found, Refusal) else with_gram(stages, found).clipping
    deferred = {u.name for u in of_first}  # their updates are part of the deferral
    rest = (*stages.forward[1:], stages.loss, *stages.backward, *bounded,
            *(u for u in stages.updates if u.name not in deferred))  # fmt: skip
    inputs = scalar("h^0")
    if any(inputs in e.rhs.free_symbols for e in rest):
        return Refusal("the inputs are read by more than the first layer's weights")
    if isinstance(found, Deferral) and inputs in found.read.rhs.free_symbols:
        return Refusal("the first layer reads the inputs beside its weights too")
    return found


def with_gram(stages: Stages, deferral: Deferral) -> Stages:
    """Return the stages with Σⱼ xⱼ² of an example read from the block's Gram matrix."""
    gram = deferral.before[-1].lhs
    (r, _), h = gram.indices, deferral.input
    changed = (
        {s: gram.base[r, r] for s in e.rhs.atoms(Sum) if s.function == h.base[s.limits[0][0]] ** 2}
        for e in stages.clipping
    )
    clipping = (replace(e, rhs=e.rhs.xreplace(swap)) for e, swap in zip(stages.clipping, changed, strict=True))
    return replace(stages, clipping=tuple(clipping))
