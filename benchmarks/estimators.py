"""`fit` beside scikit-learn's MLPClassifier on OCR letters, and a first fit in a new process.

    python benchmarks/estimators.py ocr_letters.npz [--repeats 3]

128 binary inputs, 26 classes, 32,152 training examples, hidden (100,), tanh, one epoch. Beside batch_size 1, of which
scikit-learn gets a tenth of the examples and its time is multiplied, then beside its own default of 200 examples
a batch. Interleaved, medians. The .npz is that of benchmarks/ocr_letters.py.
"""

import argparse
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier

from symbackprop.estimators.sklearn import SymbolicMLPClassifier

TRAIN, PART = 32152, 10
START = """
import time; start = time.perf_counter()
import numpy as np, sklearn.neural_network, sklearn.model_selection
known = time.perf_counter()
from symbackprop.estimators.sklearn import SymbolicMLPClassifier
imported = time.perf_counter()
generator = np.random.default_rng(0)
X, y = generator.normal(size=(200, 128)), generator.integers(26, size=200)
SymbolicMLPClassifier((100,), "tanh", max_iter=1).fit(X, y)
print(known - start, imported - known, time.perf_counter() - imported)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    X, y = letters(asked.data)
    common = {"hidden_layer_sizes": (100,), "activation": "tanh", "max_iter": 1, "random_state": 0}
    runs = {
        "symbackprop, float32": lambda: SymbolicMLPClassifier(**common).fit(X, y),
        "symbackprop, float64": lambda: SymbolicMLPClassifier(**common, dtype="float64").fit(X, y),
        "scikit-learn, batch_size=1": lambda: MLPClassifier(**common, solver="sgd", batch_size=1).fit(
            X[: TRAIN // PART], y[: TRAIN // PART]
        ),
        "scikit-learn, batch_size=200, adam": lambda: MLPClassifier(**common).fit(X, y),
    }
    times = {name: [] for name in runs}
    runs["symbackprop, float32"](), runs["symbackprop, float64"]()  # compiled
    for _ in range(asked.repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) * (PART if "batch_size=1" in name.split(", ") else 1))
    first = statistics.median(times["symbackprop, float32"])
    print("| one epoch of 32,152 | seconds (median) | of the first |\n|---|---|---|")
    for name, seconds in times.items():
        print(f"| {name} | {statistics.median(seconds):.3f} | {statistics.median(seconds) / first:.1f} |")
    starts = np.array([new_process() for _ in range(asked.repeats + 1)])[1:]  # the first fills the caches
    known, imported, fitted = np.median(starts, axis=0)
    print(f"\na new process: scikit-learn imported in {known:.2f} s, then symbackprop in {imported:.2f} s,", end=" ")
    print(f"first fit in {fitted:.2f} s")


def letters(path):
    """Return the training part in the course's order, as float32."""
    data = np.load(path, allow_pickle=False)
    order = data["larochelle_perm"][:TRAIN]
    X = np.unpackbits(data["X_bits"], axis=1)[order].astype(np.float32)
    return np.ascontiguousarray(X), data["y"][order].astype(np.int64)


def new_process():
    """Return the seconds of imports and of a first fit in a process of its own."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", START], capture_output=True, text=True, check=True)
    return [float(v) for v in done.stdout.split()]


if __name__ == "__main__":
    main()
