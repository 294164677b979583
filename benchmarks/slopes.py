"""What slopes that keep their digits cost: kernels as computed, and as derived, where slopes are read through h.

Run: python benchmarks/slopes.py [--dtype float64] [--schedule plain]

`Trainer.sgd` of one hidden layer, softmax, L2: processor time of this thread for a run of some milliseconds, the two in
turn, the median of REPEATS and of the quotients of neighbours.
"""

import argparse
import statistics
import time

from symbackprop import Network, build
from symbackprop.bench.task import make_task
from symbackprop.train import find_module

ACTIVATIONS = ("tanh", "sigmoid", "elu", "selu")
RUNS = (((4, 8, 3), 20000), ((64, 32, 10), 6000), ((784, 128, 10), 512), ((784, 512, 10), 256))
REPEATS = 101


def trainers(activation, sizes, dtype, schedule):
    """Return two trainers: of the kernels as they are computed, and of those as they are derived."""
    choices = {"activations": (activation,), "penalty": "l2"}
    made = []
    for exact in (False, True):
        request = {**choices, "dtype": dtype, "exact_form": exact}
        text = build(Network(**choices), dtype=dtype, exact_form=exact).text
        made.append(find_module(request, lambda text=text: text).Trainer(sizes, schedule=schedule))
    return made


def seconds(trainer, task):
    """Return the time of one run from the task's parameters."""
    for own, value in zip(trainer.parameters.values(), task.parameters, strict=True):
        own[...] = value
    X = task.X.astype(trainer.parameters["W1"].dtype)
    start = time.thread_time()
    trainer.sgd(X, task.y, order=task.order, learning_rate=1e-4, l2=1e-4)
    return time.thread_time() - start


def main():
    """Print a table: nanoseconds an example, and how much longer it takes than as derived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--schedule", default="auto")
    options = parser.parse_args()
    print("| activation | network | as derived, ns | as computed, ns | longer by |\n|---|---|---|---|---|")
    for activation in ACTIVATIONS:
        for sizes, examples in RUNS:
            task = make_task(sizes).first(examples)
            both = trainers(activation, sizes, options.dtype, options.schedule)
            times = [[seconds(t, task) for t in both] for _ in range(REPEATS + 2)][2:]
            computed, derived = (1e9 * statistics.median(t) / len(task.order) for t in zip(*times, strict=True))
            longer = 100 * (statistics.median(a / b for a, b in times) - 1)
            name = "-".join(map(str, sizes))
            print(f"| {activation} | {name} | {derived:.0f} | {computed:.0f} | {longer:+.1f} % |", flush=True)


if __name__ == "__main__":
    main()
