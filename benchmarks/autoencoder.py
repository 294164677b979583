"""An autoencoder with tied weights beside PCA with as many components, on scikit-learn's digits.

    python benchmarks/autoencoder.py [--components 16] [--epochs 400] [--seeds 0 1 2]

64 - 128, SiLU - 16 - 128, SiLU - 64: the last two layers have the transposed weights of the first two. Squared error,
one update after each example; 1347 digits train, 450 are held out. PCA has the mean and the first principal directions
of the same training digits. Errors are root mean squares over the pixels of the digits held out, whose range is 0 to 1.
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits

from symbackprop import Network, build
from symbackprop.definitions.layers import dense, tied
from symbackprop.train import find_module

TRAINING = 1347


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--components", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked = parser.parse_args()
    layers = [dense(128), "silu", dense(asked.components), tied("W2"), "silu", tied("W1")]
    network = Network(layers, input=(64,), loss="squared")
    module = find_module({"benchmark": f"tied {asked.components}"}, lambda: build(network, name="tied").text)
    for seed in asked.seeds:
        X = load_digits().data[np.random.default_rng(seed).permutation(1797)] / 16
        train, test = X[:TRAINING], X[TRAINING:]
        mean = train.mean(axis=0)
        trainer = trained(module, train - mean, asked.epochs, seed)
        ours = rms(trainer.predict(test - mean) + mean - test)
        directions = np.linalg.svd(train - mean, full_matrices=False)[2][: asked.components]
        theirs = rms((test - mean) @ directions.T @ directions + mean - test)
        print(f"seed {seed}: autoencoder {ours:.4f}, PCA {theirs:.4f}, ratio {ours / theirs:.3f}")


def trained(module, X, epochs, seed):
    trainer, generator = module.Trainer(seed=seed), np.random.default_rng(seed)
    for epoch in range(epochs):
        rate = 0.02 / (1 + 10 * epoch / epochs)
        trainer.sgd(X, X, order=generator.permutation(len(X)), learning_rate=rate)
    return trainer


def rms(difference):
    return float(np.sqrt(np.mean(difference**2)))


if __name__ == "__main__":
    main()
