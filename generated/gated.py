"""Exact per-example SGD: 64, 3 layers; softmax output, nll loss, penalty l2.

Given:

    z1[i] = Σ_j<64 W1[i,j] x[j]
    mu1 = Σ_i<48 z1[i]/48
    r1[i] = z1[i] - mu1
    v1 = Σ_i<48 r1[i]²/48
    a1[i] = b1[i] + g1[i] r1[i]/√(1e-05 + v1)
    h1[i] = a1[i]/(1 + exp(-a1[i]))
    z2[i] = Σ_j<48 U2[i,j] h1[j]
    w2[i] = Σ_j<48 V2[i,j] h1[j]
    h2[i] = (c2[i] + w2[i])/(1 + exp(-d2[i] - z2[i]))
    a3[i] = b3[i] + Σ_j<32 W3[i,j] h2[j]
    f[i] = exp(a3[i])/Σ_j<10 exp(a3[j])
    l = -log(f[y])

Penalty:

    l2 times Σ_i<48Σ_j<64 W1[i,j]² + Σ_i<32Σ_j<48 U2[i,j]² + Σ_i<32Σ_j<48 V2[i,j]² + Σ_i<10Σ_j<32
        W3[i,j]²

Derived:

    da3[i] = f[i] - 1[i=y]
    dh2[i] = Σ_j<10 W3[j,i] da3[j]
    dd2[i] = dh2[i] (c2[i] + w2[i]) (1 - 1/(1 + exp(-d2[i] - z2[i])))/(1 + exp(-d2[i] - z2[i]))
    dc2[i] = dh2[i]/(1 + exp(-d2[i] - z2[i]))
    dw2[i] = dh2[i]/(1 + exp(-d2[i] - z2[i]))
    dz2[i] = dh2[i] (c2[i] + w2[i]) (1 - 1/(1 + exp(-d2[i] - z2[i])))/(1 + exp(-d2[i] - z2[i]))
    dh1[i] = Σ_j<32 U2[j,i] dz2[j] + Σ_j<32 V2[j,i] dw2[j]
    da1[i] = dh1[i] (1 + a1[i] - a1[i]/(1 + exp(-a1[i])))/(1 + exp(-a1[i]))
    dv1 = -Σ_i<48 da1[i] g1[i] r1[i]/(2 (1e-05 + v1)**(3/2))
    dr1[i] = dv1 r1[i]/24 + da1[i] g1[i]/√(1e-05 + v1)
    dmu1 = -Σ_i<48 dr1[i]
    dz1[i] = dr1[i] + dmu1/48
    dW1[i,j] = dz1[i] x[j]
    db1[i] = da1[i]
    dg1[i] = da1[i] r1[i]/√(1e-05 + v1)
    dU2[i,j] = dz2[i] h1[j]
    dV2[i,j] = dw2[i] h1[j]
    dW3[i,j] = da3[i] h2[j]
    db3[i] = da3[i]

Update after each example:

    step = learning_rate/(1 + t decay)
    W1[i,j] ← W1[i,j] + step (-dz1[i] x[j] - 2 l2 W1[i,j])
    b1[i] ← b1[i] - step da1[i]
    g1[i] ← g1[i] - step da1[i] r1[i]/√(1e-05 + v1)
    U2[i,j] ← U2[i,j] + step (-dz2[i] h1[j] - 2 l2 U2[i,j])
    V2[i,j] ← V2[i,j] + step (-dw2[i] h1[j] - 2 l2 V2[i,j])
    c2[i] ← c2[i] - step dc2[i]
    d2[i] ← d2[i] - step dd2[i]
    W3[i,j] ← W3[i,j] + step (-da3[i] h2[j] - 2 l2 W3[i,j])
    b3[i] ← b3[i] - step da3[i]

Computed in forms that keep their digits (errors of both types, functions correctly rounded):

    h1[i]: a1[i]/(1 + exp(-a1[i])) is computed as {0 if a1[i] = -∞; {a1[i] if a1[i] > 0; a1[i]
        exp(-|a1[i]|/2)² otherwise}/(1 + exp(-|a1[i]|/2)²) otherwise}; 1.0e+08 ULP become 2.3 and at
        ±∞
    da1[i]: (1 + a1[i] - a1[i]/(1 + exp(-a1[i])))/(1 + exp(-a1[i])) is computed as {1 if a1[i] = ∞;
        0 if a1[i] = -∞; {1 + (1 + a1[i]) exp(-|a1[i]|/2)² if a1[i] > 0; (1 + a1[i] +
        exp(-|a1[i]|/2)²) exp(-|a1[i]|/2)² otherwise}/(1 + exp(-|a1[i]|/2)²)² otherwise}; 1.0e+08
        ULP become 3.8 and at ±∞

Schedules:

    plain: the order of the lecture.
    overlapped: every update joins the last sweep that reads its weights; the first layer's joins
        the next use.
    deferred: after r examples of a block W1 is W1 + p1 W1 + Σ_s<r K1_s da1_s x_sᵀ, and what is kept
        beside it is such a sum too; an update acts on the coefficients as on W1, every read of W1
        is one from before the block:
    p1 = 0
    A1[r,i] = Σ_j<64 H1[r,j] W1[i,j]
    G1[r,s] = Σ_j<64 H1[r,j] H1[s,j]
    z1[i] = A1[r,i] + p1 A1[r,i] + Σ_s<r D1[s,i] G1[r,s] K1[s]
    D1[r,i] = dz1[i]
    K1[s] ← K1[s] (1 - 2 step l2)
    K1[r] = -step
    p1 ← p1 - 2 step l2 (1 + p1)
    E1[r,i] = D1[r,i] K1[r]
    W1[i,j] ← W1[i,j] + p1 W1[i,j] + Σ_r E1[r,i] H1[r,j]

Regenerate with:

    symbackprop generate --network gated.toml -o gated.py, or build(Network([...])) in
        Python

By symbackprop 0.1.0 and SymPy 1.14.0; digest of what follows: 2cf2441db5d3ec08.
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
    "name": "gated",
    "preactivation": "layer_normalised(48), gated(32), dense(10)",
    "activations": ["silu", "none"],
    "output": "softmax",
    "loss": "nll",
    "target": "label",
    "penalty": "l2",
    "initializer": "glorot",
    "step_size": "inverse",
    "learned": ["g=1.0"],
    "learned_per_unit": [],
    "dtype": "float32",
    "layers": 3,
    "parameters": {
        "W1": ["48", "64"],
        "b1": ["48"],
        "g1": ["48"],
        "U2": ["32", "48"],
        "V2": ["32", "48"],
        "c2": ["32"],
        "d2": ["32"],
        "W3": ["10", "32"],
        "b3": ["10"],
    },
    "sizes": [64, 48, 32, 10],
    "input": [64],
    "hyperparameters": {"decay": 0.0, "l2": 0.0},
    "initial": {
        "distribution": "uniform",
        "defaults": {},
        "values": {"g1": 1.0},
        "fans": {
            "W1": [64, 48],
            "U2": [48, 32],
            "V2": [48, 32],
            "d2": [1, 32],
            "W3": [32, 10],
        },
    },
    "refused": {},
    "network": (
        "preactivation=layer_normalised(48), gated(32), dense(10); "
        "activations=['silu', 'none']; output=softmax; loss=nll; "
        "target=label; penalty=l2; learned=g"
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


@elementary
def sqrt(x):
    """√x, correctly rounded: with the flags of its caller it would be an estimate, and NaN at inf."""
    return np.sqrt(x)


@elementary
def ratio(x, y):
    """x / y, for a y with a root in it: with the flags of its caller it would be x times an estimate of 1/√."""
    return x / y


@elementary
def scaled(m, h):
    """m h², in this order: h² alone may be subnormal, and lose its digits, where m h² is not."""
    return (m * h) * h


@kernel
def forward(X, W1, b1, g1, U2, V2, c2, d2, W3, b3, F):
    """Write the outputs of every example of X to F."""
    N = X.shape[0]
    z1 = np.empty_like(b1)
    r1 = np.empty_like(b1)
    a1 = np.empty_like(b1)
    h1 = np.empty_like(b1)
    z2 = np.empty_like(c2)
    w2 = np.empty_like(c2)
    h2 = np.empty_like(c2)
    a3 = np.empty_like(b3)
    e = np.empty_like(b3)
    for n in range(N):
        x = X[n]
        f = F[n]
        # z1[i] = Σ_j<64 W1[i,j] x[j]
        for i in range(48):
            total = zero
            for j in range(64):
                total += W1[i, j] * x[j]
            z1[i] = total
        # mu1 = Σ_i<48 z1[i]/48
        total = zero
        for i in range(48):
            total += z1[i]
        mu1 = real(0.020833333333333332) * total
        # r1[i] = z1[i] - mu1
        for i in range(48):
            r1[i] = z1[i] - mu1
        # v1 = Σ_i<48 r1[i]²/48
        total = zero
        for i in range(48):
            total += r1[i] * r1[i]
        v1 = real(0.020833333333333332) * total
        # a1[i] = b1[i] + g1[i] r1[i]/√(1e-05 + v1)
        constant = ratio(one, sqrt(real(1e-05) + v1))
        for i in range(48):
            a1[i] = b1[i] + constant * g1[i] * r1[i]
        # h1[i] = {0 if a1[i] = -∞; {a1[i] if a1[i] > 0; a1[i] exp(-|a1[i]|/2)² otherwise}/(1
        #     + exp(-|a1[i]|/2)²) otherwise}
        for i in range(48):
            shared = exp(-abs(real(0.5) * a1[i]))
            h1[i] = (
                zero if a1[i] == -real(np.inf) else (a1[i] if a1[i] > zero
                else scaled(a1[i], shared)) / (one + shared * shared)
            )
        # z2[i] = Σ_j<48 U2[i,j] h1[j]
        for i in range(32):
            total = zero
            for j in range(48):
                total += U2[i, j] * h1[j]
            z2[i] = total
        # w2[i] = Σ_j<48 V2[i,j] h1[j]
        for i in range(32):
            total = zero
            for j in range(48):
                total += V2[i, j] * h1[j]
            w2[i] = total
        # h2[i] = (c2[i] + w2[i])/(1 + exp(-d2[i] - z2[i]))
        for i in range(32):
            h2[i] = (c2[i] + w2[i]) / (one + exp(-d2[i] - z2[i]))
        # a3[i] = b3[i] + Σ_j<32 W3[i,j] h2[j]
        for i in range(10):
            total = zero
            for j in range(32):
                total += W3[i, j] * h2[j]
            a3[i] = b3[i] + total
        # m = max_i<10 a3[i]
        m = a3[0]
        for i in range(10):
            m = max(m, a3[i])
        # e[i] = exp(a3[i] - m)
        for i in range(10):
            e[i] = exp(a3[i] - m)
        # z = Σ_i<10 e[i]
        z = zero
        for i in range(10):
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(10):
            f[i] = per_z * e[i]


@kernel
def loss(X, Y, W1, b1, g1, U2, V2, c2, d2, W3, b3):
    """Return the mean loss of the examples, without the penalty."""
    N = X.shape[0]
    z1 = np.empty_like(b1)
    r1 = np.empty_like(b1)
    a1 = np.empty_like(b1)
    h1 = np.empty_like(b1)
    z2 = np.empty_like(c2)
    w2 = np.empty_like(c2)
    h2 = np.empty_like(c2)
    a3 = np.empty_like(b3)
    e = np.empty_like(b3)
    f = np.empty_like(b3)
    mean = zero
    for n in range(N):
        x = X[n]
        y = Y[n]
        # z1[i] = Σ_j<64 W1[i,j] x[j]
        for i in range(48):
            total = zero
            for j in range(64):
                total += W1[i, j] * x[j]
            z1[i] = total
        # mu1 = Σ_i<48 z1[i]/48
        total = zero
        for i in range(48):
            total += z1[i]
        mu1 = real(0.020833333333333332) * total
        # r1[i] = z1[i] - mu1
        for i in range(48):
            r1[i] = z1[i] - mu1
        # v1 = Σ_i<48 r1[i]²/48
        total = zero
        for i in range(48):
            total += r1[i] * r1[i]
        v1 = real(0.020833333333333332) * total
        # a1[i] = b1[i] + g1[i] r1[i]/√(1e-05 + v1)
        constant = ratio(one, sqrt(real(1e-05) + v1))
        for i in range(48):
            a1[i] = b1[i] + constant * g1[i] * r1[i]
        # h1[i] = {0 if a1[i] = -∞; {a1[i] if a1[i] > 0; a1[i] exp(-|a1[i]|/2)² otherwise}/(1
        #     + exp(-|a1[i]|/2)²) otherwise}
        for i in range(48):
            shared = exp(-abs(real(0.5) * a1[i]))
            h1[i] = (
                zero if a1[i] == -real(np.inf) else (a1[i] if a1[i] > zero
                else scaled(a1[i], shared)) / (one + shared * shared)
            )
        # z2[i] = Σ_j<48 U2[i,j] h1[j]
        for i in range(32):
            total = zero
            for j in range(48):
                total += U2[i, j] * h1[j]
            z2[i] = total
        # w2[i] = Σ_j<48 V2[i,j] h1[j]
        for i in range(32):
            total = zero
            for j in range(48):
                total += V2[i, j] * h1[j]
            w2[i] = total
        # h2[i] = (c2[i] + w2[i])/(1 + exp(-d2[i] - z2[i]))
        for i in range(32):
            h2[i] = (c2[i] + w2[i]) / (one + exp(-d2[i] - z2[i]))
        # a3[i] = b3[i] + Σ_j<32 W3[i,j] h2[j]
        for i in range(10):
            total = zero
            for j in range(32):
                total += W3[i, j] * h2[j]
            a3[i] = b3[i] + total
        # m = max_i<10 a3[i]
        m = a3[0]
        for i in range(10):
            m = max(m, a3[i])
        # e[i] = exp(a3[i] - m)
        for i in range(10):
            e[i] = exp(a3[i] - m)
        # z = Σ_i<10 e[i]
        z = zero
        for i in range(10):
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(10):
            f[i] = per_z * e[i]
        # l = m + log(z) - a3[y]
        l = m + log(z) - a3[y]
        mean += l
    return mean / real(N)


@kernel
def backward(
    x, y, W1, b1, g1, U2, V2, c2, d2, W3, b3, dW1, db1, dg1, dU2, dV2, dc2, dd2, dW3, db3, l2
):
    """Write the gradient of l + λΩ for one example to the arrays dW1, db1, ...; return l."""
    z1 = np.empty_like(b1)
    r1 = np.empty_like(b1)
    a1 = np.empty_like(b1)
    h1 = np.empty_like(b1)
    z2 = np.empty_like(c2)
    w2 = np.empty_like(c2)
    h2 = np.empty_like(c2)
    a3 = np.empty_like(b3)
    e = np.empty_like(b3)
    f = np.empty_like(b3)
    da3 = np.empty_like(b3)
    dh2 = np.empty_like(c2)
    dw2 = np.empty_like(c2)
    dz2 = np.empty_like(c2)
    dh1 = np.empty_like(b1)
    da1 = np.empty_like(b1)
    dr1 = np.empty_like(b1)
    dz1 = np.empty_like(b1)
    # z1[i] = Σ_j<64 W1[i,j] x[j]
    for i in range(48):
        total = zero
        for j in range(64):
            total += W1[i, j] * x[j]
        z1[i] = total
    # mu1 = Σ_i<48 z1[i]/48
    total = zero
    for i in range(48):
        total += z1[i]
    mu1 = real(0.020833333333333332) * total
    # r1[i] = z1[i] - mu1
    for i in range(48):
        r1[i] = z1[i] - mu1
    # v1 = Σ_i<48 r1[i]²/48
    total = zero
    for i in range(48):
        total += r1[i] * r1[i]
    v1 = real(0.020833333333333332) * total
    # a1[i] = b1[i] + g1[i] r1[i]/√(1e-05 + v1)
    constant = ratio(one, sqrt(real(1e-05) + v1))
    for i in range(48):
        a1[i] = b1[i] + constant * g1[i] * r1[i]
    # h1[i] = {0 if a1[i] = -∞; {a1[i] if a1[i] > 0; a1[i] exp(-|a1[i]|/2)² otherwise}/(1
    #     + exp(-|a1[i]|/2)²) otherwise}
    for i in range(48):
        shared = exp(-abs(real(0.5) * a1[i]))
        h1[i] = (
            zero if a1[i] == -real(np.inf) else (a1[i] if a1[i] > zero
            else scaled(a1[i], shared)) / (one + shared * shared)
        )
    # z2[i] = Σ_j<48 U2[i,j] h1[j]
    for i in range(32):
        total = zero
        for j in range(48):
            total += U2[i, j] * h1[j]
        z2[i] = total
    # w2[i] = Σ_j<48 V2[i,j] h1[j]
    for i in range(32):
        total = zero
        for j in range(48):
            total += V2[i, j] * h1[j]
        w2[i] = total
    # h2[i] = (c2[i] + w2[i])/(1 + exp(-d2[i] - z2[i]))
    for i in range(32):
        h2[i] = (c2[i] + w2[i]) / (one + exp(-d2[i] - z2[i]))
    # a3[i] = b3[i] + Σ_j<32 W3[i,j] h2[j]
    for i in range(10):
        total = zero
        for j in range(32):
            total += W3[i, j] * h2[j]
        a3[i] = b3[i] + total
    # m = max_i<10 a3[i]
    m = a3[0]
    for i in range(10):
        m = max(m, a3[i])
    # e[i] = exp(a3[i] - m)
    for i in range(10):
        e[i] = exp(a3[i] - m)
    # z = Σ_i<10 e[i]
    z = zero
    for i in range(10):
        z += e[i]
    # f[i] = e[i]/z
    per_z = one / z
    for i in range(10):
        f[i] = per_z * e[i]
    # l = m + log(z) - a3[y]
    l = m + log(z) - a3[y]
    # da3[i] = f[i] - 1[i=y]
    for i in range(10):
        da3[i] = f[i] - (one if i == y else zero)
    # dh2[i] = Σ_j<10 W3[j,i] da3[j]
    for i in range(32):
        dh2[i] = zero
    for j in range(10):
        da3_j = da3[j]
        for i in range(32):
            dh2[i] += da3_j * W3[j, i]
    # dd2[i] = dh2[i] (c2[i] + w2[i]) (1 - 1/(1 + exp(-d2[i] - z2[i])))/(1 + exp(-d2[i] -
    #     z2[i]))
    for i in range(32):
        shared = one / (one + exp(-d2[i] - z2[i]))
        dd2[i] = shared * dh2[i] * (one - shared) * (c2[i] + w2[i])
    # dc2[i] = dh2[i]/(1 + exp(-d2[i] - z2[i]))
    for i in range(32):
        dc2[i] = dh2[i] / (one + exp(-d2[i] - z2[i]))
    # dw2[i] = dh2[i]/(1 + exp(-d2[i] - z2[i]))
    for i in range(32):
        dw2[i] = dh2[i] / (one + exp(-d2[i] - z2[i]))
    # dz2[i] = dh2[i] (c2[i] + w2[i]) (1 - 1/(1 + exp(-d2[i] - z2[i])))/(1 + exp(-d2[i] -
    #     z2[i]))
    for i in range(32):
        shared = one / (one + exp(-d2[i] - z2[i]))
        dz2[i] = shared * dh2[i] * (one - shared) * (c2[i] + w2[i])
    # dh1[i] = Σ_j<32 U2[j,i] dz2[j] + Σ_j<32 V2[j,i] dw2[j]
    for i in range(48):
        total = zero
        for j in range(32):
            total += V2[j, i] * dw2[j]
        total2 = zero
        for j in range(32):
            total2 += U2[j, i] * dz2[j]
        dh1[i] = total + total2
    # da1[i] = dh1[i] {1 if a1[i] = ∞; 0 if a1[i] = -∞; {1 + (1 + a1[i]) exp(-|a1[i]|/2)²
    #     if a1[i] > 0; (1 + a1[i] + exp(-|a1[i]|/2)²) exp(-|a1[i]|/2)² otherwise}/(1 +
    #     exp(-|a1[i]|/2)²)² otherwise}
    for i in range(48):
        shared = exp(-abs(real(0.5) * a1[i]))
        da1[i] = (
            dh1[i] * (one if a1[i] == real(np.inf) else zero if a1[i] == -real(np.inf)
            else (one + scaled(one + a1[i], shared) if a1[i] > zero else scaled(one + a1[i]
            + shared * shared, shared)) / ((one + shared * shared) * (one
            + shared * shared)))
        )
    # dv1 = -Σ_i<48 da1[i] g1[i] r1[i]/(2 (1e-05 + v1)**(3/2))
    total = zero
    for i in range(48):
        total += da1[i] * g1[i] * r1[i]
    dv1 = -ratio(real(0.5) * total, (real(1e-05) + v1) * sqrt(real(1e-05) + v1))
    # dr1[i] = dv1 r1[i]/24 + da1[i] g1[i]/√(1e-05 + v1)
    dv12 = real(0.041666666666666664) * dv1
    for i in range(48):
        dr1[i] = dv12 * r1[i] + constant * da1[i] * g1[i]
    # dmu1 = -Σ_i<48 dr1[i]
    total = zero
    for i in range(48):
        total += dr1[i]
    dmu1 = -total
    # dz1[i] = dr1[i] + dmu1/48
    dmu12 = real(0.020833333333333332) * dmu1
    for i in range(48):
        dz1[i] = dmu12 + dr1[i]
    # dW1[i,j] = dz1[i] x[j] + 2 l2 W1[i,j]
    l2_x2 = real(2) * l2
    for i in range(48):
        dz1_i = dz1[i]
        for j in range(64):
            dW1[i, j] = dz1_i * x[j] + l2_x2 * W1[i, j]
    # db1[i] = da1[i]
    for i in range(48):
        db1[i] = da1[i]
    # dg1[i] = da1[i] r1[i]/√(1e-05 + v1)
    for i in range(48):
        dg1[i] = constant * da1[i] * r1[i]
    # dU2[i,j] = dz2[i] h1[j] + 2 l2 U2[i,j]
    for i in range(32):
        dz2_i = dz2[i]
        for j in range(48):
            dU2[i, j] = dz2_i * h1[j] + l2_x2 * U2[i, j]
    # dV2[i,j] = dw2[i] h1[j] + 2 l2 V2[i,j]
    for i in range(32):
        dw2_i = dw2[i]
        for j in range(48):
            dV2[i, j] = dw2_i * h1[j] + l2_x2 * V2[i, j]
    # dW3[i,j] = da3[i] h2[j] + 2 l2 W3[i,j]
    for i in range(10):
        da3_i = da3[i]
        for j in range(32):
            dW3[i, j] = da3_i * h2[j] + l2_x2 * W3[i, j]
    # db3[i] = da3[i]
    for i in range(10):
        db3[i] = da3[i]
    return l


@kernel
def sgd(X, Y, order, W1, b1, g1, U2, V2, c2, d2, W3, b3, learning_rate, decay, l2, t):
    """Update after each example of X[order]; return how many were done and the sum of their
    losses."""
    updates = order.shape[0]
    z1 = np.empty_like(b1)
    r1 = np.empty_like(b1)
    a1 = np.empty_like(b1)
    h1 = np.empty_like(b1)
    z2 = np.empty_like(c2)
    w2 = np.empty_like(c2)
    h2 = np.empty_like(c2)
    a3 = np.empty_like(b3)
    e = np.empty_like(b3)
    f = np.empty_like(b3)
    da3 = np.empty_like(b3)
    dh2 = np.empty_like(c2)
    dd2 = np.empty_like(c2)
    dc2 = np.empty_like(c2)
    dw2 = np.empty_like(c2)
    dz2 = np.empty_like(c2)
    dh1 = np.empty_like(b1)
    da1 = np.empty_like(b1)
    dr1 = np.empty_like(b1)
    dz1 = np.empty_like(b1)
    losses = zero
    done = 0
    l2_x2 = real(2) * l2
    for n in range(updates):
        row = order[n]
        x = X[row]
        y = Y[row]
        # z1[i] = Σ_j<64 W1[i,j] x[j]
        for i in range(48):
            total = zero
            for j in range(64):
                total += W1[i, j] * x[j]
            z1[i] = total
        # mu1 = Σ_i<48 z1[i]/48
        total = zero
        for i in range(48):
            total += z1[i]
        mu1 = real(0.020833333333333332) * total
        # r1[i] = z1[i] - mu1
        for i in range(48):
            r1[i] = z1[i] - mu1
        # v1 = Σ_i<48 r1[i]²/48
        total = zero
        for i in range(48):
            total += r1[i] * r1[i]
        v1 = real(0.020833333333333332) * total
        # a1[i] = b1[i] + g1[i] r1[i]/√(1e-05 + v1)
        constant = ratio(one, sqrt(real(1e-05) + v1))
        for i in range(48):
            a1[i] = b1[i] + constant * g1[i] * r1[i]
        # h1[i] = {0 if a1[i] = -∞; {a1[i] if a1[i] > 0; a1[i] exp(-|a1[i]|/2)² otherwise}/(1
        #     + exp(-|a1[i]|/2)²) otherwise}
        for i in range(48):
            shared = exp(-abs(real(0.5) * a1[i]))
            h1[i] = (
                zero if a1[i] == -real(np.inf) else (a1[i] if a1[i] > zero
                else scaled(a1[i], shared)) / (one + shared * shared)
            )
        # z2[i] = Σ_j<48 U2[i,j] h1[j]
        for i in range(32):
            total = zero
            for j in range(48):
                total += U2[i, j] * h1[j]
            z2[i] = total
        # w2[i] = Σ_j<48 V2[i,j] h1[j]
        for i in range(32):
            total = zero
            for j in range(48):
                total += V2[i, j] * h1[j]
            w2[i] = total
        # h2[i] = (c2[i] + w2[i])/(1 + exp(-d2[i] - z2[i]))
        for i in range(32):
            h2[i] = (c2[i] + w2[i]) / (one + exp(-d2[i] - z2[i]))
        # a3[i] = b3[i] + Σ_j<32 W3[i,j] h2[j]
        for i in range(10):
            total = zero
            for j in range(32):
                total += W3[i, j] * h2[j]
            a3[i] = b3[i] + total
        # m = max_i<10 a3[i]
        m = a3[0]
        for i in range(10):
            m = max(m, a3[i])
        # e[i] = exp(a3[i] - m)
        for i in range(10):
            e[i] = exp(a3[i] - m)
        # z = Σ_i<10 e[i]
        z = zero
        for i in range(10):
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(10):
            f[i] = per_z * e[i]
        # l = m + log(z) - a3[y]
        l = m + log(z) - a3[y]
        # da3[i] = f[i] - 1[i=y]
        for i in range(10):
            da3[i] = f[i] - (one if i == y else zero)
        # dh2[i] = Σ_j<10 W3[j,i] da3[j]
        for i in range(32):
            dh2[i] = zero
        for j in range(10):
            da3_j = da3[j]
            for i in range(32):
                dh2[i] += da3_j * W3[j, i]
        # dd2[i] = dh2[i] (c2[i] + w2[i]) (1 - 1/(1 + exp(-d2[i] - z2[i])))/(1 + exp(-d2[i] -
        #     z2[i]))
        for i in range(32):
            shared = one / (one + exp(-d2[i] - z2[i]))
            dd2[i] = shared * dh2[i] * (one - shared) * (c2[i] + w2[i])
        # dc2[i] = dh2[i]/(1 + exp(-d2[i] - z2[i]))
        for i in range(32):
            dc2[i] = dh2[i] / (one + exp(-d2[i] - z2[i]))
        # dw2[i] = dh2[i]/(1 + exp(-d2[i] - z2[i]))
        for i in range(32):
            dw2[i] = dh2[i] / (one + exp(-d2[i] - z2[i]))
        # dz2[i] = dh2[i] (c2[i] + w2[i]) (1 - 1/(1 + exp(-d2[i] - z2[i])))/(1 + exp(-d2[i] -
        #     z2[i]))
        for i in range(32):
            shared = one / (one + exp(-d2[i] - z2[i]))
            dz2[i] = shared * dh2[i] * (one - shared) * (c2[i] + w2[i])
        # dh1[i] = Σ_j<32 U2[j,i] dz2[j] + Σ_j<32 V2[j,i] dw2[j]
        for i in range(48):
            total = zero
            for j in range(32):
                total += V2[j, i] * dw2[j]
            total2 = zero
            for j in range(32):
                total2 += U2[j, i] * dz2[j]
            dh1[i] = total + total2
        # da1[i] = dh1[i] {1 if a1[i] = ∞; 0 if a1[i] = -∞; {1 + (1 + a1[i]) exp(-|a1[i]|/2)²
        #     if a1[i] > 0; (1 + a1[i] + exp(-|a1[i]|/2)²) exp(-|a1[i]|/2)² otherwise}/(1 +
        #     exp(-|a1[i]|/2)²)² otherwise}
        for i in range(48):
            shared = exp(-abs(real(0.5) * a1[i]))
            da1[i] = (
                dh1[i] * (one if a1[i] == real(np.inf) else zero if a1[i] == -real(np.inf)
                else (one + scaled(one + a1[i], shared) if a1[i] > zero else scaled(one + a1[i]
                + shared * shared, shared)) / ((one + shared * shared) * (one
                + shared * shared)))
            )
        # dv1 = -Σ_i<48 da1[i] g1[i] r1[i]/(2 (1e-05 + v1)**(3/2))
        total = zero
        for i in range(48):
            total += da1[i] * g1[i] * r1[i]
        dv1 = -ratio(real(0.5) * total, (real(1e-05) + v1) * sqrt(real(1e-05) + v1))
        # dr1[i] = dv1 r1[i]/24 + da1[i] g1[i]/√(1e-05 + v1)
        dv12 = real(0.041666666666666664) * dv1
        for i in range(48):
            dr1[i] = dv12 * r1[i] + constant * da1[i] * g1[i]
        # dmu1 = -Σ_i<48 dr1[i]
        total = zero
        for i in range(48):
            total += dr1[i]
        dmu1 = -total
        # dz1[i] = dr1[i] + dmu1/48
        dmu12 = real(0.020833333333333332) * dmu1
        for i in range(48):
            dz1[i] = dmu12 + dr1[i]
        # nothing is learnt from a loss that is not finite
        if not isfinite(l):
            break
        losses += l
        # step = learning_rate/(1 + t decay)
        step = learning_rate / (one + decay * real(n + t))
        # W1[i,j] ← W1[i,j] + step (-dz1[i] x[j] - 2 l2 W1[i,j])
        step_l2_x2 = l2_x2 * step
        for i in range(48):
            step_dz1 = step * dz1[i]
            for j in range(64):
                W1[i, j] -= step_dz1 * x[j] + step_l2_x2 * W1[i, j]
        # b1[i] ← b1[i] - step da1[i]
        for i in range(48):
            b1[i] -= step * da1[i]
        # g1[i] ← g1[i] - step da1[i] r1[i]/√(1e-05 + v1)
        step_constant = ratio(step, sqrt(real(1e-05) + v1))
        for i in range(48):
            g1[i] -= step_constant * da1[i] * r1[i]
        # U2[i,j] ← U2[i,j] + step (-dz2[i] h1[j] - 2 l2 U2[i,j])
        for i in range(32):
            step_dz2 = step * dz2[i]
            for j in range(48):
                U2[i, j] -= step_dz2 * h1[j] + step_l2_x2 * U2[i, j]
        # V2[i,j] ← V2[i,j] + step (-dw2[i] h1[j] - 2 l2 V2[i,j])
        for i in range(32):
            step_dw2 = step * dw2[i]
            for j in range(48):
                V2[i, j] -= step_dw2 * h1[j] + step_l2_x2 * V2[i, j]
        # c2[i] ← c2[i] - step dc2[i]
        for i in range(32):
            c2[i] -= step * dc2[i]
        # d2[i] ← d2[i] - step dd2[i]
        for i in range(32):
            d2[i] -= step * dd2[i]
        # W3[i,j] ← W3[i,j] + step (-da3[i] h2[j] - 2 l2 W3[i,j])
        for i in range(10):
            step_da3 = step * da3[i]
            for j in range(32):
                W3[i, j] -= step_da3 * h2[j] + step_l2_x2 * W3[i, j]
        # b3[i] ← b3[i] - step da3[i]
        for i in range(10):
            b3[i] -= step * da3[i]
        done += 1
    return done, losses


@kernel
def sgd_overlapped(X, Y, order, W1, b1, g1, U2, V2, c2, d2, W3, b3, learning_rate, decay, l2, t):
    """As `sgd`, the first layer's update and its next use in one sweep: the same updates."""
    updates = order.shape[0]
    z1 = aligned(48, W1)
    r1 = aligned(48, W1)
    a1 = aligned(48, W1)
    h1 = aligned(48, W1)
    z2 = aligned(32, W1)
    w2 = aligned(32, W1)
    h2 = aligned(32, W1)
    a3 = aligned(10, W1)
    e = aligned(10, W1)
    f = aligned(10, W1)
    da3 = aligned(10, W1)
    dh2 = aligned(32, W1)
    dd2 = aligned(32, W1)
    dc2 = aligned(32, W1)
    dw2 = aligned(32, W1)
    dz2 = aligned(32, W1)
    dh1 = aligned(48, W1)
    da1 = aligned(48, W1)
    dr1 = aligned(48, W1)
    dz1 = aligned(48, W1)
    losses = zero
    done = 0
    row = order[0]
    x = X[row]
    # z1[i] = Σ_j<64 W1[i,j] x[j]
    for i in range(48):
        total = zero
        for j in range(64):
            total += W1[i, j] * x[j]
        z1[i] = total
    for n in range(updates):
        row = order[n]
        x = X[row]
        y = Y[row]
        # mu1 = Σ_i<48 z1[i]/48
        total = zero
        for i in range(48):
            total += z1[i]
        mu1 = real(0.020833333333333332) * total
        # v1 = Σ_i<48 r1[i]²/48
        total2 = zero
        # r1[i] = z1[i] - mu1
        for i in range(48):
            r1[i] = z1[i] - mu1
            total2 += r1[i] * r1[i]
        v1 = real(0.020833333333333332) * total2
        # a1[i] = b1[i] + g1[i] r1[i]/√(1e-05 + v1); h1[i] = {0 if a1[i] = -∞; {a1[i] if a1[i]
        #     > 0; a1[i] exp(-|a1[i]|/2)² otherwise}/(1 + exp(-|a1[i]|/2)²) otherwise}
        constant = ratio(one, sqrt(real(1e-05) + v1))
        for i in range(48):
            a1_i = b1[i] + constant * g1[i] * r1[i]
            shared = exp(-abs(real(0.5) * a1_i))
            h1[i] = (
                zero if a1_i == -real(np.inf) else (a1_i if a1_i > zero
                else scaled(a1_i, shared)) / (one + shared * shared)
            )
            a1[i] = a1_i
        # z2[i] = Σ_j<48 U2[i,j] h1[j]; w2[i] = Σ_j<48 V2[i,j] h1[j]; h2[i] = (c2[i] +
        #     w2[i])/(1 + exp(-d2[i] - z2[i]))
        for i in range(32):
            total3 = zero
            for j in range(48):
                total3 += U2[i, j] * h1[j]
            z2[i] = total3
            total4 = zero
            for j in range(48):
                total4 += V2[i, j] * h1[j]
            w2[i] = total4
            h2[i] = (c2[i] + w2[i]) / (one + exp(-d2[i] - z2[i]))
        # a3[i] = b3[i] + Σ_j<32 W3[i,j] h2[j]
        for i in range(10):
            total5 = zero
            for j in range(32):
                total5 += W3[i, j] * h2[j]
            a3[i] = b3[i] + total5
        # m = max_i<10 a3[i]
        m = a3[0]
        for i in range(10):
            m = max(m, a3[i])
        # z = Σ_i<10 e[i]
        z = zero
        # e[i] = exp(a3[i] - m)
        for i in range(10):
            e[i] = exp(a3[i] - m)
            z += e[i]
        # f[i] = e[i]/z
        per_z = one / z
        for i in range(10):
            f[i] = per_z * e[i]
        # l = m + log(z) - a3[y]
        l = m + log(z) - a3[y]
        # nothing is learnt from a loss that is not finite
        if not isfinite(l):
            break
        losses += l
        # step = learning_rate/(1 + t decay)
        step = learning_rate / (one + decay * real(n + t))
        # da3[i] = f[i] - 1[i=y]; b3[i] ← b3[i] - step da3[i]
        for i in range(10):
            da3[i] = f[i] - (one if i == y else zero)
            b3[i] -= step * da3[i]
        # dh2[i] = Σ_j<10 W3[j,i] da3[j]
        for i in range(32):
            dh2[i] = zero
        for j in range(10):
            da3_j = da3[j]
            for i in range(32):
                dh2[i] += da3_j * W3[j, i]
        # W3[i,j] ← W3[i,j] + step (-da3[i] h2[j] - 2 l2 W3[i,j])
        step_l2_x2 = real(2) * step * l2
        for i in range(10):
            step_da3 = step * da3[i]
            for j in range(32):
                W3_i_j = W3[i, j]
                W3_i_j -= W3_i_j * step_l2_x2 + step_da3 * h2[j]
                W3[i, j] = W3_i_j
        # dd2[i] = dh2[i] (c2[i] + w2[i]) (1 - 1/(1 + exp(-d2[i] - z2[i])))/(1 + exp(-d2[i] -
        #     z2[i]))
        for i in range(32):
            shared = one / (one + exp(-d2[i] - z2[i]))
            dd2[i] = shared * dh2[i] * (one - shared) * (c2[i] + w2[i])
        # dc2[i] = dh2[i]/(1 + exp(-d2[i] - z2[i]))
        for i in range(32):
            dc2[i] = dh2[i] / (one + exp(-d2[i] - z2[i]))
        # dw2[i] = dh2[i]/(1 + exp(-d2[i] - z2[i]))
        for i in range(32):
            dw2[i] = dh2[i] / (one + exp(-d2[i] - z2[i]))
        # dz2[i] = dh2[i] (c2[i] + w2[i]) (1 - 1/(1 + exp(-d2[i] - z2[i])))/(1 + exp(-d2[i] -
        #     z2[i])); c2[i] ← c2[i] - step dc2[i]; d2[i] ← d2[i] - step dd2[i]
        for i in range(32):
            d2_i = d2[i]
            c2_i = c2[i]
            shared = one / (one + exp(-d2_i - z2[i]))
            dz2[i] = shared * dh2[i] * (one - shared) * (c2_i + w2[i])
            c2_i -= step * dc2[i]
            d2_i -= step * dd2[i]
            c2[i] = c2_i
            d2[i] = d2_i
        # dh1[i] = Σ_j<32 U2[j,i] dz2[j] + Σ_j<32 V2[j,i] dw2[j]
        for i in range(48):
            total = total2 = zero
            for j in range(32):
                total += V2[j, i] * dw2[j]
                total2 += U2[j, i] * dz2[j]
            dh1[i] = total + total2
        # U2[i,j] ← U2[i,j] + step (-dz2[i] h1[j] - 2 l2 U2[i,j]); V2[i,j] ← V2[i,j] + step
        #     (-dw2[i] h1[j] - 2 l2 V2[i,j])
        step_l2_x2 = real(2) * step * l2
        for i in range(32):
            step_dz2 = step * dz2[i]
            step_dw2 = step * dw2[i]
            for j in range(48):
                U2_i_j = U2[i, j]
                h1_j = h1[j]
                V2_i_j = V2[i, j]
                U2_i_j -= U2_i_j * step_l2_x2 + h1_j * step_dz2
                V2_i_j -= V2_i_j * step_l2_x2 + h1_j * step_dw2
                U2[i, j] = U2_i_j
                V2[i, j] = V2_i_j
        # da1[i] = dh1[i] {1 if a1[i] = ∞; 0 if a1[i] = -∞; {1 + (1 + a1[i]) exp(-|a1[i]|/2)²
        #     if a1[i] > 0; (1 + a1[i] + exp(-|a1[i]|/2)²) exp(-|a1[i]|/2)² otherwise}/(1 +
        #     exp(-|a1[i]|/2)²)² otherwise}
        for i in range(48):
            a1_i = a1[i]
            shared = exp(-abs(real(0.5) * a1_i))
            da1[i] = (
                dh1[i] * (one if a1_i == real(np.inf) else zero if a1_i == -real(np.inf)
                else (one + scaled(one + a1_i, shared) if a1_i > zero else scaled(one + a1_i
                + shared * shared, shared)) / ((one + shared * shared) * (one
                + shared * shared)))
            )
        # dv1 = -Σ_i<48 da1[i] g1[i] r1[i]/(2 (1e-05 + v1)**(3/2))
        total = zero
        for i in range(48):
            total += da1[i] * g1[i] * r1[i]
        dv1 = -ratio(real(0.5) * total, (real(1e-05) + v1) * sqrt(real(1e-05) + v1))
        # dr1[i] = dv1 r1[i]/24 + da1[i] g1[i]/√(1e-05 + v1)
        dv12 = real(0.041666666666666664) * dv1
        constant = ratio(one, sqrt(real(1e-05) + v1))
        for i in range(48):
            dr1[i] = dv12 * r1[i] + constant * da1[i] * g1[i]
        # dmu1 = -Σ_i<48 dr1[i]
        total = zero
        for i in range(48):
            total += dr1[i]
        dmu1 = -total
        # dz1[i] = dr1[i] + dmu1/48
        dmu12 = real(0.020833333333333332) * dmu1
        for i in range(48):
            dz1[i] = dmu12 + dr1[i]
        row = order[min(n + 1, updates - 1)]
        x_next = X[row]
        # b1[i] ← b1[i] - step da1[i]; g1[i] ← g1[i] - step da1[i] r1[i]/√(1e-05 + v1);
        #     W1[i,j] ← W1[i,j] + step (-dz1[i] x[j] - 2 l2 W1[i,j]); z1[i] = Σ_j<64 W1[i,j]
        #     x_next[j]
        step_constant = ratio(step, sqrt(real(1e-05) + v1))
        step_l2_x2 = real(2) * step * l2
        for i in range(48):
            b1[i] -= step * da1[i]
            g1[i] -= step_constant * da1[i] * r1[i]
            total = zero
            step_dz1 = step * dz1[i]
            for j in range(64):
                W1_i_j = W1[i, j]
                W1_i_j -= W1_i_j * step_l2_x2 + step_dz1 * x[j]
                total += W1_i_j * x_next[j]
                W1[i, j] = W1_i_j
            z1[i] = total
        done += 1
    return done, losses


