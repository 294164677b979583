"""Checks of a generated module against numbers that none of its formulas gave.

Its kernels are interpreted in float64 and compared with central differences, over the complex numbers with the complex
step, over fractions without any rounding; and what the compiler made of them is compared with them.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import cycle, islice, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np

from symbackprop.check.cases import (
    FUNCTIONS,
    LEAST,
    WEIGHINGS,
    Problem,
    arguments,
    difference,
    draw,
    fraction,
    interpreted,
)
from symbackprop.train.files.modules import import_module, spec_of
from symbackprop.train.protocol import Array

KERNELS = ("forward", "loss", "backward", "sgd")
INPUTS, HIDDEN, OUTPUTS = 5, (4, 6, 7), 3  # all different, so that an index in the wrong place shows
SECONDS = 3.0  # for the entries of one check
MOST_EXACT = 40  # hidden units whose fractions are of a bearable length
ROUNDINGS = 100  # allowed between compiled and interpreted kernels, which add in another order

Finding = tuple[float, str]


@dataclass(frozen=True)
class Result:
    """What one check found.

    Attributes
    ----------
    name
        What the module was compared with.
    difference, bar
        The largest difference, relative to the largest entry of its array, and how large it may be.
    passed
        Whether it is within the bar; also where the check does not apply.
    note
        What else there is to say, and why a check does not apply.
    """

    name: str
    difference: float
    bar: float
    passed: bool
    note: str = ""

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        return f"{self.name:20}{self.difference:8.1e}  of {self.bar:.0e}  {verdict}  {self.note}".rstrip()


def check_module(
    module: Any, *, sizes: tuple[int, ...] | None = None, seed: int = 0, compiled: Collection[str] = KERNELS
) -> list[Result]:
    """Check the gradients and updates of a generated module.

    Parameters
    ----------
    module
        The path of a generated module, the imported module, or what `symbackprop.build` returned.
    sizes
        Units of every layer of the network to check on; small by default. The time grows with their square.
    seed
        Of its parameters and examples.
    compiled
        The kernels to compile and compare with the interpreted ones; each takes seconds the first time.

    Returns
    -------
    list of Result
        One for each kind of check; where one does not apply, its note says why.

    Raises
    ------
    ValueError
        If it is not a generated module, which is found out before any of it runs, or if the sizes do not fit it.

    Examples
    --------
    >>> from symbackprop import Network, build
    >>> for result in check_module(build(Network()), compiled=()):
    ...     assert result.passed
    """
    with TemporaryDirectory() as place:
        path = _path(module, Path(place))
        spec, text = _spec(path), path.read_text("utf-8")
        problem = draw(spec, _sizes(spec, sizes), seed)
        fixed = "sizes" in spec
        few = 3 if len(problem.sizes) < 4 and not fixed else 1  # fractions grow with every layer and every update
        other = [tuple(min(n, 2) for n in problem.sizes), tuple(n + 7 for n in problem.sizes)]
        least, most = [problem.sizes] * 2 if fixed else other
        small, large = draw(spec, least, seed, 2, few), draw(spec, most, seed, 5, 17)
        original = module if isinstance(module, ModuleType) else import_module(path, plain=True)
        copy = interpreted(text, Path(place))
        rounding = ROUNDINGS * float(np.finfo(spec["dtype"]).eps)
        _require_a_loss(problem, copy)
        return [
            _digest(path, text),
            _found("central differences", 1e-6, lambda: _central(problem, copy)),
            _found("complex step", 1e-12, lambda: _complex(problem, copy)),
            _found("sgd update", 1e-12, lambda: _updates(problem, large, copy)),
            _found("exact fractions", 1e-25, lambda: _exact(small, interpreted(text, Path(place), fraction))),
            _found("compiled kernels", rounding, lambda: _compiled(problem, copy, original, compiled)),
        ]


def _require_a_loss(problem: Problem, module: ModuleType) -> None:
    """Raise ValueError if the loss is no finite number where nothing is extreme: there is no gradient to compare."""
    with np.errstate(all="ignore"):
        found = complex(module.loss(problem.X, problem.Y, *problem.weight, *problem.parameters.values()))
    if not math.isfinite(found.real) or found.imag:
        what = f"the loss {problem.spec['loss']} of the output function {problem.spec['output']}"
        raise ValueError(
            f"{what} is {found.real:g} at ordinary parameters: "
            "a logarithm or a root may need outputs between 0 and 1, as of --output-function sigmoid or softmax"
        )


def _path(module: Any, place: Path) -> Path:
    if isinstance(module, ModuleType):
        return Path(str(module.__file__))
    if not isinstance(text := getattr(module, "text", None), str):
        return Path(module)
    path = place / "generated.py"
    path.write_text(text, "utf-8")
    return path


def _spec(path: Path) -> dict[str, Any]:
    spec = spec_of(path, plain=True)
    if spec.get("format") != 1:
        raise ValueError(f"{path} has SPEC format {spec.get('format')!r}, expected 1")
    if missing := [key for key in ("layers", "parameters") if key not in spec]:
        raise ValueError(f"{path} is not a module that symbackprop generated: it has no SPEC with {missing[0]!r}")
    return spec


def _sizes(spec: dict[str, Any], given: tuple[int, ...] | None) -> tuple[int, ...]:
    layers: int = spec["layers"]
    sizes = given or spec.get("sizes") or (INPUTS, *islice(cycle(HIDDEN), layers - 1), OUTPUTS)
    if sizes != spec.get("sizes", sizes):
        raise ValueError(f"sizes are {sizes}, the module has fixed ones: {spec['sizes']}")
    if len(sizes) != layers + 1 or any(n != int(n) or n < 1 for n in sizes):
        raise ValueError(f"sizes are {sizes}, expected {layers + 1} positive integers")
    return tuple(map(int, sizes))


def _found(name: str, bar: float, check: Callable[[], Finding]) -> Result:
    try:
        with np.errstate(all="ignore"):
            difference, note = check()
    except Exception as error:  # noqa: BLE001 (an edited kernel may raise anything: that is what the check found)
        difference, note = math.inf, f"{type(error).__name__}: {error}"
    difference = math.inf if math.isnan(difference) else difference
    return Result(name, difference, bar, difference <= bar, note)


def _digest(path: Path, text: str) -> Result:
    header, _, body = text.partition('"""\n\n')
    stated = re.search(r"digest of what follows: (\w+)", header)
    differs = not stated or stated[1] != hashlib.sha256(body.rstrip("\n").encode()).hexdigest()[:16]
    note = f"{path.name} was edited after it was generated" if differs else ""
    return Result("text as generated", float(differs), 0.5, not differs, note)


