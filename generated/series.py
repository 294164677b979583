"""Exact per-example SGD: 2 x 32, 3 layers; softmax output, nll loss.

Given:

    a1[o,q] = b1[o] + Σ_c<2Σ_v<5 W1[o,c,v] x[c,v + 2 q]
    h1[o,q] = tanh(a1[o,q])
    a2[o,p] = b2[o] + Σ_c<8Σ_u<3 W2[o,c,u] h1[c,p + 3 u]
    h2[o,p] = tanh(a2[o,p])
    flat3[p + 8 c] = h2[c,p]
    a3[i] = b3[i] + Σ_j<64 W3[i,j] flat3[j]
    f[i] = exp(a3[i])/Σ_j<3 exp(a3[j])
    l = -log(f[y])

Derived:

    da3[i] = f[i] - 1[i=y]
    dflat3[i] = Σ_j<3 W3[j,i] da3[j]
    dh2[o,p] = dflat3[p + 8 o]
    da2[o,p] = dh2[o,p] (1 - h2[o,p]²)
    dh1[o,q] = 0
    dh1[j,p + 3 i] ← W2[k,j,i] da2[k,p] + dh1[j,p + 3 i]
    da1[o,q] = dh1[o,q] (1 - h1[o,q]²)
    dW1[o,c,v] = Σ_i<14 x[c,v + 2 i] da1[o,i]
    db1[o] = Σ_i<14 da1[o,i]
    dW2[o,c,u] = Σ_i<8 h1[c,i + 3 u] da2[o,i]
    db2[o] = Σ_i<8 da2[o,i]
    dW3[i,j] = da3[i] flat3[j]
    db3[i] = da3[i]

Update after each example:

    step = learning_rate/(1 + t decay)
    W1[o,c,v] ← W1[o,c,v] - step Σ_i<14 x[c,v + 2 i] da1[o,i]
    b1[o] ← b1[o] - step Σ_i<14 da1[o,i]
    W2[o,c,u] ← W2[o,c,u] - step Σ_i<8 h1[c,i + 3 u] da2[o,i]
    b2[o] ← b2[o] - step Σ_i<8 da2[o,i]
    W3[i,j] ← W3[i,j] - step da3[i] flat3[j]
    b3[i] ← b3[i] - step da3[i]

Computed in forms that keep their digits (errors of both types, functions correctly rounded):

    da2[o,p]: 1 - h2[o,p]² is computed as 4 exp(-|a2[o,p]|)²/(1 + exp(-|a2[o,p]|)²)²; 1.0e+08 ULP
        become 3.7
    da1[o,q]: 1 - h1[o,q]² is computed as 4 exp(-|a1[o,q]|)²/(1 + exp(-|a1[o,q]|)²)²; 1.0e+08 ULP
        become 3.7

Schedules:

    plain: the order of the lecture.
    overlapped: the same steps, in the loops that all other kernels share: windows along short rows
        are copied out, and sums over them are products of matrices, a few rows and columns at a
        time.
    deferred: not here, W1 is no matrix whose elements are all updated alike.

Regenerate with:

    symbackprop generate --network series.toml -o series.py, or build(Network([...])) in
        Python

By symbackprop 0.1.0 and SymPy 1.14.0; digest of what follows: 8039de9eae0763e8.
"""

import hashlib
import json
import math
import os
from contextlib import suppress
from math import isfinite
from pathlib import Path

import numpy as np
from numba import njit

SPEC = {
    "format": 1,
    "name": "series",
    "preactivation": (
        "conv1d(8, 5, stride=2), a[o,p] = b[o] + sum(W[o,c,u]*h[c,p+3*u], "
        "c, u), dense(3)"
    ),
    "activations": ["tanh", "tanh"],
    "output": "softmax",
    "loss": "nll",
    "target": "label",
    "penalty": "none",
    "initializer": "glorot",
    "step_size": "inverse",
    "learned": [],
    "learned_per_unit": [],
    "dtype": "float32",
    "layers": 3,
    "parameters": {
        "W1": ["8", "2", "5"],
        "b1": ["8"],
        "W2": ["8", "8", "3"],
        "b2": ["8"],
        "W3": ["3", "64"],
        "b3": ["3"],
    },
    "sizes": [64, 112, 64, 3],
    "input": [2, 32],
    "hyperparameters": {"decay": 0.0},
    "initial": {
        "distribution": "uniform",
        "defaults": {},
        "values": {},
        "fans": {"W1": [10, 40], "W2": [24, 24], "W3": [64, 3]},
    },
    "refused": {"deferred": "W1 is no matrix whose elements are all updated alike"},
    "network": (
        "preactivation=conv1d(8, 5, stride=2), a[o,p] = b[o] + Σ_cΣ_u "
        "W[o,c,u] h[c,p + 3 u], dense(3); activations=['tanh', 'tanh']; "
        "output=softmax; loss=nll; target=label; penalty=none"
    ),
}

real = np.float32  # the type of every constant: an untyped one would make float32 sums float64
zero, one = real(0), real(1)

# Sums may be reordered and products contracted; NaN and infinity keep their meaning.
FAST = {"reassoc", "contract", "nsz", "arcp", "afn"}


def cached_njit(function, **options):
    """Compile at the first call; keep the machine code on disk where there is a place for it."""
    # Numba finds code by file and line alone: also that of another text, or of this file under
    # another name, which then has to be there as a module.
    text = f"{function.__module__}\n{function.__globals__.get('__doc__')}"
    function.__qualname__ += "_" + hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        compiled = njit(cache=True, **options)(function)
    except (RuntimeError, OSError):  # no directory that a cache can be written to
        return njit(**options)(function)
    if hasattr(compiled, "_cache"):  # not where Numba is switched off
        tolerate_failures(compiled._cache)
    return compiled


def tolerate_failures(cache):
    """Let a cache that is full, damaged, or written by two processes at once cost time, never the run."""
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


def kernel(function):
    """Compile at the first call."""
    return cached_njit(function, nogil=True, error_model="numpy", fastmath=FAST)


def at_cache_line(size, like):
    """Return an array of `size` elements that begins at a whole cache line of 64 bytes."""
    raw = np.empty(size + 16, like.dtype)
    skip = (-raw.ctypes.data % 64) // raw.itemsize
    return raw[skip : skip + size]


aligned = njit(at_cache_line)


def initial_scale(fan_in, fan_out):
    """Return the bound of the uniform, or the deviation of the normal, initial weights."""
    return math.sqrt(6)/math.sqrt(fan_in + fan_out)


def step_size(learning_rate, decay, t):
    """Return the step size of update t."""
    return learning_rate / (one + real(t) * decay)


elementary = njit(error_model="numpy", fastmath=False, forceinline=True)


@elementary
def exp(x):
    """eˣ = 2ⁿ eʳ with |r| ≤ ½ log 2; eʳ = 1 + r + r² q(r), q of degree 5.

    Max error 1.0 ULP (every float32). Overflow gives inf.
    Underflow is gradual: a subnormal result is rounded once more.
    """
    t = min(max(x, real(-105.35837)), real(88.72353))
    m = t * real(1.442695) + real(12582912.0)  # rounds to an integer, n, kept in the low bits of m
    n = m - real(12582912.0)
    r = (t - n * real(0.69314575)) - n * real(1.4286068e-06)  # the first product is exact
    r2 = r * r
    q0 = real(0.0013933642)
    q0 = (q0 * r2 + real(0.041666467)) * r2 + real(0.5)
    q1 = real(0.00019890981)
    q1 = (q1 * r2 + real(0.0083333105)) * r2 + real(0.16666667)
    q = q1 * r + q0
    k = np.float32(m).view(np.int32) - 1262485504
    half = k >> 1  # by two halves, for 2ⁿ itself may overflow or be subnormal
    y = (real(1.0) + (r + r2 * q)) * np.int32((half + 127) << 23).view(np.float32)
    return y * np.int32((k - half + 127) << 23).view(np.float32)