@kernel
def contract_pk_qk(C, A, B, rows, columns, terms):
    """Set C[p,q] = Σ_k A[p,k] B[q,k], tile by tile."""
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
            C[p, q] = total_0_0
            C[p, q + 1] = total_0_1
            C[p, q + 2] = total_0_2
            C[p, q + 3] = total_0_3
            C[p, q + 4] = total_0_4
            C[p, q + 5] = total_0_5
            C[p + 1, q] = total_1_0
            C[p + 1, q + 1] = total_1_1
            C[p + 1, q + 2] = total_1_2
            C[p + 1, q + 3] = total_1_3
            C[p + 1, q + 4] = total_1_4
            C[p + 1, q + 5] = total_1_5
            C[p + 2, q] = total_2_0
            C[p + 2, q + 1] = total_2_1
            C[p + 2, q + 2] = total_2_2
            C[p + 2, q + 3] = total_2_3
            C[p + 2, q + 4] = total_2_4
            C[p + 2, q + 5] = total_2_5
            C[p + 3, q] = total_3_0
            C[p + 3, q + 1] = total_3_1
            C[p + 3, q + 2] = total_3_2
            C[p + 3, q + 3] = total_3_3
            C[p + 3, q + 4] = total_3_4
            C[p + 3, q + 5] = total_3_5
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
            C[p, q] = total_0
            C[p, q + 1] = total_1
            C[p, q + 2] = total_2
            C[p, q + 3] = total_3
            C[p, q + 4] = total_4
            C[p, q + 5] = total_5
    for q in range(columns - (columns % 6), columns):
        for p in range(rows):
            total = zero
            for k in range(terms):
                total += A[p, k] * B[q, k]
            C[p, q] = total


