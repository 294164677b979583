"""Elementary functions: nanoseconds an element beside `math`, and the largest errors.

    python benchmarks/elementary.py             times and a quick look at the errors
    python benchmarks/elementary.py --thorough  every float32 and 200,000 float64: the figures of ERRORS

Times are medians of interleaved repeats in one process, over 4096 normal numbers. Errors are in ULP of the
true value; below the normal range an ULP is the least subnormal.
"""

import argparse
import importlib.util
import statistics
import tempfile
import time
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
from mpmath import mp
from numba import njit

from symbackprop.emit.elementary import DECORATOR, helpers
from symbackprop.emit.elementary_texts import AVAILABLE, ERRORS

FUSED = DECORATOR.replace("fastmath=False", 'fastmath={"contract"}')
HEADER = """\
import math

import numpy as np
from numba import njit

real = np.{dtype}
{decorator}
"""
LOOP = """
@njit(error_model="numpy", fastmath={{"reassoc", "contract", "nsz", "arcp", "afn"}})
def {loop}(x, y, repeats):
    for _ in range(repeats):
        for i in range(x.size):
            y[i] = {value}
"""
MATH = {name: f"math.{name}(x[i])" for name in AVAILABLE} | {
    "sigmoid": "real(1.0) / (real(1.0) + math.exp(-x[i]))",
    "softplus": "math.log1p(math.exp(x[i]))",
    "gauss": "math.exp(-real(0.5) * x[i] * x[i])",
    "normal": "real(0.5) * math.erfc(-x[i] * real(0.7071067811865476))",
}
TRUTHS = {
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": mp.log,
    "log1p": mp.log1p,
    "tanh": mp.tanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: max(x, 0) + mp.log1p(mp.exp(-abs(x))),
    "erf": mp.erf,
    "gauss": lambda x: mp.exp(-x * x / 2),
    "normal": lambda x: mp.erfc(-max(-100, min(x, 100)) / mp.sqrt(2)) / 2,
}
DOMAINS = {"log": 0.0, "log1p": -1.0}
SAMPLE = 200_000
LIMIT = mp.ldexp(1, 1024)


