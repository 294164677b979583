"""What the estimators for scikit-learn share: fit, partial_fit, and what they say of their networks."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, check_is_fitted, validate_data

from symbackprop.estimators.runtime import Live, network_of
from symbackprop.estimators.sample_weights import visits
from symbackprop.estimators.sklearn_fit import DivergedError, Fitting, Watch
from symbackprop.estimators.sklearn_parameters import Parameters
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


class SymbolicMLP(CallbackSupportMixin, Parameters):
    """A network in use, made for the data of its first fit."""

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

    @property
    def _dtype(self) -> str:
        return str(self._live.asked["dtype"])

    def _look_at(self, y: Any) -> None:
        """Raise ValueError where targets are of several types, or no numbers."""
        if y is not None:
            (arguments.require_one_type if is_classifier(self) else arguments.require_numbers)(y)

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        self._look_at(y)
        kinds = {"dtype": [np.float64, np.float32], "multi_output": True, "y_numeric": not is_classifier(self)}
        return validate_data(self, X, y, reset=reset, **kinds)

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