@kernel
def scale_and_add_kp_kq(C, A, B, rows, columns, terms, scale, factor):
    """Update C[p,q] ← C[p,q] + scale C[p,q] + factor Σ_k A[k,p] B[k,q], tile by tile."""
    for p in range(0, rows - (rows % 6), 6):
        for q in range(columns):
            C_p_q = C[p, q]
            C_p1_q = C[p + 1, q]
            C_p2_q = C[p + 2, q]
            C_p3_q = C[p + 3, q]
            C_p4_q = C[p + 4, q]
            C_p5_q = C[p + 5, q]
            C_p_q += C_p_q * scale
            C_p1_q += C_p1_q * scale
            C_p2_q += C_p2_q * scale
            C_p3_q += C_p3_q * scale
            C_p4_q += C_p4_q * scale
            C_p5_q += C_p5_q * scale
            C[p, q] = C_p_q
            C[p + 1, q] = C_p1_q
            C[p + 2, q] = C_p2_q
            C[p + 3, q] = C_p3_q
            C[p + 4, q] = C_p4_q
            C[p + 5, q] = C_p5_q
        for k in range(0, terms - (terms % 4), 4):
            A_k_p_factor_0_0 = factor * A[k, p]
            A_k_p_factor_0_1 = factor * A[k, p + 1]
            A_k_p_factor_0_2 = factor * A[k, p + 2]
            A_k_p_factor_0_3 = factor * A[k, p + 3]
            A_k_p_factor_0_4 = factor * A[k, p + 4]
            A_k_p_factor_0_5 = factor * A[k, p + 5]
            A_k_p_factor_1_0 = factor * A[k + 1, p]
            A_k_p_factor_1_1 = factor * A[k + 1, p + 1]
            A_k_p_factor_1_2 = factor * A[k + 1, p + 2]
            A_k_p_factor_1_3 = factor * A[k + 1, p + 3]
            A_k_p_factor_1_4 = factor * A[k + 1, p + 4]
            A_k_p_factor_1_5 = factor * A[k + 1, p + 5]
            A_k_p_factor_2_0 = factor * A[k + 2, p]
            A_k_p_factor_2_1 = factor * A[k + 2, p + 1]
            A_k_p_factor_2_2 = factor * A[k + 2, p + 2]
            A_k_p_factor_2_3 = factor * A[k + 2, p + 3]
            A_k_p_factor_2_4 = factor * A[k + 2, p + 4]
            A_k_p_factor_2_5 = factor * A[k + 2, p + 5]
            A_k_p_factor_3_0 = factor * A[k + 3, p]
            A_k_p_factor_3_1 = factor * A[k + 3, p + 1]
            A_k_p_factor_3_2 = factor * A[k + 3, p + 2]
            A_k_p_factor_3_3 = factor * A[k + 3, p + 3]
            A_k_p_factor_3_4 = factor * A[k + 3, p + 4]
            A_k_p_factor_3_5 = factor * A[k + 3, p + 5]
            for q in range(columns):
                B_k1_q = B[k + 1, q]
                B_k2_q = B[k + 2, q]
                B_k3_q = B[k + 3, q]
                B_k_q = B[k, q]
                C[p, q] += (
                    A_k_p_factor_0_0 * B_k_q + A_k_p_factor_1_0 * B_k1_q + A_k_p_factor_2_0 * B_k2_q
                    + A_k_p_factor_3_0 * B_k3_q
                )
                C[p + 1, q] += (
                    A_k_p_factor_0_1 * B_k_q + A_k_p_factor_1_1 * B_k1_q + A_k_p_factor_2_1 * B_k2_q
                    + A_k_p_factor_3_1 * B_k3_q
                )
                C[p + 2, q] += (
                    A_k_p_factor_0_2 * B_k_q + A_k_p_factor_1_2 * B_k1_q + A_k_p_factor_2_2 * B_k2_q
                    + A_k_p_factor_3_2 * B_k3_q
                )
                C[p + 3, q] += (
                    A_k_p_factor_0_3 * B_k_q + A_k_p_factor_1_3 * B_k1_q + A_k_p_factor_2_3 * B_k2_q
                    + A_k_p_factor_3_3 * B_k3_q
                )
                C[p + 4, q] += (
                    A_k_p_factor_0_4 * B_k_q + A_k_p_factor_1_4 * B_k1_q + A_k_p_factor_2_4 * B_k2_q
                    + A_k_p_factor_3_4 * B_k3_q
                )
                C[p + 5, q] += (
                    A_k_p_factor_0_5 * B_k_q + A_k_p_factor_1_5 * B_k1_q + A_k_p_factor_2_5 * B_k2_q
                    + A_k_p_factor_3_5 * B_k3_q
                )
        for k in range(terms - (terms % 4), terms):
            A_k_p_factor_0 = factor * A[k, p]
            A_k_p_factor_1 = factor * A[k, p + 1]
            A_k_p_factor_2 = factor * A[k, p + 2]
            A_k_p_factor_3 = factor * A[k, p + 3]
            A_k_p_factor_4 = factor * A[k, p + 4]
            A_k_p_factor_5 = factor * A[k, p + 5]
            for q in range(columns):
                B_k_q = B[k, q]
                C[p, q] += A_k_p_factor_0 * B_k_q
                C[p + 1, q] += A_k_p_factor_1 * B_k_q
                C[p + 2, q] += A_k_p_factor_2 * B_k_q
                C[p + 3, q] += A_k_p_factor_3 * B_k_q
                C[p + 4, q] += A_k_p_factor_4 * B_k_q
                C[p + 5, q] += A_k_p_factor_5 * B_k_q
    for p in range(rows - (rows % 6), rows):
        for q in range(columns):
            C_p_q = C[p, q]
            C_p_q += C_p_q * scale
            C[p, q] = C_p_q
        for k in range(terms):
            A_k_p_factor = factor * A[k, p]
            for q in range(columns):
                C[p, q] += A_k_p_factor * B[k, q]


