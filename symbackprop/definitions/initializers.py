"""Initial values of a weight matrix with fan-in H_{k-1} and fan-out H_k; biases start at 0.

A uniform distribution spans ±scale, a normal one has mean 0 and standard deviation `scale`. Free symbols besides the
two fans become keywords of the generated Trainer, with the default given here.

References
----------
Glorot and Bengio 2010 (the lecture's √6/√(H_k + H_{k-1})); He et al. 2015; LeCun et al. 1998.
"""

from dataclasses import dataclass, field

from sympy import Expr, sqrt

from symbackprop.expr.symbols import scalar

fan_in, fan_out, deviation = map(scalar, ("fan_in", "fan_out", "deviation"))


@dataclass(frozen=True)
class Initializer:
    """A distribution, ``uniform`` or ``normal``, and its scale."""

    distribution: str
    scale: Expr
    defaults: dict[str, float] = field(default_factory=dict)


INITIALIZERS: dict[str, Initializer] = {
    "glorot": Initializer("uniform", sqrt(6) / sqrt(fan_in + fan_out)),
    "he": Initializer("normal", sqrt(2 / fan_in)),
    "lecun": Initializer("normal", 1 / sqrt(fan_in)),
    "fan_in": Initializer("uniform", 1 / fan_in),
    "normal": Initializer("normal", deviation, {"deviation": 0.05}),
}
