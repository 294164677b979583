"""Whether the parameters of a network fit into memory: to be asked before NumPy is."""

import os
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np

from symbackprop.train.protocol import Spec

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container
COPIES = 3  # those that are trained, those of the best epoch, and those with which kernels are compiled


def require_memory(spec: Spec, sizes: Sequence[int]) -> None:
    """Raise ValueError, with what it would take, if a network's parameters do not fit into this machine's memory."""
    numbers = parameters_of(spec, sizes)
    needed, there = COPIES * numbers * np.dtype(spec["dtype"]).itemsize, installed()
    if there is not None and needed > there:
        raise ValueError(
            f"a network of {'-'.join(map(str, sizes))} units has {numbers:.3g} parameters, which take at least "
            f"{_gigabytes(needed)}, and this machine has {_gigabytes(there)}; choose fewer units with --hidden"
        )


def parameters_of(spec: Spec, sizes: Sequence[int]) -> int:
    """Return how many numbers the parameters of a module have at some sizes, and what updates keep beside them.

    >>> parameters_of({"parameters": {"W1": [1, 0], "b1": [1]}, "state": {"vW1": "W1"}}, (4, 3))
    27
    """
    shapes = spec.get("parameters", {})
    counts = {
        name: prod(int(axis) if isinstance(axis, str) else int(sizes[axis]) for axis in axes)
        for name, axes in shapes.items()
    }
    return sum(counts.values()) + sum(counts[of] for of in spec.get("state", {}).values())


def installed() -> int | None:
    """Return the bytes of memory that there are for this process, None where the system does not say."""
    try:
        count = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not a Unix
        return None
    for path in map(Path, _LIMITS):
        try:
            count = min(count, int(path.read_text("ascii")))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return count


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.3g} GB" if count < 1e12 else f"{count // 10**9:,} GB"
