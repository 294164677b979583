"""River's face: classifiers and regressors of streams, each an OnlineNetwork inside."""

from __future__ import annotations

from typing import Any

from river import base

from symbackprop.estimators.online import OnlineNetwork


class _Streaming:
    """What both estimators share: parameters as they are given, and a network made of them."""

    _loss: str

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] = (32,),
        activation: str | tuple[str, ...] = "tanh",
        *,
        loss: str | None = None,
        learning_rate: float = 0.05,
        step_size: str = "constant",
        update: str = "clip",
        l2: float = 0.0,
        initializer: str = "glorot",
        standardise: bool = True,
        max_features: int = 1000,
        dtype: str = "float64",
        seed: int = 0,
        hyperparameters: dict[str, float] | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name != "self"}
        vars(self).update(given)
        self._network = OnlineNetwork(**given | {"loss": loss or self._loss})

    def learn_one(self, x: dict[Any, Any], y: Any, w: float = 1.0) -> None:
        """Update once after one row.

        Parameters
        ----------
        x
            Features by name.
        y
            The label or the value.
        w
            A factor of the loss.
        """
        self._network.learn_one(x, y, w)


class Classifier(_Streaming, base.Classifier):
    """A neural network of formulas for River: one exact SGD update after each row, in microseconds.

    Parameters
    ----------
    hidden_layer_sizes, activation, loss, learning_rate, step_size, update, l2, initializer, standardise, max_features
        See `symbackprop.estimators.online.OnlineNetwork`.
    dtype, seed, hyperparameters
        See `symbackprop.estimators.online.OnlineNetwork`.

    Examples
    --------
    >>> from river import datasets, evaluate, metrics
    >>> evaluate.progressive_val_score(datasets.Phishing(), Classifier(), metrics.Accuracy()).get() > 0.85
    True
    """

    _loss = "nll"

    @property
    def _multiclass(self) -> bool:
        return True

    def predict_proba_one(self, x: dict[Any, Any], **_: Any) -> dict[Any, float]:
        """Return the probability of each label seen so far.

        Parameters
        ----------
        x
            Features by name.
        """
        return self._network.predict_proba_one(x)


class Regressor(_Streaming, base.Regressor):
    """A neural network of formulas for River: one exact SGD update after each row, in microseconds.

    Parameters
    ----------
    hidden_layer_sizes, activation, loss, learning_rate, step_size, update, l2, initializer, standardise, max_features
        See `symbackprop.estimators.online.OnlineNetwork`.
    dtype, seed, hyperparameters
        See `symbackprop.estimators.online.OnlineNetwork`.

    Examples
    --------
    >>> from river import datasets, evaluate, metrics
    >>> evaluate.progressive_val_score(datasets.TrumpApproval(), Regressor(), metrics.MAE()).get() < 1
    True
    """

    _loss = "squared"

    def predict_one(self, x: dict[Any, Any]) -> float:
        """Return the value.

        Parameters
        ----------
        x
            Features by name.
        """
        return float(self._network.predict_one(x))
