"""Exact per-example SGD: sigmoid hidden layer, sigmoid output, bce loss, inverse step size.

Given:

    a1[i] = b1[i] + Σ_j W1[i,j] x[j]
    h1[j] = 1/(1 + exp(-a1[j]))
    a2[i] = b2[i] + Σ_j W2[i,j] h1[j]
    f[i] = 1/(1 + exp(-a2[i]))
    l = -Σ_i (y[i] log(f[i]) + log(1 - f[i]) (1 - y[i]))

Derived:

    da2[i] = f[i] - y[i]
    dh1[j] = Σ_i W2[i,j] da2[i]
    da1[i] = dh1[i] h1[i] (1 - h1[i])
    dW1[i,j] = da1[i] x[j]
    db1[i] = da1[i]
    dW2[i,j] = da2[i] h1[j]
    db2[i] = da2[i]

Update after each example:

    step = learning_rate/(1 + t decay)
    W1[i,j] ← W1[i,j] - step da1[i] x[j]
    b1[i] ← b1[i] - step da1[i]
    W2[i,j] ← W2[i,j] - step da2[i] h1[j]
    b2[i] ← b2[i] - step da2[i]

Regenerate with:

    symbackprop generate --activation sigmoid --hidden-layers 1 --loss bce --penalty none
        --initializer glorot --step-size inverse --dtype float64 -o sigmoid_bce.py

By symbackprop 0.1.0 and SymPy 1.14.0; digest of what follows: 1700d64a4bfced18.
"""

import json
import os
from math import exp, isfinite, log1p, sqrt
from pathlib import Path

import numpy as np
from numba import njit

SPEC = {
    "format": 1,
    "name": "sigmoid_bce",
    "preactivation": "dense",
    "activations": ["sigmoid"],
    "output": "sigmoid",
    "loss": "bce",
    "target": "vector",
    "penalty": "none",
    "initializer": "glorot",
    "step_size": "inverse",
    "dtype": "float64",
    "layers": 2,
    "parameters": {"W1": [1, 0], "b1": [1], "W2": [2, 1], "b2": [2]},
    "hyperparameters": {"decay": 0.0},
    "initial": {"distribution": "uniform", "defaults": {}},
    "network": "preactivation=dense; activations=['sigmoid']; output=sigmoid; loss=bce; target=vector; penalty=none",
}

real = np.float64  # the type of every constant: an untyped one would make float32 sums float64
zero, one = real(0), real(1)

# Sums may be reordered and products contracted; NaN and infinity keep their meaning.
FAST = {"reassoc", "contract", "nsz", "arcp", "afn"}


def kernel(function):
    """Compile at the first call; keep the machine code on disk where there is a place for it."""
    try:
        return njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)(function)
    except RuntimeError:  # no directory that a cache can be written to
        return njit(nogil=True, error_model="numpy", fastmath=FAST)(function)


def initial_scale(fan_in, fan_out):
    """Return the bound of the uniform, or the deviation of the normal, initial weights."""
    return real(2.449489742783178) / sqrt(fan_in + fan_out)


def step_size(learning_rate, decay, t):
    """Return the step size of update t."""
    return learning_rate / (one + real(t) * decay)


@kernel
def forward(X, W1, b1, W2, b2, F):
    """Write the outputs of every example of X to F."""
    N = X.shape[0]
    n0 = X.shape[1]
    n1 = W1.shape[0]
    n2 = W2.shape[0]
    a1 = np.empty_like(b1)
    h1 = np.empty_like(b1)
    a2 = np.empty_like(b2)
    for n in range(N):
        x = X[n]
        f = F[n]
        # a1[i] = b1[i] + Σ_j W1[i,j] x[j]
        for i in range(n1):
            total = zero
            for j in range(n0):
                total += W1[i, j] * x[j]
            a1[i] = b1[i] + total
        # h1[j] = 1/(1 + exp(-a1[j]))
        for j in range(n1):
            h1[j] = one / (one + exp(-a1[j]))
        # a2[i] = b2[i] + Σ_j W2[i,j] h1[j]
        for i in range(n2):
            total = zero
            for j in range(n1):
                total += W2[i, j] * h1[j]
            a2[i] = b2[i] + total
        # f[i] = 1/(1 + exp(-a2[i]))
        for i in range(n2):
            f[i] = one / (one + exp(-a2[i]))


