"""Cross-validation and bagging over joblib's threads, over its processes (loky) and one fit after another.

    python benchmarks/threads.py [--jobs 2] [--rows 40000] [--epochs 40] [--repeats 5]

Four fits of SymbolicMLPClassifier((100,), "tanh") on synthetic data of 64 inputs and 10 classes; the kernels release
the GIL. BLAS has one thread. Interleaved, medians, after one run of each way, which compiles and starts the processes.
"""

import argparse
import os
import statistics
import time
import warnings

import numpy as np
from joblib import parallel_config
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import cross_val_score
from threadpoolctl import threadpool_limits

from symbackprop.estimators.sklearn import SymbolicMLPClassifier

INPUTS, CLASSES, FITS = 64, 10, 4


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # so few epochs have not converged
    os.environ["PYTHONWARNINGS"] = "ignore"  # nor have they in processes, which inherit this
    X, y = synthetic(asked.rows)
    network = SymbolicMLPClassifier(
        (100,), "tanh", max_iter=asked.epochs, n_iter_no_change=asked.epochs, random_state=0
    )
    ways = {"n_jobs=1": ("threading", 1), "threading": ("threading", asked.jobs), "loky": ("loky", asked.jobs)}
    tasks = {"cross_val_score, cv=4": validated, "BaggingClassifier, 4 networks": bagged}
    runs = {(task, way): (run, *ways[way]) for task, run in tasks.items() for way in ways}
    for run in runs.values():
        seconds(*run, network, X, y)
    found = {key: [] for key in runs}
    for _ in range(asked.repeats):
        for key, run in runs.items():
            found[key].append(seconds(*run, network, X, y))
    print(table(found, asked.jobs))


def synthetic(rows):
    """Return inputs, and the classes that a random linear map gives them, a fifth of them wrong."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(rows, INPUTS)).astype(np.float32)
    y = (X @ generator.normal(size=(INPUTS, CLASSES))).argmax(axis=1)
    return X, np.where(generator.random(rows) < 0.2, generator.integers(CLASSES, size=rows), y)


def validated(network, X, y, jobs):
    return cross_val_score(network, X, y, cv=FITS, n_jobs=jobs)


def bagged(network, X, y, jobs):
    return BaggingClassifier(network, n_estimators=FITS, random_state=0, n_jobs=jobs).fit(X, y)


def seconds(run, backend, jobs, network, X, y):
    """Return how long four fits take."""
    inner = {"inner_max_num_threads": 1} if backend == "loky" else {}  # threads have the limit of this process
    with threadpool_limits(1), parallel_config(backend, **inner):
        start = time.perf_counter()
        run(network, X, y, jobs)
        return time.perf_counter() - start


def table(found, jobs):
    """Return the medians, and how much faster they are than one fit after another, as Markdown."""
    lines = ["| four fits | way | seconds (median) | speed-up over n_jobs=1 |\n|---|---|---|---|"]
    for (task, way), times in found.items():
        middle = statistics.median(times)
        ratio = statistics.median(found[task, "n_jobs=1"]) / middle
        lines.append(f"| {task} | {way if '=' in way else f'n_jobs={jobs}, {way}'} | {middle:.2f} | {ratio:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