@elementary
def expm1(x):
    """eˣ - 1 = 2ⁿ (eʳ - 1) + (2ⁿ - 1) with |r| ≤ ½ log 2; eʳ = 1 + r + r² q(r), q of degree 5.

    Max error 1.7 ULP (every float32). Overflow gives inf. Subnormals and ±0 are returned as they are.
    """
    t = min(max(x, real(-18.021826)), real(88.72353))
    m = t * real(1.442695) + real(12582912.0)  # rounds to an integer, n, kept in the low bits of m
    n = m - real(12582912.0)
    r = (t - n * real(0.69314575)) - n * real(1.4286068e-06)  # the first product is exact
    r2 = r * r
    q0 = real(0.0013933642)
    q0 = (q0 * r2 + real(0.041666467)) * r2 + real(0.5)
    q1 = real(0.00019890981)
    q1 = (q1 * r2 + real(0.0083333105)) * r2 + real(0.16666667)
    q = q1 * r + q0
    k = np.float32(m).view(np.int32) - 1262485504
    s = np.int32((k + 127 - 1) << 23).view(np.float32)  # 2ⁿ⁻¹, for 2ⁿ may overflow
    y = real(2.0) * (s * (r + r2 * q) + (s - real(0.5)))
    return y if abs(x) > real(5.9604645e-08) else x


@elementary
def log(x):
    """Natural logarithm: log x = k log 2 + log(1 + f) with √½ ≤ 1 + f < √2.

    log(1 + f) = 2 atanh(s) = f - f²/2 + s (f²/2 + s² p(s²)) with s = f / (2 + f), p of degree 2.
    Max error 0.9 ULP (every float32). log 0 = -inf, below 0 NaN.
    Subnormals are scaled first and lose nothing.
    """
    small = x < real(1.1754944e-38)
    i = np.float32(x * real(16777216.0) if small else x).view(np.int32)
    k = np.int32((i - 1060439283) >> 23)
    e = real(np.int32(k)) - (real(24.0) if small else real(0.0))
    f = np.int32(i - (k << 23)).view(np.float32) - real(1.0)
    s = f / (real(2.0) + f)
    z = s * s
    z2 = z * z
    p0 = real(0.2957995) * z2 + real(0.66666687)
    p1 = real(0.3998878)
    p = p1 * z + p0
    h = real(0.5) * f * f
    y = e * real(0.69314575) - ((h - (s * (h + z * p) + e * real(1.4286068e-06))) - f)
    y = y if x > real(0.0) else (-real(np.inf) if x == real(0.0) else real(np.nan))
    return y if x < real(np.inf) else x


@elementary
def tanh(x):
    """Hyperbolic tangent: tanh x = ±e / (e + 2), from e = expm1(2 |x|).

    Max error 2.5 ULP (every float32). Subnormals and ±0 are returned as they are.
    """
    e = expm1(real(2.0) * min(abs(x), real(10.0)))
    return np.copysign(e / (e + real(2.0)), x)


@kernel
def contract_pk_kq(C, A, B, rows, columns, terms):
    """Set C[p,q] = Σ_k A[p,k] B[k,q], tile by tile."""
    for p in range(0, rows - (rows % 6), 6):
        for q in range(columns):
            C[p, q] = zero
            C[p + 1, q] = zero
            C[p + 2, q] = zero
            C[p + 3, q] = zero
            C[p + 4, q] = zero
            C[p + 5, q] = zero
        for k in range(0, terms - (terms % 4), 4):
            A_p_k_0_0 = A[p, k]
            A_p_k_0_1 = A[p + 1, k]
            A_p_k_0_2 = A[p + 2, k]
            A_p_k_0_3 = A[p + 3, k]
            A_p_k_0_4 = A[p + 4, k]
            A_p_k_0_5 = A[p + 5, k]
            A_p_k_1_0 = A[p, k + 1]
            A_p_k_1_1 = A[p + 1, k + 1]
            A_p_k_1_2 = A[p + 2, k + 1]
            A_p_k_1_3 = A[p + 3, k + 1]
            A_p_k_1_4 = A[p + 4, k + 1]
            A_p_k_1_5 = A[p + 5, k + 1]
            A_p_k_2_0 = A[p, k + 2]
            A_p_k_2_1 = A[p + 1, k + 2]
            A_p_k_2_2 = A[p + 2, k + 2]
            A_p_k_2_3 = A[p + 3, k + 2]
            A_p_k_2_4 = A[p + 4, k + 2]
            A_p_k_2_5 = A[p + 5, k + 2]
            A_p_k_3_0 = A[p, k + 3]
            A_p_k_3_1 = A[p + 1, k + 3]
            A_p_k_3_2 = A[p + 2, k + 3]
            A_p_k_3_3 = A[p + 3, k + 3]
            A_p_k_3_4 = A[p + 4, k + 3]
            A_p_k_3_5 = A[p + 5, k + 3]
            for q in range(columns):
                B_k1_q = B[k + 1, q]
                B_k2_q = B[k + 2, q]
                B_k3_q = B[k + 3, q]
                B_k_q = B[k, q]
                C[p, q] += (
                    A_p_k_0_0 * B_k_q + A_p_k_1_0 * B_k1_q + A_p_k_2_0 * B_k2_q + A_p_k_3_0 * B_k3_q
                )
                C[p + 1, q] += (
                    A_p_k_0_1 * B_k_q + A_p_k_1_1 * B_k1_q + A_p_k_2_1 * B_k2_q + A_p_k_3_1 * B_k3_q
                )
                C[p + 2, q] += (
                    A_p_k_0_2 * B_k_q + A_p_k_1_2 * B_k1_q + A_p_k_2_2 * B_k2_q + A_p_k_3_2 * B_k3_q
                )
                C[p + 3, q] += (
                    A_p_k_0_3 * B_k_q + A_p_k_1_3 * B_k1_q + A_p_k_2_3 * B_k2_q + A_p_k_3_3 * B_k3_q
                )
                C[p + 4, q] += (
                    A_p_k_0_4 * B_k_q + A_p_k_1_4 * B_k1_q + A_p_k_2_4 * B_k2_q + A_p_k_3_4 * B_k3_q
                )
                C[p + 5, q] += (
                    A_p_k_0_5 * B_k_q + A_p_k_1_5 * B_k1_q + A_p_k_2_5 * B_k2_q + A_p_k_3_5 * B_k3_q
                )
        for k in range(terms - (terms % 4), terms):
            A_p_k_0 = A[p, k]
            A_p_k_1 = A[p + 1, k]
            A_p_k_2 = A[p + 2, k]
            A_p_k_3 = A[p + 3, k]
            A_p_k_4 = A[p + 4, k]
            A_p_k_5 = A[p + 5, k]
            for q in range(columns):
                B_k_q = B[k, q]
                C[p, q] += A_p_k_0 * B_k_q
                C[p + 1, q] += A_p_k_1 * B_k_q
                C[p + 2, q] += A_p_k_2 * B_k_q
                C[p + 3, q] += A_p_k_3 * B_k_q
                C[p + 4, q] += A_p_k_4 * B_k_q
                C[p + 5, q] += A_p_k_5 * B_k_q
    for p in range(rows - (rows % 6), rows):
        for q in range(columns):
            C[p, q] = zero
        for k in range(terms):
            A_p_k = A[p, k]
            for q in range(columns):
                C[p, q] += A_p_k * B[k, q]


@kernel
def each_tanh(A, B, count):
    """Set A[i] = tanh(B[i])."""
    for i in range(count):
        A[i] = tanh(B[i])


@kernel
def forward_of_example(x, W1, b1, W2, b2, W3, b3, patches1, a1, h1, patches2, a2, h2, flat3, a3):
    """Compute patches1, a1, h1, patches2, a2, h2, flat3, a3 of one example."""
    # patches1[c,v,q] = x[c,v + 2 q]
    for c in range(2):
        for v in range(5):
            for q in range(14):
                patches1[c, v, q] = x[c, 2 * q + v]
    # a1[o,q] = b1[o] + Σ_c<2Σ_v<5 W1[o,c,v] patches1[c,v,q]
    contract_pk_kq(
        a1.reshape(8, 14), W1.reshape(8, 10), patches1.reshape(10, 14), 8,
        14, 10
    )
    # a1[o,q] ← a1[o,q] + b1[o]
    for o in range(8):
        b1_o = b1[o]
        for q in range(14):
            a1[o, q] += b1_o
    # h1[o,q] = tanh(a1[o,q])
    each_tanh(h1.reshape(-1), a1.reshape(-1), 112)
    # patches2[c,u,p] = h1[c,p + 3 u]
    for c in range(8):
        for u in range(3):
            for p in range(8):
                patches2[c, u, p] = h1[c, 3 * u + p]
    # a2[o,p] = b2[o] + Σ_c<8Σ_u<3 W2[o,c,u] patches2[c,u,p]
    contract_pk_kq(
        a2.reshape(8, 8), W2.reshape(8, 24), patches2.reshape(24, 8), 8, 8,
        24
    )
    # a2[o,p] ← a2[o,p] + b2[o]
    for o in range(8):
        b2_o = b2[o]
        for p in range(8):
            a2[o, p] += b2_o
    # h2[o,p] = tanh(a2[o,p])
    each_tanh(h2.reshape(-1), a2.reshape(-1), 64)
    # flat3[p + 8 c] = h2[c,p]
    for c in range(8):
        for p in range(8):
            flat3[8 * c + p] = h2[c, p]
    # a3[i] = b3[i] + Σ_j<64 W3[i,j] flat3[j]
    for i in range(3):
        total = zero
        for j in range(64):
            total += W3[i, j] * flat3[j]
        a3[i] = b3[i] + total


