"""Speed of the schedules beside `sgd` of the same module: same weights, data, order; interleaved, one thread, float32.

Run: python benchmarks/schedules.py [--block 16,24,48] [--only 784-128-10]
"""

import argparse
import importlib.util
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from symbackprop import Network, build

NETWORKS = [(4, 8, 3), (64, 32, 10), (784, 128, 10), (784, 800, 10), (784, 512, 512, 10)]
REPEATS = 7


def load(depth, folder):
    """Return the generated module of a tanh network with L2 of some depth."""
    path = Path(folder) / f"tanh_{depth}.py"
    build(Network(("tanh",) * depth, penalty="l2")).write(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peak():
    """Return the GFLOP/s of this machine's own single-thread sgemm."""
    A, B = (np.random.default_rng(0).random((1024, 1024), np.float32) for _ in range(2))
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        A @ B
        seconds.append(time.perf_counter() - start)
    return 2 * 1024**3 / min(seconds) / 1e9


def useful_flops(sizes):
    """Return the floating-point operations of forward, backward and update of one example."""
    pairs = list(pairwise(sizes))
    return sum((4 if k == 0 else 6) * a * b for k, (a, b) in enumerate(pairs))


def run(kernel, trainer, data, extra):
    own = list(trainer.parameters.values())  # at cache lines, as a Trainer has them
    for value, first in zip(own, type(trainer)(trainer.sizes, seed=0).parameters.values(), strict=True):
        value[...] = first
    start = time.perf_counter()
    _, losses = kernel(*data, *own, *map(np.float32, (0.01, 1e-5, 1e-5)), 0, *extra)
    return time.perf_counter() - start, float(losses)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--block", default="16,24,48")
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", default="out/bench")
    options = parser.parse_args()
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    modules = {}
    print(f"sgemm {peak():.0f} GFLOP/s")
    for sizes in NETWORKS:
        name = "-".join(map(str, sizes))
        if options.only and options.only != name:
            continue
        depth = len(sizes) - 2
        module = modules.setdefault(depth, None) or load(depth, options.folder)
        modules[depth] = module
        trainer = module.Trainer(sizes, seed=0)
        examples = max(512, int(2e8 / useful_flops(sizes)))
        generator = np.random.default_rng(0)
        X = generator.random((examples, sizes[0])).astype(np.float32) * (generator.random((examples, sizes[0])) < 0.2)
        data = X.astype(np.float32), generator.integers(0, sizes[-1], examples), generator.permutation(examples)
        kernels = {"plain": (module.sgd, ()), "overlapped": (module.sgd_overlapped, ())}
        kernels |= {f"deferred {b}": (module.sgd_deferred, (int(b),)) for b in options.block.split(",")}
        start = time.perf_counter()
        for kernel, extra in kernels.values():
            run(kernel, trainer, data, extra)
        compiled = time.perf_counter() - start
        seconds = {key: [] for key in kernels}
        for _ in range(REPEATS):
            for key, (kernel, extra) in kernels.items():
                took, losses = run(kernel, trainer, data, extra)
                seconds[key].append(took)
                if key == "plain":
                    right = losses
                assert abs(losses - right) <= 1e-4 * abs(right), (key, losses, right)
        print(f"{name}  ({compiled:.1f} s to compile or load and warm up)")
        for key, took in seconds.items():
            ratio = statistics.median(p / k for p, k in zip(seconds["plain"], took, strict=True))
            rate = examples / statistics.median(took)
            print(f"    {key:12} {rate:12,.0f} ex/s  {ratio:5.2f}x  {rate * useful_flops(sizes) / 1e9:6.1f} GFLOP/s")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