@kernel
def loss(X, Y, W1, b1, W2, b2):
    """Return the mean loss of the examples, without the penalty."""
    N = X.shape[0]
    n0 = X.shape[1]
    n2 = Y.shape[1]
    n1 = W1.shape[0]
    a1 = np.empty_like(b1)
    h1 = np.empty_like(b1)
    a2 = np.empty_like(b2)
    f = np.empty_like(b2)
    mean = zero
    for n in range(N):
        x = X[n]
        y = Y[n]
        # a1[i] = b1[i] + Σ_j W1[i,j] x[j]
        for i in range(n1):
            total = zero
            for j in range(n0):
                total += W1[i, j] * x[j]
            a1[i] = b1[i] + total
        # h1[j] = 1/(1 + exp(-a1[j]))
        for j in range(n1):
            h1[j] = one / (one + exp(-a1[j]))
        # a2[i] = b2[i] + Σ_j W2[i,j] h1[j]
        for i in range(n2):
            total = zero
            for j in range(n1):
                total += W2[i, j] * h1[j]
            a2[i] = b2[i] + total
        # f[i] = 1/(1 + exp(-a2[i]))
        for i in range(n2):
            f[i] = one / (one + exp(-a2[i]))
        # l = Σ_i {log1p(exp(a2[i])) - a2[i] y[i] if a2[i] < 0; a2[i] + log1p(exp(-a2[i])) -
        #     a2[i] y[i] otherwise}
        l = zero
        for i in range(n2):
            l += (
                log1p(exp(a2[i])) - a2[i] * y[i] if a2[i] < zero else a2[i] + log1p(exp(-a2[i]))
                - a2[i] * y[i]
            )
        mean += l
    return mean / real(N)


@kernel
def backward(x, y, W1, b1, W2, b2, dW1, db1, dW2, db2):
    """Write the gradient of l + λΩ for one example to the arrays dW1, db1, ...; return l."""
    n0 = x.shape[0]
    n2 = y.shape[0]
    n1 = W1.shape[0]
    a1 = np.empty_like(b1)
    h1 = np.empty_like(b1)
    a2 = np.empty_like(b2)
    f = np.empty_like(b2)
    da2 = np.empty_like(b2)
    dh1 = np.empty_like(b1)
    da1 = np.empty_like(b1)
    # a1[i] = b1[i] + Σ_j W1[i,j] x[j]
    for i in range(n1):
        total = zero
        for j in range(n0):
            total += W1[i, j] * x[j]
        a1[i] = b1[i] + total
    # h1[j] = 1/(1 + exp(-a1[j]))
    for j in range(n1):
        h1[j] = one / (one + exp(-a1[j]))
    # a2[i] = b2[i] + Σ_j W2[i,j] h1[j]
    for i in range(n2):
        total = zero
        for j in range(n1):
            total += W2[i, j] * h1[j]
        a2[i] = b2[i] + total
    # f[i] = 1/(1 + exp(-a2[i]))
    for i in range(n2):
        f[i] = one / (one + exp(-a2[i]))
    # l = Σ_i {log1p(exp(a2[i])) - a2[i] y[i] if a2[i] < 0; a2[i] + log1p(exp(-a2[i])) -
    #     a2[i] y[i] otherwise}
    l = zero
    for i in range(n2):
        l += (
            log1p(exp(a2[i])) - a2[i] * y[i] if a2[i] < zero else a2[i] + log1p(exp(-a2[i]))
            - a2[i] * y[i]
        )
    # da2[i] = f[i] - y[i]
    for i in range(n2):
        da2[i] = f[i] - y[i]
    # dh1[j] = Σ_i W2[i,j] da2[i]
    for j in range(n1):
        dh1[j] = zero
    for i in range(n2):
        da2_i = da2[i]
        for j in range(n1):
            dh1[j] += da2_i * W2[i, j]
    # da1[i] = dh1[i] h1[i] (1 - h1[i])
    for i in range(n1):
        da1[i] = dh1[i] * h1[i] * (one - h1[i])
    # dW1[i,j] = da1[i] x[j]
    for i in range(n1):
        da1_i = da1[i]
        for j in range(n0):
            dW1[i, j] = da1_i * x[j]
    # db1[i] = da1[i]
    for i in range(n1):
        db1[i] = da1[i]
    # dW2[i,j] = da2[i] h1[j]
    for i in range(n2):
        da2_i2 = da2[i]
        for j in range(n1):
            dW2[i, j] = da2_i2 * h1[j]
    # db2[i] = da2[i]
    for i in range(n2):
        db2[i] = da2[i]
    return l


