"""What the generated module is held to: at least so many times a peer's examples a second."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from symbackprop.bench.peers import OURS
from symbackprop.bench.side_by_side import Comparison

SGEMM = "sgemm's operations a second"
_LOOPS, _C, _SWEEP = "Numba loops by hand", "C, naive", "C, one sweep, 512 bits, unrolled"
_JAX, _TORCH = "JAX jit(scan)", "PyTorch optim.SGD"
_OF_32, _OF_128 = "PyTorch, mini-batches of 32", "PyTorch, mini-batches of 128"

BARS: dict[str, dict[str, float]] = {
    "784-128-10": {_C: 2.8, _LOOPS: 2.8, _SWEEP: 1.6, _JAX: 2, _TORCH: 60, _OF_128: 1, SGEMM: 0.45},
    "784-800-10": {_LOOPS: 4, SGEMM: 0.47},
    "784-512-512-10": {_C: 2.5, _JAX: 3.5, _OF_32: 1},
    "64-32-10": {_LOOPS: 2, _C: 1.1, _JAX: 2.8, _OF_128: 5},
    "4-8-3": {_LOOPS: 1.6, _JAX: 7},
}


@dataclass(frozen=True)
class Verdict:
    """One bar, and what was measured; `measured` is None where the peer took no part."""

    network: str
    peer: str
    bar: float
    measured: float | None

    @property
    def word(self) -> str:
        """Met, not met or not measured."""
        return "not measured" if self.measured is None else "met" if self.measured >= self.bar else "not met"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**vars(self), "verdict": self.word}


def verdicts(comparisons: Iterable[Comparison]) -> list[Verdict]:
    """Return the verdict on every bar of the networks compared."""
    return [
        Verdict(comparison.task.name, peer, bar, _measured(comparison, peer))
        for comparison in comparisons
        for peer, bar in BARS.get(comparison.task.name, {}).items()
    ]


def _measured(comparison: Comparison, peer: str) -> float | None:
    ours = comparison.result(OURS)
    if ours is None:
        return 0.0 if any(r.peer.name == OURS for r in comparison.results) else None  # wrong is never met
    if peer == SGEMM:
        return comparison.part_of_peak(ours)
    result = comparison.result(peer)
    return comparison.ratio(result) if result else None
