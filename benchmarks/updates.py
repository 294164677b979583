"""Rules of update, overlapped and deferred, in one process, interleaved, medians of processor time.

python benchmarks/updates.py [--repeats 9] [--updates sgd momentum nesterov ...]
"""

import argparse
import statistics
import time

import numpy as np

from symbackprop import Network, build
from symbackprop.train import find_module

SIZES = {(784, 128, 10): 6000, (784, 800, 10): 1500}
UPDATES = ["sgd", "sgd+clip", "momentum", "nesterov", "sgd+average"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--updates", nargs="+", default=UPDATES)
    asked = parser.parse_args()
    print("| update | network | overlapped | deferred | deferred/overlapped |\n|---|---|---|---|---|")
    for update in asked.updates:
        network = Network(("tanh",), penalty="l2", update=update)
        module = find_module({"benchmark": update}, lambda network=network: build(network, name="updates").text)
        for sizes, examples in SIZES.items():
            overlapped, deferred = measured(module, sizes, examples, asked.repeats)
            cells = (f"{overlapped / 1e3:.1f} k", f"{deferred / 1e3:.1f} k", f"{deferred / overlapped:.2f}")
            print(f"| {update} | {'-'.join(map(str, sizes))} | {' | '.join(cells)} |", flush=True)


def measured(module, sizes, examples, repeats):
    """Return the examples a second of both schedules."""
    generator = np.random.default_rng(0)
    X = generator.random((examples, sizes[0]), dtype=np.float32)
    y = generator.integers(sizes[-1], size=examples)
    trainers = [module.Trainer(sizes, schedule=schedule) for schedule in ("overlapped", "deferred")]
    seconds = [[], []]
    for repeat in range(repeats + 1):
        for trainer, taken in zip(trainers, seconds, strict=True):
            start = time.process_time()
            trainer.sgd(X, y, learning_rate=0.001, l2=1e-4)
            if repeat:  # the first compiles
                taken.append(time.process_time() - start)
    return [examples / statistics.median(taken) for taken in seconds]


if __name__ == "__main__":
    main()
