"""The generated module beside its peers on the same work; what `symbackprop bench` does.

    python benchmarks/peers.py
    python benchmarks/peers.py --network 784-128-10 --peer numba --peer jax
    python benchmarks/peers.py --output out/bench.json --markdown out/bench.md --plot out/bench.png

Peers that are not installed are left out with a word: torch, jax, scikit-learn; gcc for the loops in C.
"""

import argparse
import sys

from symbackprop.bench import NETWORKS, bench


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--network", action="append", dest="networks", metavar="N-N-N", help=f"of {NETWORKS}, or others"
    )
    parser.add_argument("--peer", action="append", dest="peers", metavar="NAME", help="part of a name; may be repeated")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="about, for one run of one peer")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu where others share the core")
    parser.add_argument("--output", metavar="PATH", help="everything as JSON")
    parser.add_argument("--markdown", metavar="PATH")
    parser.add_argument("--plot", metavar="PATH")
    options = vars(parser.parse_args())
    return bench(options.pop("networks") or NETWORKS, peers=options.pop("peers") or (), **options)


if __name__ == "__main__":
    sys.exit(main())
