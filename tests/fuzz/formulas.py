"""Random formulas: no Python error, no wrong NaN or infinity, few ULP or a word in the header, no build that takes long.

What runs is a module's own text as plain Python, one hidden unit for each point; what is true is `tests.fuzz.oracle`'s.
"""

from __future__ import annotations

import random
import re
import time
import warnings
from dataclasses import dataclass

import numpy as np
from mpmath import mp
from scipy import special

import symbackprop
from symbackprop import Network
from symbackprop.parse.unforeseen import UnforeseenError
from tests.fuzz.oracle import value_and_slope
from tests.fuzz.trees import Node, drawn, shrunk
from tests.modules import interpret

SECONDS = 20.0
ULP = 8.0
BESIDE = 0.25  # a root, relative to it: where the last bit of the number decides, nobody has digits
LOST = 0.25  # of an angle: its sine is anything
VARIABLES = {"activation": ("a",), "loss": ("f", "y"), "penalty": ("w",)}
NUMPY = {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "erf": special.erf, "erfc": special.erfc, "gamma": special.gamma,
}  # fmt: skip
FORMATS = {"float32": (24, -125, 128, np.uint32), "float64": (53, -1021, 1024, np.uint64)}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a formula: the kind, and where, what came and what is true."""

    kind: str
    about: str


def case(seed: int, number: int) -> tuple[str, Node]:
    """Return the formula of a number: what it is to be, and its tree."""
    rng = random.Random(f"formulas {seed} {number}")
    what = rng.choice(("activation", "activation", "loss", "penalty"))
    return what, drawn(rng, rng.choice((1, 2, 3, 4, 4)), VARIABLES[what])


def network(what: str, tree: Node) -> Network:
    """Return the smallest network that has a formula as its activation, its loss or its penalty."""
    given = {"activation": ((str(tree),), "f"), "loss": (("tanh",), str(tree)), "penalty": (("tanh",), "squared", str(tree))}
    return Network(*given[what])


def fault(what: str, tree: Node, *, measure: bool = True, points: int = 60, exact_form: bool = False) -> Fault | None:
    """Return what is wrong with a formula, None where nothing is; a formula may be refused in one line."""
    start = time.process_time()  # of this build alone, however busy the machine is
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = symbackprop.build(network(what, tree), name="fuzz", exact_form=exact_form).text
    except UnforeseenError as error:
        return Fault("unforeseen", str(error))
    except ValueError as error:
        return Fault("lines", str(error)) if "\n" in str(error) else None
    except Exception as error:  # noqa: BLE001 (that there is none is what is tested)
        return Fault("Python error", f"{type(error).__name__}: {error}")
    if (took := time.process_time() - start) > SECONDS:
        return Fault("slow", f"{took:.0f} s")
    return _inaccurate(tree, text, points) if measure and what == "activation" else None


def floats(dtype: str, count: int, seed: int = 0) -> np.ndarray:
    """Return numbers of every exponent, and as many from -30 to 30."""
    rng, whole = np.random.default_rng(seed), FORMATS[dtype][3]
    top = np.array([np.finfo(dtype).max], dtype).view(whole)[0]
    bits = (rng.random(count // 2) * float(top)).astype(whole).view(dtype)
    middle = rng.uniform(-30, 30, count - count // 2).astype(dtype)
    return np.concatenate([bits * rng.choice(np.array([-1, 1], dtype), count // 2), middle])


def _inaccurate(tree: Node, text: str, points: int) -> Fault | None:
    """Return the first wrong number: the text is written for float32."""
    at = floats("float32", points)
    h, slopes = _computed(_without_errors(interpret(text)), at)
    for x, value, slope in zip(at, h, slopes, strict=True):
        for name, found, true in zip(("value", "slope"), (value, slope), value_and_slope(tree, float(x)), strict=True):
            wrong = _wrong(tree, x, name, found, true, _stated(text))
            if wrong:
                return Fault(f"{wrong} {name}", f"at {float(x)!r}: {float(found)!r}, true is {mp.nstr(true, 17)}")
    return None


def _without_errors(module):
    """Return a module with NumPy's functions in place of Python's, which raise where compiled ones give inf or NaN."""
    for name, function in list(vars(module).items()):
        if getattr(function, "__module__", "") == "math":
            setattr(module, name, NUMPY[name] if name in NUMPY else getattr(np, name))
    return module


def _computed(module, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return h = g(a), and g'(a) as the gradient of a bias, where l = f = h."""
    dtype, one = at.dtype, np.ones((1, 1), at.dtype)
    values, slopes = np.empty_like(at), np.empty_like(at)
    F, x, y, nothing = np.empty((1, 1), dtype), np.zeros((1, 1), dtype), np.zeros(1, dtype), np.zeros(1, dtype)
    with np.errstate(all="ignore"):
        for k in range(at.size):  # a unit at a time: 0 times an infinite neighbour is NaN
            parameters = (np.zeros((1, 1), dtype), at[k : k + 1], one, nothing)
            gradients = [np.empty_like(p) for p in parameters]
            module.forward(x, *parameters, F)
            module.backward(x[0], y, *parameters, *gradients)
            values[k], slopes[k] = F[0, 0], gradients[1][0]
    return values, slopes


