"""All built-in activations and six typed ones: trained on the digits with the same budget, and timed at 784-128-10.

Run: python benchmarks/activations.py [--table activations.md]

Digits: 64-64-10, softmax, -log f[y], L2 1e-4, α 0.02, δ 1e-5, 30 epochs, parameters of the best validation error; test
error over SEEDS cuts of the data. Speed: examples a second of `Trainer.sgd` at 784-128-10, float32, one thread, in
turn, the median of REPEATS, relative to tanh.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from sklearn.datasets import load_digits

from symbackprop import Network, build
from symbackprop.bench.task import make_task
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.train import find_module
from symbackprop.train.files.atomic import write_text

TYPED = {
    "mish": "a*tanh(log(1+exp(a)))",
    "SiLU, typed": "a/(1+exp(-a))",
    "squareplus": "(a+sqrt(a**2+4))/2",
    "ISRU": "a/sqrt(1+a**2)",
    "log-cosh, signed": "log(cosh(a)) if a > 0 else -log(cosh(a))",
    "a σ(a)²": "a*sigmoid(a)**2",
}
SEEDS, EPOCHS, REPEATS = 5, 30, 7
SIZES = (784, 128, 10)


def module_of(activation):
    choices = {"activations": (activation,), "penalty": "l2"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return find_module({**choices, "dtype": "float32"}, lambda: build(Network(**choices)).text)


def digits_error(module, seed):
    """Return the test error at the best validation error, in per cent."""
    X, y = load_digits(return_X_y=True)
    generator = np.random.default_rng(seed)
    train, validate, test = np.split(generator.permutation(len(X)), [1257, 1527])
    X = ((X - X[train].mean(axis=0)) / (X[train].std() + 1e-9)).astype(np.float32)
    trainer = module.Trainer((64, 64, 10), seed=seed)
    best, error = np.inf, np.nan
    for _ in range(EPOCHS):
        order = generator.permutation(train)
        try:
            trainer.sgd(X, y, order=order, learning_rate=0.02, decay=1e-5, l2=1e-4)
        except FloatingPointError:
            break
        wrong = (trainer.predict(X[validate]) != y[validate]).mean()
        if wrong < best:
            best, error = wrong, 100 * (trainer.predict(X[test]) != y[test]).mean()
    return error


def rates(modules):
    """Return the examples a second of each module, and the median of its speed relative to tanh."""
    task = make_task(SIZES).first(4096)
    trainers = {name: module.Trainer(SIZES) for name, module in modules.items()}
    seconds = {name: [] for name in trainers}
    for repeat in range(REPEATS + 1):
        for name, trainer in trainers.items():
            for own, value in zip(trainer.parameters.values(), task.parameters, strict=True):
                own[...] = value
            start = time.perf_counter()
            trainer.sgd(task.X, task.y, order=task.order, learning_rate=1e-4, l2=1e-4)
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    speed = {n: len(task.order) / statistics.median(s) for n, s in seconds.items()}
    share = {
        n: statistics.median(t / own for t, own in zip(seconds["tanh"], s, strict=True)) for n, s in seconds.items()
    }
    return speed, share


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", help="a Markdown file to write")
    options = parser.parse_args()
    choices = {name: name for name in ACTIVATIONS} | TYPED
    modules = {name: module_of(activation) for name, activation in choices.items()}
    errors = {}
    for name, module in modules.items():
        found = [digits_error(module, seed) for seed in range(SEEDS)]
        errors[name] = found
        print(f"{name:18} {np.mean(found):5.2f} %  ({min(found):.2f} to {max(found):.2f})", flush=True)
    speed, share = rates(modules)
    rows = ["| activation | test error, mean | least to most | examples/s at 784-128-10 | speed, tanh = 1 |",
            "|---|---|---|---|---|"]  # fmt: skip
    for name, activation in choices.items():
        shown = name if name == activation else f"{name}: `{activation}`"
        found = errors[name]
        rows.append(
            f"| {shown} | {np.mean(found):.2f} % | {min(found):.2f} to {max(found):.2f} % | "
            f"{speed[name] / 1e3:.0f} k | {share[name]:.2f} |"
        )
    table = "\n".join(rows)
    print(table)
    if options.table:
        write_text(options.table, table + "\n")


if __name__ == "__main__":
    main()
