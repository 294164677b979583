"""Machine code on disk; what follows the marker is copied into every generated module as it stands."""

from __future__ import annotations

import hashlib
from contextlib import suppress

# --- copied from here ---


def keep_machine_code(*kernels):
    """Keep what the first calls compile on disk, where there is a place; return the kernels."""
    for kernel in kernels:
        if not hasattr(kernel, "enable_caching"):  # Numba is switched off
            continue
        # Numba finds code by file and line alone: also that of another text, or of this file under
        # another name, which then has to be there as a module.
        function = kernel.py_func
        text = f"{function.__module__}\n{function.__globals__.get('__doc__')}"
        function.__qualname__ += "_" + hashlib.sha256(text.encode()).hexdigest()[:16]
        with suppress(RuntimeError, OSError):  # no directory that a cache can be written to
            kernel.enable_caching()
            tolerate_failures(kernel._cache)
    return kernels


def tolerate_failures(cache):
    """Let a cache that is full, damaged or written by two processes at once cost time alone."""
    load, save = cache.load_overload, cache.save_overload

    def load_overload(signature, target):
        try:
            code = load(signature, target)
        except Exception:
            with suppress(Exception):
                cache.flush()
            return None
        wanted = tuple(getattr(signature, "args", signature))
        return code if code is not None and code.signature.args == wanted else None

    def save_overload(signature, code):
        with suppress(Exception):
            save(signature, code)

    cache.load_overload, cache.save_overload = load_overload, save_overload
