"""Time the peers in turn, again and again, and see that what they computed is right."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from symbackprop.bench.peers import OURS, Absent, Peer
from symbackprop.bench.task import Parameters, Run, Task, useful_flops
from symbackprop.bench.with_numpy import reference

TOLERANCE = 1e-4  # of the final loss, relative
FEWEST = 128  # examples of the slowest peer, or 8 of its mini-batches
SIDE = 1024  # of the square matrices of sgemm
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass
class Result:
    """What one peer came to: its times, or a word why it has none."""

    peer: Peer
    examples: int = 0
    seconds: list[float] = field(default_factory=list)
    loss: float = float("nan")
    expected: float = float("nan")
    word: str = ""

    @property
    def is_right(self) -> bool:
        """It took part, and its final loss is that of the reference."""
        return not self.word and abs(self.loss - self.expected) <= TOLERANCE * abs(self.expected)

    @property
    def rate(self) -> float:
        """Examples a second, the median of the repeats."""
        return self.examples / statistics.median(self.seconds)


@dataclass
class Comparison:
    """The results of one task, and this machine's sgemm between them."""

    task: Task
    results: list[Result]
    sgemm: list[float]  # FLOP/s of each repeat

    def result(self, name: str) -> Result | None:
        """Return a peer's result; None if it has none that is right."""
        found = (r for r in self.results if r.peer.name == name and r.is_right)
        return next(found, None)

    def ratio(self, result: Result) -> float:
        """Return how many times faster the generated module is: the median over the repeats."""
        ours = self.result(OURS)
        if ours is None:
            return float("nan")
        per_example = [[s / r.examples for s in r.seconds] for r in (result, ours)]
        return statistics.median(peer / own for peer, own in zip(*per_example, strict=True))

    def part_of_peak(self, result: Result) -> float:
        """Return the useful operations a second as a part of those of sgemm."""
        flops = useful_flops(self.task.sizes) * result.examples
        return statistics.median(flops / s / peak for s, peak in zip(result.seconds, self.sgemm, strict=True))


def compare(task: Task, peers: Iterable[Peer], *, repeats: int, seconds: float, clock: str = "wall") -> Comparison:
    """Let every peer run the task, in turn.

    Parameters
    ----------
    task
        With as many examples as the fastest get; slower peers get a half, a quarter, ... of them.
    peers
        Those that are not on this machine have a word in their result instead of times.
    repeats
        How often.
    seconds
        About how long one run of one peer may take.
    clock
        ``"wall"``, or ``"cpu"`` where other programs share the core.
    """
    results, runs = [], []
    for peer in peers:
        result, run = _prepare(task, peer, seconds)
        results.append(result)
        runs += [(result, run)] if run else []
    sgemm = _repeat(task, runs, repeats, CLOCKS[clock])
    expected = dict(_expected(task, {(r.examples, r.peer.batch) for r, _ in runs}))
    for result, _ in runs:
        result.expected = expected[result.examples, result.peer.batch]
        if not result.is_right:
            result.word = f"wrong: the final loss is {result.loss:.6g}, expected {result.expected:.6g}"
    return Comparison(task, results, sgemm)


def _repeat(task: Task, runs: list[tuple[Result, Run]], repeats: int, now: Callable[[], float]) -> list[float]:
    """Note the times and the last loss of each run; return the speed of sgemm between them."""
    sgemm = []
    generator = np.random.default_rng(0)
    for repeat in range(repeats):
        sgemm.append(_sgemm(now))
        for n in generator.permutation(len(runs)):  # nobody always follows the same one
            result, run = runs[n]
            took, parameters = _timed(run, task, now)
            result.seconds.append(took)
            if repeat == repeats - 1:
                result.loss = task.first(result.examples).loss(parameters)
    return sgemm


def _prepare(task: Task, peer: Peer, seconds: float) -> tuple[Result, Run | None]:
    """Choose how many examples a peer gets, by a short run; compile what runs them."""
    fewest = min(max(FEWEST, 8 * peer.batch), task.order.size)
    try:
        short = peer.make(task.first(fewest))
    except Absent as word:
        return Result(peer, word=f"left out: {word}"), None
    except ValueError as error:  # a schedule that this network does not have
        return Result(peer, word=f"left out: {error}"), None
    short(task.fresh())
    took = min(_timed(short, task, time.perf_counter)[0] for _ in range(3))
    examples = task.order.size
    while examples // 2 >= fewest and examples * took / fewest > seconds:
        examples //= 2
    run = peer.make(task.first(examples))
    run(task.fresh())
    return Result(peer, examples), run


def _timed(run: Run, task: Task, now: Callable[[], float]) -> tuple[float, Parameters]:
    """Return the seconds of one run from the first parameters, and its last ones."""
    parameters = task.fresh()
    start = now()
    parameters = run(parameters)
    return now() - start, parameters


def _expected(task: Task, wanted: set[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], float]]:
    for examples, batch in wanted:
        part = task.first(examples)
        yield (examples, batch), part.loss(reference(part, batch))


def _sgemm(now: Callable[[], float]) -> float:
    """Return FLOP/s of a product of two square float32 matrices, the best of three."""
    A = np.full((SIDE, SIDE), 0.5, np.float32)
    B = A.T.copy()
    seconds = []
    for _ in range(3):
        start = now()
        A @ B
        seconds.append(now() - start)
    return 2 * SIDE**3 / min(seconds)