@kernel
def sgd_deferred(
    X, Y, order, W1, b1, g1, U2, V2, c2, d2, W3, b3, learning_rate, decay, l2, t, block
):
    """As `sgd`, the first layer's weights updated once a block: the same updates, see the
    header."""
    updates = order.shape[0]
    z1 = aligned(48, W1)
    r1 = aligned(48, W1)
    a1 = aligned(48, W1)
    h1 = aligned(48, W1)
    z2 = aligned(32, W1)
    w2 = aligned(32, W1)
    h2 = aligned(32, W1)
    a3 = aligned(10, W1)
    e = aligned(10, W1)
    f = aligned(10, W1)
    da3 = aligned(10, W1)
    dh2 = aligned(32, W1)
    dd2 = aligned(32, W1)
    dc2 = aligned(32, W1)
    dw2 = aligned(32, W1)
    dz2 = aligned(32, W1)
    dh1 = aligned(48, W1)
    da1 = aligned(48, W1)
    dr1 = aligned(48, W1)
    dz1 = aligned(48, W1)
    H1 = aligned(block * 64, W1).reshape(block, 64)
    A1 = aligned(block * 48, W1).reshape(block, 48)
    G1 = aligned(block * block, W1).reshape(block, block)
    D1 = aligned(block * 48, W1).reshape(block, 48)
    K1 = aligned(block, W1)
    E1 = aligned(block * 48, W1).reshape(block, 48)
    losses = zero
    done = 0
    for start in range(0, updates, block):
        count = min(block, updates - start)
        # H1[r,j] = x[j] of example r of the block
        for r in range(count):
            row = order[r + start]
            for j in range(64):
                H1[r, j] = X[row, j]
        # p1 = 0
        p1 = zero
        # A1[r,i] = Σ_j<64 H1[r,j] W1[i,j]
        contract_pk_qk(A1, H1, W1, count, 48, 64)
        # G1[r,s] = Σ_j<64 H1[r,j] H1[s,j]
        contract_pk_qk(G1, H1, H1, count, count, 64)
        for r in range(count):
            row = order[r + start]
            y = Y[row]
            # z1[i] = A1[r,i] + p1 A1[r,i] + Σ_s<r D1[s,i] G1[r,s] K1[s]
            for i in range(48):
                z1[i] = A1[r, i] + p1 * A1[r, i]
            for s in range(0, r - (r % 4), 4):
                G1_r_s_K1_s_0 = G1[r, s] * K1[s]
                G1_r_s_K1_s_1 = G1[r, s + 1] * K1[s + 1]
                G1_r_s_K1_s_2 = G1[r, s + 2] * K1[s + 2]
                G1_r_s_K1_s_3 = G1[r, s + 3] * K1[s + 3]
                for i in range(48):
                    z1[i] += (
                        G1_r_s_K1_s_0 * D1[s, i] + G1_r_s_K1_s_1 * D1[s + 1, i]
                        + G1_r_s_K1_s_2 * D1[s + 2, i] + G1_r_s_K1_s_3 * D1[s + 3, i]
                    )
            for s in range(r - (r % 4), r):
                G1_r_s_K1_s = G1[r, s] * K1[s]
                for i in range(48):
                    z1[i] += G1_r_s_K1_s * D1[s, i]
            # mu1 = Σ_i<48 z1[i]/48
            total = zero
            for i in range(48):
                total += z1[i]
            mu1 = real(0.020833333333333332) * total
            # v1 = Σ_i<48 r1[i]²/48
            total2 = zero
            # r1[i] = z1[i] - mu1
            for i in range(48):
                r1[i] = z1[i] - mu1
                total2 += r1[i] * r1[i]
            v1 = real(0.020833333333333332) * total2
            # a1[i] = b1[i] + g1[i] r1[i]/√(1e-05 + v1); h1[i] = {0 if a1[i] = -∞; {a1[i] if a1[i]
            #     > 0; a1[i] exp(-|a1[i]|/2)² otherwise}/(1 + exp(-|a1[i]|/2)²) otherwise}
            constant = ratio(one, sqrt(real(1e-05) + v1))
            for i in range(48):
                a1_i = b1[i] + constant * g1[i] * r1[i]
                shared = exp(-abs(real(0.5) * a1_i))
                h1[i] = (
                    zero if a1_i == -real(np.inf) else (a1_i if a1_i > zero
                    else scaled(a1_i, shared)) / (one + shared * shared)
                )
                a1[i] = a1_i
            # z2[i] = Σ_j<48 U2[i,j] h1[j]; w2[i] = Σ_j<48 V2[i,j] h1[j]; h2[i] = (c2[i] +
            #     w2[i])/(1 + exp(-d2[i] - z2[i]))
            for i in range(32):
                total3 = zero
                for j in range(48):
                    total3 += U2[i, j] * h1[j]
                z2[i] = total3
                total4 = zero
                for j in range(48):
                    total4 += V2[i, j] * h1[j]
                w2[i] = total4
                h2[i] = (c2[i] + w2[i]) / (one + exp(-d2[i] - z2[i]))
            # a3[i] = b3[i] + Σ_j<32 W3[i,j] h2[j]
            for i in range(10):
                total5 = zero
                for j in range(32):
                    total5 += W3[i, j] * h2[j]
                a3[i] = b3[i] + total5
            # m = max_i<10 a3[i]
            m = a3[0]
            for i in range(10):
                m = max(m, a3[i])
            # z = Σ_i<10 e[i]
            z = zero
            # e[i] = exp(a3[i] - m)
            for i in range(10):
                e[i] = exp(a3[i] - m)
                z += e[i]
            # f[i] = e[i]/z
            per_z = one / z
            for i in range(10):
                f[i] = per_z * e[i]
            # l = m + log(z) - a3[y]
            l = m + log(z) - a3[y]
            # nothing is learnt from a loss that is not finite
            if not isfinite(l):
                break
            losses += l
            # step = learning_rate/(1 + t decay)
            step = learning_rate / (one + decay * real(r + start + t))
            # da3[i] = f[i] - 1[i=y]; b3[i] ← b3[i] - step da3[i]
            for i in range(10):
                da3[i] = f[i] - (one if i == y else zero)
                b3[i] -= step * da3[i]
            # dh2[i] = Σ_j<10 W3[j,i] da3[j]
            for i in range(32):
                dh2[i] = zero
            for j in range(10):
                da3_j = da3[j]
                for i in range(32):
                    dh2[i] += da3_j * W3[j, i]
            # W3[i,j] ← W3[i,j] + step (-da3[i] h2[j] - 2 l2 W3[i,j])
            step_l2_x2 = real(2) * step * l2
            for i in range(10):
                step_da3 = step * da3[i]
                for j in range(32):
                    W3_i_j = W3[i, j]
                    W3_i_j -= W3_i_j * step_l2_x2 + step_da3 * h2[j]
                    W3[i, j] = W3_i_j
            # dd2[i] = dh2[i] (c2[i] + w2[i]) (1 - 1/(1 + exp(-d2[i] - z2[i])))/(1 + exp(-d2[i] -
            #     z2[i]))
            for i in range(32):
                shared = one / (one + exp(-d2[i] - z2[i]))
                dd2[i] = shared * dh2[i] * (one - shared) * (c2[i] + w2[i])
            # dc2[i] = dh2[i]/(1 + exp(-d2[i] - z2[i]))
            for i in range(32):
                dc2[i] = dh2[i] / (one + exp(-d2[i] - z2[i]))
            # dw2[i] = dh2[i]/(1 + exp(-d2[i] - z2[i]))
            for i in range(32):
                dw2[i] = dh2[i] / (one + exp(-d2[i] - z2[i]))
            # dz2[i] = dh2[i] (c2[i] + w2[i]) (1 - 1/(1 + exp(-d2[i] - z2[i])))/(1 + exp(-d2[i] -
            #     z2[i])); c2[i] ← c2[i] - step dc2[i]; d2[i] ← d2[i] - step dd2[i]
            for i in range(32):
                d2_i = d2[i]
                c2_i = c2[i]
                shared = one / (one + exp(-d2_i - z2[i]))
                dz2[i] = shared * dh2[i] * (one - shared) * (c2_i + w2[i])
                c2_i -= step * dc2[i]
                d2_i -= step * dd2[i]
                c2[i] = c2_i
                d2[i] = d2_i
            # dh1[i] = Σ_j<32 U2[j,i] dz2[j] + Σ_j<32 V2[j,i] dw2[j]
            for i in range(45, -1, -3):
                total_0 = total_1 = total_2 = total2_0 = total2_1 = total2_2 = zero
                for j in range(32):
                    dw2_j = dw2[j]
                    dz2_j = dz2[j]
                    total_0 += dw2_j * V2[j, i]
                    total_1 += dw2_j * V2[j, i + 1]
                    total_2 += dw2_j * V2[j, i + 2]
                    total2_0 += dz2_j * U2[j, i]
                    total2_1 += dz2_j * U2[j, i + 1]
                    total2_2 += dz2_j * U2[j, i + 2]
                dh1[i] = total2_0 + total_0
                dh1[i + 1] = total2_1 + total_1
                dh1[i + 2] = total2_2 + total_2
            # U2[i,j] ← U2[i,j] + step (-dz2[i] h1[j] - 2 l2 U2[i,j]); V2[i,j] ← V2[i,j] + step
            #     (-dw2[i] h1[j] - 2 l2 V2[i,j])
            step_l2_x2 = real(2) * step * l2
            for i in range(32):
                step_dz2 = step * dz2[i]
                step_dw2 = step * dw2[i]
                for j in range(48):
                    U2_i_j = U2[i, j]
                    h1_j = h1[j]
                    V2_i_j = V2[i, j]
                    U2_i_j -= U2_i_j * step_l2_x2 + h1_j * step_dz2
                    V2_i_j -= V2_i_j * step_l2_x2 + h1_j * step_dw2
                    U2[i, j] = U2_i_j
                    V2[i, j] = V2_i_j
            # da1[i] = dh1[i] {1 if a1[i] = ∞; 0 if a1[i] = -∞; {1 + (1 + a1[i]) exp(-|a1[i]|/2)²
            #     if a1[i] > 0; (1 + a1[i] + exp(-|a1[i]|/2)²) exp(-|a1[i]|/2)² otherwise}/(1 +
            #     exp(-|a1[i]|/2)²)² otherwise}
            for i in range(48):
                a1_i = a1[i]
                shared = exp(-abs(real(0.5) * a1_i))
                da1[i] = (
                    dh1[i] * (one if a1_i == real(np.inf) else zero if a1_i == -real(np.inf)
                    else (one + scaled(one + a1_i, shared) if a1_i > zero else scaled(one + a1_i
                    + shared * shared, shared)) / ((one + shared * shared) * (one
                    + shared * shared)))
                )
            # dv1 = -Σ_i<48 da1[i] g1[i] r1[i]/(2 (1e-05 + v1)**(3/2))
            total = zero
            for i in range(48):
                total += da1[i] * g1[i] * r1[i]
            dv1 = -ratio(real(0.5) * total, (real(1e-05) + v1) * sqrt(real(1e-05) + v1))
            # dr1[i] = dv1 r1[i]/24 + da1[i] g1[i]/√(1e-05 + v1)
            dv12 = real(0.041666666666666664) * dv1
            constant = ratio(one, sqrt(real(1e-05) + v1))
            for i in range(48):
                dr1[i] = dv12 * r1[i] + constant * da1[i] * g1[i]
            # dmu1 = -Σ_i<48 dr1[i]
            total = zero
            for i in range(48):
                total += dr1[i]
            dmu1 = -total
            # dz1[i] = dr1[i] + dmu1/48
            dmu12 = real(0.020833333333333332) * dmu1
            for i in range(48):
                dz1[i] = dmu12 + dr1[i]
            # b1[i] ← b1[i] - step da1[i]; g1[i] ← g1[i] - step da1[i] r1[i]/√(1e-05 + v1);
            #     D1[r,i] = dz1[i]
            step_constant = ratio(step, sqrt(real(1e-05) + v1))
            for i in range(48):
                da1_i = da1[i]
                b1[i] -= da1_i * step
                g1[i] -= da1_i * step_constant * r1[i]
                D1[r, i] = dz1[i]
            # K1[s] ← K1[s] (1 - 2 step l2)
            constant = one - real(2) * step * l2
            for s in range(r):
                K1[s] = constant * K1[s]
            # K1[r] = -step
            K1[r] = -step
            # p1 ← p1 - 2 step l2 (1 + p1)
            p1 -= real(2) * step * l2 + real(2) * p1 * step * l2
            done += 1
        count = done - start
        # E1[r,i] = D1[r,i] K1[r]
        for r in range(count):
            K1_r = K1[r]
            for i in range(48):
                E1[r, i] = K1_r * D1[r, i]
        # W1[i,j] ← W1[i,j] + p1 W1[i,j] + Σ_r E1[r,i] H1[r,j]
        scale_and_add_kp_kq(W1, E1, H1, 48, 64, count, p1, one)
        if done < min(block + start, updates):
            break
    return done, losses


