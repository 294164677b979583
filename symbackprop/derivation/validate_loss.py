"""Whether a loss can be trained with, by its values at many outputs for several targets.

What targets will be nobody says beforehand: a loss of f and y is sound if it is for one kind of them, be it any
numbers, positive ones, counts, 0 and 1, or -1 and 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from sympy import Add, Expr, Indexed, Integer, Max

from symbackprop.definitions.losses import LOSSES
from symbackprop.definitions.resolved import ResolvedNetwork
from symbackprop.expr.evaluate import evaluated
from symbackprop.expr.indices import rebuild
from symbackprop.expr.reductions import Maximum
from symbackprop.expr.symbols import LABEL, name_of, scalar

Numbers = np.ndarray[Any, np.dtype[Any]]

OUTPUTS = 3
SATURATED = 30.0  # pre-activations of it give softmax and sigmoid outputs that are 0 or 1 to 13 digits
TAME = 50.0  # outputs below it overflow in no function: an infinite loss is a pole
MAGNITUDES = np.array([0.01, 0.3, 1, 3, 10, 40, 80, 160, 320, 1e4, 1e8, 1e16, 1e30])
MODERATE = 5  # so many magnitudes saturate no output
DISTANCES = np.append(10.0 ** -np.arange(1, 9), 0)  # from where the output is the target, and that place
CLOSE = 1e-9  # relative to how much a loss varies at moderate outputs
NOT_REAL = 1e-4
ASIDE, ROUNDED = 1e-4, 1e-12
KINDS: dict[str, tuple[float, ...]] = {
    "any numbers": (0, -0.5, 0.5, 1, -1, 2.5, -3, 20, -60, 60),
    "positive numbers": (1, 0.5, 2.5, 0.01, 20, 60),
    "counts": (0, 1, 2, 5, 30),
    "numbers from 0 to 1": (0, 1, 0.5, 0.25, 0.9),
    "-1 and 1": (1, -1),
    "0 and 1": (0, 1),
}


@dataclass(frozen=True)
class Landscape:
    """A loss over outputs, for several targets of one kind.

    Attributes
    ----------
    targets
        (targets, OUTPUTS): the numbers y, or 1 for the right class and 0 for the others.
    outward, outputs
        The loss, (targets, rays, magnitudes), where pre-activations grow along rays, and the outputs there,
        (OUTPUTS, 1, rays, magnitudes): the same for all targets.
    inward
        The loss, (targets, rays, distances), on the way to where the output is the target, and there.
    """

    targets: Numbers
    outward: Numbers
    outputs: Numbers
    inward: Numbers

    @property
    def moderate(self) -> Numbers:
        """The real loss at moderate outputs, (targets, ...), NaN where it is not finite."""
        losses = self.outward.real[..., :MODERATE].reshape(len(self.targets), -1)
        return np.where(np.isfinite(losses), losses, np.nan)

    @property
    def scale(self) -> Numbers:
        """How much the loss of each target varies at moderate outputs, 0 where it is never finite."""
        losses = self.moderate
        return np.array([np.ptp(row[~np.isnan(row)]) if not np.isnan(row).all() else 0.0 for row in losses])

    @property
    def unreal(self) -> tuple[Numbers, Numbers] | None:
        """Outputs and a target for which the loss is not real, or nowhere finite; None where there are none."""
        tame = np.isfinite(self.outward) & (abs(self.outputs).max(axis=0) <= TAME)
        wrong = tame & (abs(self.outward.imag) > NOT_REAL * (1 + abs(self.outward.real)))
        if not wrong.any():
            wrong |= ~tame.any(axis=(1, 2), keepdims=True)
        order = np.roll(np.arange(len(MAGNITUDES)), -2)  # of pre-activations of 1 first: they are read most easily
        places = np.argwhere(wrong[..., order])
        if not len(places):
            return None
        target, ray, magnitude = places[0]
        return self.outputs[:, 0, ray, order[magnitude]].real, self.targets[target]

    @property
    def falls_without_end(self) -> bool:
        """Whether a loss falls along a ray to the last place where it is finite, far below all moderate values."""
        poles = (self.outward.real == -np.inf) & ~np.isnan(self.outward.imag) & (abs(self.outputs).max(axis=0) <= TAME)
        known = self.scale > 0
        if poles[known].any():
            return True
        floors = np.nanmin(self.moderate[known], axis=1) - self.scale[known]
        along = zip(self.outward.real[known], floors, strict=True)
        if any(_falls(ray, floor) for rays, floor in along for ray in rays):
            return True
        with np.errstate(invalid="ignore"):  # towards a pole, every distance a tenth of the last brings as much or more
            steps = -np.diff(self.inward.real[known][..., :-1], axis=2)
            return bool(((steps > 0).all(axis=2) & (steps[..., -1] > steps[..., 0] / 2)).any())

    @property
    def is_worst_at_target(self) -> bool:
        """Whether nowhere the loss of any target is larger than at the outputs that are the target."""
        nearest = np.nanmin(self.inward.real[..., -1], axis=1, initial=np.inf)
        largest = np.nanmax(self.outward.real, axis=(1, 2), initial=-np.inf)
        return bool(((self.scale > 0) & (nearest >= largest - CLOSE * self.scale)).all())

    @property
    def has_one_best_output(self) -> bool:
        """Whether some outputs have, of all targets, as small a loss as any others have."""
        losses = np.where(np.isfinite(self.outward.real), self.outward.real, np.inf)
        least = losses.min(axis=(1, 2), keepdims=True)
        best = losses <= least + ROUNDED * (1 + abs(least))
        return bool(best.all(axis=0).any())


def require_sound(network: ResolvedNetwork) -> None:
    """Raise ValueError for a loss that is not real at outputs that the network may have, or flat almost everywhere."""
    landscapes, name = list(_landscapes(network)), _name(network)
    places = [landscape.unreal for landscape in landscapes]
    if place := all(places) and places[0]:
        suitable = LOSSES[name].output if name in LOSSES else "softmax or sigmoid, if these suit it"
        f, y = (_shown(numbers) for numbers in place)
        target = "" if network.target_kind == "label" else f" and y = {y}"
        raise ValueError(
            f"the loss {name} is not real at f = {f}{target}, and the output function {network.names['output']} "
            f"may give such an f: use the output function {suitable}, or another loss"
        )
    if name not in LOSSES and _is_flat(network):
        raise ValueError(f"the loss {name} is flat almost everywhere: its derivative is 0, nothing would be learnt; "
                         "give a formula with a slope, such as (f - y)**2")  # fmt: skip


def advise_on_loss(network: ResolvedNetwork) -> list[str]:
    """Return in one line what speaks against a loss for every kind of target; nothing if there is a kind it suits."""
    verdicts = [_verdict(landscape) for landscape in _landscapes(network)]
    return [f"the loss {_name(network)} {verdicts[0]}"] if all(verdicts) else []


def _verdict(landscape: Landscape) -> str:
    if landscape.falls_without_end:
        return "has no lower bound: some outputs make it as small as they like; training will diverge"
    if landscape.is_worst_at_target:
        return "is largest where the output is the target: training moves away from it; did you mean its negative?"
    if landscape.has_one_best_output:
        return "is smallest at the same outputs whatever the target is: nothing is learnt about targets"
    return ""


def _landscapes(network: ResolvedNetwork) -> Iterator[Landscape]:
    """Return the loss of several targets of each kind that the output and the loss may be meant for."""
    loss, outputs = _formulas(network)
    rays = _rays()[:, None, :, None]
    outward = _values_of_each(outputs, {"a": rays * MAGNITUDES})
    for targets in _targets(network):
        ideal = _ideal(network, targets).T[:, :, None, None]
        inward = _values_of_each(outputs, {"a": ideal + rays * DISTANCES})
        y = targets.T[:, :, None, None]
        away, near = (_values_of_targets(loss, f, y) for f in (outward, inward))
        yield Landscape(targets, away, outward, near)


def _targets(network: ResolvedNetwork) -> Iterator[Numbers]:
    output = network.names["output"]
    if network.target_kind == "label" or output == "softmax":
        yield np.eye(OUTPUTS)
        return
    for numbers in KINDS.values():
        if output != "sigmoid" or {*numbers} <= {*KINDS["numbers from 0 to 1"]}:
            turned = [numbers[n:] + numbers[:n] for n in range(OUTPUTS)]
            yield np.array([*((n,) * OUTPUTS for n in numbers), *zip(*turned, strict=True)], float)


def _ideal(network: ResolvedNetwork, targets: Numbers) -> Numbers:
    """Return the pre-activations whose outputs are the targets, or nearly so."""
    if network.target_kind == "label" or network.names["output"] == "softmax":
        return SATURATED * (2 * targets - 1)
    if network.names["output"] == "sigmoid":
        with np.errstate(divide="ignore"):
            return np.clip(np.log(targets) - np.log1p(-targets), -SATURATED, SATURATED)
    return targets


@cache
def _rays() -> Numbers:
    """Return directions, (OUTPUTS, rays): those of signs and axes, equal signs first, and as many at random."""
    fixed = [ray for ray in product((-1.0, 0.0, 1.0), repeat=OUTPUTS) if any(ray)]
    fixed.sort(key=lambda ray: len({*ray}))
    return np.concatenate([fixed, np.random.default_rng(0).standard_normal((len(fixed), OUTPUTS))]).T


def _formulas(network: ResolvedNetwork) -> tuple[list[Expr], list[Expr]]:
    """Return the loss, one formula for all targets or one for each class, and the formula of each output."""
    loss, output = network.loss_of_output, network.output
    classes = [{LABEL: Integer(n)} for n in range(OUTPUTS)] if network.target_kind == "label" else [{}]
    places = [{output.over[0].index: Integer(n)} for n in range(OUTPUTS)]
    return [_write_out(loss.xreplace(c)) for c in classes], [_write_out(output.rhs.xreplace(p)) for p in places]


def _write_out(expr: Expr) -> Expr:
    """Return a formula without sums over the outputs."""

    def unroll(reduction: Expr) -> Expr:
        whole = reduction.function
        for i, *_ in reduction.limits:
            terms = [whole.xreplace({i: Integer(n)}) for n in range(OUTPUTS)]
            whole = Max(*terms) if isinstance(reduction, Maximum) else Add(*terms)
        return whole

    return rebuild(expr, unroll)


def _values_of_targets(loss: list[Expr], f: Numbers, y: Numbers) -> Numbers:
    """Return the loss of each target, (targets, rays, ...)."""
    if len(loss) == 1:
        return _values(loss[0], {"f": f, "y": y})
    of_class = [_values(part, {"f": f}) for part in loss]
    return np.array([values[n if len(values) > 1 else 0] for n, values in enumerate(of_class)])


def _values_of_each(formulas: list[Expr], arrays: dict[str, Numbers]) -> Numbers:
    return np.array([_values(each, arrays) for each in formulas])


def _values(expr: Expr, arrays: dict[str, Numbers]) -> Numbers:
    """Return the complex values of a formula whose arrays' elements are arrays."""
    scalars, elements = _scalars(expr)
    places = {s: (name_of(e).partition("^")[0], int(e.indices[0]) % OUTPUTS) for s, e in elements.items()}
    at = {symbol: arrays[letter][n].astype(complex) for symbol, (letter, n) in places.items()}
    shape = np.broadcast_shapes(*(values.shape[1:] for values in arrays.values()))
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(evaluated(scalars, at), complex), shape)