def _stated(text: str) -> float:
    """Return the largest error that a module's header says its formulas have, if it says where and why."""
    header = " ".join(text.partition('"""\n')[0].split())
    said = re.findall(r"(?:become|up to) ([0-9.e+]+)(?: ULP)?[^;]*? at x = [^;]*?, where an error of .*? counts ", header)
    return max(map(float, said), default=0.0)


def _wrong(tree: Node, x, name: str, found, true, stated: float) -> str | None:
    digits, least, most, _ = FORMATS[x.dtype.name]
    if true is None:
        return None
    if not np.isfinite(found):
        return "not finite" if abs(true) < mp.ldexp(1, most - 1) else None
    if max(abs(true), abs(float(found))) < mp.ldexp(1, least - 1):  # fewer digits, down to none: 1/(1 + a²) at 1e20
        return None
    exponent = max(mp.frexp(true)[1], least) if true else least
    error = abs(mp.mpf(float(found)) - true) / mp.ldexp(1, exponent - digits)
    if error <= max(ULP, 2 * stated) or _has_lost_an_angle(tree, x) or _is_beside_a_root(tree, x, name, true):
        return None
    return "inaccurate"


def _is_beside_a_root(tree: Node, x, name: str, true) -> bool:
    """Whether the truth changes its sign, or ends, within a quarter of the number; or depends on its last bit."""
    which = 0 if name == "value" else 1
    beside = [value_and_slope(tree, float(x) * (1 + s * BESIDE / 8))[which] for s in range(-8, 9)]
    return any(b is None or mp.sign(b) != mp.sign(true) for b in beside)


def _has_lost_an_angle(tree: Node, x) -> bool:
    """Whether a sine, cosine or tangent is of a number that lies more than a quarter beside the float next to it."""
    for node in tree.nodes():
        if node.kind in {"sin", "cos", "tan"}:
            angle = value_and_slope(node.args[0], float(x))[0]
            if angle is not None and abs(angle - mp.mpf(float(x.dtype.type(float(angle))))) > LOST:
                return True
    return False


def counterexample(what: str, tree: Node, found: Fault) -> str:
    """Return a fault as a test, its formula made as small as it goes."""
    less = shrunk(tree, lambda t: (again := fault(what, t)) is not None and again.kind == found.kind, tries=40)
    about = fault(what, less) or found
    return (
        f"def test_{what}_{abs(hash(str(less))) % 10**6}():\n    # {about.kind}: {about.about}\n"
        f"    assert formulas.fault({what!r}, {less!r}) is None  # {less}"
    )


def run(count: int, seed: int) -> int:
    """Look at many formulas; print what is wrong, shrunk, as tests; return how many are."""
    start, wrong = time.monotonic(), 0
    for number in range(count):
        what, tree = case(seed, number)
        if found := fault(what, tree):
            wrong += 1
            print(f"# seed {seed}, formula {number}: {found.kind}: {tree}\n{counterexample(what, tree, found)}\n", flush=True)
    print(f"{count} formulas of seed {seed}, {wrong} with a fault, {time.monotonic() - start:.0f} s")
    return wrong

