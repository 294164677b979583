r"""Per-example SGD of a network of LeNet-1 size on one core: a generated module beside PyTorch and JAX.

    env -u OPENBLAS_CORETYPE OPENBLAS_NUM_THREADS=1 taskset -c 1 python convolution.py \\
        [--module PATH] [--data PATH.npz] [--rounds 7] [--examples N] [--json PATH]

Input 1x28x28; convolution 4@5x5, tanh; average pool 2; convolution 12@5x5, tanh; average pool 2; dense 192 -> 10;
softmax, negative log likelihood, constant learning rate, float32. All peers start from the same parameters and
must agree after 20 updates before anything is timed. Rounds are interleaved: each peer runs once in each round,
always from the initial parameters, on data converted beforehand. Reported are the medians over the rounds.
"""

import os

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")})
os.environ.update(XLA_FLAGS="--xla_cpu_multi_thread_eigen=false", JAX_PLATFORMS="cpu", NPROC="1")

import argparse
import importlib.util
import json
import sys
from importlib import metadata
from pathlib import Path
from statistics import median
from time import perf_counter

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional

LENET1 = Path(__file__).parents[1] / "generated" / "lenet1.py"
SHAPES = ((4, 1, 5, 5), (4,), (12, 4, 5, 5), (12,), (10, 192), (10,))
LEARNING_RATE = 0.01
UPDATES, TOLERANCE = 20, 1e-4  # of the check
SECONDS = 0.5  # about, for one peer in one round


# The peers: each takes (X, y) once and returns a function from the initial to the final parameters.


def generated(path):
    """The Trainer of the module at this path."""
    trainer = loaded(path).Trainer()

    def prepare(X, y):
        def run(initial):
            for value, new in zip(in_order(trainer.parameters), initial, strict=True):
                value[...] = new
            trainer.sgd(X, y, learning_rate=LEARNING_RATE)
            return [value.copy() for value in in_order(trainer.parameters)]

        return run

    return prepare


