"""Plain NumPy, written by hand after the lecture; in float64 it is the reference of all the others."""

from dataclasses import replace

import numpy as np

from symbackprop.bench.task import Parameters, Run, Task


def per_example(task: Task) -> Run:
    """Vectors and outer products, one update after each example."""

    def run(parameters: Parameters) -> Parameters:
        for n in task.order:
            _update(parameters, task.X[n], task.y[n], task.learning_rate, task.l2)
        return parameters

    return run


def reference(task: Task, batch: int) -> Parameters:
    """Return the final parameters in float64, after each example or after each mini-batch."""
    task = replace(task, X=task.X.astype(np.float64))
    parameters = [value.astype(np.float64) for value in task.parameters]
    if batch == 1:
        return per_example(task)(parameters)
    for start in range(0, task.order.size, batch):
        block = task.order[start : start + batch]
        _update_batch(parameters, task.X[block], task.y[block], task.learning_rate, task.l2)
    return parameters


def _update(parameters: Parameters, x: np.ndarray, y: int, α: float, λ: float) -> None:
    h = [x]
    for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        h.append(np.tanh(b + W @ h[-1]))
    a = parameters[-1] + parameters[-2] @ h[-1]
    δ = np.exp(a - a.max())
    δ /= δ.sum()
    δ[y] -= 1
    for k in reversed(range(len(h))):
        W, b = parameters[2 * k], parameters[2 * k + 1]
        below = W.T @ δ * (1 - h[k] * h[k]) if k else δ
        W -= α * (np.outer(δ, h[k]) + 2 * λ * W)
        b -= α * δ
        δ = below


def _update_batch(parameters: Parameters, X: np.ndarray, y: np.ndarray, α: float, λ: float) -> None:
    H = [X]
    for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        H.append(np.tanh(b + H[-1] @ W.T))
    A = parameters[-1] + H[-1] @ parameters[-2].T
    D = np.exp(A - A.max(axis=1, keepdims=True))
    D /= D.sum(axis=1, keepdims=True)
    D[np.arange(len(y)), y] -= 1
    D /= len(y)
    for k in reversed(range(len(H))):
        W, b = parameters[2 * k], parameters[2 * k + 1]
        below = D @ W * (1 - H[k] * H[k]) if k else D
        W -= α * (D.T @ H[k] + 2 * λ * W)
        b -= α * D.sum(axis=0)
        D = below