@kernel
def forward(X, W1, b1, W2, b2, W3, b3, F):
    """Write the outputs of every example of X to F."""
    N = X.shape[0]
    patches1 = np.empty((2, 5, 14), W1.dtype)
    a1 = np.empty((8, 14), W1.dtype)
    h1 = np.empty((8, 14), W1.dtype)
    patches2 = np.empty((8, 3, 8), W1.dtype)
    a2 = np.empty((8, 8), W1.dtype)
    h2 = np.empty((8, 8), W1.dtype)
    flat3 = np.empty(64, W1.dtype)
    a3 = np.empty_like(b3)
    e = np.empty_like(b3)
    for n in range(N):
        x = X[n]
        f = F[n]
        forward_of_example(
            x, W1, b1, W2, b2, W3, b3, patches1, a1, h1, patches2, a2, h2,
            flat3, a3
        )
        # m = max_i<3 a3[i]
        m = a3[0]
        for i in range(3):
            m = max(m, a3[i])
        # z = Σ_i<3 e[i]
        z = zero
        # e[i] = exp(a3[i] - m)
        for i in range(3):
            e[i] = exp(a3[i] - m)
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(3):
            f[i] = per_z * e[i]


@kernel
def loss(X, Y, W1, b1, W2, b2, W3, b3):
    """Return the mean loss of the examples, without the penalty."""
    N = X.shape[0]
    patches1 = np.empty((2, 5, 14), W1.dtype)
    a1 = np.empty((8, 14), W1.dtype)
    h1 = np.empty((8, 14), W1.dtype)
    patches2 = np.empty((8, 3, 8), W1.dtype)
    a2 = np.empty((8, 8), W1.dtype)
    h2 = np.empty((8, 8), W1.dtype)
    flat3 = np.empty(64, W1.dtype)
    a3 = np.empty_like(b3)
    e = np.empty_like(b3)
    f = np.empty_like(b3)
    mean = zero
    for n in range(N):
        x = X[n]
        y = Y[n]
        forward_of_example(
            x, W1, b1, W2, b2, W3, b3, patches1, a1, h1, patches2, a2, h2,
            flat3, a3
        )
        # m = max_i<3 a3[i]
        m = a3[0]
        for i in range(3):
            m = max(m, a3[i])
        # z = Σ_i<3 e[i]
        z = zero
        # e[i] = exp(a3[i] - m)
        for i in range(3):
            e[i] = exp(a3[i] - m)
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(3):
            f[i] = per_z * e[i]
        # l = m + log(z) - a3[y]
        l = m + log(z) - a3[y]
        mean += l
    return mean / real(N)


@kernel
def each_decay_8f73(A, B, C, count):
    """Set A[i] = 4 C[i] exp(-|B[i]|)²/(1 + exp(-|B[i]|)²)²."""
    for i in range(count):
        shared = exp(-abs(B[i]))
        shared2 = shared * shared
        A[i] = shared2 * C[i] * real(4) / ((one + shared2) * (one + shared2))


@kernel
def contract_kp_kq(C, A, B, rows, columns, terms):
    """Set C[p,q] = Σ_k A[k,p] B[k,q], tile by tile."""
    for p in range(0, rows - (rows % 6), 6):
        for q in range(columns):
            C[p, q] = zero
            C[p + 1, q] = zero
            C[p + 2, q] = zero
            C[p + 3, q] = zero
            C[p + 4, q] = zero
            C[p + 5, q] = zero
        for k in range(0, terms - (terms % 4), 4):
            A_k_p_0_0 = A[k, p]
            A_k_p_0_1 = A[k, p + 1]
            A_k_p_0_2 = A[k, p + 2]
            A_k_p_0_3 = A[k, p + 3]
            A_k_p_0_4 = A[k, p + 4]
            A_k_p_0_5 = A[k, p + 5]
            A_k_p_1_0 = A[k + 1, p]
            A_k_p_1_1 = A[k + 1, p + 1]
            A_k_p_1_2 = A[k + 1, p + 2]
            A_k_p_1_3 = A[k + 1, p + 3]
            A_k_p_1_4 = A[k + 1, p + 4]
            A_k_p_1_5 = A[k + 1, p + 5]
            A_k_p_2_0 = A[k + 2, p]
            A_k_p_2_1 = A[k + 2, p + 1]
            A_k_p_2_2 = A[k + 2, p + 2]
            A_k_p_2_3 = A[k + 2, p + 3]
            A_k_p_2_4 = A[k + 2, p + 4]
            A_k_p_2_5 = A[k + 2, p + 5]
            A_k_p_3_0 = A[k + 3, p]
            A_k_p_3_1 = A[k + 3, p + 1]
            A_k_p_3_2 = A[k + 3, p + 2]
            A_k_p_3_3 = A[k + 3, p + 3]
            A_k_p_3_4 = A[k + 3, p + 4]
            A_k_p_3_5 = A[k + 3, p + 5]
            for q in range(columns):
                B_k1_q = B[k + 1, q]
                B_k2_q = B[k + 2, q]
                B_k3_q = B[k + 3, q]
                B_k_q = B[k, q]
                C[p, q] += (
                    A_k_p_0_0 * B_k_q + A_k_p_1_0 * B_k1_q + A_k_p_2_0 * B_k2_q + A_k_p_3_0 * B_k3_q
                )
                C[p + 1, q] += (
                    A_k_p_0_1 * B_k_q + A_k_p_1_1 * B_k1_q + A_k_p_2_1 * B_k2_q + A_k_p_3_1 * B_k3_q
                )
                C[p + 2, q] += (
                    A_k_p_0_2 * B_k_q + A_k_p_1_2 * B_k1_q + A_k_p_2_2 * B_k2_q + A_k_p_3_2 * B_k3_q
                )
                C[p + 3, q] += (
                    A_k_p_0_3 * B_k_q + A_k_p_1_3 * B_k1_q + A_k_p_2_3 * B_k2_q + A_k_p_3_3 * B_k3_q
                )
                C[p + 4, q] += (
                    A_k_p_0_4 * B_k_q + A_k_p_1_4 * B_k1_q + A_k_p_2_4 * B_k2_q + A_k_p_3_4 * B_k3_q
                )
                C[p + 5, q] += (
                    A_k_p_0_5 * B_k_q + A_k_p_1_5 * B_k1_q + A_k_p_2_5 * B_k2_q + A_k_p_3_5 * B_k3_q
                )
        for k in range(terms - (terms % 4), terms):
            A_k_p_0 = A[k, p]
            A_k_p_1 = A[k, p + 1]
            A_k_p_2 = A[k, p + 2]
            A_k_p_3 = A[k, p + 3]
            A_k_p_4 = A[k, p + 4]
            A_k_p_5 = A[k, p + 5]
            for q in range(columns):
                B_k_q = B[k, q]
                C[p, q] += A_k_p_0 * B_k_q
                C[p + 1, q] += A_k_p_1 * B_k_q
                C[p + 2, q] += A_k_p_2 * B_k_q
                C[p + 3, q] += A_k_p_3 * B_k_q
                C[p + 4, q] += A_k_p_4 * B_k_q
                C[p + 5, q] += A_k_p_5 * B_k_q
    for p in range(rows - (rows % 6), rows):
        for q in range(columns):
            C[p, q] = zero
        for k in range(terms):
            A_k_p = A[k, p]
            for q in range(columns):
                C[p, q] += A_k_p * B[k, q]