def load(dtype: str, folder: Path, decorator: str = DECORATOR) -> ModuleType:
    """Write all functions and a fast-math loop around each into a file of `folder`, and import it."""
    parts = [HEADER.format(dtype=dtype, decorator=decorator), helpers(AVAILABLE, dtype)]
    for name in sorted(AVAILABLE):
        parts.append(LOOP.format(loop=f"{name}_loop", value=f"{name}(x[i])"))
        parts.append(LOOP.format(loop=f"{name}_math", value=MATH[name]))
    path = Path(folder) / f"elementary_{dtype}_{zlib.crc32(decorator.encode())}.py"
    path.write_text("\n".join(parts), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@njit(error_model="numpy", fastmath=False)
def ulps(y, truth, errors):
    """|y - truth| in ULP of float32; inf counts as 2^128, and NaN is right only against NaN."""
    limit, infinite = 2.0**128, 1e9
    for i in range(y.size):
        bits = np.float64(truth[i]).view(np.int64) & 0x7FF0000000000000
        unit = np.int64(max(bits, (1023 - 126) << 52) - (23 << 52)).view(np.float64)
        value = min(max(np.float64(y[i]), -limit), limit)
        error = abs(value - min(max(truth[i], -limit), limit)) / unit
        both = y[i] != y[i] and truth[i] != truth[i]
        errors[i] = 0.0 if both else min(infinite, error)  # in this order NaN is infinite


def sweep(
    single: ModuleType, double: ModuleType, name: str, step: int = 1, bits: range = range(1 << 32)
) -> tuple[float, float]:
    """The largest error over every step-th float32 of some bits, and where; the float64 function is the truth."""
    size, worst = 1 << 15, (0.0, 0.0)
    y, truth, errors = np.empty(size, np.float32), np.empty(size), np.empty(size)
    for start in range(bits.start, bits.stop, size * step):
        x = np.arange(start, min(start + size * step, bits.stop), step, dtype=np.uint32).view(np.float32)
        n = x.size
        getattr(single, f"{name}_loop")(x, y[:n], 1)
        with np.errstate(invalid="ignore"):  # signalling NaN
            getattr(double, f"{name}_loop")(x.astype(np.float64), truth[:n], 1)
        ulps(y[:n], truth[:n], errors[:n])
        k = errors[:n].argmax()
        worst = max(worst, (float(errors[k]), float(x[k])))
    return worst


def arguments(count: int, seed: int = 0) -> np.ndarray:
    """float64 from everywhere: bit patterns, magnitudes, around 0, the ranges of tanh and exp, around ±1."""
    rng = np.random.default_rng(seed)
    n = count // 6
    sign = rng.choice([-1.0, 1.0], (3, n))
    bits = rng.integers(-(2**63), 2**63, n).view(np.float64)
    magnitudes = sign[0] * 2.0 ** rng.uniform(-60, 10, n)
    ranges = [rng.uniform(low, high, n) for low, high in ((-1, 1), (-40, 40), (-750, 715))]
    ones = sign[1] * (1 + sign[2] * 2.0 ** rng.uniform(-52, -1, n))
    return np.concatenate([bits, magnitudes, *ranges, ones])


def error64(name: str, x: float, y: float) -> float:
    """The error in ULP of y as the float64 value of a function at x, by mpmath."""
    if np.isnan(x) or x < DOMAINS.get(name, -np.inf):
        return 0.0 if np.isnan(y) else np.inf
    truth, value = (max(-LIMIT, min(v, LIMIT)) for v in (TRUTHS[name](mp.mpf(float(x))), mp.mpf(float(y))))
    unit = mp.ldexp(1, max(mp.frexp(truth)[1], -1021) - 53) if truth else mp.ldexp(1, -1074)
    return np.inf if np.isnan(y) else float(abs(value - truth) / unit)


def worst64(double: ModuleType, name: str, count: int = SAMPLE) -> tuple[float, float]:
    """The largest error over `count` float64, and where."""
    x = arguments(count)
    y = np.empty_like(x)
    getattr(double, f"{name}_loop")(x, y, 1)
    with mp.workprec(150):
        return max((error64(name, a, b), float(a)) for a, b in zip(x, y, strict=True))


def print_errors(single: ModuleType, double: ModuleType, *, thorough: bool) -> None:
    """Print the largest errors and where they are, and what ERRORS claims."""
    step, count = (1, SAMPLE) if thorough else (101, SAMPLE // 100)
    print(f"\nlargest error in ULP: float32 (every {step}), float64 ({count} numbers)")
    for name in sorted(AVAILABLE):
        for dtype, (error, x) in (
            ("float32", sweep(single, double, name, step)),
            ("float64", worst64(double, name, count)),
        ):
            print(f"{name:9} {dtype} {error:7.3f} at {x:<24.17g} claimed {ERRORS[name, dtype]}", flush=True)


def nanoseconds(loops: list, x: np.ndarray, rounds: int = 31, repeats: int = 20) -> list[float]:
    """The median time of each loop an element, the loops taking turns."""
    y, times = np.empty_like(x), [[] for _ in loops]
    for _ in range(rounds + 1):  # the first round compiles
        for loop, record in zip(loops, times, strict=True):
            start = time.perf_counter()
            loop(x, y, repeats)
            record.append(1e9 * (time.perf_counter() - start) / (repeats * x.size))
    return [statistics.median(record[1:]) for record in times]


def print_times(modules: dict[str, tuple[ModuleType, ModuleType]]) -> None:
    """Print the time of `math`, of ours, and of ours with fused multiply-add allowed."""
    print("ns an element        math    ours   fused   math / ours")
    for dtype, (ours, fused) in modules.items():
        x = np.random.default_rng(0).normal(0, 2, 4096).astype(dtype)
        for name in sorted(AVAILABLE):
            loop = f"{name}_loop"
            loops = [getattr(ours, f"{name}_math"), getattr(ours, loop), getattr(fused, loop)]
            slow, fast, fma = nanoseconds(loops, abs(x) if name.startswith("log") else x)
            print(f"{name:9} {dtype} {slow:7.2f} {fast:7.2f} {fma:7.2f} {slow / fast:9.1f}", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="Time the elementary functions and measure their errors.")
    parser.add_argument("--thorough", action="store_true", help="measure the figures of ERRORS")
    thorough = parser.parse_args().thorough
    with tempfile.TemporaryDirectory() as folder:
        modules = {d: (load(d, Path(folder)), load(d, Path(folder), FUSED)) for d in ("float32", "float64")}
        print_times(modules)
        print_errors(modules["float32"][0], modules["float64"][0], thorough=thorough)


if __name__ == "__main__":
    main()
