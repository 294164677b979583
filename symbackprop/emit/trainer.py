"""The Trainer of every generated module; what follows the marker is copied into the module as it stands.

The names above the marker stand in for what a module defines itself, so that this file can be read and checked alone.
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
initial_scale: Any
at_cache_line: Any
step_size: Any
SCHEDULES: dict[str, Any] = {}

# --- copied from here ---


class Trainer:
    """Parameters and the kernels that train them, one example at a time.

    Parameters
    ----------
    sizes
        Units of every layer: (inputs, hidden ..., outputs); those of SPEC["sizes"] where a module has fixed ones.
    seed
        Seed of the initial values.
    schedule
        The order of computation, never the result: one of SCHEDULES, or ``"auto"`` for what is fastest at these sizes.
    **scales
        Values for the initializer, where it has any (see SPEC["initial"]).

    Attributes
    ----------
    parameters : dict of str to ndarray
        W1, b1, ... updated in place.
    state : dict of str to ndarray
        What updates keep beside the parameters: velocities, and means, which then are what predicts.
    t : int
        Updates done so far; the step size counts in it.
    """

    BLOCK = 1024  # examples between two looks at the clock, the keyboard and the losses

    def __init__(self, sizes=None, seed=0, schedule="auto", **scales):
        self.sizes = _sizes(SPEC.get("sizes") if sizes is None else sizes)
        self.schedule = _schedule(schedule, self.sizes)
        self.t = 0
        scales = _known(scales, SPEC["initial"]["defaults"], "initial value")
        generator = np.random.default_rng(seed)
        self.parameters = {}
        for name, axes in SPEC["parameters"].items():
            self.parameters[name] = _initial(generator, name, _shape(axes, self.sizes), scales)
        self.state = {name: _zeros(self.parameters[of].shape) for name, of in SPEC.get("state", {}).items()}
        self.masks_seed = int(generator.integers(2**62))

    def sgd(
        self, X, y, *, order=None, learning_rate=0.1, batch_size=1, sample_weight=None, dropout=None, **hyperparameters
    ):
        """Update after each example of X[order]; return the mean loss, each example's taken before its update.

        Parameters
        ----------
        X : array of shape (examples, inputs), or (examples, *SPEC["input"])
        y : array of shape (examples,) with class numbers, or (examples, outputs)
        order : array of int, optional
            The examples to visit, in this order, repeats allowed; all of them once by default.
        learning_rate, **hyperparameters
            As in SPEC["hyperparameters"].
        batch_size : int
            Above 1: update after so many examples, by the mean of their gradients.
        sample_weight : array of shape (examples,), optional
            The factor of each example's loss, in a module that is weighted; 1 by default.
        dropout : float, optional
            How often a hidden unit is left out, in a module with dropout; 0.5 by default.

        Raises
        ------
        ValueError
            If the data or a hyperparameter is not usable; nothing has changed then.
        FloatingPointError
            If the loss or a parameter is no longer finite; the parameters are those from before the call.
        """
        data = self._examples(X, y, sample_weight)
        order = _order(order, len(data[0]))
        settings, rate = self._settings(learning_rate, hyperparameters), _rate(dropout)
        kernel, extra = self._kernel(batch_size)
        size = max(1, self.BLOCK // batch_size) * batch_size
        values = {**self.parameters, **self.state}
        before, t, total = {k: v.copy() for k, v in values.items()}, self.t, 0.0
        for start in range(0, order.size, size):
            block = order[start : start + size]
            masks = self._masks(rate, block.size)
            done, losses = kernel(*data, block, *masks, *values.values(), *map(real, settings), self.t, *extra)
            self.t += -(-int(done) // batch_size)
            total += float(losses)
            last = start + int(done)
            if done < block.size or not (np.isfinite(losses) and self._is_finite()):
                number, step = min(last + 1, order.size), step_size(*settings, self.t)
                self.t = t
                for name, value in before.items():
                    values[name][...] = value
                raise FloatingPointError(
                    f"training became non-finite at example {order[number - 1]} (number {number} of {order.size}), "
                    f"step size {step:.6g}; the parameters are back as they were: try a smaller learning rate"
                )
        return total / order.size

    def predict_proba(self, X):
        """Return the outputs f, shape (examples, outputs)."""
        X = self._inputs(X)
        F = np.empty((len(X), self.sizes[-1]), real)
        forward(X, *self._predicting(), F)
        return F

    def predict(self, X):
        """Return class numbers, or 0 and 1 for independent labels, or the outputs themselves."""
        F = self.predict_proba(X)
        if SPEC["target"] == "label":
            return F.argmax(axis=1)
        return (F > 0.5).astype(np.int64) if SPEC["output"] == "sigmoid" else F

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
        """Return the Trainer that `save` wrote; ValueError if the file is damaged or another network's."""
        try:
            with np.load(path, allow_pickle=False) as file:
                network, sizes, t = json.loads(str(file["spec"]))["network"], file["sizes"], int(file["t"])
                values = {name: file[name] for name in file.files if name not in {"spec", "sizes", "t"}}
        except (FileNotFoundError, IsADirectoryError, PermissionError):
            raise
        except Exception as error:  # json, zipfile and zlib raise their own kinds on damaged files
            raise ValueError(f"{path} is not a model of this module, or is damaged: {error}") from None
        if network != SPEC["network"]:
            theirs, ours = " ".join(str(network).split()), SPEC["network"]
            hint = "load it with the module that saved it"
            raise ValueError(f"{path} holds a network {theirs}, expected {ours}; {hint}")
        if sizes.shape != (SPEC["layers"] + 1,) or sizes.dtype.kind not in "iu" or t < 0:
            raise ValueError(f"{path} is damaged: its sizes are {sizes.tolist()}, its t is {t}")
        of = SPEC.get("state", {})
        for name in (*SPEC["parameters"], *of):
            shape = _shape(SPEC["parameters"][of.get(name, name)], sizes)
            if name not in values or values[name].shape != shape or not _fits(values[name]):
                raise ValueError(f"{path} is damaged: {name} is not an array of {shape} finite numbers")
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
        more = (_examples_a_block(self.sizes),) if self.schedule == "deferred" else ()
        return SCHEDULES[self.schedule], more

    def _masks(self, rate, updates):
        """Return the masks of some updates: 0 as often as `rate`, else what keeps the mean 1."""
        if "masks" not in SPEC:
            return []
        generator = np.random.default_rng([self.masks_seed, self.t])
        shapes = [(updates, *_shape(axes, self.sizes)) for axes in SPEC["masks"].values()]
        return [((generator.random(shape) >= rate) / (1 - rate)).astype(real) for shape in shapes]

    def _predicting(self):
        """Return the parameters that predict: their means, where these are kept."""
        means = [self.state[f"mean_{name}"] for name in self.parameters if f"mean_{name}" in self.state]
        return means if means and self.t else self.parameters.values()

    def _is_finite(self):
        return all(map(_all_finite, self.parameters.values()))

    def _settings(self, learning_rate, hyperparameters):
        if not (_is_number(learning_rate) and learning_rate > 0):
            raise ValueError(f"learning_rate is {learning_rate!r}, expected a positive number")
        values = _known(hyperparameters, SPEC["hyperparameters"], "hyperparameter")
        for name in (n for n in SPEC.get("above_0", ()) if values[n] == 0):
            raise ValueError(f"{name} is {values[name]!r}, expected a positive number")
        for name in (n for n in SPEC.get("below_1", ()) if values[n] >= 1):
            raise ValueError(f"{name} is {values[name]!r}, expected a number below 1")
        return [learning_rate, *values.values()]

    def _inputs(self, X):
        """Return inputs as the kernels take them: contiguous, finite, with all axes of an example."""
        X, axes = np.asarray(X), SPEC.get("input", self.sizes[:1])
        if X.shape[1:] == tuple(axes):
            X = X.reshape(len(X), self.sizes[0])
        made = _indices(X, self.sizes[0]) if "vocabulary" in SPEC else _matrix("X", X, self.sizes[0])
        return made.reshape(len(made), *axes)

    def _examples(self, X, y, sample_weight=None):
        X = self._inputs(X)
        outputs = self.sizes[-1]
        if SPEC["target"] == "label":
            y = np.asarray(y)
            if y.ndim != 1 or y.dtype.kind not in "biu":
                raise ValueError(f"y has shape {y.shape} and dtype {y.dtype}, expected one class number an example")
            wrong = np.flatnonzero((y < 0) | (y >= outputs))
            if wrong.size:
                raise ValueError(f"y[{wrong[0]}] is {y[wrong[0]]}, expected a class from 0 to {outputs - 1}")
            y = y.astype(np.int64, copy=False)
        else:
            y = np.asarray(y)
            y = _matrix("y", y[:, None] if y.ndim == 1 and outputs == 1 else y, outputs)
            if SPEC["output"] == "sigmoid" and ((y < 0) | (y > 1)).any():
                raise ValueError(f"y has values from {y.min()} to {y.max()}, expected 0 to 1")
        if len(y) != len(X):
            raise ValueError(f"X has {len(X)} examples and y has {len(y)}, expected as many")
        return (X, y, *_weights(sample_weight, len(X)))


