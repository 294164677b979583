"""Errors of many formulas and of their slopes, in ULP against mpmath, over all floats: compiled, or only scored.

Run: python benchmarks/formulas.py [--scored] [--points 400] [--table formulas.md] [FORMULA ...]

What is scored has every function correctly rounded and is not compiled: seconds instead of a minute a formula.
"""

import argparse
import time
from collections.abc import Callable

from sympy import Expr

from symbackprop import Network
from symbackprop.check.accuracy import measured
from symbackprop.definitions.activations import a
from symbackprop.derivation.validate import derivative
from symbackprop.precision.apply import X
from symbackprop.precision.max_shift import by_rules
from symbackprop.precision.search import choose
from symbackprop.precision.ulp_error import FORMATS, WRONG, sample
from symbackprop.train.files.atomic import write_text

FORMULAS = (
    "a*erf(log(1+exp(a)))", "exp(-exp(-a))", "a*tanh(exp(a))", "a*exp(-a**2)", "(exp(a)-1)/a",
    "a*tanh(a*(1+erf(a/sqrt(2)))/2)", "sin(a)/a", "1/2+atan(a)/pi", "sqrt(sqrt(a**2+1)-1)", "sqrt(a**2)",
    "log(1+a**2)", "(sqrt(a**2+1)-1)/2+a", "a/(1+exp(-1.702*a))", "exp(a)/(1+exp(a))", "sqrt(a**2+1)",
    "erf(a)*log(1+abs(a))", "sigmoid", "tanh", "softplus", "elu", "selu", "silu", "a*tanh(log(1+exp(a)))", "gelu",
    "softsign", "-log(1+exp(-a))", "log(cosh(a))", "arctan", "gaussian", "(a+sqrt(a**2+4))/2", "a/sqrt(1+a**2)",
    "a*sigmoid(a)**2", "a/(1+exp(-0.5*a))", "a/(1+exp(-1.25*a))", "a/(1+exp(-3*a))", "1/(1+exp(-3*a))",
    "a*(1+tanh(sqrt(2/pi)*(a+0.044715*a**3)))/2", "a*log(1+sigmoid(a))", "a*tanh(log(1+sigmoid(a)))",
    "1-exp(-exp(a))", "1-erf(a)", "(1+erf(a/sqrt(2)))/2", "log(a+sqrt(a**2+1))", "a**2/(1+a**2)", "a/(1+abs(a))**2",
    "(1-a**2)*exp(-a**2/2)", "exp(-a**4)", "a-tanh(a)", "tanh(a)/a", "a*atan(a)", "(1-cos(a))/a", "sinh(a)/a",
    "log(1+exp(a))-log(2)", "exp(-abs(a))", "sqrt(1+exp(a))", "1-exp(-a**2)", "log(sinh(a)/a)", "(exp(a)-1-a)/a**2",
    "1/tanh(a)-1/a", "log(1+a**4)", "exp(-(a-3)**2/2)", "2*exp(-3*exp(-a/2))", "a*exp(-abs(a))",
    "exp(-sqrt(1+a**2))", "tanh(sinh(a))", "sigmoid(a)*log(1+a**2)", "exp(a)*(1-tanh(exp(a)))",
)  # fmt: skip


SEED = 17  # not a seed that forms are chosen with


def compiled_errors(expr: Expr, points: int) -> list[tuple[float, int]]:
    """Return the largest error of the compiled kernel and how many values are wrongly not finite, for each type."""
    found = [measured(expr, dtype, points, exact_forms=(False,))[0] for dtype in FORMATS]
    return [(e.largest, e.wrong_nan + e.wrong_infinite) for e in found]


def scored_errors(expr: Expr, points: int) -> list[tuple[float, int]]:
    """Return the same of the form chosen, computed with every function correctly rounded."""
    f = expr.xreplace({a: X})
    form = choose(f, X, (), by_rules).after
    errors = [sample(f, X, {}, points, SEED, dtype).errors(form) for dtype in FORMATS]
    return [(float(e[e < WRONG].max()), int((e == WRONG).sum())) for e in errors]


def rows(text: str, points: int, errors: Callable[[Expr, int], list[tuple[float, int]]]) -> list[str]:
    """Return the rows of a formula and of its slope: float32, float64, wrong NaN and infinities of each."""
    start = time.perf_counter()
    g = Network((text,)).resolved.activations[0].at_start()
    made = []
    for name, expr in ((f"`{text}`", g), ("its slope", derivative(g))):
        found = errors(expr, points)
        largest = [f"{worst:.1f}" if worst < 1000 else f"{worst:.1e}" for worst, _ in found]
        made.append(f"| {name} | {' | '.join(largest)} | {' / '.join(str(wrong) for _, wrong in found)} |")
    print(*made, f"({time.perf_counter() - start:.0f} s)", sep="\n", flush=True)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formulas", nargs="*", default=FORMULAS)
    parser.add_argument("--points", type=int, default=400)
    parser.add_argument("--scored", action="store_true", help="do not compile")
    parser.add_argument("--table", help="a Markdown file to write")
    options = parser.parse_args()
    table = ["| formula | float32 max ULP | float64 max ULP | wrong NaN or infinities |", "|---|---|---|---|"]
    for text in options.formulas:
        table += rows(text, options.points, scored_errors if options.scored else compiled_errors)
    if options.table:
        write_text(options.table, "\n".join(table) + "\n")


if __name__ == "__main__":
    main()
