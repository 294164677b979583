"""The same loops in C, compiled by gcc for this machine: each sweep on its own, and as few sweeps as can be."""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from symbackprop.bench.task import Parameters, Run, Task

FLAGS = ("-O3", "-march=native", "-ffast-math", "-fPIC")
WIDE = ("-mprefer-vector-width=512", "-funroll-loops")

SOURCE = r"""
#include <math.h>
#include <stdint.h>

static void affine(int64_t m, int64_t n, const float *restrict W, const float *restrict b, const float *restrict h,
                   float *restrict a) {
    for (int64_t i = 0; i < m; i++) {
        float total = b[i];
        for (int64_t j = 0; j < n; j++) total += W[i * n + j] * h[j];
        a[i] = total;
    }
}

static void softmax(int64_t n, const float *restrict a, float *restrict f) {
    float largest = a[0], total = 0;
    for (int64_t i = 1; i < n; i++) largest = a[i] > largest ? a[i] : largest;
    for (int64_t i = 0; i < n; i++) f[i] = expf(a[i] - largest);
    for (int64_t i = 0; i < n; i++) total += f[i];
    for (int64_t i = 0; i < n; i++) f[i] /= total;
}

static void back(int64_t m, int64_t n, const float *restrict W, const float *restrict h, const float *restrict above,
                 float *restrict below) {
    for (int64_t j = 0; j < n; j++) below[j] = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) below[j] += W[i * n + j] * above[i];
    for (int64_t j = 0; j < n; j++) below[j] *= 1 - h[j] * h[j];
}

static void update(int64_t m, int64_t n, float *restrict W, float *restrict b, const float *restrict h,
                   const float *restrict d, float step, float shrink) {
    for (int64_t i = 0; i < m; i++) {
        float s = step * d[i];
        for (int64_t j = 0; j < n; j++) W[i * n + j] -= s * h[j] + shrink * W[i * n + j];
        b[i] -= s;
    }
}

/* back and update while a weight is at hand */
static void back_and_update(int64_t m, int64_t n, float *restrict W, float *restrict b, const float *restrict h,
                            const float *restrict above, float *restrict below, float step, float shrink) {
    for (int64_t j = 0; j < n; j++) below[j] = 0;
    for (int64_t i = 0; i < m; i++) {
        float s = step * above[i], d = above[i];
        for (int64_t j = 0; j < n; j++) {
            float w = W[i * n + j];
            below[j] += w * d;
            W[i * n + j] = w - (s * h[j] + shrink * w);
        }
        b[i] -= s;
    }
    for (int64_t j = 0; j < n; j++) below[j] *= 1 - h[j] * h[j];
}

/* update with one example and go forward with the next while a weight is at hand */
static void update_and_affine(int64_t m, int64_t n, float *restrict W, float *restrict b, const float *restrict x,
                              const float *restrict d, const float *restrict next, float *restrict a, float step,
                              float shrink) {
    for (int64_t i = 0; i < m; i++) {
        float s = step * d[i], total = 0;
        for (int64_t j = 0; j < n; j++) {
            float w = W[i * n + j];
            w -= s * x[j] + shrink * w;
            W[i * n + j] = w;
            total += w * next[j];
        }
        b[i] -= s;
        a[i] = b[i] + total;
    }
}

/* forward from the pre-activations of the first layer, which stand in H[0] */
static void forward(int64_t last, const int64_t *n, float **W, float **b, float **H, float **D, int64_t y) {
    for (int64_t k = 0; k < last; k++) {
        for (int64_t i = 0; i < n[k + 1]; i++) H[k][i] = tanhf(H[k][i]);
        affine(n[k + 2], n[k + 1], W[k + 1], b[k + 1], H[k], H[k + 1]);
    }
    softmax(n[last + 1], H[last], D[last]);
    D[last][y] -= 1;
}

void naive(int64_t layers, const int64_t *n, const float *X, const int64_t *Y, const int64_t *order, int64_t updates,
           float **W, float **b, float **H, float **D, float step, float shrink) {
    int64_t last = layers - 1;
    for (int64_t t = 0; t < updates; t++) {
        const float *x = X + order[t] * n[0];
        affine(n[1], n[0], W[0], b[0], x, H[0]);
        forward(last, n, W, b, H, D, Y[order[t]]);
        for (int64_t k = last; k > 0; k--) {
            back(n[k + 1], n[k], W[k], H[k - 1], D[k], D[k - 1]);
            update(n[k + 1], n[k], W[k], b[k], H[k - 1], D[k], step, shrink);
        }
        update(n[1], n[0], W[0], b[0], x, D[0], step, shrink);
    }
}

void one_sweep(int64_t layers, const int64_t *n, const float *X, const int64_t *Y, const int64_t *order,
               int64_t updates, float **W, float **b, float **H, float **D, float step, float shrink) {
    int64_t last = layers - 1;
    affine(n[1], n[0], W[0], b[0], X + order[0] * n[0], H[0]);
    for (int64_t t = 0; t < updates; t++) {
        const float *x = X + order[t] * n[0];
        forward(last, n, W, b, H, D, Y[order[t]]);
        for (int64_t k = last; k > 0; k--)
            back_and_update(n[k + 1], n[k], W[k], b[k], H[k - 1], D[k], D[k - 1], step, shrink);
        if (t + 1 < updates)
            update_and_affine(n[1], n[0], W[0], b[0], x, D[0], X + order[t + 1] * n[0], H[0], step, shrink);
        else
            update(n[1], n[0], W[0], b[0], x, D[0], step, shrink);
    }
}
"""


