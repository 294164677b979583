"""Pre-activations a[i] of a layer, from its parameters W and b and the layer below, h."""

from collections.abc import Callable

from sympy import Expr

PREACTIVATIONS: dict[str, Callable[..., Expr]] = {
    "dense": lambda W, b, h, i, axis: b[i] + axis.sum(lambda j: W[i, j] * h[j]),
}
