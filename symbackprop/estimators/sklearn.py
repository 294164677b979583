"""The scikit-learn face: networks given as formulas, trained by their generated kernels, one example at a time.

Parameters and attributes have the names of scikit-learn's MLPClassifier where they mean the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from symbackprop.estimators.sklearn_base import SymbolicMLP
from symbackprop.train.protocol import Array


def _with_parameters_of(base: type) -> Any:
    """Show a base class's constructor parameters beside those of the decorated one, for scikit-learn to find."""

    def decorate(init: Any) -> Any:
        own = [p for p in inspect.signature(init).parameters.values() if p.kind != p.VAR_KEYWORD]
        known = {p.name for p in own}
        inherited = [p for n, p in inspect.signature(base.__init__).parameters.items() if n not in known]  # type: ignore[misc]
        order = sorted([*own, *inherited], key=lambda p: p.kind)
        init.__signature__ = inspect.Signature(order)
        return init

    return decorate


class SymbolicMLPClassifier(ClassifierMixin, SymbolicMLP):
    """A classifier whose gradients are derived from its formulas, trained with one update after each example.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int
        Units of the hidden layers; () for softmax regression.
    activation : str or list of str
        A name or a formula in a such as ``"a*tanh(log(1+exp(a)))"``, or one for each hidden layer.
    alpha : float
        The strength of the L2 penalty, as in MLPClassifier: α/2 ΣW² divided by the examples of a batch.
    l1 : float
        The strength of the L1 penalty, Σ|W|, divided likewise.
    batch_size : int
        Examples of one update.
    learning_rate : str
        ``"constant"``, ``"invscaling"`` and ``"adaptive"`` as in MLPClassifier, or ``"inverse"``, ``"steps"``,
        ``"cosine"``, ``"warmup"``, several joined by +; their constants stand in `hyperparameters`.
    learning_rate_init : float
        α.
    power_t : float
        The exponent of ``"invscaling"``, α/(1 + t)^power_t.
    max_iter : int
        The most epochs.
    shuffle : bool
        A new order each epoch; the result does then not depend on the order of the rows.
    random_state : int, RandomState or None
        Of the initial weights, the orders, the validation split and dropout.
    tol, n_iter_no_change
        Training stops after so many epochs that make the loss, or the validation score, better by less than `tol`.
    verbose : bool
        Print every epoch.
    warm_start : bool
        Go on from where the last fit ended.
    update : str
        ``"sgd"``, ``"momentum"`` or ``"nesterov"``, and joined by + ``"clip"``, ``"max_norm"``, ``"average"``.
    momentum : float
        Of ``"momentum"`` and ``"nesterov"``.
    dropout : float
        How often a hidden unit is left out while training.
    early_stopping : bool
        Keep `validation_fraction` of the examples back, and the parameters with the best score on them.
    validation_fraction : float
        See `early_stopping`.
    loss : str or None
        ``"nll"``, or for several labels ``"bce"``, by default; or a formula in f[y].
    initializer : str
        ``"glorot"``, ``"he"``, ``"lecun"``, ``"fan_in"`` or ``"normal"``.
    schedule : str
        The order of computation, never the result: ``"auto"``, ``"plain"``, ``"overlapped"``, ``"deferred"``.
    dtype : str or None
        ``"float32"`` or ``"float64"``; by default that of X.
    hyperparameters : dict or None
        Further constants by name: decay, interval, horizon, warmup, max_gradient, max_weights.
    standardise : bool
        Centre each feature on its mean and make it three units wide, by the rows of `fit`, or by the rows so far of
        `partial_fit`; False is SGD on X as it is.
    class_weight : dict, "balanced" or None
        Factors of the losses of each class.

    Attributes
    ----------
    classes_ : ndarray
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases of each layer, for inputs (X - input_shift_) / input_scale_.
    input_shift_, input_scale_ : ndarray of shape (n_features,)
        Of the features; 0 and 1 without `standardise`.
    loss_curve_ : list of float
        The mean loss of each epoch, each example's before its update.
    validation_scores_ : list of float
        With `early_stopping`.
    n_iter_, t_ : int
        Epochs, and examples visited.
    derivation_
        Of the gradients.
    source_ : str
        Of the generated module.
    schedule_ : str
        Which of its kernels trains where `batch_size` is 1.

    References
    ----------
    H. Larochelle, neural networks course, lectures 2.2 to 2.9.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> made = SymbolicMLPClassifier((8,), "a/(1+abs(a))", learning_rate_init=0.01, random_state=0).fit(X, y)
    >>> made.score(X, y) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SymbolicMLP._parameter_constraints,  # noqa: SLF001 (its own)
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    @_with_parameters_of(SymbolicMLP)
    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        class_weight: Mapping[Any, float] | str | None = None,
        **parameters: Any,
    ) -> None:
        super().__init__(hidden_layer_sizes, activation, **parameters)
        self.class_weight = class_weight

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        """Update once after each example, in the order given.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like
            All classes; needed at the first call.

        Raises
        ------
        ValueError
            If `classes` is missing at the first call or others later, a row is not usable, a parameter was set that the
            network in training does not have, or training became non-finite; nothing was learnt then.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                'class_weight is "balanced", which needs all examples; give partial_fit the weights: {class: weight}'
            )
        if not hasattr(self, "_live"):
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit: all labels that y may have")
            if np.size(classes) == 0:
                raise ValueError(f"classes is {classes!r}, expected all labels that y may have")
            self._classes_given = unique_labels(classes)
        elif not (
            classes is None
            or np.array_equal(classes, self.classes_)
            or np.array_equal(unique_labels(classes), self.classes_)
        ):
            raise ValueError(f"classes are {unique_labels(classes)}, expected those of the first call: {self.classes_}")
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each example, or 0 and 1 for each of several labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        """
        f = self._f(X)
        if self._live.module.SPEC["target"] == "label":
            return np.asarray(self.classes_[f.argmax(axis=1)])
        return (f > 0.5).astype(int)

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class (n_samples, n_classes), or of each label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        """
        return self._f(X)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        """
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self._f(X)))

    def _targets(self, y: Array, *, reset: bool) -> Array:
        """Return class numbers, or an array of 0 and 1 where there are several labels."""
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise ValueError(f"y is {kind}: expected one class an example, or an array of 0 and 1")
        self._several = kind == "multilabel-indicator"
        y = y if self._several else column_or_1d(y, warn=True)
        if reset:
            given = self.__dict__.pop("_classes_given", None)
            self.classes_ = np.arange(y.shape[1]) if self._several else unique_labels(y) if given is None else given
        return self._known_targets(y)

    def _known_targets(self, y: Array) -> Array:
        """Return targets of the kind and the classes that the first ones had."""
        if self._several:
            return np.asarray(y, dtype=np.float64)
        if y.ndim != 1:
            y = column_or_1d(y, warn=True)
        try:
            numbers = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        except TypeError:
            raise ValueError(f"y has the type {y.dtype}, expected classes among {self.classes_}") from None
        if (wrong := np.flatnonzero(self.classes_[numbers] != y)).size:
            raise ValueError(f"y[{wrong[0]}] is {y[wrong[0]]!r}, expected one of the classes {self.classes_}")
        return numbers.astype(np.int64, copy=False)

    def _outputs(self, target: Array) -> int:
        return target.shape[1] if target.ndim > 1 else len(self.classes_)

    def _loss(self) -> str:
        return self.loss or ("bce" if self._several else "nll")

    def _stratified(self, y: Array) -> Array | None:
        return None if self._several else y

    def _score_of(self, X: Array, target: Array, weight: Array | None) -> float:
        """Return the accuracy on examples that were held back."""
        f = self._live.trainer.predict_proba(X)
        right = ((f > 0.5) == target).all(axis=1) if self._several else f.argmax(axis=1) == target
        return float(np.average(right, weights=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class SymbolicMLPRegressor(RegressorMixin, MultiOutputMixin, SymbolicMLP):
    """A regressor whose gradients are derived from its formulas, trained with one update after each example.

    Its parameters and attributes are those of `SymbolicMLPClassifier`, without classes. `loss` is ``"squared"`` by
    default, Σ(f - y)², or a formula in f and y such as ``"sqrt(1+(f-y)**2)-1"``. With the squared error `standardise`
    brings targets to mean 0 and deviation 1 too; losses are then in these units, predictions in those of y. Other
    losses see y as it is.

    Attributes
    ----------
    target_shift_, target_scale_ : ndarray of shape (n_outputs,)
        The network predicts (y - target_shift_) / target_scale_.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> SymbolicMLPRegressor((8,), "tanh", random_state=0).fit(X, y).score(X, y) > 0.4
    True
    """

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Update once after each example, in the order given.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """Return the outputs, (n_samples,) for one of them, else (n_samples, n_outputs).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        """
        f = self._f(X)
        f = self._units.restore(f)
        return f.ravel() if self._is_flat else f

    @property
    def target_shift_(self) -> Array:
        """What is subtracted from each target, (n_outputs,); 0 without `standardise`."""
        return self._scales("output")[0]

    @property
    def target_scale_(self) -> Array:
        """What each target is then divided by, (n_outputs,); 1 without `standardise`."""
        return self._scales("output")[1]

    def _targets(self, y: Array, *, reset: bool) -> Array:
        if reset:
            self._is_flat = y.ndim == 1
        return self._known_targets(y)

    def _known_targets(self, y: Array) -> Array:
        target = y.reshape(len(y), -1)
        if hasattr(self, "_live") and target.shape[1] != self._live.sizes[-1]:
            raise ValueError(f"y has {target.shape[1]} values a row, expected {self._live.sizes[-1]} as before")
        return target

    def _outputs(self, target: Array) -> int:
        return target.shape[1]

    def _loss(self) -> str:
        return self.loss or "squared"

    def _score_of(self, X: Array, target: Array, weight: Array | None) -> float:
        """Return R² on examples that were held back."""
        return float(r2_score(target, self._live.trainer.predict_proba(X), sample_weight=weight))

    def _stratified(self, y: Array) -> None:  # noqa: ARG002 (classifiers have classes to balance)
        return None