def _central(problem: Problem, module: ModuleType) -> Finding:
    checked, note = _with_known_penalty(problem, module)
    return _noted(_slopes_differ(checked, module, lambda f: (f(1e-5) - f(-1e-5)) / 2e-5), note)


def _complex(problem: Problem, module: ModuleType) -> Finding:
    """Take Im l(θ + ih)/h, which has no cancellation; each piece of a formula is analytic beside the real axis."""
    checked, note = _with_known_penalty(problem.cast(lambda values: values.astype(complex)), module)
    return _noted(_slopes_differ(checked, module, lambda f: f(1e-20j).imag / 1e-20), note)


def _exact(problem: Problem, module: ModuleType) -> Finding:
    """Take central differences of fractions, which differ by the square of 2⁻¹⁰⁰, and updates, which do not differ."""
    called = set[str]().union(*(_called_by(getattr(module, kernel), module) for kernel in KERNELS))
    if irrational := sorted(called & FUNCTIONS.keys()):
        return 0.0, f"does not apply: {', '.join(irrational)} of a fraction is none"
    if (units := sum(problem.sizes[1:-1])) > MOST_EXACT and "sizes" in problem.spec:
        return 0.0, f"does not apply: fractions of {units} hidden units are too long"
    exact = problem.cast(np.vectorize(fraction, otypes=[object]))
    if not all(isinstance(v, Fraction) for array in exact.gradient(module, 0)[1:] for v in array.flat):
        return 0.0, "does not apply: the formulas leave the fractions"
    if _updates(exact, exact, module)[0]:
        return math.inf, "updates are not equal"
    checked, note = _with_known_penalty(exact, module)
    h = Fraction(1, 2**100)
    return _noted(_slopes_differ(checked, module, lambda f: (f(h) - f(-h)) / (2 * h)), note)


