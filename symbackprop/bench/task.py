"""The work that is timed: a network, its first parameters, examples and their order; and what must come out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np

Parameters: TypeAlias = list[np.ndarray]  # W1, b1, W2, b2, ...
Run: TypeAlias = Callable[[Parameters], Parameters]  # may use up what it is given

LARGEST = 32768  # examples; more would only keep the reference busy
FLOPS = 5e9  # of one run of the fastest, about


@dataclass(frozen=True)
class Task:
    """Exact SGD over X[order] from given parameters: tanh, softmax, -log f[y], step size α, penalty λ Σ W²."""

    sizes: tuple[int, ...]
    X: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    order: np.ndarray = field(repr=False)
    parameters: Parameters = field(repr=False)
    learning_rate: float = 0.01
    l2: float = 1e-4  # float32 has lost a part of 1e-5 after 30,000 updates

    @property
    def name(self) -> str:
        """The sizes, as people write them."""
        return "-".join(map(str, self.sizes))

    def first(self, examples: int) -> "Task":
        """Return the task of the first examples of the order, without the others: looking at all of X takes time."""
        kept = np.sort(self.order[:examples])
        order = np.searchsorted(kept, self.order[:examples])
        return replace(self, X=self.X[kept], y=self.y[kept], order=order)

    def fresh(self) -> Parameters:
        """Return a copy of the first parameters."""
        return [value.copy() for value in self.parameters]

    def loss(self, parameters: Sequence[np.ndarray]) -> float:
        """Return the mean of -log f[y] over the visited examples, in float64."""
        H = self.X[self.order].astype(np.float64)
        wide = [np.asarray(value, np.float64) for value in parameters]
        for W, b in zip(wide[:-2:2], wide[1:-2:2], strict=True):
            H = np.tanh(H @ W.T + b)
        A = H @ wide[-2].T + wide[-1]
        A -= A.max(axis=1, keepdims=True)
        right = A[np.arange(len(A)), self.y[self.order]]
        return float((np.log(np.exp(A).sum(axis=1)) - right).mean())


def useful_flops(sizes: Sequence[int]) -> int:
    """Return the additions and multiplications that one example needs.

    Forward, backward and update are 2 n m each; the first layer has nothing below it to go back to.

    >>> useful_flops((784, 128, 10))
    409088
    """
    return sum((4 if k == 0 else 6) * n * m for k, (n, m) in enumerate(pairwise(sizes)))


def make_task(sizes: Sequence[int], seed: int = 0) -> Task:
    """Return a task with labels that can be learnt, enough of them for one run of about FLOPS."""
    generator = np.random.default_rng(seed)
    wanted = min(LARGEST, max(512, int(FLOPS / useful_flops(sizes))))
    examples = 1 << (wanted.bit_length() - 1)  # halves and quarters of it still are whole mini-batches
    scale = min(1.0, np.sqrt(50 / sizes[0]))
    X = (scale * generator.standard_normal((examples, sizes[0]))).astype(np.float32)
    y = (X @ generator.standard_normal((sizes[0], sizes[-1])).astype(np.float32)).argmax(axis=1)
    parameters: Parameters = []
    for n, m in pairwise(sizes):
        bound = np.sqrt(6 / (n + m))
        parameters += [generator.uniform(-bound, bound, (m, n)).astype(np.float32), np.zeros(m, np.float32)]
    return Task(tuple(sizes), X, y.astype(np.int64), generator.permutation(examples), parameters)


def parse_sizes(text: str) -> tuple[int, ...]:
    """Return the sizes of a network written as 784-128-10.

    Raises
    ------
    ValueError
        If it is not written so, or has no hidden layer.
    """
    parts = text.split("-")
    if len(parts) < 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"the network is {text!r}, expected units from inputs to outputs such as 784-128-10")
    return tuple(map(int, parts))
