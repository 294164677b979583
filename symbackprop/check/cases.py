"""Small problems on which the kernels of a generated module run, compiled or interpreted, in any kind of numbers.

The kernels of a module are ordinary Python once the compiler is switched off: they compute in float64, over the complex
numbers and over fractions alike.
"""

from __future__ import annotations

import importlib.util
import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Integral
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
from mpmath import mp

from symbackprop.expr.evaluate import over_arrays
from symbackprop.expr.functions import ELEMENTARY, Elementary
from symbackprop.train.protocol import Array

LEAST = 1e-3  # differences are relative to the largest entry of an array, or to this if that is smaller
WEIGHINGS = {"none": (), "l2": ("l2",), "l1": ("l1",), "l1+l2": ("l1", "l2")}  # written here again, independently


@dataclass(frozen=True, eq=False)
class Problem:
    """Examples, parameters and hyperparameters, all in one kind of numbers.

    Attributes
    ----------
    spec, sizes
        Of the module, and of the layers.
    X, Y, order
        Inputs, targets, and which of them `updated` visits.
    parameters
        By name, in the order of the kernels' arguments.
    settings
        The learning rate and SPEC["hyperparameters"], in that order.
    weight
        Of every example, in a list that is empty where they have none.
    masks
        Of every update.
    state
        What updates keep beside the parameters, by name.
    """

    spec: dict[str, Any]
    sizes: tuple[int, ...]
    X: Array
    Y: Array
    order: Array
    parameters: dict[str, Array]
    settings: dict[str, Any]
    weight: list[Array]
    masks: list[Array]
    state: dict[str, Array]

    def cast(self, numbers: Callable[[Array], Array]) -> Problem:
        """Return the same problem in other numbers; class numbers stay integers."""
        Y = self.Y if self.spec["target"] == "label" else numbers(self.Y)
        parameters = {name: numbers(p) for name, p in self.parameters.items()}
        settings = {name: numbers(np.array([v]))[0] for name, v in self.settings.items()}
        X = self.X if "vocabulary" in self.spec else numbers(self.X)
        state = {name: numbers(values) for name, values in self.state.items()}
        weight, masks = ([numbers(values) for values in part] for part in (self.weight, self.masks))
        return replace(
            self, X=X, Y=Y, parameters=parameters, settings=settings, weight=weight, masks=masks, state=state
        )

    def whole(self) -> Problem:
        """Return the same problem with all units there."""
        return replace(self, masks=[0 * mask + 1 for mask in self.masks])

    def without(self, *names: str) -> Problem:
        """Return the same problem with some hyperparameters 0."""
        return replace(self, settings={n: 0 * v if n in names else v for n, v in self.settings.items()})

    def coefficients(self, module: ModuleType) -> list[str]:
        """Return the names of the penalties' coefficients, which are the last arguments of `backward`."""
        return arguments(module.backward)[2 + len(self.weight) + 2 * len(self.parameters) :]

    def objective(self, module: ModuleType, parameters: dict[str, Array]) -> Any:
        """Return the mean loss plus λΩ, the latter from its definition and not from the module."""
        total = module.loss(self.X, self.Y, *self.weight, *parameters.values())
        for name in WEIGHINGS.get(self.spec["penalty"], ()):
            for weights in (p for key, p in parameters.items() if self.is_weight(key)):
                sizes = weights * weights if name == "l2" else np.where(weights < 0, -weights, weights)
                total = total + self.settings[name] * sizes.sum()
        return total

    def is_weight(self, name: str) -> bool:
        """Return whether a parameter is penalised and bounded."""
        return self.parameters[name].ndim > 1 and name in self.spec["initial"].get("fans", {name: ()})

    def gradient(self, module: ModuleType, n: int) -> list[Any]:
        """Return the loss of one example and the gradients that the kernel `backward` writes for it."""
        slopes = [np.empty_like(p) for p in self.parameters.values()]
        penalties = [self.settings[name] for name in self.coefficients(module)]
        example = [self.X[n], self.Y[n], *(weight[n] for weight in self.weight)]
        value = module.backward(*example, *self.parameters.values(), *slopes, *penalties)
        return [value, *slopes]

    @property
    def together(self) -> int:
        """How many examples make a block or a mini-batch, such that the last one is shorter."""
        return len(self.order) // 2 + 1

    def updated(self, module: ModuleType, kernel: str = "sgd", t: int = 0) -> list[Any]:
        """Return what an SGD kernel returns for the examples of `order`, and parameters and state after them."""
        values, run = [p.copy() for p in (*self.parameters.values(), *self.state.values())], getattr(module, kernel)
        more = [self.together for name in arguments(run) if name in {"block", "batch"}]
        data = (self.X, self.Y, *self.weight, self.order, *self.masks)
        returned = run(*data, *values, *self.settings.values(), t, *more)
        return [*returned, *values]

    def outputs(self, module: ModuleType, kernel: str) -> list[Any]:
        """Return all that one kernel computes."""
        if kernel == "loss":
            return [module.loss(self.X, self.Y, *self.weight, *self.parameters.values())]
        if kernel == "backward":
            return self.gradient(module, 0)
        if kernel.startswith("sgd"):
            return self.updated(module, kernel, 7)
        F = np.empty((len(self.X), self.sizes[-1]), next(iter(self.parameters.values())).dtype)
        module.forward(self.X, *self.parameters.values(), F)
        return [F]


