"""How accurate the compiled kernels of a formula and its derivative are: in ULP against mpmath, over all floats."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sympy import Expr, srepr

from symbackprop.compiler import assembled
from symbackprop.definitions.activations import a
from symbackprop.definitions.network import Network
from symbackprop.derivation.validate import derivative, refuse
from symbackprop.expr.printing import formula
from symbackprop.expr.symbols import array, index
from symbackprop.parse.unforeseen import named_if_it_fails
from symbackprop.precision.choice import Choice
from symbackprop.precision.memory import remembered_forms
from symbackprop.precision.parts import X
from symbackprop.precision.truth import Truth
from symbackprop.precision.ulp_error import FORMATS, WRONG, Sample, known_at, with_edges
from symbackprop.train.files.pictures import new_figure, write_picture
from symbackprop.train.files.store import find_module

Array = np.ndarray[Any, Any]

MOST = 10**6  # points
POINTS, SEED = 1000, 7  # not a seed that the forms are chosen with
SPECIAL = ("0", "-0", "inf", "-inf", "nan", "largest", "-largest")


@dataclass(frozen=True)
class Errors:
    """Errors of one compiled formula, in ULP, at many points and at special ones.

    Attributes
    ----------
    at, errors
        The points, and the error at each: in units in the last place of the true value.
    counts
        Which of them are in the normal range and off the roots beside 0: `largest` and `mean` are over these.
    wrong_nan, wrong_infinite
        How often a value is NaN, or infinite, though the true one is not.
    special
        What is computed at ±0, ±∞, NaN and ± the largest float, as text.
    """

    at: Array
    errors: Array
    counts: Array
    wrong_nan: int
    wrong_infinite: int
    special: dict[str, str]

    @property
    def largest(self) -> float:
        """The largest error where it counts, a wrong NaN or infinity aside."""
        return float(np.max(self.errors[self.counts & (self.errors < WRONG)], initial=0.0))

    @property
    def mean(self) -> float:
        """The mean error where it counts, wrong NaN and infinities aside."""
        found = self.errors[self.counts & (self.errors < WRONG)]
        return float(found.mean()) if found.size else 0.0


@dataclass(frozen=True)
class Audit:
    """What was measured of a formula, or of its derivative: as derived and in the form chosen, in both types."""

    name: str
    choice: Choice
    naive: dict[str, Errors]
    chosen: dict[str, Errors]


def audit(network: Network, points: int = POINTS, seed: int = SEED) -> list[Audit]:
    """Measure the first activation of a network and its derivative.

    Parameters
    ----------
    network
        Of one hidden layer.
    points
        How many floats of each type, from everywhere; there are more where values leave the normal range.
    seed
        With which they are drawn.

    Returns
    -------
    list of Audit
        Of g and of g'.

    Raises
    ------
    ValueError
        If there are fewer than 8 points, or more than a million.
    """
    if not 8 <= points <= MOST:
        raise ValueError(f"points is {points}, expected 8 to {MOST}")
    with named_if_it_fails("network", network.typed):
        refuse(network.resolved)
        return _audited(network.resolved.activations[0].at_start(), points, seed)


def _audited(g: Expr, points: int, seed: int) -> list[Audit]:
    made = []
    for name, expr in {"f": g, "f′": derivative(g)}.items():
        with remembered_forms() as forms:
            element = array("a")[index("j")]
            compared = forms.compare_by_differences(expr.xreplace({a: element})).xreplace({element: X})
            choice = replace(forms.choice(compared), before=expr.xreplace({a: X}))
        both = {dtype: measured(expr, dtype, points, seed) for dtype in FORMATS}
        naive, chosen = ({dtype: pair[n] for dtype, pair in both.items()} for n in (0, 1))
        made.append(Audit(name, choice, naive, chosen))
    return made


def measured(
    expr: Expr, dtype: str, points: int = POINTS, seed: int = SEED, exact_forms: tuple[bool, ...] = (True, False)
) -> tuple[Errors, ...]:
    """Return the errors of the compiled kernels of a formula of a: as derived, and in the form chosen."""
    f = Truth(expr, a, {}, FORMATS[dtype])
    known = known_at(f, with_edges(floats(dtype, points, seed), f))
    return tuple(compare(compiled(expr, dtype, exact_form=exact), known) for exact in exact_forms)


def compare(kernel: Callable[[Array], Array], known: Sample) -> Errors:
    """Return the errors of what a kernel computes at points whose exact values are known."""
    (at,) = known.at.values()
    values = kernel(at)
    errors = known.ruler.errors(values)
    wrong = errors == WRONG
    nan, infinite = (int((wrong & kind(values)).sum()) for kind in (np.isnan, np.isinf))
    special = {name: str(kernel(np.array([x]))[0]) for name, x in _special(at.dtype).items()}
    return Errors(at, errors, known.counts, nan, infinite, special)


def _special(dtype: np.dtype[Any]) -> dict[str, Any]:
    largest = np.finfo(dtype).max
    values = (0.0, -0.0, np.inf, -np.inf, np.nan, largest, -largest)
    return {name: dtype.type(x) for name, x in zip(SPECIAL, values, strict=True)}


def floats(dtype: str, count: int, seed: int) -> Array:
    """Return floats sorted: half of them of every bit pattern, half from where functions of this type are not flat."""
    generator = np.random.default_rng(seed)
    half, real = count // 2, np.dtype(dtype)
    largest = np.finfo(real).max
    whole = {4: np.uint32, 8: np.uint64}[real.itemsize]
    top = int(np.array([largest], real).view(whole)[0])
    bits = generator.integers(0, top, half, dtype=whole, endpoint=True).view(real)
    bits *= generator.choice(np.array([-1, 1], real), half)
    reach = 110.0 if dtype == "float32" else 760.0
    middle = np.concatenate([generator.uniform(-reach, reach, half // 2), generator.uniform(-8, 8, half - half // 2)])
    return np.sort(np.concatenate([bits, middle.astype(real), np.array([largest, -largest], real)]))


def compiled(expr: Expr, dtype: str, *, exact_form: bool = False) -> Callable[[Array], Array]:
    """Return the compiled kernel of a formula of a, as a function of an array."""
    network = Network((expr,), "squared")
    asked = {"activations": [formula(expr)], "loss": "audit", "dtype": dtype, "exact_form": exact_form, "only": "plain"}
    asked["expression"] = srepr(expr)

    def generate() -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return assembled(network, "audit", dtype, exact_form=exact_form, plain=True).text

    module = find_module(asked, generate)
    one, none = (np.full(shape, v, dtype) for shape, v in (((1, 1), 1), (1, 0)))

    def run(x: Array) -> Array:
        F = np.empty((x.size, 1), x.dtype)
        module.forward(x[:, None], one, none, one, none, F)  # 1 * g(1 * x + 0) + 0
        return F[:, 0]

    return run


def report(audits: list[Audit]) -> str:
    """Return what was measured as text."""
    return "\n\n".join(map(_report, audits))


def _report(found: Audit) -> str:
    choice = found.choice
    lines = [
        f"{found.name}  as derived  {formula(choice.before.xreplace({X: a}))}",
        f"{'':{len(found.name)}}  computed as {formula(choice.after.xreplace({X: a}))}",
        f"{'':{len(found.name)}}  regimes     {regimes(choice)}",
        *([f"{'':{len(found.name)}}  worst       {choice.why}"] if choice.why else []),
        "",
        f"    {'':9}{'form':10}{'max ULP':>10}{'mean ULP':>10}{'wrong NaN':>11}{'wrong inf':>11}",
    ]
    for dtype in FORMATS:
        for form, errors in (("derived", found.naive[dtype]), ("computed", found.chosen[dtype])):
            numbers = f"{_shown(errors.largest):>10}{_shown(errors.mean):>10}"
            lines.append(f"    {dtype:9}{form:10}{numbers}{errors.wrong_nan:>11}{errors.wrong_infinite:>11}")
    lines += ["", "    at " + "".join(f"{name:>15}" for name in SPECIAL)]
    for dtype in FORMATS:
        values = "".join(f"{_short(found.chosen[dtype].special[name]):>15}" for name in SPECIAL)
        lines.append(f"    {dtype[5:]:3}{values}")
    return "\n".join(lines)


def regimes(choice: Choice) -> str:
    """Return in words of which forms a choice is made, and where each holds."""
    places = {1: ("everywhere",), 2: ("above 0", "up to 0"), 4: ("above 1", "0 to 1", "below -1", "-1 to 0")}
    words = [f"{name} {where}" for name, where in zip(choice.recipe, places[len(choice.recipe)], strict=True)]
    words += [f"expanded where {where}" for where in choice.expanded]
    return "; ".join(words + [f"{value} at {at}" for at, value in choice.patches])


def _shown(error: float) -> str:
    return f"{error:.2f}" if error < 1000 else f"{error:.1e}"


def _short(text: str) -> str:
    return f"{float(text):.6g}"


def plot_audit(path: str | Path, audits: list[Audit], title: str) -> Path:
    """Draw the float32 errors over x, as derived and as computed."""
    figure = new_figure()
    for axes, found in zip(figure.subplots(len(audits), 1, sharex=True), audits, strict=True):
        for errors, color, label in (
            (found.naive["float32"], "#c4601d", "as derived"),
            (found.chosen["float32"], "#3465a4", "as computed"),
        ):
            shown = np.where(errors.counts | (errors.errors == WRONG), errors.errors, np.nan)
            axes.plot(errors.at, np.maximum(shown, 0.01), ".", color=color, markersize=3, label=label)
        axes.set_xscale("symlog", linthresh=1e-3)
        axes.set_xlim(-1e39, 1e39)
        axes.set_xticks([s * x for x in (1e36, 1e24, 1e12, 1) for s in (-1, 1)] + [0])
        axes.set_yscale("log")
        axes.axhline(8, color="#999999", linewidth=0.8, linestyle="--")
        axes.set_ylabel(f"{found.name}: error [ULP]")
        axes.grid(visible=True, color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("a  (float32; wrong NaN and infinities at 1e9; dashed: 8 ULP)")
    figure.axes[0].legend(loc="upper left", frameon=False)
    figure.suptitle(title, fontsize=12)
    return write_picture(path, figure)
