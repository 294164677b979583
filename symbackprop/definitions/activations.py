"""Activations h = g(a), as formulas of one real pre-activation `a`; their derivatives are nowhere.

Where a formula has a kink the pieces are written out, so that the subgradient can be read off: the derivative at the
kink is that of the piece which holds there. A NaN fails every comparison and falls into the last piece, which keeps it.

References
----------
Sigmoid, tanh: H. Larochelle, neural networks course, lecture 1.3. ReLU: Nair and Hinton 2010. Leaky ReLU: Maas 2013.
Softplus: Dugas et al. 2001. ELU: Clevert et al. 2016. SELU: Klambauer et al. 2017. GELU: Hendrycks and Gimpel 2016.
SiLU: Elfwing et al. 2018. Scaled tanh: LeCun et al. 1998, "Efficient BackProp". Squared ReLU: So et al. 2021.
PReLU: He et al. 2015. Swish: Ramachandran et al. 2017.
"""

from dataclasses import dataclass

from sympy import Expr, Piecewise, Rational, atan, erf, exp, sin, sqrt, tanh

from symbackprop.expr.functions import FUNCTIONS
from symbackprop.expr.symbols import scalar

a = scalar("a")

_SELU_SCALE = Rational("1.0507009873554804934193349852946")
_SELU_ALPHA = Rational("1.6732632423543772848170429916717")

ACTIVATIONS: dict[str, Expr] = {
    "identity": a,
    "sigmoid": FUNCTIONS["sigmoid"].symbolic(a),
    "tanh": tanh(a),
    "relu": Piecewise((0, a <= 0), (a, True)),
    "leaky_relu": Piecewise((a / 100, a <= 0), (a, True)),
    "softplus": FUNCTIONS["softplus"].symbolic(a),
    "elu": Piecewise((exp(a) - 1, a <= 0), (a, True)),
    "selu": Piecewise((_SELU_SCALE * _SELU_ALPHA * (exp(a) - 1), a <= 0), (_SELU_SCALE * a, True)),
    "gelu": a * (1 + erf(a / sqrt(2))) / 2,
    "silu": a / (1 + exp(-a)),
    "softsign": FUNCTIONS["softsign"].symbolic(a),
    "arctan": atan(a),
    "gaussian": exp(-(a**2)),
    "sine": sin(a),
    "squared_relu": Piecewise((0, a <= 0), (a**2, True)),
    "hard_sigmoid": Piecewise((0, a <= -3), (1, a >= 3), ((a + 3) / 6, True)),
    "lecun_tanh": Rational("1.7159") * tanh(2 * a / 3),
}


@dataclass(frozen=True)
class Parametric:
    """A formula with parameters that are learnt with the weights, and the values where these start."""

    formula: Expr
    initial: dict[str, float]


slope, beta = scalar("slope"), scalar("beta")

PARAMETRIC: dict[str, Parametric] = {
    "prelu": Parametric(Piecewise((slope * a, a <= 0), (a, True)), {"slope": 0.25}),
    "swish": Parametric(a / (1 + exp(-beta * a)), {"beta": 1.0}),
}