@kernel
def backward_of_example(W2, W3, a1, a2, da3, dflat3, dh2, da2, dh1, dpatches2, da1):
    """Compute dflat3, dh2, da2, dh1, dpatches2, da1 of one example."""
    # dflat3[i] = Σ_j<3 W3[j,i] da3[j]
    for i in range(64):
        dflat3[i] = zero
    for j in range(3):
        da3_j = da3[j]
        for i in range(64):
            dflat3[i] += da3_j * W3[j, i]
    # dh2[o,p] = dflat3[p + 8 o]
    for o in range(8):
        for p in range(8):
            dh2[o, p] = dflat3[8 * o + p]
    # da2[o,p] = 4 dh2[o,p] exp(-|a2[o,p]|)²/(1 + exp(-|a2[o,p]|)²)²
    each_decay_8f73(da2.reshape(-1), a2.reshape(-1), dh2.reshape(-1), 64)
    # dh1[o,q] = 0
    for o in range(8):
        for q in range(14):
            dh1[o, q] = zero
    # dpatches2[j,i,p] = Σ_k<8 W2[k,j,i] da2[k,p]
    contract_kp_kq(
        dpatches2.reshape(24, 8), W2.reshape(8, 24), da2.reshape(8, 8), 24,
        8, 8
    )
    # dh1[j,p + 3 i] ← dpatches2[j,i,p] + dh1[j,p + 3 i]
    for j in range(8):
        for i in range(3):
            for p in range(8):
                dh1[j, 3 * i + p] += dpatches2[j, i, p]
    # da1[o,q] = 4 dh1[o,q] exp(-|a1[o,q]|)²/(1 + exp(-|a1[o,q]|)²)²
    each_decay_8f73(da1.reshape(-1), a1.reshape(-1), dh1.reshape(-1), 112)


@kernel
def backward(x, y, W1, b1, W2, b2, W3, b3, dW1, db1, dW2, db2, dW3, db3):
    """Write the gradient of l + λΩ for one example to the arrays dW1, db1, ...; return l."""
    patches1 = np.empty((2, 5, 14), W1.dtype)
    a1 = np.empty((8, 14), W1.dtype)
    h1 = np.empty((8, 14), W1.dtype)
    patches2 = np.empty((8, 3, 8), W1.dtype)
    a2 = np.empty((8, 8), W1.dtype)
    h2 = np.empty((8, 8), W1.dtype)
    flat3 = np.empty(64, W1.dtype)
    a3 = np.empty_like(b3)
    e = np.empty_like(b3)
    f = np.empty_like(b3)
    da3 = np.empty_like(b3)
    dflat3 = np.empty(64, W1.dtype)
    dh2 = np.empty((8, 8), W1.dtype)
    da2 = np.empty((8, 8), W1.dtype)
    dh1 = np.empty((8, 14), W1.dtype)
    dpatches2 = np.empty((8, 3, 8), W1.dtype)
    da1 = np.empty((8, 14), W1.dtype)
    forward_of_example(
        x, W1, b1, W2, b2, W3, b3, patches1, a1, h1, patches2, a2, h2,
        flat3, a3
    )
    # m = max_i<3 a3[i]
    m = a3[0]
    for i in range(3):
        m = max(m, a3[i])
    # z = Σ_i<3 e[i]
    z = zero
    # e[i] = exp(a3[i] - m)
    for i in range(3):
        e[i] = exp(a3[i] - m)
        z += e[i]
    # f[i] = e[i]/z
    per_z = one / z
    for i in range(3):
        f[i] = per_z * e[i]
    # l = m + log(z) - a3[y]
    l = m + log(z) - a3[y]
    # da3[i] = f[i] - 1[i=y]
    for i in range(3):
        da3[i] = f[i] - (one if i == y else zero)
    backward_of_example(
        W2, W3, a1, a2, da3, dflat3, dh2, da2, dh1, dpatches2, da1
    )
    # dW1[o,c,v] = Σ_i<14 x[c,v + 2 i] da1[o,i]
    for o in range(8):
        for c in range(2):
            for v in range(5):
                dW1[o, c, v] = zero
            for i in range(14):
                for v in range(5):
                    dW1[o, c, v] += x[c, 2 * i + v] * da1[o, i]
    # db1[o] = Σ_i<14 da1[o,i]
    for o in range(8):
        total = zero
        for i in range(14):
            total += da1[o, i]
        db1[o] = total
    # dW2[o,c,u] = Σ_i<8 h1[c,i + 3 u] da2[o,i]
    for o in range(8):
        for c in range(8):
            for u in range(3):
                total = zero
                for i in range(8):
                    total += h1[c, 3 * u + i] * da2[o, i]
                dW2[o, c, u] = total
    # db2[o] = Σ_i<8 da2[o,i]
    for o in range(8):
        total = zero
        for i in range(8):
            total += da2[o, i]
        db2[o] = total
    # dW3[i,j] = da3[i] flat3[j]
    for i in range(3):
        for j in range(64):
            dW3[i, j] = da3[i] * flat3[j]
    # db3[i] = da3[i]
    for i in range(3):
        db3[i] = da3[i]
    return l


@kernel
def add_pk_qk(C, A, B, rows, columns, terms, factor):
    """Update C[p,q] ← C[p,q] + factor Σ_k A[p,k] B[q,k], tile by tile."""
    for q in range(0, columns - (columns % 6), 6):
        for p in range(0, rows - (rows % 4), 4):
            total_0_0 = total_0_1 = total_0_2 = total_0_3 = total_0_4 = total_0_5 = total_1_0 = \
                total_1_1 = total_1_2 = total_1_3 = total_1_4 = total_1_5 = total_2_0 = \
                total_2_1 = total_2_2 = total_2_3 = total_2_4 = total_2_5 = total_3_0 = \
                total_3_1 = total_3_2 = total_3_3 = total_3_4 = total_3_5 = zero
            for k in range(terms):
                A_p_k = A[p, k]
                B_q_k = B[q, k]
                B_q1_k = B[q + 1, k]
                B_q2_k = B[q + 2, k]
                B_q3_k = B[q + 3, k]
                B_q4_k = B[q + 4, k]
                B_q5_k = B[q + 5, k]
                A_p1_k = A[p + 1, k]
                A_p2_k = A[p + 2, k]
                A_p3_k = A[p + 3, k]
                total_0_0 += A_p_k * B_q_k
                total_0_1 += A_p_k * B_q1_k
                total_0_2 += A_p_k * B_q2_k
                total_0_3 += A_p_k * B_q3_k
                total_0_4 += A_p_k * B_q4_k
                total_0_5 += A_p_k * B_q5_k
                total_1_0 += A_p1_k * B_q_k
                total_1_1 += A_p1_k * B_q1_k
                total_1_2 += A_p1_k * B_q2_k
                total_1_3 += A_p1_k * B_q3_k
                total_1_4 += A_p1_k * B_q4_k
                total_1_5 += A_p1_k * B_q5_k
                total_2_0 += A_p2_k * B_q_k
                total_2_1 += A_p2_k * B_q1_k
                total_2_2 += A_p2_k * B_q2_k
                total_2_3 += A_p2_k * B_q3_k
                total_2_4 += A_p2_k * B_q4_k
                total_2_5 += A_p2_k * B_q5_k
                total_3_0 += A_p3_k * B_q_k
                total_3_1 += A_p3_k * B_q1_k
                total_3_2 += A_p3_k * B_q2_k
                total_3_3 += A_p3_k * B_q3_k
                total_3_4 += A_p3_k * B_q4_k
                total_3_5 += A_p3_k * B_q5_k
            C[p, q] += factor * total_0_0
            C[p, q + 1] += factor * total_0_1
            C[p, q + 2] += factor * total_0_2
            C[p, q + 3] += factor * total_0_3
            C[p, q + 4] += factor * total_0_4
            C[p, q + 5] += factor * total_0_5
            C[p + 1, q] += factor * total_1_0
            C[p + 1, q + 1] += factor * total_1_1
            C[p + 1, q + 2] += factor * total_1_2
            C[p + 1, q + 3] += factor * total_1_3
            C[p + 1, q + 4] += factor * total_1_4
            C[p + 1, q + 5] += factor * total_1_5
            C[p + 2, q] += factor * total_2_0
            C[p + 2, q + 1] += factor * total_2_1
            C[p + 2, q + 2] += factor * total_2_2
            C[p + 2, q + 3] += factor * total_2_3
            C[p + 2, q + 4] += factor * total_2_4
            C[p + 2, q + 5] += factor * total_2_5
            C[p + 3, q] += factor * total_3_0
            C[p + 3, q + 1] += factor * total_3_1
            C[p + 3, q + 2] += factor * total_3_2
            C[p + 3, q + 3] += factor * total_3_3
            C[p + 3, q + 4] += factor * total_3_4
            C[p + 3, q + 5] += factor * total_3_5
        for p in range(rows - (rows % 4), rows):
            total_0 = total_1 = total_2 = total_3 = total_4 = total_5 = zero
            for k in range(terms):
                A_p_k = A[p, k]
                total_0 += A_p_k * B[q, k]
                total_1 += A_p_k * B[q + 1, k]
                total_2 += A_p_k * B[q + 2, k]
                total_3 += A_p_k * B[q + 3, k]
                total_4 += A_p_k * B[q + 4, k]
                total_5 += A_p_k * B[q + 5, k]
            C[p, q] += factor * total_0
            C[p, q + 1] += factor * total_1
            C[p, q + 2] += factor * total_2
            C[p, q + 3] += factor * total_3
            C[p, q + 4] += factor * total_4
            C[p, q + 5] += factor * total_5
    for q in range(columns - (columns % 6), columns):
        for p in range(rows):
            total = zero
            for k in range(terms):
                total += A[p, k] * B[q, k]
            C[p, q] += factor * total


