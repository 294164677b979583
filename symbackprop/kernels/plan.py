"""Which orders of computation the updates of a network may have, and why not others."""

from __future__ import annotations

from dataclasses import dataclass

from symbackprop.calculus.block_recurrence import Deferral, Refusal, defer
from symbackprop.derivation.training_step import Stages
from symbackprop.expr.symbols import scalar
from symbackprop.kernels.fast_orders import is_of_first_layer, with_gram
from symbackprop.kernels.outlined import by_example
from symbackprop.kernels.plain import with_step


@dataclass(frozen=True)
class Plan:
    """The orders of computation of a network.

    Attributes
    ----------
    deferral
        How the first layer's updates are made once a block, or why they are not.
    outlined
        Whether kernels share functions of one example, which is work enough for products of matrices.
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
    return Plan(deferral, isinstance(deferral, Refusal) and by_example(stages))


def _deferral_of(stages: Stages) -> Deferral | Refusal:
    of_first = [u for u in with_step(stages.updates) if len(u.over) > 1 and is_of_first_layer(u)]
    if any(u.why == "max-norm" for u in of_first):
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
