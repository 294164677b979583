"""Examples a second of a generated module, its loss and its updates by several sizes of mini-batches, on random data.

Run: python benchmarks/batches.py generated/lenet1.py [--sizes 1 8 32 128] [--examples 4096] [--rounds 7]
"""

import argparse
import importlib.util
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 8, 32, 128])
    parser.add_argument("--examples", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    trainer = loaded(asked.module).Trainer()
    X = np.random.default_rng(0).random((asked.examples, trainer.sizes[0]), np.float32)
    y = np.random.default_rng(1).integers(0, trainer.sizes[-1], asked.examples)
    for size in asked.sizes:  # compile before the first round
        trainer.sgd(X[:size], y[:size], learning_rate=1e-3, batch_size=size)
    trainer.loss(X, y)
    losses = [seconds(lambda: trainer.loss(X, y)) for _ in range(asked.rounds)]
    print(f"loss           : {asked.examples / median(losses):9,.0f} examples/s")
    rounds = [
        [seconds(lambda n=n: trainer.sgd(X, y, learning_rate=1e-3, batch_size=n)) for n in asked.sizes]
        for _ in range(asked.rounds)
    ]
    for size, took in zip(asked.sizes, zip(*rounds, strict=True), strict=True):
        print(f"batches of {size:4}: {asked.examples / median(took):9,.0f} examples/s")


def seconds(run):
    """The processor's seconds for one run."""
    start = time.process_time()
    run()
    return time.process_time() - start


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
