"""A stand-in for a generated module: softmax regression in NumPy, with the same SPEC and Trainer."""

import json

import numpy as np

SPEC = {
    "name": "fake",
    "activations": [],
    "loss": "nll",
    "output": "softmax",
    "target": "label",
    "penalty": "l2",
    "initializer": "glorot",
    "step_size": "inverse",
    "dtype": "float64",
    "hyperparameters": ["decay", "l2"],
}


class Trainer:
    """Softmax regression, one update after each example."""

    def __init__(self, sizes, seed=0, schedule="auto"):
        self.sizes = tuple(sizes)
        n0, n1 = self.sizes
        bound = np.sqrt(6 / (n0 + n1))
        W = np.random.default_rng(seed).uniform(-bound, bound, (n1, n0))
        self.parameters = {"W1": W, "b1": np.zeros(n1)}
        self.t = 0

    def sgd(self, X, y, *, order=None, learning_rate=0.1, decay=0.0, l2=0.0):
        W, b = self.parameters["W1"], self.parameters["b1"]
        before, t = (W.copy(), b.copy()), self.t
        total = 0.0
        order = np.arange(len(X)) if order is None else order
        for i in order:
            f = self.predict_proba(X[i : i + 1])[0]
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                total -= np.log(f[y[i]])
                f[y[i]] -= 1
                step = learning_rate / (1 + decay * self.t)
                W -= step * (np.outer(f, X[i]) + 2 * l2 * W)
                b -= step * f
            self.t += 1
            if not np.isfinite(total) or not np.isfinite(W).all():
                self.parameters["W1"][...], self.parameters["b1"][...] = before
                self.t = t
                raise FloatingPointError(f"example {i}: the loss became {total} at step size {step:g}")
        return float(total / len(order))

    def predict_proba(self, X):
        a = X @ self.parameters["W1"].T + self.parameters["b1"]
        e = np.exp(a - a.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)

    def loss(self, X, y):
        return float(-np.mean(np.log(self.predict_proba(X)[np.arange(len(y)), y] + 1e-300)))

    def save(self, path):
        np.savez(path, spec=json.dumps(SPEC), sizes=self.sizes, t=self.t, **self.parameters)

    @classmethod
    def load(cls, path):
        with np.load(path, allow_pickle=False) as arrays:
            trainer = cls(tuple(int(n) for n in arrays["sizes"]))
            for name, values in trainer.parameters.items():
                values[...] = arrays[name]
            trainer.t = int(arrays["t"])
        return trainer
