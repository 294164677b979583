"""The Trainer of every generated module; what follows the marker is copied, with `trainer_functions.py` behind it.

The names above the marker stand in for what a module defines itself, so that this file can be read and checked alone.
What stands from ``# --- where weighted ---`` to ``# --- end ---`` is copied into modules that are weighted alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

SPEC: dict[str, Any] = {}
real: Any = np.float64
forward: Any
loss: Any
sgd_minibatch: Any
step_size: Any
SCHEDULES: dict[str, Any] = {}
_schedule: Any
_examples_a_block: Any
_sizes: Any
_known: Any
_weights: Any
_rate: Any
_is_number: Any
_fits: Any
_shape: Any
_zeros: Any
_initial: Any
_matrix: Any
_indices: Any
_all_finite: Any
_order: Any

# --- copied from here ---


class Trainer:
    """Parameters and the kernels that train them, one example at a time.

    Parameters
    ----------
    sizes
        Units of every layer: (inputs, hidden ..., outputs).
    seed
        Seed of the initial values.
    schedule
        The order of computation, never the result: one of SCHEDULES, or ``"auto"`` for what is
        fastest at these sizes.
    **scales
        Values for the initializer, where it has any (see SPEC["initial"]).

    Attributes
    ----------
    parameters : dict of str to ndarray
        W1, b1, ... updated in place.
    # --- where state ---
    state : dict of str to ndarray
        What updates keep beside the parameters: velocities, and means, which then predict.
    # --- end ---
    t : int
        Updates done so far; the step size counts in it.
    """

    BLOCK = 1024  # examples between two looks at the clock, the keyboard and the losses

    def __init__(self, sizes=None, seed=0, schedule="auto", **scales):
        # --- where sizes ---
        sizes = SPEC["sizes"] if sizes is None else sizes
        # --- end ---
        self.sizes = _sizes(sizes)
        self.schedule = _schedule(schedule, self.sizes)
        self.t = 0
        scales = _known(scales, SPEC["initial"]["defaults"], "initial value")
        generator = np.random.default_rng(seed)
        self.parameters = {}
        for name, axes in SPEC["parameters"].items():
            self.parameters[name] = _initial(generator, name, _shape(axes, self.sizes), scales)
        self.state = {}
        # --- where state ---
        for name, of in SPEC["state"].items():
            self.state[name] = _zeros(self.parameters[of].shape)
        # --- end ---
        # --- where masks ---
        self.masks_seed = int(generator.integers(2**62))
        # --- end ---

    def sgd(
        self, X, y, *, order=None, learning_rate=0.1, batch_size=1, sample_weight=None,
        dropout=None, **hyperparameters,
    ):  # fmt: skip
        """Update after each example of X[order]; return their mean loss, each before its update.

        Parameters
        ----------
        # --- where sizes ---
        X : array of shape (examples, inputs), or (examples, *SPEC["input"])
        # --- end ---
        # --- where not sizes ---
        X : array of shape (examples, inputs)
        # --- end ---
        # --- where label ---
        y : array of shape (examples,) with class numbers
        # --- end ---
        # --- where vector ---
        y : array of shape (examples, outputs)
        # --- end ---
        order : array of int, optional
            The examples to visit, in this order, repeats allowed; all of them once by default.
        learning_rate, **hyperparameters
            As in SPEC["hyperparameters"].
        batch_size : int
            Above 1: update after so many examples, by the mean of their gradients.
        # --- where weighted ---
        sample_weight : array of shape (examples,), optional
            The factor of each example's loss; 1 by default.
        # --- end ---
        # --- where masks ---
        dropout : float, optional
            How often a hidden unit is left out; 0.5 by default.
        # --- end ---

        Raises
        ------
        ValueError
            If the data or a hyperparameter is not usable; nothing has changed then.
        FloatingPointError
            If the loss or a parameter is no longer finite; the parameters are as before the call.
        """
        data = self._examples(X, y, sample_weight)
        order = _order(order, len(data[0]))
        settings = self._settings(learning_rate, hyperparameters)
        numbers = [real(value) for value in settings]
        # --- where masks ---
        rate = _rate(dropout)
        # --- end ---
        kernel, extra = self._kernel(batch_size)
        size = max(1, self.BLOCK // batch_size) * batch_size
        values = {**self.parameters, **self.state}
        before, t, total = {k: v.copy() for k, v in values.items()}, self.t, 0.0
        for start in range(0, order.size, size):
            block = order[start : start + size]
            # --- where masks ---
            masks = self._masks(rate, block.size)
            # --- end ---
            done, losses = kernel(*data, block, *masks, *values.values(), *numbers, self.t, *extra)
            self.t += -(-int(done) // batch_size)
            total += float(losses)
            last = start + int(done)
            if done < block.size or not (np.isfinite(losses) and self._is_finite()):
                number, step = min(last + 1, order.size), step_size(*settings, self.t)
                self.t = t
                for name, value in before.items():
                    values[name][...] = value
                example = f"example {order[number - 1]} (number {number} of {order.size})"
                raise FloatingPointError(
                    f"training became non-finite at {example}, step size {step:.6g}; "
                    "the parameters are back as they were: try a smaller learning rate"
                )
        return total / order.size

    def predict_proba(self, X):
        """Return the outputs f, shape (examples, outputs)."""
        X = self._inputs(X)
        F = np.empty((len(X), self.sizes[-1]), real)
        forward(X, *self._predicting(), F)
        return F

    # --- where label ---
    def predict(self, X):
        """Return class numbers."""
        return self.predict_proba(X).argmax(axis=1)

    # --- end ---
    # --- where sigmoid ---
    def predict(self, X):
        """Return 0 or 1 for every label."""
        return (self.predict_proba(X) > 0.5).astype(np.int64)

    # --- end ---
    # --- where values ---
    def predict(self, X):
        """Return the outputs themselves."""
        return self.predict_proba(X)

    # --- end ---
    def loss(self, X, y, sample_weight=None):
        """Return the mean of l over the examples, without the penalty."""
        return float(loss(*self._examples(X, y, sample_weight), *self._predicting()))

    def save(self, path):
        """Write the parameters, t and SPEC to an .npz file, whole or not at all."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        header = {"spec": json.dumps(SPEC), "sizes": self.sizes, "t": self.t}
        try:
            with temporary.open("wb") as file:
                np.savez(file, **header, **self.parameters, **self.state)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path):
        """Return what `save` wrote; ValueError if the file is damaged or another network's."""
        try:
            with np.load(path, allow_pickle=False) as file:
                network = json.loads(str(file["spec"]))["network"]
                sizes, t = file["sizes"], int(file["t"])
                values = {k: file[k] for k in file.files if k not in {"spec", "sizes", "t"}}
        except (FileNotFoundError, IsADirectoryError, PermissionError):
            raise
        except Exception as error:  # json, zipfile and zlib raise their own kinds on damaged files
            what = f"{path} is not a model of this module, or is damaged"
            raise ValueError(f"{what}: {error}") from None
        if network != SPEC["network"]:
            theirs, ours = " ".join(str(network).split()), SPEC["network"]
            hint = "load it with the module that saved it"
            raise ValueError(f"{path} holds a network {theirs}, expected {ours}; {hint}")
        if sizes.shape != (SPEC["layers"] + 1,) or sizes.dtype.kind not in "iu" or t < 0:
            raise ValueError(f"{path} is damaged: its sizes are {sizes.tolist()}, its t is {t}")
        axes = dict(SPEC["parameters"])
        # --- where state ---
        axes |= {name: axes[of] for name, of in SPEC["state"].items()}
        # --- end ---
        for name, of in axes.items():
            shape = _shape(of, sizes)
            if name not in values or values[name].shape != shape or not _fits(values[name]):
                raise ValueError(f"{path} is damaged: {name} is no array of {shape} finite numbers")
        trainer = cls(sizes.tolist())
        trainer.t = t
        for name, value in (*trainer.parameters.items(), *trainer.state.items()):
            value[...] = values[name]
        return trainer

    def _kernel(self, batch_size):
        """Return the kernel of the schedule and what it takes beside the others' arguments."""
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"batch_size is {batch_size!r}, expected a positive integer")
        if batch_size > 1:
            return sgd_minibatch, (batch_size,)
        # --- where deferred ---
        if self.schedule == "deferred":
            return SCHEDULES["deferred"], (_examples_a_block(self.sizes),)
        # --- end ---
        return SCHEDULES[self.schedule], ()

    # --- where masks ---
    def _masks(self, rate, updates):
        """Return the masks of some updates: 0 as often as `rate`, else what keeps the mean 1."""
        generator = np.random.default_rng([self.masks_seed, self.t])
        shapes = [(updates, *_shape(axes, self.sizes)) for axes in SPEC["masks"].values()]
        kept = [generator.random(shape) >= rate for shape in shapes]
        return [(mask / (1 - rate)).astype(real) for mask in kept]

    # --- end ---
    # --- where means ---
    def _predicting(self):
        """Return the parameters that predict: their means, once there are any."""
        means = [self.state[f"mean_{name}"] for name in self.parameters]
        return means if self.t else self.parameters.values()

    # --- end ---
    # --- where not means ---
    def _predicting(self):
        """Return the parameters that predict."""
        return self.parameters.values()

    # --- end ---

    def _is_finite(self):
        return all(map(_all_finite, self.parameters.values()))

    def _settings(self, learning_rate, hyperparameters):
        if not (_is_number(learning_rate) and learning_rate > 0):
            raise ValueError(f"learning_rate is {learning_rate!r}, expected a positive number")
        values = _known(hyperparameters, SPEC["hyperparameters"], "hyperparameter")
        # --- where above_0 ---
        for name in (n for n in SPEC["above_0"] if values[n] == 0):
            raise ValueError(f"{name} is {values[name]!r}, expected a positive number")
        # --- end ---
        # --- where below_1 ---
        for name in (n for n in SPEC["below_1"] if values[n] >= 1):
            raise ValueError(f"{name} is {values[name]!r}, expected a number below 1")
        # --- end ---
        return [learning_rate, *values.values()]

    def _inputs(self, X):
        """Return inputs as the kernels take them: contiguous, finite, with all axes."""
        # --- where sizes ---
        X, axes = np.asarray(X), SPEC["input"]
        if X.shape[1:] == tuple(axes):
            X = X.reshape(len(X), self.sizes[0])
        # --- where vocabulary ---
        return _indices(X, self.sizes[0]).reshape(len(X), *axes)
        # --- end ---
        # --- where not vocabulary ---
        return _matrix("X", X, self.sizes[0]).reshape(len(X), *axes)
        # --- end ---
        # --- end ---
        # --- where not sizes ---
        return _matrix("X", X, self.sizes[0])
        # --- end ---

    def _examples(self, X, y, sample_weight=None):
        X = self._inputs(X)
        # --- where label ---
        y, outputs = np.asarray(y), self.sizes[-1]
        if y.ndim != 1 or y.dtype.kind not in "biu":
            what = f"y has shape {y.shape} and dtype {y.dtype}"
            raise ValueError(f"{what}, expected one class number an example")
        wrong = np.flatnonzero((y < 0) | (y >= outputs))
        if wrong.size:
            bad = f"y[{wrong[0]}] is {y[wrong[0]]}"
            raise ValueError(f"{bad}, expected a class from 0 to {outputs - 1}")
        y = y.astype(np.int64, copy=False)
        # --- end ---
        # --- where vector ---
        y, outputs = np.asarray(y), self.sizes[-1]
        y = _matrix("y", y[:, None] if y.ndim == 1 and outputs == 1 else y, outputs)
        # --- end ---
        # --- where sigmoid ---
        if ((y < 0) | (y > 1)).any():
            raise ValueError(f"y has values from {y.min()} to {y.max()}, expected 0 to 1")
        # --- end ---
        if len(y) != len(X):
            raise ValueError(f"X has {len(X)} examples and y has {len(y)}, expected as many")
        # --- where weighted ---
        return X, y, _weights(sample_weight, len(X))
        # --- end ---
        # --- where not weighted ---
        return X, y
        # --- end ---