@kernel
def each_decay_scaled(A, B, count):
    """Set A[i] = {0 if B[i] = -∞; {B[i] if B[i] > 0; B[i] exp(-|B[i]|/2)² otherwise}/(1 +
    exp(-|B[i]|/2)²) otherwise}."""
    for i in range(count):
        shared = exp(-abs(real(0.5) * B[i]))
        A[i] = (
            zero if B[i] == -real(np.inf) else (B[i] if B[i] > zero
            else scaled(B[i], shared)) / (one + shared * shared)
        )


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
def each_decay_scaled_494e(A, B, C, count):
    """Set A[i] = C[i] {1 if B[i] = ∞; 0 if B[i] = -∞; {1 + (1 + B[i]) exp(-|B[i]|/2)² if B[i] > 0;
    (1 + B[i] + exp(-|B[i]|/2)²) exp(-|B[i]|/2)² otherwise}/(1 + exp(-|B[i]|/2)²)² otherwise}."""
    for i in range(count):
        shared = exp(-abs(real(0.5) * B[i]))
        A[i] = (
            C[i] * (one if B[i] == real(np.inf) else zero if B[i] == -real(np.inf) else (one
            + scaled(one + B[i], shared) if B[i] > zero else scaled(one + B[i]
            + shared * shared, shared)) / ((one + shared * shared) * (one
            + shared * shared)))
        )


