"""Time from a typed activation to its derivative and the remembered stable forms of both, each in a fresh process.

Run: python benchmarks/remembered.py [--formula "a*tanh(log(1+exp(a)))"] [--repeats 7]
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import time


def measure(text):
    """Return the milliseconds that each part takes once everything is imported."""
    from symbackprop import Network  # noqa: PLC0415 (what is imported before the clock starts)
    from symbackprop.definitions.activations import a  # noqa: PLC0415
    from symbackprop.derivation.validate import derivative  # noqa: PLC0415
    from symbackprop.precision.memory import remembered_forms  # noqa: PLC0415
    from symbackprop.precision.parts import X  # noqa: PLC0415

    times = [time.perf_counter()]
    g = Network((text,)).resolved.activations[0].at_start()
    times.append(time.perf_counter())
    slope = derivative(g)
    times.append(time.perf_counter())
    with remembered_forms() as forms:
        for part in (g, slope):
            forms.choice(part.xreplace({a: X}))
    times.append(time.perf_counter())
    return [1e3 * (b - a) for a, b in itertools.pairwise(times)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--formula", default="a*tanh(log(1+exp(a)))")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--once", action="store_true", help="in this process, numbers only")
    options = parser.parse_args()
    if options.once:
        print(*measure(options.formula))
        return
    command = [sys.executable, __file__, "--formula", options.formula, "--once"]
    runs = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(options.repeats + 1)
    ]
    rows = [list(map(float, run.split())) for run in runs[1:]]  # the first finds the forms
    parse, derive, recall = (statistics.median(column) for column in zip(*rows, strict=True))
    total = statistics.median(map(sum, rows))
    print(f"parse {parse:.1f} ms, derive {derive:.1f} ms, recall {recall:.1f} ms, together {total:.1f} ms")


if __name__ == "__main__":
    main()