@kernel
def sgd_overlapped(X, Y, order, W1, b1, W2, b2, W3, b3, learning_rate, decay, t):
    """As `sgd`, sums over windows as products of matrices: the same updates."""
    updates = order.shape[0]
    patches1 = aligned(2 * 5 * 14, W1).reshape(2, 5, 14)
    a1 = aligned(8 * 14, W1).reshape(8, 14)
    h1 = aligned(8 * 14, W1).reshape(8, 14)
    patches2 = aligned(8 * 3 * 8, W1).reshape(8, 3, 8)
    a2 = aligned(8 * 8, W1).reshape(8, 8)
    h2 = aligned(8 * 8, W1).reshape(8, 8)
    flat3 = aligned(64, W1)
    a3 = aligned(3, W1)
    e = aligned(3, W1)
    f = aligned(3, W1)
    da3 = aligned(3, W1)
    dflat3 = aligned(64, W1)
    dh2 = aligned(8 * 8, W1).reshape(8, 8)
    da2 = aligned(8 * 8, W1).reshape(8, 8)
    dh1 = aligned(8 * 14, W1).reshape(8, 14)
    dpatches2 = aligned(8 * 3 * 8, W1).reshape(8, 3, 8)
    da1 = aligned(8 * 14, W1).reshape(8, 14)
    losses = zero
    done = 0
    for n in range(updates):
        row = order[n]
        x = X[row]
        y = Y[row]
        forward_of_example(
            x, W1, b1, W2, b2, W3, b3, patches1, a1, h1, patches2, a2, h2,
            flat3, a3
        )
        # m = max_i<3 a3[i]
        m = a3[0]
        for i in range(3):
            m = max(m, a3[i])
        # z = Σ_i<3 e[i]
        z = zero
        # e[i] = exp(a3[i] - m)
        for i in range(3):
            e[i] = exp(a3[i] - m)
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(3):
            f[i] = per_z * e[i]
        # l = m + log(z) - a3[y]
        l = m + log(z) - a3[y]
        # nothing is learnt from a loss that is not finite
        if not isfinite(l):
            break
        losses += l
        # step = learning_rate/(1 + t decay)
        step = learning_rate / (one + decay * real(n + t))
        # da3[i] = f[i] - 1[i=y]
        for i in range(3):
            da3[i] = f[i] - (one if i == y else zero)
        backward_of_example(
            W2, W3, a1, a2, da3, dflat3, dh2, da2, dh1, dpatches2, da1
        )
        # W1[o,c,v] ← W1[o,c,v] - step Σ_i<14 patches1[c,v,i] da1[o,i]
        add_pk_qk(
            W1.reshape(8, 10), da1.reshape(8, 14), patches1.reshape(10, 14), 8,
            10, 14, -step
        )
        # b1[o] ← b1[o] - step Σ_i<14 da1[o,i]
        for o in range(8):
            total = zero
            for i in range(14):
                total += da1[o, i]
            b1[o] -= step * total
        # W2[o,c,u] ← W2[o,c,u] - step Σ_i<8 patches2[c,u,i] da2[o,i]
        add_pk_qk(
            W2.reshape(8, 24), da2.reshape(8, 8), patches2.reshape(24, 8), 8,
            24, 8, -step
        )
        # b2[o] ← b2[o] - step Σ_i<8 da2[o,i]
        for o in range(8):
            total = zero
            for i in range(8):
                total += da2[o, i]
            b2[o] -= step * total
        # W3[i,j] ← W3[i,j] - step da3[i] flat3[j]; b3[i] ← b3[i] - step da3[i]
        step_da3_0 = step * da3[0]
        step_da3_1 = step * da3[1]
        step_da3_2 = step * da3[2]
        for j in range(64):
            flat3_j = flat3[j]
            W3[0, j] -= flat3_j * step_da3_0
            W3[1, j] -= flat3_j * step_da3_1
            W3[2, j] -= flat3_j * step_da3_2
        b3[0] -= step * da3[0]
        b3[1] -= step * da3[1]
        b3[2] -= step * da3[2]
        done += 1
    return done, losses


