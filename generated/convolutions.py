"""Exact per-example SGD: 1 x 8 x 8, 4 layers; softmax output, nll loss, penalty l2.

Given:

    padded1[c,i,j] = {x[c,i - 1,j - 1] if i < 9 and i ≥ 1 and j < 9 and j ≥ 1; 0 otherwise}
    a1[o,p,q] = b1[o] + Σ_c<1Σ_u<3Σ_v<3 W1[o,c,u,v] padded1[c,p + u,q + v]
    h1[o,p,q] = {0 if a1[o,p,q] ≤ 0; a1[o,p,q] otherwise}
    z2[c,p,q] = argmax_u<2,v<2 h1[c,u + 2 p,v + 2 q]
    h2[c,p,q] = h1[c,2 p + floor(z2[c,p,q]/2),2 q + Mod(z2[c,p,q], 2)]
    a3[o,p,q] = b3[o] + Σ_c<8Σ_u<3Σ_v<3 W3[o,c,u,v] h2[c,p + u,q + v]
    h3[o,p,q] = {0 if a3[o,p,q] ≤ 0; a3[o,p,q] otherwise}
    flat4[q + 2 p + 4 c] = h3[c,p,q]
    a4[i] = b4[i] + Σ_j<48 W4[i,j] flat4[j]
    f[i] = exp(a4[i])/Σ_j<10 exp(a4[j])
    l = -log(f[y])

Penalty:

    l2 times Σ_o<8Σ_c<1Σ_u<3Σ_v<3 W1[o,c,u,v]² + Σ_o<12Σ_c<8Σ_u<3Σ_v<3 W3[o,c,u,v]² + Σ_i<10Σ_j<48
        W4[i,j]²

Derived:

    da4[i] = f[i] - 1[i=y]
    dflat4[i] = Σ_j<10 W4[j,i] da4[j]
    dh3[o,p,q] = dflat4[q + 2 p + 4 o]
    da3[o,p,q] = dh3[o,p,q] {0 if a3[o,p,q] ≤ 0; 1 otherwise}
    dh2[c,p,q] = 0
    dh2[u,j + k,i + p] ← W3[o,u,j,i] da3[o,k,p] + dh2[u,j + k,i + p]
    dh1[o,p,q] = 0
    dh1[c,2 i + floor(z2[c,i,j]/2),2 j + Mod(z2[c,i,j], 2)] ← dh2[c,i,j] +
        dh1[c,2 i + floor(z2[c,i,j]/2),2 j + Mod(z2[c,i,j], 2)]
    da1[o,p,q] = dh1[o,p,q] {0 if a1[o,p,q] ≤ 0; 1 otherwise}
    dW1[o,c,u,v] = Σ_j<8Σ_i<8 padded1[c,j + u,i + v] da1[o,j,i]
    db1[o] = Σ_j<8Σ_i<8 da1[o,j,i]
    dW3[o,c,u,v] = Σ_j<2Σ_i<2 h2[c,j + u,i + v] da3[o,j,i]
    db3[o] = Σ_j<2Σ_i<2 da3[o,j,i]
    dW4[i,j] = da4[i] flat4[j]
    db4[i] = da4[i]

Update after each example:

    step = learning_rate/(1 + t decay)
    W1[o,c,u,v] ← W1[o,c,u,v] + step (-2 l2 W1[o,c,u,v] - Σ_j<8Σ_i<8 padded1[c,j + u,i + v]
        da1[o,j,i])
    b1[o] ← b1[o] - step Σ_j<8Σ_i<8 da1[o,j,i]
    W3[o,c,u,v] ← W3[o,c,u,v] + step (-2 l2 W3[o,c,u,v] - Σ_j<2Σ_i<2 h2[c,j + u,i + v] da3[o,j,i])
    b3[o] ← b3[o] - step Σ_j<2Σ_i<2 da3[o,j,i]
    W4[i,j] ← W4[i,j] + step (-da4[i] flat4[j] - 2 l2 W4[i,j])
    b4[i] ← b4[i] - step da4[i]

Schedules:

    plain: the order of the lecture.
    overlapped: the same steps, in the loops that all other kernels share: windows along short rows
        are copied out, and sums over them are products of matrices, a few rows and columns at a
        time.
    deferred: not here, W1 is no matrix whose elements are all updated alike.

Regenerate with:

    symbackprop generate --network convolutions.toml -o convolutions.py, or
        build(Network([...])) in Python

By symbackprop 0.1.0 and SymPy 1.14.0; digest of what follows: 79f3969026ed6418.
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
    "name": "convolutions",
    "preactivation": "conv(8, 3, padding=1), maxpool(2), conv(12, 3), dense(10)",
    "activations": ["relu", "none", "relu"],
    "output": "softmax",
    "loss": "nll",
    "target": "label",
    "penalty": "l2",
    "initializer": "he",
    "step_size": "inverse",
    "learned": [],
    "learned_per_unit": [],
    "dtype": "float32",
    "layers": 4,
    "parameters": {
        "W1": ["8", "1", "3", "3"],
        "b1": ["8"],
        "W3": ["12", "8", "3", "3"],
        "b3": ["12"],
        "W4": ["10", "48"],
        "b4": ["10"],
    },
    "sizes": [64, 512, 128, 48, 10],
    "input": [1, 8, 8],
    "hyperparameters": {"decay": 0.0, "l2": 0.0},
    "initial": {
        "distribution": "normal",
        "defaults": {},
        "values": {},
        "fans": {"W1": [9, 72], "W3": [72, 108], "W4": [48, 10]},
    },
    "refused": {"deferred": "W1 is no matrix whose elements are all updated alike"},
    "network": (
        "preactivation=conv(8, 3, padding=1), maxpool(2), conv(12, 3), "
        "dense(10); activations=['relu', 'none', 'relu']; output=softmax; "
        "loss=nll; target=label; penalty=l2"
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
    return math.sqrt(2)*math.sqrt(1/fan_in)


def step_size(learning_rate, decay, l2, t):
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
def forward_of_example(
    x, W1, b1, W3, b3, W4, b4, padded1, patches1, a1, h1, z2, h2, patches3, a3, h3, flat4, a4
):
    """Compute padded1, patches1, a1, h1, z2, h2, patches3, a3, h3, flat4, a4 of one example."""
    # padded1[c,i,j] = {x[c,i - 1,j - 1] if i < 9 and i ≥ 1 and j < 9 and j ≥ 1; 0
    #     otherwise}; patches1[c,u,v,p,q] = padded1[c,p + u,q + v]
    for i in range(10):
        for j in range(10):
            padded1[0, i, j] = (
                x[0, i - 1, j - 1] if i < 9 and i >= 1 and j < 9 and j >= 1 else zero
            )
    for u in range(3):
        for v in range(3):
            for p in range(8):
                for q in range(8):
                    patches1[0, u, v, p, q] = padded1[0, p + u, q + v]
    # a1[o,p,q] = b1[o] + Σ_c<1Σ_u<3Σ_v<3 W1[o,c,u,v] patches1[c,u,v,p,q]
    contract_pk_kq(
        a1.reshape(8, 64), W1.reshape(8, 9), patches1.reshape(9, 64), 8, 64,
        9
    )
    # a1[o,p,q] ← a1[o,p,q] + b1[o]; h1[o,p,q] = {0 if a1[o,p,q] ≤ 0; a1[o,p,q] otherwise}
    for o in range(8):
        b1_o = b1[o]
        for p in range(8):
            for q in range(8):
                a1_o_p_q = a1[o, p, q]
                a1_o_p_q += b1_o
                h1[o, p, q] = zero if a1_o_p_q <= zero else a1_o_p_q
                a1[o, p, q] = a1_o_p_q
    # z2[c,p,q] = argmax_u<2,v<2 h1[c,u + 2 p,v + 2 q]; h2[c,p,q] =
    #     h1[c,2 p + floor(z2[c,p,q]/2),2 q + Mod(z2[c,p,q], 2)]; patches3[c,u,v,p,q] =
    #     h2[c,p + u,q + v]
    for c in range(8):
        for p in range(4):
            for q in range(4):
                largest = h1[c, 2 * p, 2 * q]
                z2[c, p, q] = 0
                for u in range(2):
                    for v in range(2):
                        if (
                            h1[c, 2 * p + u, 2 * q + v] != h1[c, 2 * p + u, 2 * q + v] or
                            h1[c, 2 * p + u, 2 * q + v] > largest
                        ):
                            largest = h1[c, 2 * p + u, 2 * q + v]
                            z2[c, p, q] = 2 * u + v
                h2[c, p, q] = h1[c, 2 * p + z2[c, p, q] // 2, 2 * q + z2[c, p, q] % 2]
        for u in range(3):
            for v in range(3):
                for p in range(2):
                    for q in range(2):
                        patches3[c, u, v, p, q] = h2[c, p + u, q + v]
    # a3[o,p,q] = b3[o] + Σ_c<8Σ_u<3Σ_v<3 W3[o,c,u,v] patches3[c,u,v,p,q]
    contract_pk_kq(
        a3.reshape(12, 4), W3.reshape(12, 72), patches3.reshape(72, 4), 12,
        4, 72
    )
    # a3[o,p,q] ← a3[o,p,q] + b3[o]; h3[o,p,q] = {0 if a3[o,p,q] ≤ 0; a3[o,p,q] otherwise}
    for o in range(12):
        b3_o = b3[o]
        for p in range(2):
            for q in range(2):
                a3_o_p_q = a3[o, p, q]
                a3_o_p_q += b3_o
                h3[o, p, q] = zero if a3_o_p_q <= zero else a3_o_p_q
                a3[o, p, q] = a3_o_p_q
    # flat4[q + 2 p + 4 c] = h3[c,p,q]
    for c in range(12):
        for p in range(2):
            for q in range(2):
                flat4[2 * p + 4 * c + q] = h3[c, p, q]
    # a4[i] = b4[i] + Σ_j<48 W4[i,j] flat4[j]
    for i in range(10):
        total = zero
        for j in range(48):
            total += W4[i, j] * flat4[j]
        a4[i] = b4[i] + total


@kernel
def forward(X, W1, b1, W3, b3, W4, b4, F):
    """Write the outputs of every example of X to F."""
    N = X.shape[0]
    padded1 = np.empty((1, 10, 10), W1.dtype)
    patches1 = np.empty((1, 3, 3, 8, 8), W1.dtype)
    a1 = np.empty((8, 8, 8), W1.dtype)
    h1 = np.empty((8, 8, 8), W1.dtype)
    z2 = np.empty((8, 4, 4), np.int64)
    h2 = np.empty((8, 4, 4), W1.dtype)
    patches3 = np.empty((8, 3, 3, 2, 2), W1.dtype)
    a3 = np.empty((12, 2, 2), W1.dtype)
    h3 = np.empty((12, 2, 2), W1.dtype)
    flat4 = np.empty(48, W1.dtype)
    a4 = np.empty_like(b4)
    e = np.empty_like(b4)
    for n in range(N):
        x = X[n]
        f = F[n]
        forward_of_example(
            x, W1, b1, W3, b3, W4, b4, padded1, patches1, a1, h1, z2, h2,
            patches3, a3, h3, flat4, a4
        )
        # m = max_i<10 a4[i]
        m = a4[0]
        for i in range(10):
            m = max(m, a4[i])
        # z = Σ_i<10 e[i]
        z = zero
        # e[i] = exp(a4[i] - m)
        for i in range(10):
            e[i] = exp(a4[i] - m)
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(10):
            f[i] = per_z * e[i]


@kernel
def loss(X, Y, W1, b1, W3, b3, W4, b4):
    """Return the mean loss of the examples, without the penalty."""
    N = X.shape[0]
    padded1 = np.empty((1, 10, 10), W1.dtype)
    patches1 = np.empty((1, 3, 3, 8, 8), W1.dtype)
    a1 = np.empty((8, 8, 8), W1.dtype)
    h1 = np.empty((8, 8, 8), W1.dtype)
    z2 = np.empty((8, 4, 4), np.int64)
    h2 = np.empty((8, 4, 4), W1.dtype)
    patches3 = np.empty((8, 3, 3, 2, 2), W1.dtype)
    a3 = np.empty((12, 2, 2), W1.dtype)
    h3 = np.empty((12, 2, 2), W1.dtype)
    flat4 = np.empty(48, W1.dtype)
    a4 = np.empty_like(b4)
    e = np.empty_like(b4)
    f = np.empty_like(b4)
    mean = zero
    for n in range(N):
        x = X[n]
        y = Y[n]
        forward_of_example(
            x, W1, b1, W3, b3, W4, b4, padded1, patches1, a1, h1, z2, h2,
            patches3, a3, h3, flat4, a4
        )
        # m = max_i<10 a4[i]
        m = a4[0]
        for i in range(10):
            m = max(m, a4[i])
        # z = Σ_i<10 e[i]
        z = zero
        # e[i] = exp(a4[i] - m)
        for i in range(10):
            e[i] = exp(a4[i] - m)
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(10):
            f[i] = per_z * e[i]
        # l = m + log(z) - a4[y]
        l = m + log(z) - a4[y]
        mean += l
    return mean / real(N)


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
def backward_of_example(W3, W4, a1, z2, a3, da4, dflat4, dh3, da3, dh2, dpatches3, dh1, da1):
    """Compute dflat4, dh3, da3, dh2, dpatches3, dh1, da1 of one example."""
    # dflat4[i] = Σ_j<10 W4[j,i] da4[j]
    for i in range(48):
        dflat4[i] = zero
    for j in range(10):
        da4_j = da4[j]
        for i in range(48):
            dflat4[i] += da4_j * W4[j, i]
    # dh3[o,p,q] = dflat4[q + 2 p + 4 o]; da3[o,p,q] = dh3[o,p,q] {0 if a3[o,p,q] ≤ 0; 1
    #     otherwise}
    for o in range(12):
        for p in range(2):
            for q in range(2):
                dh3[o, p, q] = dflat4[2 * p + 4 * o + q]
                da3[o, p, q] = dh3[o, p, q] * (zero if a3[o, p, q] <= zero else one)
    # dh2[c,p,q] = 0
    for c in range(8):
        for p in range(4):
            for q in range(4):
                dh2[c, p, q] = zero
    # dpatches3[u,j,i,k,p] = Σ_o<12 W3[o,u,j,i] da3[o,k,p]
    contract_kp_kq(
        dpatches3.reshape(72, 4), W3.reshape(12, 72), da3.reshape(12, 4),
        72, 4, 12
    )
    # dh2[u,j + k,i + p] ← dpatches3[u,j,i,k,p] + dh2[u,j + k,i + p]
    for u in range(8):
        for j in range(3):
            for i in range(3):
                for k in range(2):
                    for p in range(2):
                        dh2[u, j + k, i + p] += dpatches3[u, j, i, k, p]
    # dh1[o,p,q] = 0
    for o in range(8):
        for p in range(8):
            for q in range(8):
                dh1[o, p, q] = zero
    # dh1[c,2 i + floor(z2[c,i,j]/2),2 j + Mod(z2[c,i,j], 2)] ← dh2[c,i,j] +
    #     dh1[c,2 i + floor(z2[c,i,j]/2),2 j + Mod(z2[c,i,j], 2)]
    for c in range(8):
        for i in range(4):
            for j in range(4):
                dh1[c, 2 * i + z2[c, i, j] // 2, 2 * j + z2[c, i, j] % 2] += dh2[c, i, j]
    # da1[o,p,q] = dh1[o,p,q] {0 if a1[o,p,q] ≤ 0; 1 otherwise}
    for o in range(8):
        for p in range(8):
            for q in range(8):
                da1[o, p, q] = dh1[o, p, q] * (zero if a1[o, p, q] <= zero else one)


@kernel
def backward(x, y, W1, b1, W3, b3, W4, b4, dW1, db1, dW3, db3, dW4, db4, l2):
    """Write the gradient of l + λΩ for one example to the arrays dW1, db1, ...; return l."""
    padded1 = np.empty((1, 10, 10), W1.dtype)
    patches1 = np.empty((1, 3, 3, 8, 8), W1.dtype)
    a1 = np.empty((8, 8, 8), W1.dtype)
    h1 = np.empty((8, 8, 8), W1.dtype)
    z2 = np.empty((8, 4, 4), np.int64)
    h2 = np.empty((8, 4, 4), W1.dtype)
    patches3 = np.empty((8, 3, 3, 2, 2), W1.dtype)
    a3 = np.empty((12, 2, 2), W1.dtype)
    h3 = np.empty((12, 2, 2), W1.dtype)
    flat4 = np.empty(48, W1.dtype)
    a4 = np.empty_like(b4)
    e = np.empty_like(b4)
    f = np.empty_like(b4)
    da4 = np.empty_like(b4)
    dflat4 = np.empty(48, W1.dtype)
    dh3 = np.empty((12, 2, 2), W1.dtype)
    da3 = np.empty((12, 2, 2), W1.dtype)
    dh2 = np.empty((8, 4, 4), W1.dtype)
    dpatches3 = np.empty((8, 3, 3, 2, 2), W1.dtype)
    dh1 = np.empty((8, 8, 8), W1.dtype)
    da1 = np.empty((8, 8, 8), W1.dtype)
    forward_of_example(
        x, W1, b1, W3, b3, W4, b4, padded1, patches1, a1, h1, z2, h2,
        patches3, a3, h3, flat4, a4
    )
    # m = max_i<10 a4[i]
    m = a4[0]
    for i in range(10):
        m = max(m, a4[i])
    # z = Σ_i<10 e[i]
    z = zero
    # e[i] = exp(a4[i] - m)
    for i in range(10):
        e[i] = exp(a4[i] - m)
        z += e[i]
    # f[i] = e[i]/z
    per_z = one / z
    for i in range(10):
        f[i] = per_z * e[i]
    # l = m + log(z) - a4[y]
    l = m + log(z) - a4[y]
    # da4[i] = f[i] - 1[i=y]
    for i in range(10):
        da4[i] = f[i] - (one if i == y else zero)
    backward_of_example(
        W3, W4, a1, z2, a3, da4, dflat4, dh3, da3, dh2, dpatches3, dh1, da1
    )
    # dW1[o,c,u,v] = 2 l2 W1[o,c,u,v] + Σ_j<8Σ_i<8 padded1[c,j + u,i + v] da1[o,j,i]
    for o in range(8):
        for u in range(3):
            for v in range(3):
                total = zero
                for j in range(8):
                    for i in range(8):
                        total += padded1[0, j + u, i + v] * da1[o, j, i]
                dW1[o, 0, u, v] = total + real(2) * l2 * W1[o, 0, u, v]
    # db1[o] = Σ_j<8Σ_i<8 da1[o,j,i]
    for o in range(8):
        total = zero
        for j in range(8):
            for i in range(8):
                total += da1[o, j, i]
        db1[o] = total
    # dW3[o,c,u,v] = 2 l2 W3[o,c,u,v] + Σ_j<2Σ_i<2 h2[c,j + u,i + v] da3[o,j,i]
    for o in range(12):
        for c in range(8):
            for u in range(3):
                for v in range(3):
                    dW3[o, c, u, v] = real(2) * l2 * W3[o, c, u, v]
                for j in range(2):
                    for i in range(2):
                        for v in range(3):
                            dW3[o, c, u, v] += h2[c, j + u, i + v] * da3[o, j, i]
    # db3[o] = Σ_j<2Σ_i<2 da3[o,j,i]
    for o in range(12):
        total = zero
        for j in range(2):
            for i in range(2):
                total += da3[o, j, i]
        db3[o] = total
    # dW4[i,j] = da4[i] flat4[j] + 2 l2 W4[i,j]
    for i in range(10):
        for j in range(48):
            dW4[i, j] = da4[i] * flat4[j] + real(2) * l2 * W4[i, j]
    # db4[i] = da4[i]
    for i in range(10):
        db4[i] = da4[i]
    return l


@kernel
def scale_and_add_pk_qk(C, A, B, rows, columns, terms, scale, factor):
    """Update C[p,q] ← C[p,q] + scale C[p,q] + factor Σ_k A[p,k] B[q,k], tile by tile."""
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
            C[p, q] += factor * total_0_0 + scale * C[p, q]
            C[p, q + 1] += factor * total_0_1 + scale * C[p, q + 1]
            C[p, q + 2] += factor * total_0_2 + scale * C[p, q + 2]
            C[p, q + 3] += factor * total_0_3 + scale * C[p, q + 3]
            C[p, q + 4] += factor * total_0_4 + scale * C[p, q + 4]
            C[p, q + 5] += factor * total_0_5 + scale * C[p, q + 5]
            C[p + 1, q] += factor * total_1_0 + scale * C[p + 1, q]
            C[p + 1, q + 1] += factor * total_1_1 + scale * C[p + 1, q + 1]
            C[p + 1, q + 2] += factor * total_1_2 + scale * C[p + 1, q + 2]
            C[p + 1, q + 3] += factor * total_1_3 + scale * C[p + 1, q + 3]
            C[p + 1, q + 4] += factor * total_1_4 + scale * C[p + 1, q + 4]
            C[p + 1, q + 5] += factor * total_1_5 + scale * C[p + 1, q + 5]
            C[p + 2, q] += factor * total_2_0 + scale * C[p + 2, q]
            C[p + 2, q + 1] += factor * total_2_1 + scale * C[p + 2, q + 1]
            C[p + 2, q + 2] += factor * total_2_2 + scale * C[p + 2, q + 2]
            C[p + 2, q + 3] += factor * total_2_3 + scale * C[p + 2, q + 3]
            C[p + 2, q + 4] += factor * total_2_4 + scale * C[p + 2, q + 4]
            C[p + 2, q + 5] += factor * total_2_5 + scale * C[p + 2, q + 5]
            C[p + 3, q] += factor * total_3_0 + scale * C[p + 3, q]
            C[p + 3, q + 1] += factor * total_3_1 + scale * C[p + 3, q + 1]
            C[p + 3, q + 2] += factor * total_3_2 + scale * C[p + 3, q + 2]
            C[p + 3, q + 3] += factor * total_3_3 + scale * C[p + 3, q + 3]
            C[p + 3, q + 4] += factor * total_3_4 + scale * C[p + 3, q + 4]
            C[p + 3, q + 5] += factor * total_3_5 + scale * C[p + 3, q + 5]
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
            C[p, q] += factor * total_0 + scale * C[p, q]
            C[p, q + 1] += factor * total_1 + scale * C[p, q + 1]
            C[p, q + 2] += factor * total_2 + scale * C[p, q + 2]
            C[p, q + 3] += factor * total_3 + scale * C[p, q + 3]
            C[p, q + 4] += factor * total_4 + scale * C[p, q + 4]
            C[p, q + 5] += factor * total_5 + scale * C[p, q + 5]
    for q in range(columns - (columns % 6), columns):
        for p in range(rows):
            total = zero
            for k in range(terms):
                total += A[p, k] * B[q, k]
            C[p, q] += factor * total + scale * C[p, q]


@kernel
def add_rows(C, A, rows, terms, factor):
    """Update C[p] ← C[p] + factor Σ_k A[p,k]."""
    for p in range(rows):
        total = zero
        for k in range(terms):
            total += A[p, k]
        C[p] += factor * total


@kernel
def sgd_overlapped(X, Y, order, W1, b1, W3, b3, W4, b4, learning_rate, decay, l2, t):
    """As `sgd`, sums over windows as products of matrices: the same updates."""
    updates = order.shape[0]
    padded1 = aligned(1 * 10 * 10, W1).reshape(1, 10, 10)
    patches1 = aligned(1 * 3 * 3 * 8 * 8, W1).reshape(1, 3, 3, 8, 8)
    a1 = aligned(8 * 8 * 8, W1).reshape(8, 8, 8)
    h1 = aligned(8 * 8 * 8, W1).reshape(8, 8, 8)
    z2 = np.empty((8, 4, 4), np.int64)
    h2 = aligned(8 * 4 * 4, W1).reshape(8, 4, 4)
    patches3 = aligned(8 * 3 * 3 * 2 * 2, W1).reshape(8, 3, 3, 2, 2)
    a3 = aligned(12 * 2 * 2, W1).reshape(12, 2, 2)
    h3 = aligned(12 * 2 * 2, W1).reshape(12, 2, 2)
    flat4 = aligned(48, W1)
    a4 = aligned(10, W1)
    e = aligned(10, W1)
    f = aligned(10, W1)
    da4 = aligned(10, W1)
    dflat4 = aligned(48, W1)
    dh3 = aligned(12 * 2 * 2, W1).reshape(12, 2, 2)
    da3 = aligned(12 * 2 * 2, W1).reshape(12, 2, 2)
    dh2 = aligned(8 * 4 * 4, W1).reshape(8, 4, 4)
    dpatches3 = aligned(8 * 3 * 3 * 2 * 2, W1).reshape(8, 3, 3, 2, 2)
    dh1 = aligned(8 * 8 * 8, W1).reshape(8, 8, 8)
    da1 = aligned(8 * 8 * 8, W1).reshape(8, 8, 8)
    losses = zero
    done = 0
    for n in range(updates):
        row = order[n]
        x = X[row]
        y = Y[row]
        forward_of_example(
            x, W1, b1, W3, b3, W4, b4, padded1, patches1, a1, h1, z2, h2,
            patches3, a3, h3, flat4, a4
        )
        # m = max_i<10 a4[i]
        m = a4[0]
        for i in range(10):
            m = max(m, a4[i])
        # z = Σ_i<10 e[i]
        z = zero
        # e[i] = exp(a4[i] - m)
        for i in range(10):
            e[i] = exp(a4[i] - m)
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(10):
            f[i] = per_z * e[i]
        # l = m + log(z) - a4[y]
        l = m + log(z) - a4[y]
        # nothing is learnt from a loss that is not finite
        if not isfinite(l):
            break
        losses += l
        # step = learning_rate/(1 + t decay)
        step = learning_rate / (one + decay * real(n + t))
        # da4[i] = f[i] - 1[i=y]
        for i in range(10):
            da4[i] = f[i] - (one if i == y else zero)
        backward_of_example(
            W3, W4, a1, z2, a3, da4, dflat4, dh3, da3, dh2, dpatches3, dh1, da1
        )
        # W1[o,c,u,v] ← W1[o,c,u,v] + step (-2 l2 W1[o,c,u,v] - Σ_j<8Σ_i<8 patches1[c,u,v,j,i]
        #     da1[o,j,i])
        scale_and_add_pk_qk(
            W1.reshape(8, 9), da1.reshape(8, 64), patches1.reshape(9, 64), 8, 9,
            64, -real(2) * step * l2, -step
        )
        # b1[o] ← b1[o] - step Σ_j<8Σ_i<8 da1[o,j,i]
        add_rows(b1, da1.reshape(8, 64), 8, 64, -step)
        # W3[o,c,u,v] ← W3[o,c,u,v] + step (-2 l2 W3[o,c,u,v] - Σ_j<2Σ_i<2 patches3[c,u,v,j,i]
        #     da3[o,j,i])
        scale_and_add_pk_qk(
            W3.reshape(12, 72), da3.reshape(12, 4), patches3.reshape(72, 4), 12,
            72, 4, -real(2) * step * l2, -step
        )
        # b3[o] ← b3[o] - step Σ_j<2Σ_i<2 da3[o,j,i]
        add_rows(b3, da3.reshape(12, 4), 12, 4, -step)
        # W4[i,j] ← W4[i,j] + step (-da4[i] flat4[j] - 2 l2 W4[i,j]); b4[i] ← b4[i] - step
        #     da4[i]
        step_l2_x2 = real(2) * step * l2
        for i in range(10):
            step_da4 = step * da4[i]
            for j in range(48):
                W4_i_j = W4[i, j]
                W4_i_j -= W4_i_j * step_l2_x2 + step_da4 * flat4[j]
                W4[i, j] = W4_i_j
            b4[i] -= step * da4[i]
        done += 1
    return done, losses


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
def sgd_minibatch(X, Y, order, W1, b1, W3, b3, W4, b4, learning_rate, decay, l2, t, batch):
    """Update after every `batch` examples of X[order], by the mean of their gradients."""
    updates = order.shape[0]
    padded1 = aligned(1 * 10 * 10, W1).reshape(1, 10, 10)
    patches1 = aligned(1 * 3 * 3 * 8 * 8, W1).reshape(1, 3, 3, 8, 8)
    a1 = aligned(8 * 8 * 8, W1).reshape(8, 8, 8)
    h1 = aligned(8 * 8 * 8, W1).reshape(8, 8, 8)
    z2 = np.empty((8, 4, 4), np.int64)
    h2 = aligned(8 * 4 * 4, W1).reshape(8, 4, 4)
    patches3 = aligned(8 * 3 * 3 * 2 * 2, W1).reshape(8, 3, 3, 2, 2)
    a3 = aligned(12 * 2 * 2, W1).reshape(12, 2, 2)
    h3 = aligned(12 * 2 * 2, W1).reshape(12, 2, 2)
    flat4 = aligned(48, W1)
    a4 = aligned(10, W1)
    e = aligned(10, W1)
    f = aligned(10, W1)
    da4 = aligned(10, W1)
    dflat4 = aligned(48, W1)
    dh3 = aligned(12 * 2 * 2, W1).reshape(12, 2, 2)
    da3 = aligned(12 * 2 * 2, W1).reshape(12, 2, 2)
    dh2 = aligned(8 * 4 * 4, W1).reshape(8, 4, 4)
    dpatches3 = aligned(8 * 3 * 3 * 2 * 2, W1).reshape(8, 3, 3, 2, 2)
    dh1 = aligned(8 * 8 * 8, W1).reshape(8, 8, 8)
    da1 = aligned(8 * 8 * 8, W1).reshape(8, 8, 8)
    sum_W1 = aligned(8 * 1 * 3 * 3, W1).reshape(8, 1, 3, 3)
    sum_b1 = aligned(8, W1)
    sum_W3 = aligned(12 * 8 * 3 * 3, W1).reshape(12, 8, 3, 3)
    sum_b3 = aligned(12, W1)
    sum_W4 = aligned(10 * 48, W1).reshape(10, 48)
    sum_b4 = aligned(10, W1)
    losses = zero
    update = 0
    done = 0
    for start in range(0, updates, batch):
        count = min(batch, updates - start)
        # step = learning_rate/(1 + t decay)
        step = learning_rate / (one + decay * real(t + update))
        # sum_W1[i,j,k,p] = 0; sum_b1[i] = 0
        for i in range(8):
            for k in range(3):
                for p in range(3):
                    sum_W1[i, 0, k, p] = zero
            sum_b1[i] = zero
        # sum_W3[i,j,k,p] = 0; sum_b3[i] = 0
        for i in range(12):
            for j in range(8):
                for k in range(3):
                    for p in range(3):
                        sum_W3[i, j, k, p] = zero
            sum_b3[i] = zero
        # sum_W4[i,j] = 0; sum_b4[i] = 0
        for i in range(10):
            for j in range(48):
                sum_W4[i, j] = zero
            sum_b4[i] = zero
        total_l = zero
        for r in range(count):
            row = order[r + start]
            x = X[row]
            y = Y[row]
            forward_of_example(
                x, W1, b1, W3, b3, W4, b4, padded1, patches1, a1, h1, z2, h2,
                patches3, a3, h3, flat4, a4
            )
            # m = max_i<10 a4[i]
            m = a4[0]
            for i in range(10):
                m = max(m, a4[i])
            # z = Σ_i<10 e[i]
            z = zero
            # e[i] = exp(a4[i] - m)
            for i in range(10):
                e[i] = exp(a4[i] - m)
                z += e[i]
            # f[i] = e[i]/z
            per_z = one / z
            for i in range(10):
                f[i] = per_z * e[i]
            # l = m + log(z) - a4[y]
            l = m + log(z) - a4[y]
            total_l += l
            # da4[i] = f[i] - 1[i=y]
            for i in range(10):
                da4[i] = f[i] - (one if i == y else zero)
            backward_of_example(
                W3, W4, a1, z2, a3, da4, dflat4, dh3, da3, dh2, dpatches3, dh1, da1
            )
            # sum_W1[o,c,u,v] ← sum_W1[o,c,u,v] - step Σ_j<8Σ_i<8 patches1[c,u,v,j,i] da1[o,j,i]
            add_pk_qk(
                sum_W1.reshape(8, 9), da1.reshape(8, 64), patches1.reshape(9, 64),
                8, 9, 64, -step
            )
            # sum_b1[o] ← sum_b1[o] - step Σ_j<8Σ_i<8 da1[o,j,i]
            add_rows(sum_b1, da1.reshape(8, 64), 8, 64, -step)
            # sum_W3[o,c,u,v] ← sum_W3[o,c,u,v] - step Σ_j<2Σ_i<2 patches3[c,u,v,j,i] da3[o,j,i]
            add_pk_qk(
                sum_W3.reshape(12, 72), da3.reshape(12, 4), patches3.reshape(72, 4),
                12, 72, 4, -step
            )
            # sum_b3[o] ← sum_b3[o] - step Σ_j<2Σ_i<2 da3[o,j,i]
            add_rows(sum_b3, da3.reshape(12, 4), 12, 4, -step)
            # sum_W4[i,j] ← sum_W4[i,j] - step da4[i] flat4[j]; sum_b4[i] ← sum_b4[i] - step
            #     da4[i]
            step_da4 = step * da4[9]
            for j in range(48):
                sum_W4[9, j] -= step_da4 * flat4[j]
            sum_b4[9] -= step * da4[9]
            for i in range(6, -1, -3):
                step_da4_0 = step * da4[i]
                step_da4_1 = step * da4[i + 1]
                step_da4_2 = step * da4[i + 2]
                for j in range(48):
                    flat4_j = flat4[j]
                    sum_W4[i, j] -= flat4_j * step_da4_0
                    sum_W4[i + 1, j] -= flat4_j * step_da4_1
                    sum_W4[i + 2, j] -= flat4_j * step_da4_2
                sum_b4[i] -= step * da4[i]
                sum_b4[i + 1] -= step * da4[i + 1]
                sum_b4[i + 2] -= step * da4[i + 2]
        # nothing is learnt from a loss that is not finite
        if not isfinite(total_l):
            break
        losses += total_l
        # W1[o,c,u,v] ← W1[o,c,u,v] + sum_W1[o,c,u,v]/count - 2 step l2 W1[o,c,u,v]; b1[o] ←
        #     b1[o] + sum_b1[o]/count
        per_count = one / real(count)
        step_l2_x2 = real(2) * step * l2
        for o in range(8):
            for u in range(3):
                for v in range(3):
                    W1_o_c_u_v = W1[o, 0, u, v]
                    W1_o_c_u_v += per_count * sum_W1[o, 0, u, v] - W1_o_c_u_v * step_l2_x2
                    W1[o, 0, u, v] = W1_o_c_u_v
            b1[o] += per_count * sum_b1[o]
        # W3[o,c,u,v] ← W3[o,c,u,v] + sum_W3[o,c,u,v]/count - 2 step l2 W3[o,c,u,v]; b3[o] ←
        #     b3[o] + sum_b3[o]/count
        for o in range(12):
            for c in range(8):
                for u in range(3):
                    for v in range(3):
                        W3_o_c_u_v = W3[o, c, u, v]
                        W3_o_c_u_v += per_count * sum_W3[o, c, u, v] - W3_o_c_u_v * step_l2_x2
                        W3[o, c, u, v] = W3_o_c_u_v
            b3[o] += per_count * sum_b3[o]
        # W4[i,j] ← W4[i,j] + sum_W4[i,j]/count - 2 step l2 W4[i,j]; b4[i] ← b4[i] +
        #     sum_b4[i]/count
        for i in range(10):
            for j in range(48):
                W4_i_j = W4[i, j]
                W4_i_j += per_count * sum_W4[i, j] - W4_i_j * step_l2_x2
                W4[i, j] = W4_i_j
            b4[i] += per_count * sum_b4[i]
        update += 1
        done += count
    return done, losses


@kernel
def sgd(X, Y, order, W1, b1, W3, b3, W4, b4, learning_rate, decay, l2, t):
    """Update after each example of X[order]; return how many were done and the sum of their
    losses."""
    updates = order.shape[0]
    padded1 = np.empty((1, 10, 10), W1.dtype)
    a1 = np.empty((8, 8, 8), W1.dtype)
    h1 = np.empty((8, 8, 8), W1.dtype)
    z2 = np.empty((8, 4, 4), np.int64)
    h2 = np.empty((8, 4, 4), W1.dtype)
    a3 = np.empty((12, 2, 2), W1.dtype)
    h3 = np.empty((12, 2, 2), W1.dtype)
    flat4 = np.empty(48, W1.dtype)
    a4 = np.empty_like(b4)
    e = np.empty_like(b4)
    f = np.empty_like(b4)
    da4 = np.empty_like(b4)
    dflat4 = np.empty(48, W1.dtype)
    dh3 = np.empty((12, 2, 2), W1.dtype)
    da3 = np.empty((12, 2, 2), W1.dtype)
    dh2 = np.empty((8, 4, 4), W1.dtype)
    dh1 = np.empty((8, 8, 8), W1.dtype)
    da1 = np.empty((8, 8, 8), W1.dtype)
    losses = zero
    done = 0
    l2_x2 = real(2) * l2
    for n in range(updates):
        row = order[n]
        x = X[row]
        y = Y[row]
        # padded1[c,i,j] = {x[c,i - 1,j - 1] if i < 9 and i ≥ 1 and j < 9 and j ≥ 1; 0
        #     otherwise}
        for i in range(10):
            for j in range(10):
                padded1[0, i, j] = (
                    x[0, i - 1, j - 1] if i < 9 and i >= 1 and j < 9 and j >= 1 else zero
                )
        # a1[o,p,q] = b1[o] + Σ_c<1Σ_u<3Σ_v<3 W1[o,c,u,v] padded1[c,p + u,q + v]
        for o in range(8):
            b1_o = b1[o]
            for p in range(8):
                for q in range(8):
                    a1[o, p, q] = b1_o
                for u in range(3):
                    for v in range(3):
                        W1_o_c_u_v = W1[o, 0, u, v]
                        for q in range(8):
                            a1[o, p, q] += W1_o_c_u_v * padded1[0, p + u, q + v]
        # h1[o,p,q] = {0 if a1[o,p,q] ≤ 0; a1[o,p,q] otherwise}
        for o in range(8):
            for p in range(8):
                for q in range(8):
                    h1[o, p, q] = zero if a1[o, p, q] <= zero else a1[o, p, q]
        # z2[c,p,q] = argmax_u<2,v<2 h1[c,u + 2 p,v + 2 q]
        for c in range(8):
            for p in range(4):
                for q in range(4):
                    largest = h1[c, 2 * p, 2 * q]
                    z2[c, p, q] = 0
                    for u in range(2):
                        for v in range(2):
                            if (
                                h1[c, 2 * p + u, 2 * q + v] != h1[c, 2 * p + u, 2 * q + v] or
                                h1[c, 2 * p + u, 2 * q + v] > largest
                            ):
                                largest = h1[c, 2 * p + u, 2 * q + v]
                                z2[c, p, q] = 2 * u + v
        # h2[c,p,q] = h1[c,2 p + floor(z2[c,p,q]/2),2 q + Mod(z2[c,p,q], 2)]
        for c in range(8):
            for p in range(4):
                for q in range(4):
                    h2[c, p, q] = h1[c, 2 * p + z2[c, p, q] // 2, 2 * q + z2[c, p, q] % 2]
        # a3[o,p,q] = b3[o] + Σ_c<8Σ_u<3Σ_v<3 W3[o,c,u,v] h2[c,p + u,q + v]
        for o in range(12):
            b3_o = b3[o]
            for p in range(2):
                for q in range(2):
                    total = zero
                    for c in range(8):
                        for u in range(3):
                            for v in range(3):
                                total += W3[o, c, u, v] * h2[c, p + u, q + v]
                    a3[o, p, q] = b3_o + total
        # h3[o,p,q] = {0 if a3[o,p,q] ≤ 0; a3[o,p,q] otherwise}
        for o in range(12):
            for p in range(2):
                for q in range(2):
                    h3[o, p, q] = zero if a3[o, p, q] <= zero else a3[o, p, q]
        # flat4[q + 2 p + 4 c] = h3[c,p,q]
        for c in range(12):
            for p in range(2):
                for q in range(2):
                    flat4[2 * p + 4 * c + q] = h3[c, p, q]
        # a4[i] = b4[i] + Σ_j<48 W4[i,j] flat4[j]
        for i in range(10):
            total = zero
            for j in range(48):
                total += W4[i, j] * flat4[j]
            a4[i] = b4[i] + total
        # m = max_i<10 a4[i]
        m = a4[0]
        for i in range(10):
            m = max(m, a4[i])
        # e[i] = exp(a4[i] - m)
        for i in range(10):
            e[i] = exp(a4[i] - m)
        # z = Σ_i<10 e[i]
        z = zero
        for i in range(10):
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(10):
            f[i] = per_z * e[i]
        # l = m + log(z) - a4[y]
        l = m + log(z) - a4[y]
        # da4[i] = f[i] - 1[i=y]
        for i in range(10):
            da4[i] = f[i] - (one if i == y else zero)
        # dflat4[i] = Σ_j<10 W4[j,i] da4[j]
        for i in range(48):
            dflat4[i] = zero
        for j in range(10):
            da4_j = da4[j]
            for i in range(48):
                dflat4[i] += da4_j * W4[j, i]
        # dh3[o,p,q] = dflat4[q + 2 p + 4 o]
        for o in range(12):
            for p in range(2):
                for q in range(2):
                    dh3[o, p, q] = dflat4[2 * p + 4 * o + q]
        # da3[o,p,q] = dh3[o,p,q] {0 if a3[o,p,q] ≤ 0; 1 otherwise}
        for o in range(12):
            for p in range(2):
                for q in range(2):
                    da3[o, p, q] = dh3[o, p, q] * (zero if a3[o, p, q] <= zero else one)
        # dh2[c,p,q] = 0
        for c in range(8):
            for p in range(4):
                for q in range(4):
                    dh2[c, p, q] = zero
        # dh2[u,j + k,i + p] ← W3[o,u,j,i] da3[o,k,p] + dh2[u,j + k,i + p]
        for o in range(12):
            for u in range(8):
                for j in range(3):
                    for k in range(2):
                        for p in range(2):
                            da3_o_k_p = da3[o, k, p]
                            for i in range(3):
                                dh2[u, j + k, i + p] += da3_o_k_p * W3[o, u, j, i]
        # dh1[o,p,q] = 0
        for o in range(8):
            for p in range(8):
                for q in range(8):
                    dh1[o, p, q] = zero
        # dh1[c,2 i + floor(z2[c,i,j]/2),2 j + Mod(z2[c,i,j], 2)] ← dh2[c,i,j] +
        #     dh1[c,2 i + floor(z2[c,i,j]/2),2 j + Mod(z2[c,i,j], 2)]
        for c in range(8):
            for i in range(4):
                for j in range(4):
                    dh1[c, 2 * i + z2[c, i, j] // 2, 2 * j + z2[c, i, j] % 2] += dh2[c, i, j]
        # da1[o,p,q] = dh1[o,p,q] {0 if a1[o,p,q] ≤ 0; 1 otherwise}
        for o in range(8):
            for p in range(8):
                for q in range(8):
                    da1[o, p, q] = dh1[o, p, q] * (zero if a1[o, p, q] <= zero else one)
        # nothing is learnt from a loss that is not finite
        if not isfinite(l):
            break
        losses += l
        # step = learning_rate/(1 + t decay)
        step = learning_rate / (one + decay * real(n + t))
        # W1[o,c,u,v] ← W1[o,c,u,v] + step (-2 l2 W1[o,c,u,v] - Σ_j<8Σ_i<8
        #     padded1[c,j + u,i + v] da1[o,j,i])
        step_l2_x2 = l2_x2 * step
        for o in range(8):
            for u in range(3):
                for v in range(3):
                    total = zero
                    for j in range(8):
                        for i in range(8):
                            total += padded1[0, j + u, i + v] * da1[o, j, i]
                    W1[o, 0, u, v] -= step * total + step_l2_x2 * W1[o, 0, u, v]
        # b1[o] ← b1[o] - step Σ_j<8Σ_i<8 da1[o,j,i]
        for o in range(8):
            total = zero
            for j in range(8):
                for i in range(8):
                    total += da1[o, j, i]
            b1[o] -= step * total
        # W3[o,c,u,v] ← W3[o,c,u,v] + step (-2 l2 W3[o,c,u,v] - Σ_j<2Σ_i<2 h2[c,j + u,i + v]
        #     da3[o,j,i])
        for o in range(12):
            for c in range(8):
                for u in range(3):
                    for v in range(3):
                        W3[o, c, u, v] -= step_l2_x2 * W3[o, c, u, v]
                    for j in range(2):
                        for i in range(2):
                            step_da3_o = step * da3[o, j, i]
                            for v in range(3):
                                W3[o, c, u, v] -= step_da3_o * h2[c, j + u, i + v]
        # b3[o] ← b3[o] - step Σ_j<2Σ_i<2 da3[o,j,i]
        for o in range(12):
            total = zero
            for j in range(2):
                for i in range(2):
                    total += da3[o, j, i]
            b3[o] -= step * total
        # W4[i,j] ← W4[i,j] + step (-da4[i] flat4[j] - 2 l2 W4[i,j])
        for i in range(10):
            step_da4 = step * da4[i]
            for j in range(48):
                W4[i, j] -= step_da4 * flat4[j] + step_l2_x2 * W4[i, j]
        # b4[i] ← b4[i] - step da4[i]
        for i in range(10):
            b4[i] -= step * da4[i]
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
