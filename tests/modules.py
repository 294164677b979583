"""Generated modules for the tests: each text is built once in a process and loaded once in each way."""

import builtins
import functools
import hashlib
import importlib.util
import math
import os
import sys
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import sympy
from scipy import special

from symbackprop import build
from symbackprop.calculus.recurrence import Refusal
from symbackprop.derivation.training_step import stages_of_network
from symbackprop.emit.exponents import LETTERS
from symbackprop.emit.expression_text import exponents, functions
from symbackprop.emit.module import with_called
from symbackprop.emit.numba_text import kernel_text
from symbackprop.expr.printing import identifier
from symbackprop.kernels.plain import backward_kernel, forward_kernel, loss_kernel
from symbackprop.kernels.plan import Plan
from symbackprop.kernels.training_step import training_step_of
from symbackprop.precision.memory import remembered_forms

FOLDER = Path(__file__).parent.parent / ".pytest_cache" / "modules"
NUMPY_FUNCTIONS = {  # the elementary functions by the names they have in a module: overflow is inf, not an error
    **{
        name: getattr(np, name)
        for name in ("exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "sqrt", "cosh", "sinh")
    },
    "atan": np.arctan,
    "erf": special.erf,
    "erfc": special.erfc,
    "gauss": lambda x: np.exp(-x * x / 2),
    "normal": lambda x: special.erfc(-x / math.sqrt(2)) / 2,
}
OWN = {  # functions that only modules have
    "gauss": lambda x: math.exp(-x * x / 2),
    "normal": lambda x: math.erfc(-x / math.sqrt(2)) / 2,
    "scaled": lambda m, h: (m * h) * h,
    "ratio": lambda x, y: x / y,
    "plus": lambda x, y: x + y,
}
COMPLEX_FUNCTIONS = {  # the same, and the functions with kinks, continued from the real axis
    **NUMPY_FUNCTIONS,
    "max": lambda *values: max(values, key=np.real),
    "min": lambda *values: min(values, key=np.real),
    "abs": lambda z: z if np.real(z) > 0 else -z,
    "cbrt": lambda z: z ** (1 / 3) if np.real(z) >= 0 else -((-z) ** (1 / 3)),
}


@functools.cache
def _text_of(network, dtype):
    return build(network, name="module", dtype=dtype).text


def text_of(network, dtype="float64"):
    """The text of a network's module."""
    return _text_of(network, dtype)


def interpret(text, **names):
    """The module as plain Python, with some of its global names bound to something else."""
    module = ModuleType("interpreted")
    before, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, True
    try:
        exec(compile(text, "<generated>", "exec"), module.__dict__)
    finally:
        numba.config.DISABLE_JIT = before
    module.__dict__.update({k: v for k, v in names.items() if k in module.__dict__ or hasattr(builtins, k)})
    return module


@functools.cache
def interpreted(network, dtype="float64"):
    """A network's module as plain Python."""
    return interpret(text_of(network, dtype))


def compile_text(text):
    """The module, compiled, but neither written nor kept: Numba shows the code of nothing it had kept."""
    module = ModuleType("compiled")
    exec(compile(text, "<generated>", "exec"), module.__dict__)
    return module


@functools.cache
def gradient_kernels(network):
    """The kernels that gradients need, as statements; those of the schedules take longer to make."""
    with remembered_forms() as forms:
        stages = stages_of_network(network.resolved).in_forms(forms).stable()
    step, plan = training_step_of(network.resolved, stages), Plan(Refusal("not asked for"), outlined=False)
    return tuple(with_called([make(step, plan) for make in (forward_kernel, loss_kernel, backward_kernel)]))


@functools.cache
def _gradient_code(network):
    text = "\n\n".join(map(kernel_text, gradient_kernels(network)))
    return compile(text, "<generated>", "exec")


def gradients_alone(network, dtype="float64", **names):
    """As `interpreted`, but only with forward, loss and backward, and with Python's own elementary functions."""
    module, real = ModuleType("gradients"), np.dtype(dtype).type
    module.__dict__.update(kernel=lambda f: f, inlined=lambda f: f, np=np, real=real, zero=real(0), one=real(1))
    called = functions(gradient_kernels(network))
    module.__dict__.update({name: OWN.get(name) or getattr(math, name) for name in called} | names)
    for name, exponent in exponents(gradient_kernels(network)).items():
        letters = sorted(exponent.free_symbols, key=lambda s: LETTERS.index(s.name))
        setattr(module, name, sympy.lambdify(letters, sympy.exp(exponent), "math"))
    exec(_gradient_code(network), module.__dict__)
    module.SPEC = {"hyperparameters": [identifier(name) for name in network.resolved.penalties]}
    return module


def complex_valued(network):
    """A network's module as plain Python that also takes complex parameters."""
    return interpret(text_of(network), **COMPLEX_FUNCTIONS)


@functools.cache
def compiled(network, dtype="float64"):
    """A network's module, compiled; the machine code stays on disk under the hash of the text."""
    text = text_of(network, dtype)
    name = "m" + hashlib.sha256(text.encode()).hexdigest()[:16]
    path = FOLDER / f"{name}.py"
    if not path.exists():  # a file written again would be another one to Numba's cache
        FOLDER.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def penalties_of(module):
    """The names of a module's penalty coefficients, in the order in which `backward` takes them."""
    return [name for name in module.SPEC["hyperparameters"] if name != "decay"]


def backward(module, parameters, x, y, **coefficients):
    """l and the gradients of l + λΩ for one example, as {"dW1": ...}."""
    found = {f"d{name}": np.full_like(value, np.nan) for name, value in parameters.items()}
    values = [module.real(coefficients[name]) for name in penalties_of(module)]
    value = module.backward(x, y, *parameters.values(), *found.values(), *values)
    return value, found


def loss(module, parameters, x, y):
    """l of one example, by the kernel that takes many."""
    return module.loss(x[None], np.asarray(y)[None], *parameters.values())


def forward(module, parameters, X):
    """f of many examples."""
    outputs = list(parameters.values())[-1].shape[0]
    F = np.full((len(X), outputs), np.nan, X.dtype)
    module.forward(X, *parameters.values(), F)
    return F


def differences(of, parameters, step=1e-5):
    """The derivatives of a function of the parameters by central differences, as {"dW1": ...}."""

    def divided(value, at):
        middle = value[at]
        value[at] = middle + step
        above = of(moved)
        value[at] = middle - step
        below = of(moved)
        value[at] = middle
        return (above - below) / (2 * step)

    moved = {name: value.copy() for name, value in parameters.items()}
    return _each(divided, moved)


def complex_differences(of, parameters, step=1e-30):
    """The derivatives of an analytic function by the complex step: Im f(p + ih) / h, exact to rounding."""

    def divided(value, at):
        value[at] += 1j * step
        slope = of(moved).imag / step
        value[at] = value[at].real
        return slope

    moved = {name: value.astype(complex) for name, value in parameters.items()}
    return _each(divided, moved)


def _each(divided, moved):
    found = {}
    for name, value in moved.items():
        slopes = [divided(value, at) for at in np.ndindex(value.shape)]
        found[f"d{name}"] = np.reshape(slopes, value.shape)
    return found


def worst(found, expected, floor=1e-2):
    """The largest difference, relative to the largest entry of its array, or to `floor` if that is smaller."""
    assert found.keys() == expected.keys()
    return max(np.abs(found[name] - e).max() / max(np.abs(e).max(), floor) for name, e in expected.items())