@kernel
def sgd_minibatch(X, Y, order, W1, b1, W2, b2, W3, b3, learning_rate, decay, t, batch):
    """Update after every `batch` examples of X[order], by the mean of their gradients."""
    updates = order.shape[0]
    patches1 = aligned(2 * 5 * 14, W1).reshape(2, 5, 14)
    a1 = aligned(8 * 14, W1).reshape(8, 14)
    h1 = aligned(8 * 14, W1).reshape(8, 14)
    patches2 = aligned(8 * 3 * 8, W1).reshape(8, 3, 8)
    a2 = aligned(8 * 8, W1).reshape(8, 8)
    h2 = aligned(8 * 8, W1).reshape(8, 8)
    flat3 = aligned(64, W1)
    a3 = aligned(3, W1)
    e = aligned(3, W1)
    f = aligned(3, W1)
    da3 = aligned(3, W1)
    dflat3 = aligned(64, W1)
    dh2 = aligned(8 * 8, W1).reshape(8, 8)
    da2 = aligned(8 * 8, W1).reshape(8, 8)
    dh1 = aligned(8 * 14, W1).reshape(8, 14)
    dpatches2 = aligned(8 * 3 * 8, W1).reshape(8, 3, 8)
    da1 = aligned(8 * 14, W1).reshape(8, 14)
    sum_W1 = aligned(8 * 2 * 5, W1).reshape(8, 2, 5)
    sum_b1 = aligned(8, W1)
    sum_W2 = aligned(8 * 8 * 3, W1).reshape(8, 8, 3)
    sum_b2 = aligned(8, W1)
    sum_W3 = aligned(3 * 64, W1).reshape(3, 64)
    sum_b3 = aligned(3, W1)
    losses = zero
    update = 0
    done = 0
    for start in range(0, updates, batch):
        count = min(batch, updates - start)
        # step = learning_rate/(1 + t decay)
        step = learning_rate / (one + decay * real(t + update))
        # sum_W1[i,j,k] = 0; sum_b1[i] = 0; sum_W2[i,j,k] = 0; sum_b2[i] = 0
        for i in range(8):
            for j in range(2):
                for k in range(5):
                    sum_W1[i, j, k] = zero
            sum_b1[i] = zero
            for j in range(8):
                for k in range(3):
                    sum_W2[i, j, k] = zero
            sum_b2[i] = zero
        # sum_W3[i,j] = 0; sum_b3[i] = 0
        for i in range(3):
            for j in range(64):
                sum_W3[i, j] = zero
            sum_b3[i] = zero
        total_l = zero
        for r in range(count):
            row = order[r + start]
            x = X[row]
            y = Y[row]
            forward_of_example(
                x, W1, b1, W2, b2, W3, b3, patches1, a1, h1, patches2, a2, h2,
                flat3, a3
            )
            # m = max_i<3 a3[i]
            m = a3[0]
            for i in range(3):
                m = max(m, a3[i])
            # z = Σ_i<3 e[i]
            z = zero
            # e[i] = exp(a3[i] - m)
            for i in range(3):
                e[i] = exp(a3[i] - m)
                z += e[i]
            # f[i] = e[i]/z
            per_z = one / z
            for i in range(3):
                f[i] = per_z * e[i]
            # l = m + log(z) - a3[y]
            l = m + log(z) - a3[y]
            total_l += l
            # da3[i] = f[i] - 1[i=y]
            for i in range(3):
                da3[i] = f[i] - (one if i == y else zero)
            backward_of_example(
                W2, W3, a1, a2, da3, dflat3, dh2, da2, dh1, dpatches2, da1
            )
            # sum_W1[o,c,v] ← sum_W1[o,c,v] - step Σ_i<14 patches1[c,v,i] da1[o,i]
            add_pk_qk(
                sum_W1.reshape(8, 10), da1.reshape(8, 14), patches1.reshape(10, 14),
                8, 10, 14, -step
            )
            # sum_b1[o] ← sum_b1[o] - step Σ_i<14 da1[o,i]
            for o in range(8):
                total = zero
                for i in range(14):
                    total += da1[o, i]
                sum_b1[o] -= step * total
            # sum_W2[o,c,u] ← sum_W2[o,c,u] - step Σ_i<8 patches2[c,u,i] da2[o,i]
            add_pk_qk(
                sum_W2.reshape(8, 24), da2.reshape(8, 8), patches2.reshape(24, 8),
                8, 24, 8, -step
            )
            # sum_b2[o] ← sum_b2[o] - step Σ_i<8 da2[o,i]
            for o in range(8):
                total = zero
                for i in range(8):
                    total += da2[o, i]
                sum_b2[o] -= step * total
            # sum_W3[i,j] ← sum_W3[i,j] - step da3[i] flat3[j]; sum_b3[i] ← sum_b3[i] - step
            #     da3[i]
            step_da3_0 = step * da3[0]
            step_da3_1 = step * da3[1]
            step_da3_2 = step * da3[2]
            for j in range(64):
                flat3_j = flat3[j]
                sum_W3[0, j] -= flat3_j * step_da3_0
                sum_W3[1, j] -= flat3_j * step_da3_1
                sum_W3[2, j] -= flat3_j * step_da3_2
            sum_b3[0] -= step * da3[0]
            sum_b3[1] -= step * da3[1]
            sum_b3[2] -= step * da3[2]
        # nothing is learnt from a loss that is not finite
        if not isfinite(total_l):
            break
        losses += total_l
        # W1[o,c,v] ← W1[o,c,v] + sum_W1[o,c,v]/count; b1[o] ← b1[o] + sum_b1[o]/count;
        #     W2[o,c,u] ← W2[o,c,u] + sum_W2[o,c,u]/count; b2[o] ← b2[o] + sum_b2[o]/count
        per_count = one / real(count)
        for o in range(8):
            for c in range(2):
                for v in range(5):
                    W1[o, c, v] += per_count * sum_W1[o, c, v]
            b1[o] += per_count * sum_b1[o]
            for c in range(8):
                for u in range(3):
                    W2[o, c, u] += per_count * sum_W2[o, c, u]
            b2[o] += per_count * sum_b2[o]
        # W3[i,j] ← W3[i,j] + sum_W3[i,j]/count; b3[i] ← b3[i] + sum_b3[i]/count
        for i in range(3):
            for j in range(64):
                W3[i, j] += per_count * sum_W3[i, j]
            b3[i] += per_count * sum_b3[i]
        update += 1
        done += count
    return done, losses


@kernel
def sgd(X, Y, order, W1, b1, W2, b2, W3, b3, learning_rate, decay, t):
    """Update after each example of X[order]; return how many were done and the sum of their
    losses."""
    updates = order.shape[0]
    a1 = np.empty((8, 14), W1.dtype)
    h1 = np.empty((8, 14), W1.dtype)
    a2 = np.empty((8, 8), W1.dtype)
    h2 = np.empty((8, 8), W1.dtype)
    flat3 = np.empty(64, W1.dtype)
    a3 = np.empty_like(b3)
    e = np.empty_like(b3)
    f = np.empty_like(b3)
    da3 = np.empty_like(b3)
    dflat3 = np.empty(64, W1.dtype)
    dh2 = np.empty((8, 8), W1.dtype)
    da2 = np.empty((8, 8), W1.dtype)
    dh1 = np.empty((8, 14), W1.dtype)
    da1 = np.empty((8, 14), W1.dtype)
    losses = zero
    done = 0
    for n in range(updates):
        row = order[n]
        x = X[row]
        y = Y[row]
        # a1[o,q] = b1[o] + Σ_c<2Σ_v<5 W1[o,c,v] x[c,v + 2 q]
        for o in range(8):
            b1_o = b1[o]
            for q in range(14):
                total = zero
                for c in range(2):
                    for v in range(5):
                        total += W1[o, c, v] * x[c, 2 * q + v]
                a1[o, q] = b1_o + total
        # h1[o,q] = tanh(a1[o,q])
        for o in range(8):
            for q in range(14):
                h1[o, q] = tanh(a1[o, q])
        # a2[o,p] = b2[o] + Σ_c<8Σ_u<3 W2[o,c,u] h1[c,p + 3 u]
        for o in range(8):
            b2_o = b2[o]
            for p in range(8):
                a2[o, p] = b2_o
            for c in range(8):
                for u in range(3):
                    W2_o_c_u = W2[o, c, u]
                    for p in range(8):
                        a2[o, p] += W2_o_c_u * h1[c, 3 * u + p]
        # h2[o,p] = tanh(a2[o,p])
        for o in range(8):
            for p in range(8):
                h2[o, p] = tanh(a2[o, p])
        # flat3[p + 8 c] = h2[c,p]
        for c in range(8):
            for p in range(8):
                flat3[8 * c + p] = h2[c, p]
        # a3[i] = b3[i] + Σ_j<64 W3[i,j] flat3[j]
        for i in range(3):
            total = zero
            for j in range(64):
                total += W3[i, j] * flat3[j]
            a3[i] = b3[i] + total
        # m = max_i<3 a3[i]
        m = a3[0]
        for i in range(3):
            m = max(m, a3[i])
        # e[i] = exp(a3[i] - m)
        for i in range(3):
            e[i] = exp(a3[i] - m)
        # z = Σ_i<3 e[i]
        z = zero
        for i in range(3):
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(3):
            f[i] = per_z * e[i]
        # l = m + log(z) - a3[y]
        l = m + log(z) - a3[y]
        # da3[i] = f[i] - 1[i=y]
        for i in range(3):
            da3[i] = f[i] - (one if i == y else zero)
        # dflat3[i] = Σ_j<3 W3[j,i] da3[j]
        for i in range(64):
            dflat3[i] = zero
        for j in range(3):
            da3_j = da3[j]
            for i in range(64):
                dflat3[i] += da3_j * W3[j, i]
        # dh2[o,p] = dflat3[p + 8 o]
        for o in range(8):
            for p in range(8):
                dh2[o, p] = dflat3[8 * o + p]
        # da2[o,p] = 4 dh2[o,p] exp(-|a2[o,p]|)²/(1 + exp(-|a2[o,p]|)²)²
        for o in range(8):
            for p in range(8):
                shared = exp(-abs(a2[o, p]))
                shared2 = shared * shared
                da2[o, p] = shared2 * dh2[o, p] * real(4) / ((one + shared2) * (one + shared2))
        # dh1[o,q] = 0
        for o in range(8):
            for q in range(14):
                dh1[o, q] = zero
        # dh1[j,p + 3 i] ← W2[k,j,i] da2[k,p] + dh1[j,p + 3 i]
        for k in range(8):
            for j in range(8):
                for i in range(3):
                    W2_k_j_i = W2[k, j, i]
                    for p in range(8):
                        dh1[j, 3 * i + p] += W2_k_j_i * da2[k, p]
        # da1[o,q] = 4 dh1[o,q] exp(-|a1[o,q]|)²/(1 + exp(-|a1[o,q]|)²)²
        for o in range(8):
            for q in range(14):
                shared = exp(-abs(a1[o, q]))
                shared2 = shared * shared
                da1[o, q] = shared2 * dh1[o, q] * real(4) / ((one + shared2) * (one + shared2))
        # nothing is learnt from a loss that is not finite
        if not isfinite(l):
            break
        losses += l
        # step = learning_rate/(1 + t decay)
        step = learning_rate / (one + decay * real(n + t))
        # W1[o,c,v] ← W1[o,c,v] - step Σ_i<14 x[c,v + 2 i] da1[o,i]
        for o in range(8):
            for c in range(2):
                for i in range(14):
                    step_da1_o = step * da1[o, i]
                    for v in range(5):
                        W1[o, c, v] -= step_da1_o * x[c, 2 * i + v]
        # b1[o] ← b1[o] - step Σ_i<14 da1[o,i]
        for o in range(8):
            total = zero
            for i in range(14):
                total += da1[o, i]
            b1[o] -= step * total
        # W2[o,c,u] ← W2[o,c,u] - step Σ_i<8 h1[c,i + 3 u] da2[o,i]
        for o in range(8):
            for c in range(8):
                for u in range(3):
                    total = zero
                    for i in range(8):
                        total += h1[c, 3 * u + i] * da2[o, i]
                    W2[o, c, u] -= step * total
        # b2[o] ← b2[o] - step Σ_i<8 da2[o,i]
        for o in range(8):
            total = zero
            for i in range(8):
                total += da2[o, i]
            b2[o] -= step * total
        # W3[i,j] ← W3[i,j] - step da3[i] flat3[j]
        for i in range(3):
            step_da3 = step * da3[i]
            for j in range(64):
                W3[i, j] -= step_da3 * flat3[j]
        # b3[i] ← b3[i] - step da3[i]
        for i in range(3):
            b3[i] -= step * da3[i]
        done += 1
    return done, losses


