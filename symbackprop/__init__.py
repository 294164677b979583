"""Write a network as formulas; SymPy derives every gradient; readable Numba loops train it one example at a time.

    >>> from symbackprop import Network, build, derive
    >>> derivation = derive(Network(activations=("tanh",), penalty="l2"))
    >>> print(derivation.result("output")[0])
    ∂l/∂a⁽ᴸ⁺¹⁾ᵢ = fᵢ - 1[i=y]

Public names are found when they are first used, so that ``import symbackprop.train`` never loads SymPy.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_LAYERS = (
    "dense", "linear", "rbf", "quadratic", "low_rank_quadratic", "gated", "weight_normalised", "layer_normalised",
    "residual", "maxout", "conv1d", "conv", "averagepool", "maxpool", "tied", "embedding",
)  # fmt: skip
_PUBLIC = {
    "Network": "symbackprop.definitions.network",
    "derive": "symbackprop.derivation",
    "build": "symbackprop.pipeline",
    "Module": "symbackprop.pipeline",
    "backpropagate": "symbackprop.calculus.chain",
    "Wanted": "symbackprop.calculus.chain",
    "check_module": "symbackprop.check",
    "render": "symbackprop.explain",
    "network_of_file": "symbackprop.network_file",
    "layer": "symbackprop.definitions.layer",
    "sum_over": "symbackprop.index_formula",
    "max_over": "symbackprop.index_formula",
    **dict.fromkeys(_LAYERS, "symbackprop.definitions.preactivations"),
    "Axis": "symbackprop.symbols",
    "Derivation": "symbackprop.terms",
    "Equation": "symbackprop.terms",
    "Step": "symbackprop.terms",
}
__all__ = [  # noqa: PLE0604 (found by `__getattr__`)
    "__version__",
    *_PUBLIC,
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'symbackprop' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
