"""Raw data with defaults: the estimators beside scikit-learn's MLPClassifier and MLPRegressor, on data as they come.

    python benchmarks/raw_data.py [--seeds 10]

Ten sets that come with scikit-learn or are made by it, each as it is and behind a StandardScaler; a quarter of the rows
is the test set, another one for each seed. Accuracy, or R², on it: mean ± standard error. The other ways of ours:
standardise=False, the lecture's SGD on what is given; and the same with a learning rate derived from the rows,
min(0.001, 0.1/mean |x|²). scikit-learn's default, Adam, is a step adapted for each weight.
"""

import argparse
import warnings

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from symbackprop.estimators.sklearn import SymbolicMLPClassifier, SymbolicMLPRegressor

OURS = {False: SymbolicMLPClassifier, True: SymbolicMLPRegressor}
THEIRS = {False: MLPClassifier, True: MLPRegressor}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore")
    print("| data | version | ours | scikit-learn | ours, standardise=False | and a rate from the rows |")
    print("|---|---|---|---|---|---|")
    for name, (X, y, is_values) in sets().items():
        for version in ("raw", "scaled"):
            found = np.array([scores(X, y, is_values, version, seed) for seed in range(seeds)])
            means, errors = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(seeds)
            cells = (f"{mean:.3f} ± {error:.3f}" for mean, error in zip(means, errors, strict=True))
            print(f"| {name} | {version} | {' | '.join(cells)} |", flush=True)


def sets():
    """Return by name X, y, and whether y are values."""
    known = {"return_X_y": True}
    generator = np.random.default_rng(0)
    made = datasets.make_classification(500, 20, n_informative=6, n_classes=3, random_state=0)
    first = datasets.make_friedman1(500, noise=1, random_state=0)
    third = datasets.make_friedman3(500, noise=0.1, random_state=0)
    return {
        "breast_cancer": (*datasets.load_breast_cancer(**known), False),
        "wine": (*datasets.load_wine(**known), False),
        "iris": (*datasets.load_iris(**known), False),
        "digits": (*datasets.load_digits(**known), False),
        "make_classification, wild columns": (wild(made[0], generator), made[1], False),
        "diabetes": (*datasets.load_diabetes(**known, scaled=False), True),
        "linnerud": (*datasets.load_linnerud(**known), True),
        "make_friedman1, wild columns": (wild(first[0], generator), first[1], True),
        "make_friedman2": (*datasets.make_friedman2(500, noise=50, random_state=0), True),
        "make_friedman3, y + 10,000": (third[0], third[1] + 10_000, True),
    }


def wild(X, generator):
    """Return columns with units from a thousandth to a thousand, far from 0."""
    columns = X.shape[1]
    return X * 10.0 ** generator.uniform(-3, 3, columns) + 10.0 ** generator.uniform(-2, 4, columns)


def scores(X, y, is_values, version, seed):
    """Return the scores on the test set of one seed: ours, theirs, ours with exact SGD, and with a derived rate."""
    X, T, y, t = train_test_split(X.astype(float), y, random_state=seed, stratify=None if is_values else y)
    if version == "scaled":
        scaler = StandardScaler().fit(X)
        X, T = scaler.transform(X), scaler.transform(T)
    ours, theirs = OURS[is_values], THEIRS[is_values]
    rate = min(0.001, 0.1 / np.mean(np.square(X).sum(axis=1)))
    ways = [
        ours(random_state=seed),
        theirs(random_state=seed),
        ours(random_state=seed, standardise=False),
        ours(random_state=seed, standardise=False, learning_rate_init=rate),
    ]
    return [score(way, X, y, T, t) for way in ways]


def score(way, X, y, T, t):
    try:
        return way.fit(X, y).score(T, t)
    except ValueError:  # it diverged at every learning rate
        return np.nan


if __name__ == "__main__":
    main()