SCHEDULES = {"overlapped": sgd_overlapped, "plain": sgd}


class Trainer:
    """Parameters and the kernels that train them, one example at a time.

    Parameters
    ----------
    sizes
        Units of every layer: (inputs, hidden ..., outputs); those of SPEC["sizes"] where a module has fixed ones.
    seed
        Seed of the initial values.
    schedule
        The order of computation, never the result: one of SCHEDULES, or ``"auto"`` for what is fastest at these sizes.
    **scales
        Values for the initializer, where it has any (see SPEC["initial"]).

    Attributes
    ----------
    parameters : dict of str to ndarray
        W1, b1, ... updated in place.
    state : dict of str to ndarray
        What updates keep beside the parameters: velocities, and means, which then are what predicts.
    t : int
        Updates done so far; the step size counts in it.
    """

    BLOCK = 1024  # examples between two looks at the clock, the keyboard and the losses

    def __init__(self, sizes=None, seed=0, schedule="auto", **scales):
        self.sizes = _sizes(SPEC.get("sizes") if sizes is None else sizes)
        self.schedule = _schedule(schedule, self.sizes)
        self.t = 0
        scales = _known(scales, SPEC["initial"]["defaults"], "initial value")
        generator = np.random.default_rng(seed)
        self.parameters = {}
        for name, axes in SPEC["parameters"].items():
            self.parameters[name] = _initial(generator, name, _shape(axes, self.sizes), scales)
        self.state = {name: _zeros(self.parameters[of].shape) for name, of in SPEC.get("state", {}).items()}
        self.masks_seed = int(generator.integers(2**62))

    def sgd(
        self, X, y, *, order=None, learning_rate=0.1, batch_size=1, sample_weight=None, dropout=None, **hyperparameters
    ):
        """Update after each example of X[order]; return the mean loss, each example's taken before its update.

        Parameters
        ----------
        X : array of shape (examples, inputs), or (examples, *SPEC["input"])
        y : array of shape (examples,) with class numbers, or (examples, outputs)
        order : array of int, optional
            The examples to visit, in this order, repeats allowed; all of them once by default.
        learning_rate, **hyperparameters
            As in SPEC["hyperparameters"].
        batch_size : int
            Above 1: update after so many examples, by the mean of their gradients.
        sample_weight : array of shape (examples,), optional
            The factor of each example's loss, in a module that is weighted; 1 by default.
        dropout : float, optional
            How often a hidden unit is left out, in a module with dropout; 0.5 by default.

        Raises
        ------
        ValueError
            If the data or a hyperparameter is not usable; nothing has changed then.
        FloatingPointError
            If the loss or a parameter is no longer finite; the parameters are those from before the call.
        """
        data = self._examples(X, y, sample_weight)
        order = _order(order, len(data[0]))
        settings, rate = self._settings(learning_rate, hyperparameters), _rate(dropout)
        kernel, extra = self._kernel(batch_size)
        size = max(1, self.BLOCK // batch_size) * batch_size
        values = {**self.parameters, **self.state}
        before, t, total = {k: v.copy() for k, v in values.items()}, self.t, 0.0
        for start in range(0, order.size, size):
            block = order[start : start + size]
            masks = self._masks(rate, block.size)
            done, losses = kernel(*data, block, *masks, *values.values(), *map(real, settings), self.t, *extra)
            self.t += -(-int(done) // batch_size)
            total += float(losses)
            last = start + int(done)
            if done < block.size or not (np.isfinite(losses) and self._is_finite()):
                number, step = min(last + 1, order.size), step_size(*settings, self.t)
                self.t = t
                for name, value in before.items():
                    values[name][...] = value
                raise FloatingPointError(
                    f"training became non-finite at example {order[number - 1]} (number {number} of {order.size}), "
                    f"step size {step:.6g}; the parameters are back as they were: try a smaller learning rate"
                )
        return total / order.size

    def predict_proba(self, X):
        """Return the outputs f, shape (examples, outputs)."""
        X = self._inputs(X)
        F = np.empty((len(X), self.sizes[-1]), real)
        forward(X, *self._predicting(), F)
        return F

    def predict(self, X):
        """Return class numbers, or 0 and 1 for independent labels, or the outputs themselves."""
        F = self.predict_proba(X)
        if SPEC["target"] == "label":
            return F.argmax(axis=1)
        return (F > 0.5).astype(np.int64) if SPEC["output"] == "sigmoid" else F

    def loss(self, X, y, sample_weight=None):
        """Return the mean of l over the examples, without the penalty."""
        return float(loss(*self._examples(X, y, sample_weight), *self._predicting()))

    def save(self, path):
        """Write the parameters, t and SPEC to an .npz file, whole or not at all."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        header = {"spec": json.dumps(SPEC), "sizes": self.sizes, "t": self.t}
        try:
            with temporary.open("wb") as file:
                np.savez(file, **header, **self.parameters, **self.state)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path):
        """Return the Trainer that `save` wrote; ValueError if the file is damaged or another network's."""
        try:
            with np.load(path, allow_pickle=False) as file:
                network, sizes, t = json.loads(str(file["spec"]))["network"], file["sizes"], int(file["t"])
                values = {name: file[name] for name in file.files if name not in {"spec", "sizes", "t"}}
        except (FileNotFoundError, IsADirectoryError, PermissionError):
            raise
        except Exception as error:  # json, zipfile and zlib raise their own kinds on damaged files
            raise ValueError(f"{path} is not a model of this module, or is damaged: {error}") from None
        if network != SPEC["network"]:
            theirs, ours = " ".join(str(network).split()), SPEC["network"]
            hint = "load it with the module that saved it"
            raise ValueError(f"{path} holds a network {theirs}, expected {ours}; {hint}")
        if sizes.shape != (SPEC["layers"] + 1,) or sizes.dtype.kind not in "iu" or t < 0:
            raise ValueError(f"{path} is damaged: its sizes are {sizes.tolist()}, its t is {t}")
        of = SPEC.get("state", {})
        for name in (*SPEC["parameters"], *of):
            shape = _shape(SPEC["parameters"][of.get(name, name)], sizes)
            if name not in values or values[name].shape != shape or not _fits(values[name]):
                raise ValueError(f"{path} is damaged: {name} is not an array of {shape} finite numbers")
        trainer = cls(sizes.tolist())
        trainer.t = t
        for name, value in (*trainer.parameters.items(), *trainer.state.items()):
            value[...] = values[name]
        return trainer

    def _kernel(self, batch_size):
        """Return the kernel of the schedule and what it takes beside the others' arguments."""
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"batch_size is {batch_size!r}, expected a positive integer")
        if batch_size > 1:
            return sgd_minibatch, (batch_size,)
        more = (_examples_a_block(self.sizes),) if self.schedule == "deferred" else ()
        return SCHEDULES[self.schedule], more

    def _masks(self, rate, updates):
        """Return the masks of some updates: 0 as often as `rate`, else what keeps the mean 1."""
        if "masks" not in SPEC:
            return []
        generator = np.random.default_rng([self.masks_seed, self.t])
        shapes = [(updates, *_shape(axes, self.sizes)) for axes in SPEC["masks"].values()]
        return [((generator.random(shape) >= rate) / (1 - rate)).astype(real) for shape in shapes]

    def _predicting(self):
        """Return the parameters that predict: their means, where these are kept."""
        means = [self.state[f"mean_{name}"] for name in self.parameters if f"mean_{name}" in self.state]
        return means if means and self.t else self.parameters.values()

    def _is_finite(self):
        return all(map(_all_finite, self.parameters.values()))

    def _settings(self, learning_rate, hyperparameters):
        if not (_is_number(learning_rate) and learning_rate > 0):
            raise ValueError(f"learning_rate is {learning_rate!r}, expected a positive number")
        values = _known(hyperparameters, SPEC["hyperparameters"], "hyperparameter")
        for name in (n for n in SPEC.get("above_0", ()) if values[n] == 0):
            raise ValueError(f"{name} is {values[name]!r}, expected a positive number")
        for name in (n for n in SPEC.get("below_1", ()) if values[n] >= 1):
            raise ValueError(f"{name} is {values[name]!r}, expected a number below 1")
        return [learning_rate, *values.values()]

    def _inputs(self, X):
        """Return inputs as the kernels take them: contiguous, finite, with all axes of an example."""
        X, axes = np.asarray(X), SPEC.get("input", self.sizes[:1])
        if X.shape[1:] == tuple(axes):
            X = X.reshape(len(X), self.sizes[0])
        made = _indices(X, self.sizes[0]) if "vocabulary" in SPEC else _matrix("X", X, self.sizes[0])
        return made.reshape(len(made), *axes)

    def _examples(self, X, y, sample_weight=None):
        X = self._inputs(X)
        outputs = self.sizes[-1]
        if SPEC["target"] == "label":
            y = np.asarray(y)
            if y.ndim != 1 or y.dtype.kind not in "biu":
                raise ValueError(f"y has shape {y.shape} and dtype {y.dtype}, expected one class number an example")
            wrong = np.flatnonzero((y < 0) | (y >= outputs))
            if wrong.size:
                raise ValueError(f"y[{wrong[0]}] is {y[wrong[0]]}, expected a class from 0 to {outputs - 1}")
            y = y.astype(np.int64, copy=False)
        else:
            y = np.asarray(y)
            y = _matrix("y", y[:, None] if y.ndim == 1 and outputs == 1 else y, outputs)
            if SPEC["output"] == "sigmoid" and ((y < 0) | (y > 1)).any():
                raise ValueError(f"y has values from {y.min()} to {y.max()}, expected 0 to 1")
        if len(y) != len(X):
            raise ValueError(f"X has {len(X)} examples and y has {len(y)}, expected as many")
        return (X, y, *_weights(sample_weight, len(X)))


def _schedule(schedule, sizes):
    """Return the schedule asked for, or the fastest at these sizes: small first layers do not repay a block."""
    if schedule == "auto":
        return "deferred" if "deferred" in SCHEDULES and sizes[0] * sizes[1] >= 2048 else "overlapped"
    if schedule not in SCHEDULES:
        reason = SPEC["refused"].get(schedule, "no such schedule")
        raise ValueError(f"the schedule is {schedule!r} ({reason}), expected auto, {', '.join(SCHEDULES)}")
    return schedule


def _examples_a_block(sizes):
    """Return how many examples share one update of the first weights: more where these are larger."""
    return 16 if sizes[1] < 64 else 24 if sizes[1] < 256 else 48


def _sizes(sizes):
    made = tuple(sizes) if np.iterable(sizes) else (sizes,)
    if made != tuple(SPEC.get("sizes", made)):
        raise ValueError(f"sizes are {made}, this module has fixed ones: {tuple(SPEC['sizes'])}")
    if len(made) != SPEC["layers"] + 1 or not all(isinstance(n, int | np.integer) and n > 0 for n in made):
        layers = "inputs, " + "hidden, " * (SPEC["layers"] - 1) + "outputs"
        raise ValueError(f"sizes are {made}, expected {SPEC['layers'] + 1} positive integers: ({layers})")
    return tuple(int(n) for n in made)


def _known(given, defaults, what):
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise ValueError(f"unknown {what} {unknown[0]!r}, this module has {', '.join(defaults) or 'none'}")
    for name, value in given.items():
        if not (_is_number(value) and value >= 0):
            raise ValueError(f"{name} is {value!r}, expected a number that is not negative")
    return {name: given.get(name, default) for name, default in defaults.items()}


def _weights(given, examples):
    """Return the weights of examples where a module takes them."""
    if "weighted" not in SPEC:
        if given is not None:
            raise ValueError("sample_weight is given, but this module is not weighted; generate it with --weighted")
        return ()
    made = np.ones(examples, real) if given is None else np.ascontiguousarray(given, real)
    if made.shape != (examples,) or not _all_finite(made) or made.min() < 0:
        raise ValueError(f"sample_weight has shape {made.shape}, expected {examples} finite numbers, none below 0")
    return (made,)


def _rate(dropout):
    if dropout is not None and "masks" not in SPEC:
        raise ValueError("dropout is given, but this module has none; generate it with --dropout")
    rate = 0.5 if dropout is None else dropout
    if not (_is_number(rate) and 0 <= rate < 1):
        raise ValueError(f"dropout is {dropout!r}, expected a number from 0 to below 1")
    return rate


def _is_number(value):
    return isinstance(value, int | float | np.integer | np.floating) and abs(value) <= float(np.finfo(real).max)


def _fits(values):
    """Return whether an array holds nothing but numbers that are finite in this module's type."""
    return values.dtype.kind == "f" and bool((np.abs(values) <= np.finfo(real).max).all())


def _shape(axes, sizes):
    """Return the shape of a parameter: an axis is the number of a layer or, as text, a size."""
    return tuple(int(axis) if isinstance(axis, str) else int(sizes[axis]) for axis in axes) or (1,)


def _zeros(shape):
    values = at_cache_line(int(np.prod(shape)), np.empty(0, real)).reshape(shape)
    values[...] = 0
    return values


def _initial(generator, name, shape, scales):
    values = _zeros(shape)
    fans = SPEC["initial"].get("fans", {name: shape[::-1]} if len(shape) > 1 else {})
    if name not in fans:  # biases, gains, and what activations learn
        values[...] = SPEC["initial"]["values"].get(name, 0)
        return values
    fan_in, fan_out = fans[name]
    scale = initial_scale(fan_in, fan_out, **scales)
    if SPEC["initial"]["distribution"] == "uniform":
        values[...] = generator.uniform(-scale, scale, shape)
    else:
        values[...] = scale * generator.standard_normal(shape)
    return values


def _matrix(name, values, columns):
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != columns or not len(values):
        raise ValueError(f"{name} has shape {values.shape}, expected (examples, {columns}) with at least one example")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} has dtype {values.dtype}, expected numbers")
    values = np.ascontiguousarray(values, real)
    if not _all_finite(values):
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(f"{name}[{row}, {column}] is {values[row, column]}, expected finite numbers")
    return values