@kernel
def sgd(X, Y, order, W1, b1, W2, b2, learning_rate, decay, t):
    """Update after each example of X[order]; return how many were done and the sum of their losses."""
    n0 = X.shape[1]
    n2 = Y.shape[1]
    updates = order.shape[0]
    n1 = W1.shape[0]
    a1 = np.empty_like(b1)
    h1 = np.empty_like(b1)
    a2 = np.empty_like(b2)
    f = np.empty_like(b2)
    da2 = np.empty_like(b2)
    dh1 = np.empty_like(b1)
    da1 = np.empty_like(b1)
    losses = zero
    done = 0
    for n in range(updates):
        row = order[n]
        x = X[row]
        y = Y[row]
        # a1[i] = b1[i] + Σ_j W1[i,j] x[j]
        for i in range(n1):
            total = zero
            for j in range(n0):
                total += W1[i, j] * x[j]
            a1[i] = b1[i] + total
        # h1[j] = 1/(1 + exp(-a1[j]))
        for j in range(n1):
            h1[j] = one / (one + exp(-a1[j]))
        # a2[i] = b2[i] + Σ_j W2[i,j] h1[j]
        for i in range(n2):
            total = zero
            for j in range(n1):
                total += W2[i, j] * h1[j]
            a2[i] = b2[i] + total
        # f[i] = 1/(1 + exp(-a2[i]))
        for i in range(n2):
            f[i] = one / (one + exp(-a2[i]))
        # l = Σ_i {log1p(exp(a2[i])) - a2[i] y[i] if a2[i] < 0; a2[i] + log1p(exp(-a2[i])) -
        #     a2[i] y[i] otherwise}
        l = zero
        for i in range(n2):
            l += (
                log1p(exp(a2[i])) - a2[i] * y[i] if a2[i] < zero else a2[i] + log1p(exp(-a2[i]))
                - a2[i] * y[i]
            )
        # da2[i] = f[i] - y[i]
        for i in range(n2):
            da2[i] = f[i] - y[i]
        # dh1[j] = Σ_i W2[i,j] da2[i]
        for j in range(n1):
            dh1[j] = zero
        for i in range(n2):
            da2_i = da2[i]
            for j in range(n1):
                dh1[j] += da2_i * W2[i, j]
        # da1[i] = dh1[i] h1[i] (1 - h1[i])
        for i in range(n1):
            da1[i] = dh1[i] * h1[i] * (one - h1[i])
        # nothing is learnt from a loss that is not finite
        if not isfinite(l):
            break
        losses += l
        # step = learning_rate/(1 + t decay)
        step = learning_rate / (one + decay * real(n + t))
        # W1[i,j] ← W1[i,j] - step da1[i] x[j]
        for i in range(n1):
            step_da1 = step * da1[i]
            for j in range(n0):
                W1[i, j] -= step_da1 * x[j]
        # b1[i] ← b1[i] - step da1[i]
        for i in range(n1):
            b1[i] -= step * da1[i]
        # W2[i,j] ← W2[i,j] - step da2[i] h1[j]
        for i in range(n2):
            step_da2 = step * da2[i]
            for j in range(n1):
                W2[i, j] -= step_da2 * h1[j]
        # b2[i] ← b2[i] - step da2[i]
        for i in range(n2):
            b2[i] -= step * da2[i]
        done += 1
    return done, losses