def _schedule(schedule, sizes):
    """Return the schedule asked for, or the fastest at these sizes: small first layers do not repay a block."""
    if schedule == "auto":
        return "deferred" if "deferred" in SCHEDULES and sizes[0] * sizes[1] >= 2048 else "overlapped"
    if schedule not in SCHEDULES:
        reason = SPEC["refused"].get(schedule, "no such schedule")
        raise ValueError(f"the schedule is {schedule!r} ({reason}), expected auto, {', '.join(SCHEDULES)}")
    return schedule


def _examples_a_block(sizes):
    """Return how many examples share one update of the first weights: more where these are larger."""
    return 16 if sizes[1] < 64 else 24 if sizes[1] < 256 else 48


def _sizes(sizes):
    made = tuple(sizes) if np.iterable(sizes) else (sizes,)
    if made != tuple(SPEC.get("sizes", made)):
        raise ValueError(f"sizes are {made}, this module has fixed ones: {tuple(SPEC['sizes'])}")
    if len(made) != SPEC["layers"] + 1 or not all(isinstance(n, int | np.integer) and n > 0 for n in made):
        layers = "inputs, " + "hidden, " * (SPEC["layers"] - 1) + "outputs"
        raise ValueError(f"sizes are {made}, expected {SPEC['layers'] + 1} positive integers: ({layers})")
    return tuple(int(n) for n in made)


