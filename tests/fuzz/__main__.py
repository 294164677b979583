"""Look at many random things: ``python -m tests.fuzz formulas --count 10000 --seed 1``."""

import argparse
import importlib
import sys

KINDS = ("formulas", "networks")  # each a module here with run(count, seed), which returns how many faults there are


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    return min(importlib.import_module(f"tests.fuzz.{given.kind}").run(given.count, given.seed), 1)


if __name__ == "__main__":
    sys.exit(main())
