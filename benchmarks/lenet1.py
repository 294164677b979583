"""LeNet-1 on MNIST, one update after each example: LeCun, Bottou, Bengio and Haffner 1998, figure 9, report 1.7 %.

    python benchmarks/lenet1.py mnist.npz [--epochs 10] [--seeds 0 1 2]

28x28 - convolution 4@5x5, tanh - average pool 2 - convolution 12@5x5, tanh - average pool 2 - dense 10. α is that of
GRID with the fewest mistakes on the last 10,000 of the 60,000 training images after 3 epochs on the others. Then all
60,000 train for --epochs, α halved after each of the last five, and the test images are looked at once. The .npz is
that of benchmarks/simard2003.py.
"""

import argparse
import statistics
import time

import numpy as np

from symbackprop import Network, build
from symbackprop.definitions.layers import averagepool, conv, dense
from symbackprop.train import find_module

LAYERS = [conv(4, 5), "tanh", averagepool(2), conv(12, 5), "tanh", averagepool(2), dense(10)]
GRID = (0.01, 0.02, 0.05)
HALVED = 5


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked = parser.parse_args()
    data = np.load(asked.data, allow_pickle=False)
    X, T = ((data[f"X_{part}"].reshape(-1, 784) / 255).astype(np.float32) for part in ("train", "test"))
    mean, deviation = X.mean(), X.std()
    X, T = (X - mean) / deviation, (T - mean) / deviation
    y, t = data["y_train"].astype(np.int64), data["y_test"].astype(np.int64)
    network = Network(LAYERS, input=(1, 28, 28), step_size="constant")
    module = find_module({"benchmark": "lenet1"}, lambda: build(network, name="lenet1").text)
    mistakes = {α: error(trained(module, X[:50000], y[:50000], α, 3, 0)[0], X[50000:], y[50000:]) for α in GRID}
    α = min(mistakes, key=mistakes.get)
    print("validation error after 3 epochs:", ", ".join(f"α {a:g} {e:.2%}" for a, e in mistakes.items()))
    errors = []
    for seed in asked.seeds:
        trainer, seconds = trained(module, X, y, α, asked.epochs, seed)
        errors.append(error(trainer, T, t))
        print(f"seed {seed}: test error {errors[-1]:.2%} after {asked.epochs} epochs in {seconds:.1f} s")
    print(f"mean {statistics.mean(errors):.2%}; published 1.7 %")


def trained(module, X, y, α, epochs, seed):
    """Return a trainer after some epochs, and the seconds of its updates."""
    trainer, generator, seconds = module.Trainer(seed=seed), np.random.default_rng(seed), 0.0
    for epoch in range(epochs):
        rate = α * 0.5 ** max(0, epoch - (epochs - HALVED) + 1) if epochs > HALVED else α
        start = time.perf_counter()
        trainer.sgd(X, y, order=generator.permutation(len(X)), learning_rate=rate)
        seconds += time.perf_counter() - start
    return trainer, seconds


def error(trainer, X, y):
    return float(np.mean(trainer.predict(X) != y))


if __name__ == "__main__":
    main()
