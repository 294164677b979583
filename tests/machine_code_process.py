"""A process that loads modules in children of its own, as a test tells it to: a JSON list of jobs on each line.

A child starts with Numba loaded and nothing of a module's: a new process, in a tenth of the time.
"""

import importlib
import importlib.util
import json
import os
import resource
import runpy
import sys
import traceback
from pathlib import Path
from types import ModuleType

import numba
import numpy as np

from symbackprop.train.files.modules import import_module

X = np.array([[1.0, 2.0], [3.0, -4.0]])


def load(root, name, how):
    """The names of a module, loaded in one of the ways that there are."""
    path = root / name
    if how == "package":
        sys.path.insert(0, str(root))
        return vars(importlib.import_module(dotted(name)))
    if how == "top":
        sys.path.insert(0, str(path.parent))
        return vars(importlib.import_module(path.stem))
    if how == "path":
        return vars(import_module(path))
    if how == "unregistered":
        spec = importlib.util.spec_from_file_location("nowhere", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return vars(module)
    if how == "overtaken":  # as "package", but the file changes after Python has read it
        code = compile(path.read_text(), path, "exec")
        path.with_suffix(".new").replace(path)
        module = sys.modules[dotted(name)] = ModuleType(dotted(name))
        exec(code, vars(module))
        return vars(module)
    return runpy.run_path(str(path))


def dotted(name):
    return ".".join(Path(name).with_suffix("").parts)


def answer_of(root, name, how, fault):
    """What the module computes above what it did at first, and how often the cache had the code."""
    if fault == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if fault == "read-only":
        sys.addaudithook(refusal_to_write(root))
    if fault == "nowhere":
        sys.addaudithook(refusal_to_write(root.parent))
    names = load(root, name, how)
    W, b = names["Trainer"]((2, 1), seed=0, schedule="plain").parameters.values()
    F, given = np.empty((2, 1)), np.asfortranarray(X) if fault == "strided" else X
    names["forward"](given, W, b, F)
    stats = names["forward"].stats
    hits, misses = (sum(counts.values()) for counts in (stats.cache_hits, stats.cache_misses))
    return {"version": float(np.mean(F - (X @ W.T + b))), "hits": hits, "misses": misses}


def refusal_to_write(folder):
    """An audit hook like a file system that can only be read, for root too."""

    def hook(event, arguments):
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (writes or event in {"os.mkdir", "os.rename", "os.remove"}) and str(arguments[0]).startswith(str(folder)):
            raise PermissionError(f"read-only: {arguments[0]}")

    return hook


def start(root, place, *arguments):
    """A child that does a job, and where its answer comes from."""
    reader, writer = os.pipe()
    if child := os.fork():
        os.close(writer)
        return child, reader
    try:
        numba.config.CACHE_DIR = place
        answer = answer_of(Path(root), *arguments)
    except BaseException:  # noqa: BLE001 (a child tells its parent of whatever went wrong)
        answer = {"error": traceback.format_exc()}
    os.write(writer, json.dumps(answer).encode())
    os._exit(0)


def finish(child, reader):
    os.waitpid(child, 0)
    with os.fdopen(reader) as answer:
        return json.loads(answer.read() or '{"error": "the process died"}')


if __name__ == "__main__":
    numba.njit(lambda values: values.sum() + values.size)(X)  # what Numba loads at its first call
    for line in sys.stdin:
        children = [start(*job) for job in json.loads(line)]
        print(json.dumps([finish(*child) for child in children]), flush=True)
