"""JAX: one compiled `lax.scan` over the examples."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from symbackprop.bench.task import Parameters, Run, Task


def scan(task: Task) -> Run:
    """One update after each example, all of them inside one compiled loop."""
    X, y = jnp.asarray(task.X[task.order]), jnp.asarray(task.y[task.order].astype(np.int32))
    α, λ = task.learning_rate, task.l2

    def update(parameters: Any, example: Any) -> Any:
        value, gradients = jax.value_and_grad(_loss)(parameters, *example)
        moved = [p - α * (d + 2 * λ * p if p.ndim == 2 else d) for p, d in zip(parameters, gradients, strict=True)]
        return moved, value

    epoch = jax.jit(lambda parameters, X, y: jax.lax.scan(update, parameters, (X, y)))

    def run(parameters: Parameters) -> Parameters:
        moved, _ = epoch([jnp.asarray(value) for value in parameters], X, y)
        return [np.asarray(value) for value in moved]

    return run


def _loss(parameters: Any, x: Any, y: Any) -> Any:
    h = x
    for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        h = jnp.tanh(W @ h + b)
    a = parameters[-2] @ h + parameters[-1]
    return logsumexp(a) - a[y]
