"""Seconds of the processor that each kernel of a module takes to compile, with nothing cached.

Run: python benchmarks/compilation.py [--hidden-layers 1] [--network net.toml]
"""

import argparse
import importlib.util
import os
import tempfile
import time
from pathlib import Path

import numpy as np

CACHE = tempfile.TemporaryDirectory()
os.environ["NUMBA_CACHE_DIR"] = CACHE.name  # before numba is imported

from symbackprop import Network, build, network_of_file  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden-layers", type=int, default=1)
    parser.add_argument("--network", type=Path)
    asked = parser.parse_args()
    path = Path(CACHE.name) / "measured.py"
    seconds = {"derive and write": timed(lambda: build(described(asked)).write(path))}
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sizes = tuple(module.SPEC.get("sizes", (20, *[16] * asked.hidden_layers, 5)))
    X, y = np.random.default_rng(0).random((64, sizes[0]), np.float32), np.arange(64) % sizes[-1]
    trainer = module.Trainer(sizes)
    slopes = [np.empty_like(p) for p in trainer.parameters.values()]
    seconds |= {"forward": timed(lambda: trainer.predict(X)), "loss": timed(lambda: trainer.loss(X, y))}
    for schedule, kernel in module.SCHEDULES.items():
        run = module.Trainer(sizes, schedule=schedule).sgd
        seconds[kernel.__name__] = timed(lambda run=run: run(X, y))
    seconds["sgd_minibatch"] = timed(lambda: trainer.sgd(X, y, batch_size=8))
    x = X[0].reshape(module.SPEC.get("input", -1))
    penalty = [np.float32(0)] * (module.SPEC["penalty"] != "none")
    arguments = (x, y[0], *trainer.parameters.values(), *slopes, *penalty)
    seconds["backward"] = timed(lambda: module.backward(*arguments))
    for name, took in seconds.items():
        print(f"{name:18}{took:6.2f} s")
    print(f"{'all kernels':18}{sum(seconds.values()) - seconds['derive and write']:6.2f} s")


def described(asked):
    return network_of_file(asked.network) if asked.network else Network(("tanh",) * asked.hidden_layers, penalty="l2")


def timed(run):
    start = time.process_time()
    run()
    return time.process_time() - start


if __name__ == "__main__":
    main()
