"""Errors of compiled formulas and their derivatives in ULP against mpmath, over all floats: as derived and as computed.

Run: python benchmarks/numerics.py [--points 2000] [--table numerics.md]
"""

import argparse
import time

import numpy as np
from sympy import Rational, exp, log

from symbackprop import Network, build
from symbackprop.check.accuracy import FORMATS, SEED, Errors, audit, compare, floats
from symbackprop.expr.symbols import scalar
from symbackprop.precision.truth import Truth
from symbackprop.precision.ulp_error import known_at
from symbackprop.train import find_module
from symbackprop.train.files.atomic import write_text

FORMULAS = {
    "sigmoid": "sigmoid", "tanh": "tanh", "softplus": "softplus", "ELU": "elu", "SELU": "selu", "SiLU": "silu",
    "mish": "a*tanh(log(1+exp(a)))", "GELU": "gelu", "softsign": "softsign", "log-sigmoid": "-log(1+exp(-a))",
    "log-cosh": "log(cosh(a))", "arctan": "arctan", "Gaussian": "gaussian", "squareplus": "(a+sqrt(a**2+4))/2",
    "ISRU": "a/sqrt(1+a**2)", "a σ(a)²": "a*sigmoid(a)**2",
}  # fmt: skip
TARGETS = (0.0, 0.3, 1.0)


def cross_entropy(target: float, dtype: str, points: int, *, exact_form: bool) -> tuple[Errors, Errors]:
    """Return the errors of binary cross-entropy with a logit and of its gradient, from the kernel `backward`."""
    choices = {"activations": (), "loss": "bce"}
    asked = {**choices, "activations": [], "dtype": dtype, "exact_form": exact_form, "for": "numerics"}
    text = lambda: build(Network(**choices), dtype=dtype, exact_form=exact_form).text  # noqa: E731
    module = find_module(asked, text)
    real = np.dtype(dtype).type
    one, none = np.ones((1, 1), dtype), np.zeros(1, dtype)
    slopes = np.empty((1, 1), dtype), np.empty(1, dtype)
    y = np.array([target], dtype)
    both = {}

    def run(x: np.ndarray, which: int) -> np.ndarray:
        key = x.tobytes()
        if key not in both:
            both[key] = np.array([(module.backward(np.array([v]), y, one, none, *slopes), slopes[1][0]) for v in x])
        return both[key][:, which].astype(dtype)

    z, at = scalar("z"), floats(dtype, points, SEED)
    t = Rational(float(real(target)))
    truths = (Truth(f, z, {}, FORMATS[dtype]) for f in (log(1 + exp(z)) - t * z, 1 / (1 + exp(-z)) - t))
    loss, slope = (known_at(truth, at) for truth in truths)
    return compare(lambda x: run(x, 0), loss), compare(lambda x: run(x, 1), slope)


def row(name: str, form: str, errors: dict[str, Errors]) -> str:
    cells = [f"{e.largest:.1f}" if e.largest < 1000 else f"{e.largest:.1e}" for e in errors.values()]
    cells += [f"{e.mean:.2f}" if e.mean < 1000 else f"{e.mean:.1e}" for e in errors.values()]
    wrong = " / ".join(str(e.wrong_nan + e.wrong_infinite) for e in errors.values())
    return f"| {name} | {form} | {cells[0]} | {cells[2]} | {cells[1]} | {cells[3]} | {wrong} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--only", default="")
    parser.add_argument("--table", help="a Markdown file to write")
    options = parser.parse_args()
    rows = ["| formula | form | float32 max ULP | mean | float64 max ULP | mean | wrong NaN or infinities |",
            "|---|---|---|---|---|---|---|"]  # fmt: skip
    for name, text in FORMULAS.items():
        if options.only and options.only != name:
            continue
        start = time.perf_counter()
        for found in audit(Network((text,)), options.points):
            shown = name if found.name == "f" else f"{name}′"
            rows.append(row(shown, "derived", found.naive))
            if found.choice.changed:
                rows.append(row(shown, "computed", found.chosen))
        print("\n".join(rows[-4:]), f"  ({time.perf_counter() - start:.0f} s)", flush=True)
    for t in TARGETS if not options.only else ():
        for form, exact_form in (("derived", True), ("computed", False)):
            made = {d: cross_entropy(t, d, options.points, exact_form=exact_form) for d in FORMATS}
            for n, shown in enumerate((f"cross-entropy, t = {t}", f"its gradient, t = {t}")):
                rows.append(row(shown, form, {d: pair[n] for d, pair in made.items()}))
                print(rows[-1], flush=True)
    if options.table:
        write_text(options.table, "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