def _called_by(function: Any, module: ModuleType) -> set[str]:
    """Return the names that a function of a module reads, and those that the functions it calls read."""
    found: set[str] = set()
    open_ = [function]
    while open_:
        new = {*open_.pop().__code__.co_names} - found
        found |= new
        open_ += [known for name in new if hasattr(known := getattr(module, name, None), "__code__")]
    return found


def _noted(finding: Finding, note: str) -> Finding:
    return finding[0], "; ".join(filter(None, (note, finding[1])))


def _with_known_penalty(problem: Problem, module: ModuleType) -> tuple[Problem, str]:
    penalty = problem.spec["penalty"]
    if penalty in WEIGHINGS:
        return problem, ""
    note = f"without the penalty {penalty}, of which only the module knows"
    return problem.without(*problem.coefficients(module)), note


def _slopes_differ(problem: Problem, module: ModuleType, quotient: Callable[[Callable[[Any], Any]], Any]) -> Finding:
    """Return the largest difference between the mean of `backward` and the quotients of the objective.

    Entry by entry, in a random order, and as many as there is time for: at least one of each parameter.
    """
    found = dict(zip(problem.parameters, _mean_gradient(problem, module, np.arange(len(problem.X))), strict=True))
    size = {name: max(abs(slopes).max(), LEAST) for name, slopes in found.items()}
    every = _interleaved({name: list(np.ndindex(slopes.shape)) for name, slopes in found.items()})
    end, worst = time.perf_counter() + SECONDS, 0.0
    for visited, (name, at) in enumerate(every):
        if time.perf_counter() > end and visited >= len(found):
            return worst, f"{visited} of {len(every)} entries"
        difference = found[name][at] - quotient(partial(_moved, problem, module, name, at))
        worst = float(np.max([worst, float(abs(difference) / size[name])]))
    return worst, ""


def _interleaved(entries: dict[str, list[tuple[int, ...]]]) -> list[tuple[str, tuple[int, ...]]]:
    """Return the entries of several parameters in turn, each parameter's in a random order."""
    generator = np.random.default_rng(0)
    shuffled = [[(name, found[n]) for n in generator.permutation(len(found))] for name, found in entries.items()]
    return [entry for turn in zip_longest(*shuffled) for entry in turn if entry is not None]


def _moved(problem: Problem, module: ModuleType, name: str, at: tuple[int, ...], by: Any) -> Any:
    """Return the objective with one entry of one parameter moved."""
    moved = problem.parameters[name].copy()
    moved[at] += by
    return problem.objective(module, {**problem.parameters, name: moved})


def _updates(problem: Problem, large: Problem, module: ModuleType) -> Finding:
    """Compare `sgd` with its definition, and the other kernels with theirs, on whole tiles and on rests."""
    whole = problem.whole()
    differences = [difference(whole.updated(module, "sgd", t)[2:], _defined(whole, module, t)) for t in (0, 7)]
    others = [name for name in vars(module) if name.startswith("sgd_")]
    for name in others:
        batch = large.together if "batch" in arguments(getattr(module, name)) else 1
        found = large.whole() if batch > 1 else large
        expected = _defined(found, module, 7, batch) if batch > 1 else large.updated(module, "sgd", 7)[2:]
        differences.append(difference(found.updated(module, name, 7)[2:], expected))
    return float(np.max(differences)), ", ".join(["sgd", *others])