def naive(task: Task) -> Run:
    """Forward, backward and update, each with a sweep of its own over the weights."""
    return _runner(task, "naive", ())


def one_sweep(task: Task) -> Run:
    """Every weight is read once an example."""
    return _runner(task, "one_sweep", ())


def one_sweep_wide(task: Task) -> Run:
    """The same with vectors of 512 bits and unrolled loops."""
    return _runner(task, "one_sweep", WIDE)


def _runner(task: Task, function: str, flags: tuple[str, ...]) -> Run:
    sgd = getattr(_library(flags), function)
    sgd.restype = None
    room = [[np.empty(n, np.float32) for n in task.sizes[1:]] for _ in "HD"]
    integer, real, pointer = ctypes.c_int64, ctypes.c_float, ctypes.c_void_p
    arrays = np.array(task.sizes, np.int64), task.X, task.y, task.order
    pointers = [array.ctypes.data_as(pointer) for array in arrays]  # each keeps its array alive
    data = integer(len(task.sizes) - 1), *pointers, integer(task.order.size)
    settings = real(task.learning_rate), real(2 * task.learning_rate * task.l2)

    def run(parameters: Parameters) -> Parameters:
        sgd(*data, *(_pointers(a) for a in (parameters[::2], parameters[1::2], *room)), *settings)
        return parameters

    return run


def _pointers(arrays: list[np.ndarray]) -> Any:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


@functools.cache
def _library(flags: tuple[str, ...]) -> ctypes.CDLL:
    """Return the compiled loops; OSError where there is no gcc, CalledProcessError where it knows no such flag."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise FileNotFoundError("there is no gcc")
    with tempfile.TemporaryDirectory() as folder:
        source, compiled, library = (str(Path(folder) / f"loops.{kind}") for kind in ("c", "o", "so"))
        Path(source).write_text(SOURCE, encoding="utf-8")
        # linked without -ffast-math: with it, loading the library would make every subnormal of the process zero
        for command in ([*FLAGS, *flags, "-c", source, "-o", compiled], ["-shared", compiled, "-o", library, "-lm"]):
            subprocess.run([gcc, *command], check=True, capture_output=True)  # noqa: S603 (our own text and flags)
        return ctypes.CDLL(library)
