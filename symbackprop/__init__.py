"""Write a network as formulas; SymPy derives every gradient; readable Numba loops train it one example at a time.

    >>> from symbackprop import Network, build, derive
    >>> derivation = derive(Network(activations=("tanh",), penalty="l2"))
    >>> print(derivation.result("output")[0])
    ∂l/∂a⁽ᴸ⁺¹⁾ᵢ = fᵢ - 1[i=y]

Public names are found when they are first used, so that ``import symbackprop.train`` never loads SymPy.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_LAYERS = (
    "dense", "linear", "rbf", "quadratic", "low_rank_quadratic", "gated", "weight_normalised", "layer_normalised",
    "residual", "maxout", "conv1d", "conv", "averagepool", "maxpool", "tied", "embedding",
)  # fmt: skip
_PUBLIC = {
    "Network": "symbackprop.definitions.network",
    "derive": "symbackprop.derivation.network",
    "build": "symbackprop.compiler",
    "Module": "symbackprop.compiler",
    "backpropagate": "symbackprop.calculus.chain_rule",
    "Target": "symbackprop.calculus.chain_rule",
    "check_module": "symbackprop.check.gradients",
    "render": "symbackprop.explain",
    "network_of_file": "symbackprop.definitions.network_file",
    "layer": "symbackprop.definitions.layer",
    "sum_over": "symbackprop.parse.index_equation",
    "max_over": "symbackprop.parse.index_equation",
    **dict.fromkeys(_LAYERS, "symbackprop.definitions.layers"),
    "Axis": "symbackprop.expr.symbols",
    "Derivation": "symbackprop.expr.equations",
    "Equation": "symbackprop.expr.equations",
    "Step": "symbackprop.expr.equations",
}
__all__ = [  # noqa: PLE0604 (found by `__getattr__`)
    "__version__",
    *_PUBLIC,
]


def offers(package: str, public: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package that finds each of its public names in the module that has it."""

    def find(name: str) -> Any:
        if name not in public:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(public[name]), name)

    return find


__getattr__ = offers(__name__, _PUBLIC)


class _Elsewhere(MetaPathFinder, Loader):
    """Public modules by the paths they had before they had a room."""

    modules = {  # noqa: RUF012 (nobody changes it)
        "symbackprop.estimator": "symbackprop.estimators.sklearn",
        "symbackprop.online": "symbackprop.estimators.online",
        "symbackprop.river": "symbackprop.estimators.river",
    }

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in self.modules else None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = import_module(self.modules[module.__name__])


sys.meta_path.insert(0, _Elsewhere())  # nothing else needs to be asked


def __dir__() -> list[str]:
    return sorted(__all__)