def _defined(problem: Problem, module: ModuleType, start: int, batch: int = 1) -> list[Array]:
    """Return parameters and state after update upon update by the mean of Δ over each batch."""
    now = problem
    for n, first in enumerate(range(0, len(problem.order), batch)):
        examples = problem.order[first : first + batch]
        slopes = _clipped_gradient(now, module, examples) if "clip" in _rules(now) else _mean_gradient(
            now, module, examples
        )  # fmt: skip
        now = _updated_once(now, slopes, _step_size(problem, module, start + n), start + n)
    return [*now.parameters.values(), *now.state.values()]


def _rules(problem: Problem) -> list[str]:
    return str(problem.spec.get("update", "sgd")).split("+")


def _updated_once(problem: Problem, slopes: list[Array], α: Any, t: int) -> Problem:
    """Return the problem after θ ← θ + αΔ or its kin, Δ = -`slopes`, as the literature has it."""
    rules, state, made = _rules(problem), dict(problem.state), {}
    for (name, θ), slope in zip(problem.parameters.items(), slopes, strict=True):
        step = -α * slope
        if {"momentum", "nesterov"} & {*rules}:
            μ = problem.settings["momentum"]
            state[f"v{name}"] = v = μ * state[f"v{name}"] + step
            step = v if "momentum" in rules else μ * v + step
        made[name] = θ + step
        if "max_norm" in rules and problem.is_weight(name):
            rows = np.sqrt((made[name] ** 2).sum(axis=tuple(range(1, θ.ndim)), keepdims=True))
            made[name] = made[name] * np.minimum(1, problem.settings["max_weights"] / rows)
        if "average" in rules:
            mean = state[f"mean_{name}"]
            state[f"mean_{name}"] = mean + (made[name] - mean) / (t + 1)
    return replace(problem, parameters=made, state=state)


def _mean_gradient(problem: Problem, module: ModuleType, examples: Array) -> list[Array]:
    each = [problem.gradient(module, n)[1:] for n in examples]
    return [sum(slopes) / len(each) for slopes in zip(*each, strict=True)]


def _clipped_gradient(problem: Problem, module: ModuleType, examples: Array) -> list[Array]:
    """Return the mean gradient, each example's of l bounded in its norm, that of the penalty not."""
    bare, total = problem.without(*problem.coefficients(module)), []
    for n in examples:
        slopes = bare.gradient(module, n)[1:]
        norm = sum((s**2).sum() for s in slopes) ** 0.5
        factor = min(1, problem.settings["max_gradient"] / norm) if norm else 1
        whole = problem.gradient(module, n)[1:]
        total.append([w - (1 - factor) * s for w, s in zip(whole, slopes, strict=True)])
    return [sum(slopes) / len(total) for slopes in zip(*total, strict=True)]


def _step_size(problem: Problem, module: ModuleType, t: int) -> Any:
    α = problem.settings["learning_rate"]
    if problem.spec["step_size"] == "inverse":
        return α / (1 + problem.settings["decay"] * t)
    return α if problem.spec["step_size"] == "constant" else module.step_size(*problem.settings.values(), t)


def _compiled(problem: Problem, module: ModuleType, original: ModuleType, kernels: Collection[str]) -> Finding:
    own = problem.cast(lambda values: values.astype(problem.spec["dtype"]))
    pairs = [(own.outputs(original, kernel), problem.outputs(module, kernel)) for kernel in kernels]
    worst = max((difference(*pair) for pair in pairs), default=0.0)
    return worst, f"{problem.spec['dtype']}: {', '.join(kernels)}" if kernels else "does not apply: none was asked for"
