"""At which numbers formulas are compared with their exact values, and at which of these no form keeps its digits.

Points are of every magnitude, more of them where exponentials leave the range of floats, and where the values
themselves do: there intermediate results are subnormal or infinite first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from mpmath import mp

Array = np.ndarray[Any, Any]

HALVINGS = 12  # of the way between a point where the value is a normal number and one where it is not
FALLEN = 0.1  # part of |f| that is left at 1/3500 of the distance from a root: of √|x - 3|, 1/55


def points(count: int, seed: int, dtype: str = "float32") -> Array:
    """Return floats sorted: a quarter of them of every magnitude, one spread over [-110, 110], one over [-8, 8].

    The last quarter is where exp(-x) leaves the normal range, from 40 to 110 on both sides: products lose digits there.
    In float64 the bounds are 760, and 600 to 760, half of these points where exp(-x) is about to overflow.
    """
    rng = np.random.default_rng(seed)
    part, real = count // 4, np.dtype(dtype)
    largest = np.finfo(real).max
    whole, top = (np.uint32, 0x7F800000) if dtype == "float32" else (np.uint64, 0x7FF0000000000000)
    reach, bounds = (110, (40, 110)) if dtype == "float32" else (760, (600, 704, 710, 716, 760))
    spread = (np.arange(part) + rng.random((4, part))) / part
    signs = (-1) ** np.arange(part)
    bits = (spread[3] * top).astype(whole).view(real)
    middle, inner = (2 * bound * row - bound for bound, row in zip((reach, 8), spread, strict=False))
    edge = np.interp(spread[2], np.linspace(0, 1, len(bounds)), bounds) * signs
    tiny = np.finfo(real).smallest_normal
    ends = np.array([largest, -largest, 0.75 * largest, -0.75 * largest, 1, -1, tiny, -tiny], real)
    ends = np.concatenate([ends, ends[-2:] * real.type(2.0**-12), ends[-2:] * np.finfo(real).eps])
    return np.sort(np.concatenate([bits * signs, middle, inner, edge, ends]).astype(real))


def at_edges(xs: Array, f: Callable[[float], Any], normal: tuple[Any, Any]) -> Array:
    """Return further points about those places between sorted points where |f| leaves the normal range."""
    found = [x for low, high in pairwise(map(float, xs)) for x in _halvings(low, high, f, normal)]
    return np.array(found, xs.dtype)


def _halvings(low: float, high: float, f: Callable[[float], Any], normal: tuple[Any, Any]) -> Iterator[float]:
    """Yield what halving finds on the way to where |f| leaves the normal range, if it does between two points."""
    here = _is_normal(f(low), normal)
    if low * high <= 0 or here == _is_normal(f(high), normal):
        return
    for _ in range(HALVINGS):
        middle = _between(low, high)
        yield middle
        low, high = (middle, high) if _is_normal(f(middle), normal) == here else (low, middle)


def _between(low: float, high: float) -> float:
    """Return what is half way between two numbers, by their magnitude where they are far apart."""
    near, far = sorted((abs(low), abs(high)))
    return math.copysign(math.sqrt(near) * math.sqrt(far) if far > 2 * near else near / 2 + far / 2, low)


def _is_normal(value: Any, normal: tuple[Any, Any]) -> bool:
    return not mp.isnan(value) and bool(normal[0] <= abs(value) < normal[1])


def near_roots(xs: Array, truths: list[Any], f: Callable[[Any], Any], within: float = 0.25) -> Array:
    """Return which of some sorted points are within a quarter of a root of f beside 0: no form has few ULP there."""
    near = np.zeros(xs.size, bool)
    for find, first in ((_crossing, 0), (_touching, 1)):
        for n in range(first, xs.size - 1):
            if near[n - first : n + 2].all():  # as everywhere far out, where a function oscillates
                continue
            if (root := find(xs, truths, n, f)) is not None:
                with np.errstate(over="ignore"):  # the largest floats are far from everything
                    near |= abs(xs.astype(np.longdouble) - root) <= within * abs(root)
    return near


def _crossing(xs: Array, truths: list[Any], n: int, f: Callable[[Any], Any]) -> float | None:
    """Return a root at a point, or where f changes its sign between it and the next."""
    if truths[n] == 0 and xs[n] != 0:
        return float(xs[n])
    if np.sign(xs[n]) != np.sign(xs[n + 1]) or xs[n] == 0 or not mp.sign(truths[n]) * mp.sign(truths[n + 1]) < 0:
        return None
    low, high = sorted((mp.mpf(float(xs[n])), mp.mpf(float(xs[n + 1]))), key=abs)
    here = mp.sign(f(low))
    while abs(high - low) > abs(low) / 1000:
        middle = mp.sign(low) * mp.sqrt(low * high)  # in as many steps beside 1e-300 as beside 1
        low, high = (middle, high) if mp.sign(f(middle)) == here else (low, middle)
    return float(low)


def _touching(xs: Array, truths: list[Any], n: int, f: Callable[[Any], Any]) -> float | None:
    """Return a root of even order, beside a point where |f| is less than at both of its neighbours.

    A minimum is none, however deep: about a root |f| falls without end.
    """
    sizes = [abs(truths[k]) for k in (n - 1, n, n + 1)]
    signs = {mp.sign(truths[k]) for k in (n - 1, n, n + 1)}
    if np.sign(xs[n - 1]) != np.sign(xs[n + 1]) or len(signs) > 1 or not sizes[0] > sizes[1] < sizes[2]:
        return None
    if max(sizes) < 1.01 * sizes[1]:  # what a constant's roundings are
        return None
    low, high, size = mp.mpf(float(xs[n - 1])), mp.mpf(float(xs[n + 1])), max(sizes)
    for part in (*([1 / 2] * 3), *([FALLEN] * 2)):  # by chance a point lies nearer to a root than the next but few do
        low, high = _narrowed(low, high, 17, f)
        last, size = size, abs(f((low + high) / 2))
        if not size < part * last:
            return None
    return float(low)


def _narrowed(low: Any, high: Any, steps: int, f: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Return where |f| is least between two points, by golden sections: a step leaves 0.618 and takes one value."""
    part = (mp.sqrt(5) - 1) / 2
    left, right = high - part * (high - low), low + part * (high - low)
    at_left, at_right = abs(f(left)), abs(f(right))
    for _ in range(steps):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - part * (high - low)
            at_left = abs(f(left))
        else:
            low, left, at_left = left, right, at_right
            right = low + part * (high - low)
            at_right = abs(f(right))
    return low, high
