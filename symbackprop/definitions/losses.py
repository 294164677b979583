"""Outputs f of the last pre-activation and losses l(f, y), as formulas.

An output takes the array a, one index i and the axis of the outputs; a loss the array f, the target y and the axis.
`y` is the number of the right class where the target is a ``label``, an array where it is a ``vector``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sympy import Expr, exp, log

OUTPUTS: dict[str, Callable[..., Expr]] = {
    "softmax": lambda a, i, axis: exp(a[i]) / axis.sum(lambda j: exp(a[j])),
    "sigmoid": lambda a, i, axis: 1 / (1 + exp(-a[i])),  # noqa: ARG005 (every output has the same arguments)
    "identity": lambda a, i, axis: a[i],  # noqa: ARG005
}


@dataclass(frozen=True)
class Loss:
    """A loss with the output it is made for and the kind of target it compares with."""

    formula: Callable[..., Expr]
    output: str
    target: str


LOSSES: dict[str, Loss] = {
    "nll": Loss(lambda f, y, axis: -log(f[y]), "softmax", "label"),  # noqa: ARG005
    "bce": Loss(
        lambda f, y, axis: -axis.sum(lambda i: y[i] * log(f[i]) + (1 - y[i]) * log(1 - f[i])), "sigmoid", "vector"
    ),
    "squared": Loss(lambda f, y, axis: axis.sum(lambda i: (f[i] - y[i]) ** 2), "identity", "vector"),
}