def _known(given, defaults, what):
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise ValueError(f"unknown {what} {unknown[0]!r}, this module has {', '.join(defaults) or 'none'}")
    for name, value in given.items():
        if not (_is_number(value) and value >= 0):
            raise ValueError(f"{name} is {value!r}, expected a number that is not negative")
    return {name: given.get(name, default) for name, default in defaults.items()}


def _weights(given, examples):
    """Return the weights of examples where a module takes them."""
    if "weighted" not in SPEC:
        if given is not None:
            raise ValueError("sample_weight is given, but this module is not weighted; generate it with --weighted")
        return ()
    made = np.ones(examples, real) if given is None else np.ascontiguousarray(given, real)
    if made.shape != (examples,) or not _all_finite(made) or made.min() < 0:
        raise ValueError(f"sample_weight has shape {made.shape}, expected {examples} finite numbers, none below 0")
    return (made,)


def _rate(dropout):
    if dropout is not None and "masks" not in SPEC:
        raise ValueError("dropout is given, but this module has none; generate it with --dropout")
    rate = 0.5 if dropout is None else dropout
    if not (_is_number(rate) and 0 <= rate < 1):
        raise ValueError(f"dropout is {dropout!r}, expected a number from 0 to below 1")
    return rate


def _is_number(value):
    return isinstance(value, int | float | np.integer | np.floating) and abs(value) <= float(np.finfo(real).max)


def _fits(values):
    """Return whether an array holds nothing but numbers that are finite in this module's type."""
    return values.dtype.kind == "f" and bool((np.abs(values) <= np.finfo(real).max).all())


def _shape(axes, sizes):
    """Return the shape of a parameter: an axis is the number of a layer or, as text, a size."""
    return tuple(int(axis) if isinstance(axis, str) else int(sizes[axis]) for axis in axes) or (1,)


def _zeros(shape):
    values = at_cache_line(int(np.prod(shape)), np.empty(0, real)).reshape(shape)
    values[...] = 0
    return values


def _initial(generator, name, shape, scales):
    values = _zeros(shape)
    fans = SPEC["initial"].get("fans", {name: shape[::-1]} if len(shape) > 1 else {})
    if name not in fans:  # biases, gains, and what activations learn
        values[...] = SPEC["initial"]["values"].get(name, 0)
        return values
    fan_in, fan_out = fans[name]
    scale = initial_scale(fan_in, fan_out, **scales)
    if SPEC["initial"]["distribution"] == "uniform":
        values[...] = generator.uniform(-scale, scale, shape)
    else:
        values[...] = scale * generator.standard_normal(shape)
    return values


def _matrix(name, values, columns):
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != columns or not len(values):
        raise ValueError(f"{name} has shape {values.shape}, expected (examples, {columns}) with at least one example")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} has dtype {values.dtype}, expected numbers")
    values = np.ascontiguousarray(values, real)
    if not _all_finite(values):
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(f"{name}[{row}, {column}] is {values[row, column]}, expected finite numbers")
    return values


def _indices(values, columns):
    """Return inputs that are numbers of rows of a table."""
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != columns or not len(values) or (
        values.dtype.kind not in "biu" and not (values.dtype.kind == "f" and (values == np.floor(values)).all())
    ):  # fmt: skip
        raise ValueError(f"X has shape {values.shape} and dtype {values.dtype}, expected whole (examples, {columns})")
    if values.min() < 0 or values.max() >= SPEC["vocabulary"]:
        raise ValueError(f"X has values from {values.min()} to {values.max()}, expected 0 to {SPEC['vocabulary'] - 1}")
    return np.ascontiguousarray(values, np.int64)


def _all_finite(values):
    """Return whether all values are finite; their sum of squares, which is soonest known, answers most often."""
    return bool(np.isfinite(np.vdot(values, values)) or np.isfinite(values).all())


def _order(order, examples):
    if order is None:
        return np.arange(examples)
    order = np.asarray(order)
    if order.ndim != 1 or order.dtype.kind not in "iu" or not order.size:
        raise ValueError(f"order has shape {order.shape} and dtype {order.dtype}, expected a list of examples")
    if order.min() < 0 or order.max() >= examples:
        raise ValueError(f"order has examples from {order.min()} to {order.max()}, expected 0 to {examples - 1}")
    return order.astype(np.int64, copy=False)
