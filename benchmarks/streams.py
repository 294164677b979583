"""One row at a time: this network beside River's and scikit-learn's models, in one process, interleaved, medians.

    python benchmarks/streams.py [--rows 2000] [--repeats 5]

30 features, 32 hidden units, 2 classes. River has no network any more; its users have its logistic regression behind a
standard scaler in its place. scikit-learn's MLPClassifier learns a row in `partial_fit`.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from river import linear_model, preprocessing
from sklearn.neural_network import MLPClassifier

from symbackprop.estimators.online import OnlineNetwork
from symbackprop.estimators.river import Classifier
from symbackprop.estimators.sklearn import SymbolicMLPClassifier

FEATURES, HIDDEN = 30, 32


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    generator = np.random.default_rng(0)
    X = generator.normal(size=(asked.rows, FEATURES))
    y = (X @ generator.normal(size=FEATURES) > 0).astype(int).tolist()
    dicts = [{f"x{j}": v for j, v in enumerate(row)} for row in X.tolist()]
    ways = made()
    for learn, _, kind in ways.values():  # compiled, and both classes seen
        for n in range(20):
            learn(dicts[n] if kind == "dict" else X[n], y[n])
    found = {name: [] for name in ways}
    for _ in range(asked.repeats):
        for name, (learn, slow, kind) in ways.items():
            rows = (dicts if kind == "dict" else X)[: max(20, asked.rows // slow)]
            found[name].append(microseconds(learn, rows, y))
    fastest = statistics.median(found["OnlineNetwork, array"])
    print("| learns one row | microseconds (median) | of the first |\n|---|---|---|")
    for name, times in found.items():
        print(f"| {name} | {statistics.median(times):.1f} | {statistics.median(times) / fastest:.1f} |")


def made():
    """Return by name how each model learns a row, how much slower it is, and what kind of rows it takes."""
    online, named = (OnlineNetwork((HIDDEN,), "tanh", classes=[0, 1]) for _ in range(2))
    river = Classifier((HIDDEN,), "tanh")
    pipeline = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    ours = SymbolicMLPClassifier((HIDDEN,), "tanh")
    theirs = MLPClassifier((HIDDEN,), "tanh", solver="sgd")
    return {
        "OnlineNetwork, array": (online.learn_one, 1, "array"),
        "OnlineNetwork, dict": (named.learn_one, 1, "dict"),
        "symbackprop.estimators.river.Classifier": (river.learn_one, 1, "dict"),
        "River StandardScaler, LogisticRegression": (pipeline.learn_one, 2, "dict"),
        "SymbolicMLPClassifier.partial_fit": (
            lambda x, y: ours.partial_fit(x[None], [y], classes=[0, 1]), 10, "array",
        ),
        "scikit-learn MLPClassifier.partial_fit": (
            lambda x, y: theirs.partial_fit(x[None], [y], classes=[0, 1]), 50, "array",
        ),
    }  # fmt: skip


def microseconds(learn, rows, y):
    """Return the median time of one row."""
    times = []
    for row, label in zip(rows, y, strict=False):
        start = time.perf_counter()
        learn(row, label)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


if __name__ == "__main__":
    main()
