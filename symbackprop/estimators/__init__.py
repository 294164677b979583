"""Networks in use: scikit-learn's face and River's, and a network that learns one row at a time."""

from symbackprop import offers

_PUBLIC = {
    "SymbolicMLPClassifier": "symbackprop.estimators.sklearn",
    "SymbolicMLPRegressor": "symbackprop.estimators.sklearn",
    "OnlineNetwork": "symbackprop.estimators.online",
}
__all__ = [  # noqa: PLE0604 (found by `__getattr__`)
    *_PUBLIC
]

__getattr__ = offers(__name__, _PUBLIC)
