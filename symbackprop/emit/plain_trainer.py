"""The Trainer of modules that are written to be printed; what follows the marker is copied as in `trainer.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

SPEC: dict[str, Any] = {}
real: Any = np.float64
sgd: Any
forward: Any
loss: Any
initial_scale: Any

# --- copied from here ---


class Trainer:
    """The parameters of a network of sizes (inputs, hidden ..., outputs), and their training."""

    def __init__(self, sizes, seed=0, **scales):
        self.sizes, self.t, self.parameters = tuple(sizes), 0, {}
        if len(self.sizes) != SPEC["layers"] + 1 or min(self.sizes) < 1:
            raise ValueError(f"sizes are {self.sizes}, expected {SPEC['layers'] + 1} of 1 or more")
        generator, initial = np.random.default_rng(seed), SPEC["initial"]
        for name, axes in SPEC["parameters"].items():
            shape = tuple(self.sizes[axis] for axis in axes) or (1,)
            values = np.full(shape, initial["values"].get(name, 0), real)
            if len(shape) > 1:
                scale = initial_scale(*shape[::-1], **{**initial["defaults"], **scales})
                # --- where uniform ---
                values[...] = generator.uniform(-scale, scale, shape)
                # --- end ---
                # --- where not uniform ---
                values[...] = scale * generator.standard_normal(shape)
                # --- end ---
            self.parameters[name] = values

    def sgd(self, X, y, order=None, learning_rate=0.1, **hyperparameters):
        """Update after each example of X[order]; return their mean loss, each before its update."""
        X, y = self._examples(X, y)
        order = np.arange(len(X)) if order is None else np.array(order, np.int64)
        if order.ndim != 1 or not order.size or order.min() < 0 or order.max() >= len(X):
            raise ValueError(f"order is no list of examples from 0 to {len(X) - 1}")
        settings = {**SPEC["hyperparameters"], **hyperparameters}
        if unknown := set(settings) - set(SPEC["hyperparameters"]):
            raise ValueError(f"unknown {unknown.pop()!r}, expected {list(SPEC['hyperparameters'])}")
        numbers = map(real, [learning_rate, *settings.values()])
        done, losses = sgd(X, y, order, *self.parameters.values(), *numbers, self.t)
        self.t += int(done)
        if done < order.size:
            raise FloatingPointError(f"the loss of example {order[done]} is not finite")
        return float(losses) / order.size

    def predict_proba(self, X):
        """Return the outputs f, shape (examples, outputs)."""
        X = self._inputs(X)
        F = np.empty((len(X), self.sizes[-1]), real)
        forward(X, *self.parameters.values(), F)
        return F

    def predict(self, X):
        """Return class numbers, or 0 and 1 for independent labels, or the outputs themselves."""
        # --- where label ---
        return self.predict_proba(X).argmax(axis=1)
        # --- end ---
        # --- where sigmoid ---
        return (self.predict_proba(X) > 0.5).astype(np.int64)
        # --- end ---
        # --- where values ---
        return self.predict_proba(X)
        # --- end ---

    def loss(self, X, y):
        """Return the mean of l over the examples, without the penalty."""
        return float(loss(*self._examples(X, y), *self.parameters.values()))

    def _inputs(self, X):
        X = np.ascontiguousarray(X, real)
        if X.ndim != 2 or X.shape[1] != self.sizes[0]:
            raise ValueError(f"X has shape {X.shape}, expected (examples, {self.sizes[0]})")
        return X

    def _examples(self, X, y):
        X, outputs = self._inputs(X), self.sizes[-1]
        # --- where label ---
        y = np.asarray(y)
        wrong = y.dtype.kind not in "biu" or y.shape != X.shape[:1] or not y.size
        if wrong or y.min() < 0 or y.max() >= outputs:
            raise ValueError(f"y is no list of {len(X)} class numbers from 0 to {outputs - 1}")
        y = y.astype(np.int64)
        # --- end ---
        # --- where vector ---
        y = np.ascontiguousarray(y, real)
        if y.shape != (len(X), outputs) or not len(X):
            raise ValueError(f"y has shape {y.shape}, expected {(len(X), outputs)}, one or more")
        # --- end ---
        return X, y
