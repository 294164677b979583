"""Speed of the generated plain `sgd` beside the same loops written by hand in Numba with the same flags.

Run: python benchmarks/plain.py. One thread, float32, medians of interleaved repeats; the bar is a ratio of at most 1.3.
"""

import importlib.util
import statistics
import tempfile
import time
from math import exp, log, tanh
from pathlib import Path

import numpy as np
from numba import njit

from symbackprop import Network, build

FAST = {"reassoc", "contract", "nsz", "arcp", "afn"}
NETWORKS = [(4, 8, 3), (64, 32, 10), (784, 128, 10), (784, 512, 10)]
REPEATS = 9


@njit(nogil=True, error_model="numpy", fastmath=FAST)
def by_hand(X, Y, order, W1, b1, W2, b2, rate, decay, l2, t0):
    n1, n0 = W1.shape
    n2 = b2.size
    a1, h1, d1 = np.empty_like(b1), np.empty_like(b1), np.empty_like(b1)
    f, d2 = np.empty_like(b2), np.empty_like(b2)
    one, two = np.float32(1), np.float32(2)
    losses = np.float32(0)
    for s in range(order.size):
        x = X[order[s]]
        y = Y[order[s]]
        for i in range(n1):
            total = np.float32(0)
            for j in range(n0):
                total += W1[i, j] * x[j]
            a1[i] = b1[i] + total
        for i in range(n1):
            h1[i] = tanh(a1[i])
        largest = np.float32(-np.inf)
        for i in range(n2):
            total = np.float32(0)
            for j in range(n1):
                total += W2[i, j] * h1[j]
            f[i] = b2[i] + total
            largest = max(largest, f[i])
        total = np.float32(0)
        right = f[y]
        for i in range(n2):
            f[i] = exp(f[i] - largest)
            total += f[i]
        losses += largest + log(total) - right
        for i in range(n2):
            d2[i] = f[i] / total
        d2[y] -= one
        for j in range(n1):
            d1[j] = np.float32(0)
        for i in range(n2):
            d = d2[i]
            for j in range(n1):
                d1[j] += W2[i, j] * d
        for j in range(n1):
            d1[j] *= one - h1[j] * h1[j]
        step = rate / (one + decay * np.float32(t0 + s))
        shrink = two * step * l2
        for i in range(n1):
            d = step * d1[i]
            for j in range(n0):
                W1[i, j] -= d * x[j] + shrink * W1[i, j]
            b1[i] -= d
        for i in range(n2):
            d = step * d2[i]
            for j in range(n1):
                W2[i, j] -= d * h1[j] + shrink * W2[i, j]
            b2[i] -= d
    return order.size, losses


def generated():
    """Return the sgd kernel of the generated module."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.py"
        build(Network(("tanh",), penalty="l2")).write(path)
        spec = importlib.util.spec_from_file_location("plain", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sgd = module.sgd
        measure(sgd, *data((4, 8, 3), 8))  # compiled while the file is there
        return sgd


def data(sizes, examples):
    generator = np.random.default_rng(0)
    X = generator.standard_normal((examples, sizes[0])).astype(np.float32)
    y = generator.integers(0, sizes[-1], examples)
    shapes = [(sizes[1], sizes[0]), (sizes[1],), (sizes[2], sizes[1]), (sizes[2],)]
    parameters = [(0.05 * generator.standard_normal(s)).astype(np.float32) for s in shapes]
    return X, y, np.arange(examples), parameters


def measure(sgd, X, y, order, parameters):
    """Return seconds and the sum of losses of one run from fresh parameters."""
    own = [p.copy() for p in parameters]
    start = time.perf_counter()
    _, losses = sgd(X, y, order, *own, *map(np.float32, (0.01, 1e-4, 1e-4)), 0)
    return time.perf_counter() - start, float(losses)


def main():
    kernels = {"by hand": by_hand, "generated": generated()}
    print(f"{'network':>14}  {'by hand ex/s':>13}  {'generated ex/s':>14}  generated / by hand (time)")
    for sizes in NETWORKS:
        examples = max(200, int(2e7 / (sizes[0] * sizes[1] + 2000)))
        problem = data(sizes, examples)
        for sgd in kernels.values():
            measure(sgd, *problem)
        seconds = {name: [] for name in kernels}
        for _ in range(REPEATS):
            losses = {}
            for name, sgd in kernels.items():
                took, losses[name] = measure(sgd, *problem)
                seconds[name].append(took)
            first, second = losses.values()
            assert abs(first - second) <= 1e-4 * abs(first), losses
        hand, made = (statistics.median(seconds[name]) for name in kernels)
        ratio = statistics.median(m / h for h, m in zip(*seconds.values(), strict=True))
        print(f"{'-'.join(map(str, sizes)):>14}  {examples / hand:13,.0f}  {examples / made:14,.0f}  {ratio:.2f}")


if __name__ == "__main__":
    main()