def _scalars(expr: Expr) -> tuple[Expr, dict[Expr, Indexed]]:
    """Return a formula with scalars in place of array elements, and what they stand for."""
    elements = sorted(expr.atoms(Indexed), key=str)
    scalars = {e: scalar(f"·{n}") for n, e in enumerate(elements)}
    return expr.xreplace(scalars), {symbol: e for e, symbol in scalars.items()}


def _falls(values: Numbers, floor: float) -> bool:
    """Whether the last of the finite values are below a floor, each below the one before."""
    known = values[np.isfinite(values)]
    return bool(known.size > 2 and known[-1] < floor and known[-1] < known[-2] < known[-3])


def _is_flat(network: ResolvedNetwork) -> bool:
    """Whether the loss nowhere takes three values at outputs side by side: it is made of steps."""
    loss, outputs = _formulas(network)
    a = _rays()[:, None, :, None] * MAGNITUDES[:MODERATE]
    for targets in _targets(network):
        beside = (_values_of_each(outputs, {"a": a * (1 + n * ASIDE)}) for n in range(3))
        one, two, three = (_values_of_targets(loss, f, targets.T[:, :, None, None]).real for f in beside)
        with np.errstate(invalid="ignore"):
            moved = (abs(np.diff([one, two, three], axis=0)) > ROUNDED * (1 + abs(one))).all(axis=0)
        if moved.any():
            return False
    return True


def _name(network: ResolvedNetwork) -> str:
    return str(network.names["loss"])


def _shown(numbers: Numbers) -> str:
    texts = [f"{n:.3g}" for n in numbers]
    return texts[0] if len({*texts}) == 1 else f"({', '.join(texts)})"