def loaded(path):
    spec = importlib.util.spec_from_file_location("generated_convolution", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_order(parameters):
    """The arrays of a dictionary in the order of SHAPES, found by their shapes, which all differ."""
    by_shape = {value.shape: value for value in parameters.values() if value.dtype == np.float32}
    if len(parameters) != len(SHAPES) or set(by_shape) != set(SHAPES):
        found = [(name, value.shape, str(value.dtype)) for name, value in parameters.items()]
        raise SystemExit(f"the module's parameters are {found}, expected float32 of {SHAPES}")
    return [by_shape[shape] for shape in SHAPES]


def pytorch(batch_size, *, onednn=True):
    """Eager PyTorch, the usual loop; oneDNN, its default for convolutions, costs more than it saves at batch 1."""

    def prepare(X, y):
        X, y = torch.from_numpy(X.reshape(-1, 1, 28, 28)), torch.from_numpy(y)

        def run(initial):
            parameters = [torch.tensor(value, requires_grad=True) for value in initial]
            torch.backends.mkldnn.enabled = onednn  # each run sets its own
            torch_sgd(parameters, X.split(batch_size), y.split(batch_size))
            return [value.detach().numpy() for value in parameters]

        return run

    return prepare


def torch_sgd(parameters, inputs, targets):
    optimizer = torch.optim.SGD(parameters, lr=LEARNING_RATE)
    for x, target in zip(inputs, targets, strict=True):
        optimizer.zero_grad()
        functional.cross_entropy(torch_outputs(x, *parameters), target).backward()
        optimizer.step()


def torch_outputs(h, W1, b1, W3, b3, W5, b5):
    h = functional.avg_pool2d(torch.tanh(functional.conv2d(h, W1, b1)), 2)
    h = functional.avg_pool2d(torch.tanh(functional.conv2d(h, W3, b3)), 2)
    return functional.linear(h.flatten(1), W5, b5)


def jax_scan(convolution):
    """One compiled lax.scan over the examples, its carry the parameters."""
    epoch = jax.jit(lambda initial, X, y: jax.lax.scan(jax_update(convolution), initial, (X, y)))

    def prepare(X, y):
        X, y = jnp.asarray(X.reshape(-1, 1, 28, 28)), jnp.asarray(y.astype(np.int32))

        def run(initial):
            final, losses = epoch([jnp.asarray(value) for value in initial], X, y)
            losses.block_until_ready()
            return [np.asarray(value) for value in final]

        return run

    return prepare


def jax_update(convolution):
    def loss(parameters, x, target):
        a = jax_outputs(convolution, x, *parameters)
        return jax.nn.logsumexp(a) - a[target]

    def update(parameters, example):
        value, gradients = jax.value_and_grad(loss)(parameters, *example)
        return [p - LEARNING_RATE * d for p, d in zip(parameters, gradients, strict=True)], value

    return update


def jax_outputs(convolution, h, W1, b1, W3, b3, W5, b5):
    h = jax_pool(jnp.tanh(convolution(h, W1) + b1[:, None, None]))
    h = jax_pool(jnp.tanh(convolution(h, W3) + b3[:, None, None]))
    return W5 @ h.ravel() + b5


def lax_convolution(h, W):
    return jax.lax.conv_general_dilated(h[None], W, (1, 1), "VALID")[0]


def patches_convolution(h, W):
    """The same as a product with the 25 shifted pictures (im2col)."""
    outputs, channels, height, width = W.shape
    rows, columns = h.shape[1] - height + 1, h.shape[2] - width + 1
    shifted = [h[:, u : u + rows, v : v + columns] for u in range(height) for v in range(width)]
    patches = jnp.stack(shifted, axis=1).reshape(channels * height * width, rows * columns)
    return (W.reshape(outputs, -1) @ patches).reshape(outputs, rows, columns)


def jax_pool(h):
    channels, rows, columns = h.shape
    return h.reshape(channels, rows // 2, 2, columns // 2, 2).mean((2, 4))


# The measurement


def initial_parameters(seed=0):
    """Glorot uniform weights, zero biases."""
    generator = np.random.default_rng(seed)
    return [np.zeros(s, np.float32) if len(s) == 1 else glorot(generator, s) for s in SHAPES]


def glorot(generator, shape):
    field = int(np.prod(shape[2:]))
    limit = np.sqrt(6 / ((shape[0] + shape[1]) * field))
    return generator.uniform(-limit, limit, shape).astype(np.float32)


def examples(path, seed=1):
    """X (N, 784) float32 in 0..1 and y (N,) int64; random ones without a path."""
    if path is None:
        generator = np.random.default_rng(seed)
        return generator.random((4096, 784), np.float32), generator.integers(0, 10, 4096)
    with np.load(path) as file:
        X, y = (next(file[k] for k in (f"{name}_train", name) if k in file) for name in "Xy")
    scale = 255 if X.dtype == np.uint8 or X.max() > 1 else 1
    return X.reshape(-1, 784).astype(np.float32) / np.float32(scale), y.astype(np.int64)


def first(X, y, count):
    """So many examples, from the beginning again after the last."""
    order = np.arange(count) % len(X)
    return X[order], y[order]


def check(peers, initial, data):
    """Stop unless all agree after a few updates; return the largest difference of each to PyTorch eager."""
    data = first(*data, UPDATES)
    expected = pytorch(1)(*data)(initial)
    print(f"{UPDATES} updates moved the parameters by up to {distance(expected, initial):.2g}; differences to PyTorch:")
    alike = {name: prepare for name, (prepare, batch_size) in peers.items() if batch_size == 1}
    found = {name: distance(prepare(*data)(initial), expected) for name, prepare in alike.items()}
    for name, difference in found.items():
        print(f"  {name:20} {difference:.1e}")
    if not all(difference <= TOLERANCE for difference in found.values()):
        raise SystemExit(f"they do not compute the same to {TOLERANCE}")
    return found


def distance(these, those):
    return max(float(np.abs(a - b).max()) for a, b in zip(these, those, strict=True))


def warmed(prepare, batch, initial, data, count):
    """The run of a peer, compiled, and its number of examples."""
    count = count or examples_for(prepare, batch, initial, data)
    run = prepare(*first(*data, count))
    run(initial)
    return run, count


def examples_for(prepare, batch, initial, data, count=256):
    """How many take about SECONDS, in whole mini-batches."""
    while True:
        run = prepare(*first(*data, count))
        run(initial)
        seconds = seconds_of(run, initial)
        if seconds > SECONDS / 10:
            return max(1, round(count * SECONDS / seconds / batch)) * batch
        count *= 4


def seconds_of(run, initial):
    start = perf_counter()
    run(initial)
    return perf_counter() - start


def measured(peers, initial, data, rounds, count):
    """Examples a second of each peer in each round, and the number of examples of each."""
    runs = {name: warmed(prepare, batch, initial, data, count) for name, (prepare, batch) in peers.items()}
    rates = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (run, n) in runs.items():
            rates[name].append(n / seconds_of(run, initial))
    return rates, {name: n for name, (_, n) in runs.items()}


def summary(rates):
    """Of each peer: median, least and greatest rate, and the median over the rounds of its ratio to the first."""
    base = next(iter(rates.values()))
    ratios = {name: median(r / b for r, b in zip(of, base, strict=True)) for name, of in rates.items()}
    return {n: {"median": median(of), "least": min(of), "most": max(of), "ratio": ratios[n]} for n, of in rates.items()}


def show(table, counts):
    print(f"\n{'peer':20}{'examples/s':>12}{'least':>10}{'most':>10}{'ratio':>9}{'1/ratio':>9}{'examples':>10}")
    for name, row in table.items():
        figures = "".join(f"{row[key]:{width}.0f}" for key, width in (("median", 12), ("least", 10), ("most", 10)))
        print(f"{name:20}{figures}{row['ratio']:9.3f}{1 / row['ratio']:9.3f}{counts[name]:10}")


def machine():
    """What the figures were measured on."""
    versions = {name: metadata.version(name) for name in ("numpy", "torch", "jax", "jaxlib")}
    names = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "XLA_FLAGS")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    return {"python": sys.version.split()[0], "cores": sorted(os.sched_getaffinity(0)), **versions, **environment}


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", metavar="PATH", default=str(LENET1), help="the generated module")
    parser.add_argument("--data", metavar="PATH", help=".npz with X_train and y_train; random without it")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--examples", type=int, metavar="N", help=f"a peer and round; about {SECONDS} s by default")
    parser.add_argument("--json", metavar="PATH")
    return parser.parse_args()


def peers_of(module):
    """Of each peer its function and its batch size."""
    peers = {"generated": (generated(module), 1)} if module else {}
    peers["PyTorch eager"] = pytorch(1), 1
    peers["PyTorch, no oneDNN"] = pytorch(1, onednn=False), 1
    peers["JAX scan"] = jax_scan(lax_convolution), 1
    peers["JAX scan, im2col"] = jax_scan(patches_convolution), 1
    peers["PyTorch batch 128"] = pytorch(128), 128
    return peers


def main():
    given = options()
    torch.set_num_threads(1)
    peers, initial, data = peers_of(given.module), initial_parameters(), examples(given.data)
    differences = check(peers, initial, data)
    rates, counts = measured(peers, initial, data, given.rounds, given.examples)
    table = summary(rates)
    show(table, counts)
    if given.json:
        found = {"machine": machine(), "differences": differences, "examples": counts, "summary": table, "rates": rates}
        with Path(given.json).open("w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
