"""The parameters of the estimators for scikit-learn: ranges, the network they ask for, its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from symbackprop.train.request import arguments, choices

_RATES = {"invscaling": "power", "adaptive": "constant"}


class Parameters(BaseEstimator):
    """What an estimator was asked for; it may be set anew, but no network in training is made another one by it."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": ["array-like", str],
        **{key: [Interval(Real, 0, None, closed="left")] for key in ("alpha", "l1", "power_t", "tol")},
        **{key: [Interval(Integral, 1, None, closed="left")] for key in ("batch_size", "max_iter", "n_iter_no_change")},
        **{key: ["boolean"] for key in ("shuffle", "warm_start", "early_stopping", "standardise")},
        **{key: [str] for key in ("learning_rate", "update", "initializer")},
        **{key: [Interval(Real, 0, 1, closed="left")] for key in ("momentum", "dropout")},
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "loss": [str, None],
        "schedule": [StrOptions({"auto", "plain", "overlapped", "deferred"})],
        "dtype": [StrOptions({"float32", "float64"}), None],
        "hyperparameters": [dict, None],
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

    def _settings(self) -> dict[str, Any]:
        """Return the keywords of the trainer's `sgd`."""
        known = self._live.module.SPEC["hyperparameters"]
        together = self.batch_size
        # scikit-learn's alpha/2 ΣW² is divided by the examples of a batch
        penalties = {"l2": self.alpha / 2 / together, "l1": self.l1 / together}
        given = penalties | {"momentum": self.momentum, "power": self.power_t}
        given = {name: value for name, value in given.items() if name in known} | dict(self.hyperparameters or {})
        if unknown := sorted(given.keys() - known.keys()):
            raise ValueError(f"hyperparameters has {unknown[0]!r}, this network has {', '.join(known) or 'none'}")
        return given | {"batch_size": together} | ({"dropout": self.dropout} if self.dropout else {})
