"""What the figures were measured on, and how a process is kept to one core."""

import os
import platform
from importlib import metadata
from pathlib import Path

_THREADS = ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR", "NUMBA")
_LIMITS = ("OPENBLAS_CORETYPE", "MKL_ENABLE_INSTRUCTIONS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "ONEDNN_MAX_CPU_ISA")
_PACKAGES = ("symbackprop", "numpy", "numba", "llvmlite", "torch", "jax", "jaxlib", "scikit-learn")


def one_thread() -> dict[str, str]:
    """Return the environment for a process whose libraries start no threads."""
    threads = {f"{name}_NUM_THREADS": "1" for name in _THREADS}
    jax = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "JAX_PLATFORMS": "cpu", "NPROC": "1"}
    return {**os.environ, **threads, **jax}


def limits() -> dict[str, str]:
    """Return what the environment tells the libraries about the processor: OPENBLAS_CORETYPE can halve sgemm."""
    return {name: os.environ[name] for name in sorted(_LIMITS) if name in os.environ}


def stay_on_one_core() -> int | None:
    """Pin this process to one of its cores; return which, None where the system has no such call."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def described() -> dict[str, str]:
    """Return the processor, the system and the versions of what takes part."""
    found = {"processor": _processor(), "system": f"{platform.system()} {platform.machine()}"}
    found["Python"] = platform.python_version()
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found | limits()


def _processor() -> str:
    facts = _facts()
    family = f"family {facts['cpu family']}, model {facts['model']}" if "cpu family" in facts else ""
    vectors = "AVX-512" if "avx512f" in facts.get("flags", "") else ""
    name = facts.get("model name") or platform.processor() or "unknown"
    return ", ".join(filter(None, (name, family, vectors)))


def _facts() -> dict[str, str]:
    """Return what Linux says about the first processor; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return {}
    pairs = [[part.strip() for part in line.split(":", 1)] for line in lines if ":" in line]
    return dict(reversed(pairs))
