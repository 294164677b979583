"""The scikit-learn face: networks given as formulas, trained by their generated kernels, one example at a time.

Parameters and attributes have the names of scikit-learn's MLPClassifier where they mean the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin, is_classifier
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from symbackprop.estimators.runtime import Live, network_of
from symbackprop.estimators.sample_weights import visits
from symbackprop.estimators.sklearn_fit import DivergedError, Fitting, Watch
from symbackprop.estimators.units import Spread, Units
from symbackprop.train.protocol import Array, predicting
from symbackprop.train.request import arguments, choices

try:  # from scikit-learn 1.9 on
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    CallbackSupportMixin = object

    def with_callbacks(fit: Any) -> Any:
        """Return a fit as it is."""
        return fit


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


_RATES = {"invscaling": "power", "adaptive": "constant"}


class _SymbolicMLP(CallbackSupportMixin, BaseEstimator):
    """What both estimators share: parameters, fit, partial_fit, and what they say of themselves."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": ["array-like", str],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [str],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "update": [str],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "loss": [str, None],
        "initializer": [str],
        "schedule": [StrOptions({"auto", "plain", "overlapped", "deferred"})],
        "dtype": [StrOptions({"float32", "float64"}), None],
        "hyperparameters": [dict, None],
        "standardise": ["boolean"],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        alpha: float = 0.0001,
        l1: float = 0.0,
        batch_size: int = 1,
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        update: str = "sgd",
        momentum: float = 0.9,
        dropout: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        loss: str | None = None,
        initializer: str = "glorot",
        schedule: str = "auto",
        dtype: str | None = None,
        hyperparameters: Mapping[str, float] | None = None,
        standardise: bool = True,
    ) -> None:
        self.__dict__.update({name: value for name, value in locals().items() if name != "self"})

    _units: Units

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train until the loss, or the validation score, gets no better, or for `max_iter` epochs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Dense numbers; float32 and float64 are taken without a copy.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), optional
            Factors of the examples' losses; an example of a whole weight is visited so many times.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter, X, y or a weight is not usable, or training became non-finite.
        """
        self._validate_params()
        again = self.warm_start and hasattr(self, "_live")
        if again:
            self._require_same_network()
        X, y = self._checked(X, y, reset=not again)
        target = self._targets(y, reset=not again)
        weight = self._weights(X, y, sample_weight)
        rng = check_random_state(self.random_state)
        if not again:
            self._start(X, target, rng)
        Fitting(self, X, target, weight, rng).run(Watch(self, X, y, weight), self._stratified(y))
        return self

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """Update once after each example, in the order given."""
        first = not hasattr(self, "_live")
        self._validate_changes()
        if first:
            X, y = self._checked(X, y, reset=True)
            target = self._targets(y, reset=True)
        else:  # what follows a first call needs no look at what kind of targets it has
            self._look_at(y)
            X, y = validate_data(self, X, reset=False, dtype=[np.float64, np.float32]), np.asarray(y)
            check_consistent_length(X, y)
            target = self._known_targets(y)
        weight = self._weights(X, y, sample_weight)
        if first:
            self._start(X, target, check_random_state(self.random_state))
        units = self._units.seeing(X, target, weight)
        self._pass(units.scale_inputs(X, self._dtype), units.scale_targets(target), weight)
        self._units = units
        return self

    @property
    def coefs_(self) -> list[Array]:
        """The weight matrices, (n_in, n_out) each, for inputs (X - input_shift_) / input_scale_."""
        return [values.T for name, values in self._named("W")]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each layer."""
        return [values for name, values in self._named("b")]

    @property
    def input_shift_(self) -> Array:
        """What is subtracted from each feature, (n_features,); 0 without `standardise`."""
        return self._scales("input")[0]

    @property
    def input_scale_(self) -> Array:
        """What each feature is then divided by, (n_features,); 1 without `standardise`."""
        return self._scales("input")[1]

    @property
    def derivation_(self) -> Any:
        """The derivation of every gradient and of the update, to be printed or rendered."""
        import symbackprop  # noqa: PLC0415 (it loads SymPy)

        self._require_fitted()
        return symbackprop.derive(network_of(self._live.asked))

    @property
    def schedule_(self) -> str:
        """The order of computation that `schedule="auto"` chose, for updates after each example."""
        self._require_fitted()
        return str(self._live.trainer.schedule)

    @property
    def source_(self) -> str:
        """The source of the generated module that trains and predicts."""
        self._require_fitted()
        return str(inspect.getsource(self._live.module))

    def _named(self, letter: str) -> Iterator[tuple[str, Array]]:
        self._require_fitted()
        found = predicting(self._live.trainer)
        return ((name, values) for name, values in found.items() if name.rstrip("0123456789") == letter)

    def _scales(self, side: str) -> tuple[Array, Array]:
        """Return shift and scale of inputs or outputs."""
        self._require_fitted()
        scaling = getattr(self._units, f"{side}_scaling")
        width = self._live.sizes[0 if side == "input" else -1]
        return (np.zeros(width), np.ones(width)) if scaling is None else (scaling.shift, scaling.scale)

    def _require_fitted(self) -> None:
        if not hasattr(self, "_live"):  # a property that raises AttributeError is no attribute yet
            raise AttributeError(f"this {type(self).__name__} is not fitted yet")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_live")

    def _validate_params(self) -> None:
        """Raise ValueError in one line where a parameter is not of its kind."""
        super()._validate_params()
        if arguments.layer_sizes(self.hidden_layer_sizes):
            arguments.formulas("activation", self.activation)
        names = {name: getattr(self, name) for name in ("learning_rate", "update", "initializer")}
        arguments.require_texts(**names if self.loss is None else names | {"loss": self.loss})
        arguments.constants("hyperparameters", self.hyperparameters)

    def _validate_changes(self) -> None:
        """Look at the parameters again where one was set since the last look, and at whether the network has it."""
        now = tuple(getattr(self, name) for name in self._parameter_constraints)
        seen = getattr(self, "_parameters_seen", None)
        if seen is None or any(value is not before for value, before in zip(now, seen, strict=True)):
            self._validate_params()
            if hasattr(self, "_live"):
                self._require_same_network()
            self._parameters_seen = now

    def _require_same_network(self) -> None:
        """Raise ValueError where a parameter is no longer the one that the network in training was made with."""
        for name, value in self._network_parameters().items():
            if value != (before := self._made_with[name]):
                raise ValueError(
                    f"{name} is now {value!r:.80}, but the network in training was made with {before!r:.80}; "
                    "fit a clone of the estimator, or set it back"
                )

    def _network_parameters(self) -> dict[str, Any]:
        """Return the parameters that decide which network is made, each in one spelling."""
        hidden = arguments.layer_sizes(self.hidden_layer_sizes)
        given = arguments.formulas("activation", self.activation) if hidden else []
        return {
            "hidden_layer_sizes": hidden,
            "activation": choices.hidden_activations(given, len(hidden)),
            "loss": self._loss(),
            "l1": self.l1 > 0,
            "initializer": self.initializer,
            "learning_rate": "+".join(_RATES.get(name, name) for name in self.learning_rate.split("+")),
            "dtype": self.dtype,
            "update": self.update,
            "dropout": self.dropout > 0,
            "standardise": self.standardise,
            "schedule": self.schedule,
        }

    @property
    def _dtype(self) -> str:
        return str(self._live.asked["dtype"])

    def _look_at(self, y: Any) -> None:
        """Raise ValueError where targets are of several types, or no numbers."""
        if y is not None:
            (arguments.require_one_type if is_classifier(self) else arguments.require_numbers)(y)

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        self._look_at(y)
        return validate_data(
            self,
            X,
            y,
            reset=reset,
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=not is_classifier(self),
        )

    def _start(self, X: Array, target: Array, rng: Any) -> None:
        """Make the network for these data, with new parameters."""
        made_with = self._network_parameters()
        sizes = (X.shape[1], *made_with["hidden_layer_sizes"], self._outputs(target))
        asked = choices.request(
            made_with["activation"],
            loss=made_with["loss"],
            penalty="l1+l2" if made_with["l1"] else "l2",
            initializer=self.initializer,
            step_size=made_with["learning_rate"],
            dtype=self.dtype or X.dtype.name,
            update=self.update,
            dropout=made_with["dropout"],
        )
        live = Live(asked, sizes, int(rng.randint(2**31 - 1)), self.schedule)
        self._require_targets_of(live.module.SPEC, target)
        self._live, self._made_with = live, made_with
        targets = self.standardise and live.module.SPEC["loss"] == "squared"
        self._units = Units(
            Spread.empty(sizes[0]) if self.standardise else None, Spread.empty(sizes[-1]) if targets else None
        )
        self.n_layers_, self.n_outputs_ = len(sizes), sizes[-1]
        self.t_, self.n_iter_ = 0, 0
        self.loss_curve_: list[float] = []

    def _require_targets_of(self, spec: Mapping[str, Any], target: Array) -> None:
        """Raise ValueError where a loss compares values and there are classes, or the other way round."""
        if (spec["target"] == "label") != (target.ndim == 1):
            kinds = ["values", "classes"][:: 1 if target.ndim == 1 else -1]
            raise ValueError(f"loss is {self.loss!r}, which is for {kinds[0]}, but y has {kinds[1]}")

    def _settings(self) -> dict[str, Any]:
        """Return the keywords of the trainer's `sgd`."""
        known = self._live.module.SPEC["hyperparameters"]
        together = self.batch_size
        # scikit-learn's alpha/2 ΣW² is divided by the examples of a batch
        given = {
            "l2": self.alpha / 2 / together,
            "l1": self.l1 / together,
            "momentum": self.momentum,
            "power": self.power_t,
        }
        given = {name: value for name, value in given.items() if name in known} | dict(self.hyperparameters or {})
        if unknown := sorted(given.keys() - known.keys()):
            raise ValueError(f"hyperparameters has {unknown[0]!r}, this network has {', '.join(known) or 'none'}")
        return given | {"batch_size": together} | ({"dropout": self.dropout} if self.dropout else {})

    def _pass(
        self, X: Array, target: Array, weight: Array | None, order: Array | None = None, *, rate: float | None = None,
        rng: Any = None,
    ) -> float:  # fmt: skip
        """Visit examples once, whole weights as repeats, in a random order with `rng`; return the mean loss."""
        factor = None
        if weight is not None:
            times, factor = visits(weight)
            order = np.arange(len(X)) if order is None else order
            order = np.repeat(order, times[order])
        if rng is not None:
            order = rng.permutation(order)
        if order is not None and not len(order):
            return 0.0
        settings = {"order": order, "learning_rate": rate or self.learning_rate_init, **self._settings()}
        try:
            loss = self._live.sgd(X, target, factor, **settings)
        except FloatingPointError as error:
            raise DivergedError(f"{error} than {settings['learning_rate']:g}, or scale inputs and targets") from None
        self.t_ += len(X) if order is None else len(order)
        return loss

    def _weights(self, X: Array, y: Array, sample_weight: Any) -> Array | None:
        """Return the weights of the examples, None where all are 1."""
        balance = getattr(self, "class_weight", None)
        if sample_weight is None and balance is None:
            return None
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if balance is not None:
            if isinstance(balance, Mapping):
                arguments.constants("class_weight", {str(label): value for label, value in balance.items()})
            factors = compute_sample_weight(balance, y)
            if not (np.isfinite(factors).all() and factors.min() >= 0):
                raise ValueError(f"class_weight is {balance!r:.80}, expected finite weights, none below 0")
            weight = weight * factors
        if not weight.any():
            raise ValueError("sample_weight has no weight above 0, expected at least one example that counts")
        return weight

    def _f(self, X: Any) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return np.asarray(self._live.trainer.predict_proba(self._units.scale_inputs(X, self._dtype)))


class SymbolicMLPClassifier(ClassifierMixin, _SymbolicMLP):
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
        **_SymbolicMLP._parameter_constraints,  # noqa: SLF001 (its own)
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    @_with_parameters_of(_SymbolicMLP)
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


class SymbolicMLPRegressor(RegressorMixin, MultiOutputMixin, _SymbolicMLP):
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
