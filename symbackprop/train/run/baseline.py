"""What a network must beat: one that knows the frequencies of the classes, or the mean, and sees no input."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from symbackprop.train.protocol import Array, Trainer

_BIASES = {  # what makes an output p
    "softmax": lambda p: np.log(np.maximum(p, np.finfo(np.float32).tiny)),
    "sigmoid": lambda p: np.log(np.maximum(p, 1e-30)) - np.log(np.maximum(1 - p, 1e-30)),
}


def blind(trainer: Trainer, spec: Mapping[str, Any], y: Array, weight: Array | None = None) -> Any:
    """Return a network of dense layers whose outputs are the mean of the targets, whatever its input.

    Parameters
    ----------
    trainer
        Of a generated module with dense layers; it stays as it is.
    spec
        Of this module.
    y
        Class numbers (N,) or targets (N, outputs).
    weight
        (N,), or None where all are 1.
    """
    baseline: Any = type(trainer)(trainer.sizes)  # type: ignore[call-arg]
    last = len(trainer.sizes) - 1
    baseline.parameters[f"W{last}"][...] = 0
    baseline.parameters[f"b{last}"][...] = _BIASES.get(spec["output"], np.asarray)(_mean(y, trainer.sizes[-1], weight))
    return baseline


def _mean(y: Array, outputs: int, weight: Array | None) -> Array:
    if y.ndim == 1:
        counts = np.bincount(y, weight, outputs)
        return counts / counts.sum()
    return np.asarray(np.average(y, axis=0, weights=weight))
