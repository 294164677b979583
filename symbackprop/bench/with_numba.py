"""Plain loops by hand in Numba, with `math.tanh` and `math.exp` and the flags that the generated modules have."""

from math import exp, tanh
from typing import Any

import numpy as np
from numba import njit

from symbackprop.bench.task import Parameters, Run, Task

FAST = {"reassoc", "contract", "nsz", "arcp", "afn"}


def per_example(task: Task) -> Run:
    """Forward, backward and update, each with a sweep of its own over the weights."""
    step, shrink = np.float32(task.learning_rate), np.float32(2 * task.learning_rate * task.l2)
    hidden = [(np.empty(n, np.float32), np.empty(n, np.float32)) for n in task.sizes[1:]]
    H, D = (tuple(arrays) for arrays in zip(*hidden, strict=True))

    def run(parameters: Parameters) -> Parameters:
        sgd(task.X, task.y, task.order, tuple(parameters[::2]), tuple(parameters[1::2]), H, D, step, shrink)
        return parameters

    return run


compiled = njit(nogil=True, error_model="numpy", fastmath=FAST)
inlined = njit(error_model="numpy", fastmath=FAST, forceinline=True)


@inlined
def affine(W: Any, b: Any, h: Any, a: Any) -> None:
    """Set a = b + W h."""
    for i in range(W.shape[0]):
        total = b[i]
        for j in range(W.shape[1]):
            total += W[i, j] * h[j]
        a[i] = total


@inlined
def softmax(a: Any, f: Any) -> None:
    """Set f = softmax(a)."""
    largest, total = a[0], np.float32(0)
    for i in range(a.size):
        largest = max(largest, a[i])
    for i in range(a.size):
        f[i] = exp(a[i] - largest)
        total += f[i]
    for i in range(a.size):
        f[i] /= total


@inlined
def back(W: Any, h: Any, above: Any, below: Any) -> None:
    """Set below = Wᵀ above ⊙ (1 - h²)."""
    for j in range(below.size):
        below[j] = np.float32(0)
    for i in range(W.shape[0]):
        for j in range(W.shape[1]):
            below[j] += W[i, j] * above[i]
    for j in range(below.size):
        below[j] *= np.float32(1) - h[j] * h[j]


@inlined
def update(W: Any, b: Any, h: Any, δ: Any, step: Any, shrink: Any) -> None:
    """Take one step with the gradient δ hᵀ and the penalty's."""
    for i in range(W.shape[0]):
        d = step * δ[i]
        for j in range(W.shape[1]):
            W[i, j] -= d * h[j] + shrink * W[i, j]
        b[i] -= d


@compiled
def sgd(X: Any, Y: Any, order: Any, W: Any, b: Any, H: Any, D: Any, step: Any, shrink: Any) -> None:
    """Update after each example of X[order]; H and D are room to work in, one array for each layer."""
    last = len(W) - 1
    for n in order:
        h = X[n]
        for k in range(last):
            affine(W[k], b[k], h, H[k])
            for i in range(H[k].size):
                H[k][i] = tanh(H[k][i])
            h = H[k]
        affine(W[last], b[last], h, H[last])
        softmax(H[last], D[last])
        D[last][Y[n]] -= np.float32(1)
        for k in range(last, 0, -1):
            back(W[k], H[k - 1], D[k], D[k - 1])
            update(W[k], b[k], H[k - 1], D[k], step, shrink)
        update(W[0], b[0], X[n], D[0], step, shrink)