class Trainer:
    """Parameters and the kernels that train them, one example at a time.

    Parameters
    ----------
    sizes
        Units of every layer: (inputs, hidden ..., outputs).
    seed
        Seed of the initial values.
    **scales
        Values for the initializer, where it has any (see SPEC["initial"]).

    Attributes
    ----------
    parameters : dict of str to ndarray
        W1, b1, ... updated in place.
    t : int
        Updates done so far; the step size counts in it.
    """

    BLOCK = 1024  # examples between two looks at the clock, the keyboard and the losses

    def __init__(self, sizes, seed=0, **scales):
        self.sizes = _sizes(sizes)
        self.t = 0
        scales = _known(scales, SPEC["initial"]["defaults"], "initial value")
        generator = np.random.default_rng(seed)
        self.parameters = {}
        for name, axes in SPEC["parameters"].items():
            shape = tuple(self.sizes[axis] for axis in axes)
            self.parameters[name] = _initial(generator, shape, scales)

    def sgd(self, X, y, *, order=None, learning_rate=0.1, **hyperparameters):
        """Update after each example of X[order]; return the mean loss, each example's taken before its update.

        Parameters
        ----------
        X : array of shape (examples, inputs)
        y : array of shape (examples,) with class numbers, or (examples, outputs)
        order : array of int, optional
            The examples to visit, in this order, repeats allowed; all of them once by default.
        learning_rate, **hyperparameters
            As in SPEC["hyperparameters"].

        Raises
        ------
        ValueError
            If the data or a hyperparameter is not usable; nothing has changed then.
        FloatingPointError
            If the loss or a parameter is no longer finite; the parameters are those from before the call.
        """
        X, y = self._examples(X, y)
        order = _order(order, len(X))
        settings = self._settings(learning_rate, hyperparameters)
        before, t, total = {k: v.copy() for k, v in self.parameters.items()}, self.t, 0.0
        for start in range(0, order.size, self.BLOCK):
            block = order[start : start + self.BLOCK]
            done, losses = sgd(X, y, block, *self.parameters.values(), *map(real, settings), self.t)
            self.t += int(done)
            total += float(losses)
            last = start + int(done)
            if done < block.size or not (np.isfinite(losses) and self._is_finite()):
                at, step = order[min(last, order.size - 1)], step_size(*settings, self.t)
                self.t = t
                for name, value in before.items():
                    self.parameters[name][...] = value
                raise FloatingPointError(
                    f"training became non-finite at example {at} (number {last + 1} of {order.size}), step size "
                    f"{step:.6g}; the parameters are back as they were: try a smaller learning rate"
                )
        return total / order.size

    def predict_proba(self, X):
        """Return the outputs f, shape (examples, outputs)."""
        X = _matrix("X", X, self.sizes[0])
        F = np.empty((len(X), self.sizes[-1]), real)
        forward(X, *self.parameters.values(), F)
        return F

    def predict(self, X):
        """Return class numbers, or 0 and 1 for independent labels, or the outputs themselves."""
        F = self.predict_proba(X)
        if SPEC["target"] == "label":
            return F.argmax(axis=1)
        return (F > 0.5).astype(np.int64) if SPEC["output"] == "sigmoid" else F

    def loss(self, X, y):
        """Return the mean of l over the examples, without the penalty."""
        X, y = self._examples(X, y)
        return float(loss(X, y, *self.parameters.values()))

    def save(self, path):
        """Write the parameters, t and SPEC to an .npz file, whole or not at all."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        header = {"spec": json.dumps(SPEC), "sizes": self.sizes, "t": self.t}
        try:
            with temporary.open("wb") as file:
                np.savez(file, **header, **self.parameters)
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
                spec, sizes, t = json.loads(str(file["spec"])), file["sizes"], int(file["t"])
                values = {name: file[name] for name in SPEC["parameters"]}
        except (OSError, KeyError, TypeError, EOFError, ValueError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise ValueError(f"{path} is not a model of this module, or is damaged: {error}") from None
        except Exception as error:  # zipfile and zlib raise their own kinds on damaged files
            raise ValueError(f"{path} is damaged: {error}") from None
        if spec.get("network") != SPEC["network"]:
            raise ValueError(f"{path} holds a network {spec.get('network')}, expected {SPEC['network']}")
        trainer = cls(tuple(sizes.tolist()), **SPEC["initial"]["defaults"])
        for name, value in values.items():
            if value.shape != trainer.parameters[name].shape or not np.isfinite(value).all():
                raise ValueError(f"{path} is damaged: {name} has shape {value.shape} or values that are not finite")
            trainer.parameters[name][...] = value
        trainer.t = t
        return trainer

    def _is_finite(self):
        return all(np.isfinite(value).all() for value in self.parameters.values())

    def _settings(self, learning_rate, hyperparameters):
        if not (np.isscalar(learning_rate) and np.isfinite(learning_rate) and learning_rate > 0):
            raise ValueError(f"learning_rate is {learning_rate!r}, expected a positive number")
        values = _known(hyperparameters, SPEC["hyperparameters"], "hyperparameter")
        for name, value in values.items():
            if not (np.isscalar(value) and np.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value!r}, expected a number that is not negative")
        return [learning_rate, *values.values()]

    def _examples(self, X, y):
        X = _matrix("X", X, self.sizes[0])
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
        return X, y


def _sizes(sizes):
    made = tuple(sizes)
    if len(made) != SPEC["layers"] + 1 or any(int(n) != n or n < 1 for n in made):
        layers = "inputs, " + "hidden, " * (SPEC["layers"] - 1) + "outputs"
        raise ValueError(f"sizes are {made}, expected {SPEC['layers'] + 1} positive integers: ({layers})")
    return tuple(int(n) for n in made)


def _known(given, defaults, what):
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise ValueError(f"unknown {what} {unknown[0]!r}, this module has {', '.join(defaults) or 'none'}")
    return {name: given.get(name, default) for name, default in defaults.items()}


def _initial(generator, shape, scales):
    if len(shape) == 1:  # biases
        return np.zeros(shape, real)
    fan_out, fan_in = shape
    scale = initial_scale(fan_in, fan_out, **scales)
    if SPEC["initial"]["distribution"] == "uniform":
        return generator.uniform(-scale, scale, shape).astype(real)
    return (scale * generator.standard_normal(shape)).astype(real)


def _matrix(name, values, columns):
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != columns or not len(values):
        raise ValueError(f"{name} has shape {values.shape}, expected (examples, {columns}) with at least one example")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} has dtype {values.dtype}, expected numbers")
    values = np.ascontiguousarray(values, real)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(f"{name}[{row}, {column}] is {values[row, column]}, expected finite numbers")
    return values


def _order(order, examples):
    if order is None:
        return np.arange(examples)
    order = np.asarray(order)
    if order.ndim != 1 or order.dtype.kind not in "iu" or not order.size:
        raise ValueError(f"order has shape {order.shape} and dtype {order.dtype}, expected a list of examples")
    if order.min() < 0 or order.max() >= examples:
        raise ValueError(f"order has examples from {order.min()} to {order.max()}, expected 0 to {examples - 1}")
    return order.astype(np.int64, copy=False)