def _indices(values, columns):
    """Return inputs that are numbers of rows of a table."""
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != columns or not len(values) or (
        values.dtype.kind not in "biu" and not (values.dtype.kind == "f" and (values == np.floor(values)).all())
    ):  # fmt: skip
        raise ValueError(f"X has shape {values.shape} and dtype {values.dtype}, expected whole (examples, {columns})")
    if values.min() < 0 or values.max() >= SPEC["vocabulary"]:
        raise ValueError(f"X has values from {values.min()} to {values.max()}, expected 0 to {SPEC['vocabulary'] - 1}")
    return np.ascontiguousarray(values, np.int64)


def _all_finite(values):
    """Return whether all values are finite; their sum of squares, which is soonest known, answers most often."""
    return bool(np.isfinite(np.vdot(values, values)) or np.isfinite(values).all())


def _order(order, examples):
    if order is None:
        return np.arange(examples)
    order = np.asarray(order)
    if order.ndim != 1 or order.dtype.kind not in "iu" or not order.size:
        raise ValueError(f"order has shape {order.shape} and dtype {order.dtype}, expected a list of examples")
    if order.min() < 0 or order.max() >= examples:
        raise ValueError(f"order has examples from {order.min()} to {order.max()}, expected 0 to {examples - 1}")
    return order.astype(np.int64, copy=False)