@kernel
def sgd_minibatch(
    X, Y, order, W1, b1, g1, U2, V2, c2, d2, W3, b3, learning_rate, decay, l2, t, batch
):
    """Update after every `batch` examples of X[order], by the mean of their gradients."""
    updates = order.shape[0]
    x = aligned(batch * 64, W1).reshape(batch, 64)
    y = np.empty(batch, np.int64)
    z1 = aligned(batch * 48, W1).reshape(batch, 48)
    mu1 = aligned(batch, W1)
    r1 = aligned(batch * 48, W1).reshape(batch, 48)
    v1 = aligned(batch, W1)
    a1 = aligned(batch * 48, W1).reshape(batch, 48)
    h1 = aligned(batch * 48, W1).reshape(batch, 48)
    z2 = aligned(batch * 32, W1).reshape(batch, 32)
    w2 = aligned(batch * 32, W1).reshape(batch, 32)
    h2 = aligned(batch * 32, W1).reshape(batch, 32)
    a3 = aligned(batch * 10, W1).reshape(batch, 10)
    m = aligned(batch, W1)
    e = aligned(batch * 10, W1).reshape(batch, 10)
    z = aligned(batch, W1)
    f = aligned(batch * 10, W1).reshape(batch, 10)
    l = aligned(batch, W1)
    da3 = aligned(batch * 10, W1).reshape(batch, 10)
    dh2 = aligned(batch * 32, W1).reshape(batch, 32)
    dd2 = aligned(batch * 32, W1).reshape(batch, 32)
    dc2 = aligned(batch * 32, W1).reshape(batch, 32)
    dw2 = aligned(batch * 32, W1).reshape(batch, 32)
    dz2 = aligned(batch * 32, W1).reshape(batch, 32)
    dh1 = aligned(batch * 48, W1).reshape(batch, 48)
    da1 = aligned(batch * 48, W1).reshape(batch, 48)
    dv1 = aligned(batch, W1)
    dr1 = aligned(batch * 48, W1).reshape(batch, 48)
    dmu1 = aligned(batch, W1)
    dz1 = aligned(batch * 48, W1).reshape(batch, 48)
    losses = zero
    update = 0
    done = 0
    for start in range(0, updates, batch):
        count = min(batch, updates - start)
        # the examples of the batch, row by row
        for r in range(count):
            row = order[r + start]
            for j in range(64):
                x[r, j] = X[row, j]
            y[r] = Y[row]
        # z1[r,i] = Σ_j<64 W1[i,j] x[r,j]
        contract_pk_qk(z1, x, W1, count, 48, 64)
        # mu1[r] = Σ_i<48 z1[r,i]/48
        for r in range(count):
            total = zero
            for i in range(48):
                total += z1[r, i]
            mu1[r] = real(0.020833333333333332) * total
        # r1[r,i] = z1[r,i] - mu1[r]
        for r in range(count):
            mu1_r = -mu1[r]
            for i in range(48):
                r1[r, i] = mu1_r + z1[r, i]
        # v1[r] = Σ_i<48 r1[r,i]²/48
        for r in range(count):
            total = zero
            for i in range(48):
                total += r1[r, i] * r1[r, i]
            v1[r] = real(0.020833333333333332) * total
        # a1[r,i] = b1[i] + r1[r,i] g1[i]/√(1e-05 + v1[r])
        for r in range(count):
            constant = ratio(one, sqrt(real(1e-05) + v1[r]))
            for i in range(48):
                a1[r, i] = b1[i] + constant * r1[r, i] * g1[i]
        # h1[r,i] = {0 if a1[r,i] = -∞; {a1[r,i] if a1[r,i] > 0; a1[r,i] exp(-|a1[r,i]|/2)²
        #     otherwise}/(1 + exp(-|a1[r,i]|/2)²) otherwise}
        each_decay_scaled(h1.reshape(-1), a1.reshape(-1), 48 * count)
        # z2[r,i] = Σ_j<48 U2[i,j] h1[r,j]
        contract_pk_qk(z2, h1, U2, count, 32, 48)
        # w2[r,i] = Σ_j<48 V2[i,j] h1[r,j]
        contract_pk_qk(w2, h1, V2, count, 32, 48)
        # h2[r,i] = (c2[i] + w2[r,i])/(1 + exp(-d2[i] - z2[r,i]))
        for r in range(count):
            for i in range(32):
                h2[r, i] = (c2[i] + w2[r, i]) / (one + exp(-d2[i] - z2[r, i]))
        # a3[r,i] = Σ_j<32 W3[i,j] h2[r,j]
        contract_pk_qk(a3, h2, W3, count, 10, 32)
        # a3[r,i] ← a3[r,i] + b3[i]
        for r in range(count):
            for i in range(10):
                a3[r, i] += b3[i]
        # m[r] = max_i<10 a3[r,i]
        for r in range(count):
            total = a3[r, 0]
            for i in range(10):
                total = max(total, a3[r, i])
            m[r] = total
        # e[r,i] = exp(a3[r,i] - m[r])
        for r in range(count):
            for i in range(10):
                e[r, i] = exp(a3[r, i] - m[r])
        # z[r] = Σ_i<10 e[r,i]
        for r in range(count):
            total = zero
            for i in range(10):
                total += e[r, i]
            z[r] = total
        # f[r,i] = e[r,i]/z[r]
        for r in range(count):
            per_z_r = one / z[r]
            for i in range(10):
                f[r, i] = per_z_r * e[r, i]
        # l[r] = m[r] + log(z[r]) - a3[r,y[r]]
        for r in range(count):
            l[r] = m[r] + log(z[r]) - a3[r, y[r]]
        # da3[r,i] = f[r,i] - 1[i=y[r]]
        for r in range(count):
            for i in range(10):
                da3[r, i] = f[r, i] - (one if i == y[r] else zero)
        # dh2[r,i] = Σ_j<10 W3[j,i] da3[r,j]
        contract_pk_kq(dh2, da3, W3, count, 32, 10)
        # dd2[r,i] = dh2[r,i] (c2[i] + w2[r,i]) (1 - 1/(1 + exp(-d2[i] - z2[r,i])))/(1 +
        #     exp(-d2[i] - z2[r,i]))
        for r in range(count):
            for i in range(32):
                shared = one / (one + exp(-d2[i] - z2[r, i]))
                dd2[r, i] = shared * dh2[r, i] * (one - shared) * (c2[i] + w2[r, i])
        # dc2[r,i] = dh2[r,i]/(1 + exp(-d2[i] - z2[r,i]))
        for r in range(count):
            for i in range(32):
                dc2[r, i] = dh2[r, i] / (one + exp(-d2[i] - z2[r, i]))
        # dw2[r,i] = dh2[r,i]/(1 + exp(-d2[i] - z2[r,i]))
        for r in range(count):
            for i in range(32):
                dw2[r, i] = dh2[r, i] / (one + exp(-d2[i] - z2[r, i]))
        # dz2[r,i] = dh2[r,i] (c2[i] + w2[r,i]) (1 - 1/(1 + exp(-d2[i] - z2[r,i])))/(1 +
        #     exp(-d2[i] - z2[r,i]))
        for r in range(count):
            for i in range(32):
                shared = one / (one + exp(-d2[i] - z2[r, i]))
                dz2[r, i] = shared * dh2[r, i] * (one - shared) * (c2[i] + w2[r, i])
        # dh1[r,i] = Σ_j<32 U2[j,i] dz2[r,j] + Σ_j<32 V2[j,i] dw2[r,j]
        for r in range(count):
            for i in range(48):
                total = total2 = zero
                for j in range(32):
                    total += U2[j, i] * dz2[r, j]
                    total2 += V2[j, i] * dw2[r, j]
                dh1[r, i] = total + total2
        # da1[r,i] = dh1[r,i] {1 if a1[r,i] = ∞; 0 if a1[r,i] = -∞; {1 + (1 + a1[r,i])
        #     exp(-|a1[r,i]|/2)² if a1[r,i] > 0; (1 + a1[r,i] + exp(-|a1[r,i]|/2)²)
        #     exp(-|a1[r,i]|/2)² otherwise}/(1 + exp(-|a1[r,i]|/2)²)² otherwise}
        each_decay_scaled_494e(
            da1.reshape(-1), a1.reshape(-1), dh1.reshape(-1), 48 * count
        )
        # dv1[r] = -Σ_i<48 r1[r,i] da1[r,i] g1[i]/(2 (1e-05 + v1[r])**(3/2))
        for r in range(count):
            total = zero
            for i in range(48):
                total += r1[r, i] * da1[r, i] * g1[i]
            dv1[r] = (
                -ratio(real(0.5) * total, (real(1e-05) + v1[r]) * sqrt(real(1e-05) + v1[r]))
            )
        # dr1[r,i] = r1[r,i] dv1[r]/24 + da1[r,i] g1[i]/√(1e-05 + v1[r])
        for r in range(count):
            dv1_r = real(0.041666666666666664) * dv1[r]
            constant = ratio(one, sqrt(real(1e-05) + v1[r]))
            for i in range(48):
                dr1[r, i] = dv1_r * r1[r, i] + constant * da1[r, i] * g1[i]
        # dmu1[r] = -Σ_i<48 dr1[r,i]
        for r in range(count):
            total = zero
            for i in range(48):
                total += dr1[r, i]
            dmu1[r] = -total
        # dz1[r,i] = dr1[r,i] + dmu1[r]/48
        for r in range(count):
            dmu1_r = real(0.020833333333333332) * dmu1[r]
            for i in range(48):
                dz1[r, i] = dmu1_r + dr1[r, i]
        # total_l = Σ_r l[r]
        total_l = zero
        for r in range(count):
            total_l += l[r]
        # nothing is learnt from a loss that is not finite
        if not isfinite(total_l):
            break
        losses += total_l
        # step = learning_rate/(1 + t decay)
        step = learning_rate / (one + decay * real(t + update))
        # W1[i,j] ← W1[i,j] + Σ_r (-step x[r,j] dz1[r,i]/count) - 2 step l2 W1[i,j]
        scale_and_add_kp_kq(
            W1, dz1, x, 48, 64, count, -real(2) * step * l2, -step / real(count)
        )
        # b1[i] ← b1[i] + Σ_r (-step da1[r,i]/count)
        step_per_count = step / real(count)
        for r in range(count):
            for i in range(48):
                b1[i] -= step_per_count * da1[r, i]
        # g1[i] ← g1[i] + Σ_r (-step r1[r,i] da1[r,i]/(count √(1e-05 + v1[r])))
        step_per_count = step / real(count)
        for r in range(count):
            step_constant_per_count = ratio(step_per_count, sqrt(real(1e-05) + v1[r]))
            for i in range(48):
                g1[i] -= step_constant_per_count * r1[r, i] * da1[r, i]
        # U2[i,j] ← U2[i,j] + Σ_r (-step h1[r,j] dz2[r,i]/count) - 2 step l2 U2[i,j]
        scale_and_add_kp_kq(
            U2, dz2, h1, 32, 48, count, -real(2) * step * l2, -step /
            real(count)
        )
        # V2[i,j] ← V2[i,j] + Σ_r (-step h1[r,j] dw2[r,i]/count) - 2 step l2 V2[i,j]
        scale_and_add_kp_kq(
            V2, dw2, h1, 32, 48, count, -real(2) * step * l2, -step /
            real(count)
        )
        # c2[i] ← c2[i] + Σ_r (-step dc2[r,i]/count)
        step_per_count = step / real(count)
        for r in range(count):
            for i in range(32):
                c2[i] -= step_per_count * dc2[r, i]
        # d2[i] ← d2[i] + Σ_r (-step dd2[r,i]/count)
        step_per_count = step / real(count)
        for r in range(count):
            for i in range(32):
                d2[i] -= step_per_count * dd2[r, i]
        # W3[i,j] ← W3[i,j] + Σ_r (-step h2[r,j] da3[r,i]/count) - 2 step l2 W3[i,j]
        scale_and_add_kp_kq(
            W3, da3, h2, 10, 32, count, -real(2) * step * l2, -step /
            real(count)
        )
        # b3[i] ← b3[i] + Σ_r (-step da3[r,i]/count)
        step_per_count = step / real(count)
        for r in range(count):
            for i in range(10):
                b3[i] -= step_per_count * da3[r, i]
        update += 1
        done += count
    return done, losses


SCHEDULES = {"plain": sgd, "overlapped": sgd_overlapped, "deferred": sgd_deferred}


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