def draw(spec: dict[str, Any], sizes: tuple[int, ...], seed: int, examples: int = 3, updates: int = 4) -> Problem:
    """Return a random problem of short binary fractions, away from kinks: exact in every kind of numbers."""
    generator = np.random.default_rng(seed)

    def some(*shape: int, scale: float = 1) -> Array:
        signs = generator.choice((-1, 1), shape)
        return np.asarray(signs * np.ceil(64 * scale * generator.uniform(0.1, 0.9, shape)) / 64)

    X = some(examples, *spec.get("input", sizes[:1]))
    if "vocabulary" in spec:
        X = generator.integers(spec["vocabulary"], size=X.shape)
    Y: Array = generator.integers(sizes[-1], size=examples)
    if spec["target"] == "vector":
        Y = abs(some(examples, sizes[-1]))
    parameters = {}
    for name, axes in spec["parameters"].items():
        shape = _shape(axes, sizes) or (1,)
        # sums of products are multiples of 1/4096: with 1/8192 no pre-activation of the first layer is at a kink
        matrix = len(shape) > 1
        fan_in = spec["initial"].get("fans", {}).get(name, shape[::-1])[0]
        parameters[name] = some(*shape, scale=2 / math.sqrt(fan_in)) if matrix else some(*shape) + 1 / 8192
    # small steps, or training would diverge and magnify roundings; what t is divided by is of its size
    known = {"interval": 2.0, "horizon": 16.0, "warmup": 8.0}
    settings = {name: known.get(name, 2.0**-n) for n, name in enumerate(spec["hyperparameters"], 2)}
    settings = {"learning_rate": 2.0**-8, **settings}
    weight = [abs(some(examples))] if "weighted" in spec else []
    masks = [
        2.0 * generator.integers(2, size=(updates, *_shape(axes, sizes))) for axes in spec.get("masks", {}).values()
    ]
    state = {name: some(*parameters[of].shape, scale=1 / 16) for name, of in spec.get("state", {}).items()}
    order = np.arange(updates)[::-1] % examples
    return Problem(spec, sizes, X, Y, order, parameters, settings, weight, masks, state)


def _shape(axes: list[int | str], sizes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(axis) if isinstance(axis, str) else sizes[axis] for axis in axes)


def interpreted(text: str, place: Path, real: Callable[[Any], Any] = np.float64) -> ModuleType:
    """Return a module imported with the compiler off; its functions take complex numbers too.

    Parameters
    ----------
    text
        Of a generated module.
    place
        A directory in which it is written for the import.
    real
        The type of its constants, whatever that of the module is.
    """
    path = place / "interpreted.py"
    path.write_text(text, "utf-8")
    found = importlib.util.spec_from_file_location("interpreted", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    with _compiler_off():
        found.loader.exec_module(module)
    vars(module).update({name: f for name, f in (FUNCTIONS | _LOSSES).items() if hasattr(module, name)})
    vars(module).update(real=real, zero=real(0), one=real(1), abs=_absolute)
    return module


def arguments(kernel: Any) -> list[str]:
    """Return the names of a kernel's arguments, compiled or not."""
    return list(inspect.signature(kernel).parameters)


def difference(found: list[Any], expected: list[Any]) -> float:
    """Return the largest difference of two lists of arrays, each relative to the largest entry of its array."""
    pairs = [(np.atleast_1d(a), np.atleast_1d(b)) for a, b in zip(found, expected, strict=True)]
    # NumPy's maximum keeps NaN, that of Python may lose it
    return float(np.max([float(abs(a - b).max() / max(abs(b).max(), LEAST)) for a, b in pairs]))


def fraction(value: Any) -> Fraction:
    """Return a number as a fraction of Python integers, which never overflow."""
    return Fraction(int(value)) if isinstance(value, Integral) else Fraction(value)


@contextmanager
def _compiler_off() -> Iterator[None]:
    config: Any = numba.config
    before = config.DISABLE_JIT
    config.DISABLE_JIT = True
    try:
        yield
    finally:
        config.DISABLE_JIT = before


def _absolute(value: Any) -> Any:
    """|v| where v is real, and analytic beside the real axis; NumPy orders complex numbers by their real parts."""
    return -value if value < 0 else value


def _of_any(function: Elementary) -> Callable[..., Any]:
    """Return NumPy's function, of complex numbers mpmath's where NumPy's takes none.

    It has 50 digits, or the small imaginary part of a complex step would be lost.
    """
    array = over_arrays(function)
    if function.takes_complex:
        return array

    def value(*values: Any) -> Any:
        if not any(isinstance(v, complex) for v in values):
            return array(*map(np.float64, values))
        with mp.workdps(50):
            return np.complex128(complex(function.digits(*map(mp.mpc, values))))

    return value


# what is no fraction of fractions, by its name in a module
FUNCTIONS = {
    name: _of_any(function) for name, function in ELEMENTARY.items() if function.digits and not function.rational
}
# what a rounding in the module's own type lost is nothing in these numbers
FUNCTIONS["exp_of_sum"] = lambda value, _: np.exp(value)
_LOSSES: dict[str, Callable[..., Any]] = {
    name: lambda *_: 0 for name in ("sum_error", "product_error", "exp_error")
}
