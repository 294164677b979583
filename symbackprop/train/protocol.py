"""What a generated module promises: a literal SPEC and a Trainer. `symbackprop.train` rests on this alone."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]
Pair = tuple[Array, Array]
Spec = Mapping[str, Any]

SPEC_KEYS = (
    "name",
    "activations",
    "loss",
    "output",
    "target",
    "penalty",
    "initializer",
    "step_size",
    "dtype",
    "hyperparameters",
)
TRAINER_METHODS = ("sgd", "predict", "predict_proba", "loss", "save", "load")


class Trainer(Protocol):
    """The Trainer of a generated module: parameters in place, one update after each example."""

    sizes: tuple[int, ...]
    parameters: dict[str, Array]
    t: int

    def sgd(
        self,
        X: Array,
        y: Array,
        *,
        order: Array | None = None,
        learning_rate: float = 0.1,
        **hyperparameters: float,
    ) -> float:
        """Update after each example of X[order]; return the mean of their losses before their updates."""
        ...

    def predict_proba(self, X: Array) -> Array:
        """Return the outputs f, (N, n_out)."""
        ...

    def predict(self, X: Array) -> Array:
        """Return labels (N,), zeros and ones (N, n_out), or values (N, n_out)."""
        ...

    def loss(self, X: Array, y: Array) -> float:
        """Return the mean loss without the penalty."""
        ...


def arrays(trainer: Trainer) -> dict[str, Array]:
    """Return all that training changes: the parameters, and what is kept beside them."""
    return {**trainer.parameters, **getattr(trainer, "state", {})}


def copied(trainer: Trainer) -> dict[str, Array]:
    """Return a copy of all that training changes."""
    return {name: values.copy() for name, values in arrays(trainer).items()}


def put(trainer: Trainer, values: Mapping[str, Array]) -> None:
    """Give a trainer what `copied` returned, in place."""
    now = arrays(trainer)
    for name, value in values.items():
        np.copyto(now[name], value)


def predicting(trainer: Trainer) -> dict[str, Array]:
    """Return the parameters that predict: their means, where these are kept."""
    kept = arrays(trainer)
    return {name: kept.get(f"mean_{name}", values) for name, values in trainer.parameters.items()}


def misses(spec: Spec, trainer: Trainer, X: Array, y: Array, scale: Array | float = 1.0) -> float:
    """Return the error of predictions: a rate where outputs are classes, a root mean square of values, or the loss.

    Parameters
    ----------
    spec
        The SPEC of the trainer's module.
    trainer
        Gives the predictions.
    X, y
        (N, inputs) and targets: labels (N,), or vectors (N, n_out).
    scale
        What measured values were divided by, (n_out,): the error has their units.

    Returns
    -------
    float
        The share of examples with a wrong class (with several independent labels: with any of them wrong), or
        the root of the mean squared difference over all entries; for a loss of one's own between values, its mean.
    """
    predicted = trainer.predict(X)
    if spec["target"] == "label":
        return float(np.mean(predicted != y))
    vectors = y.reshape(len(y), -1)
    predicted = predicted.reshape(vectors.shape)
    if spec["output"] == "softmax":
        return float(np.mean(predicted.argmax(axis=1) != vectors.argmax(axis=1)))
    if spec["output"] == "sigmoid":
        return float(np.mean(np.any(predicted != (vectors > 0.5), axis=1)))
    if spec["loss"] != "squared":  # what the loss means by good need not be a small difference
        return trainer.loss(X, y)
    off = np.subtract(predicted, vectors, dtype=np.float64) * scale
    return float(np.sqrt(np.mean(np.square(off))))


def error_kind(spec: Spec) -> str:
    """Return what `misses` is of, in words."""
    return "rate" if counts_misses(spec) else "root mean square" if spec["loss"] == "squared" else "mean loss"


def counts_misses(spec: Spec) -> bool:
    """Return whether `misses` is a rate, to be printed as a percentage."""
    return spec["output"] in {"softmax", "sigmoid"}
