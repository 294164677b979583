"""Elementary functions that LLVM vectorises, written as source text for generated modules.

`math.exp` in a Numba loop is a call for each element. The text written here has no branch and no call: it is
a range reduction, a polynomial and selects, in one type, so that a loop takes 4 to 16 elements at a time.
Its habits have reasons:

- `min(max(x, low), high)`, in this order, lets NaN through, and NaN then reaches the result by itself;
- `np.float32(...).view(np.int32)`, because Numba wants to see the type called right where `view` is;
- adding 1.5 · 2^(p-1) and taking it away rounds to an integer, and leaves its bits at the low end of the sum.

The order of operations matters, so the text is compiled without fast-math flags (`DECORATOR`). Loops that
have such flags may call it: LLVM keeps the flags of each instruction when it inlines. In return every machine
computes the same bits, and so does the text run as ordinary Python on NumPy scalars. -0.0 gives -0.0 in tanh,
expm1, log1p and erf, but a caller compiled with `nsz` may lose the sign in its own arithmetic.

Examples
--------
>>> print(helpers(["sigmoid"], "float32").split("@elementary")[-1].strip())
def sigmoid(x):
    \"\"\"1 / (1 + e⁻ˣ), from e = exp(-|x|): e / (1 + e) for x ≤ 0.
<BLANKLINE>
    Max error 2.5 ULP (every float32). Underflow is gradual, as that of exp.
    \"\"\"
    e = exp(-abs(x))
    return (real(1.0) if x > real(0.0) else e) / (real(1.0) + e)
"""

from collections.abc import Collection
from functools import cache

from mpmath import mp

from symbackprop.emit.elementary_texts import AVAILABLE, ERRORS, NEEDS, ORDERED, SAMPLES, SHARED, TEXTS
from symbackprop.emit.minimax import (
    CENTRE,
    DIGITS,
    FORMATS,
    Format,
    approximate,
    erf_one,
    gauss_zero,
    polynomial,
)

# fastmath is said because a function that says nothing takes the flags of its caller. forceinline is LLVM's
# inlining, of instructions that have their flags already; inline="always" would give them the caller's.
DECORATOR = 'elementary = njit(error_model="numpy", fastmath=False, forceinline=True)'

@cache
def constants(f: Format) -> dict[str, object]:
    """What the texts call by name, in the format f."""
    with mp.workdps(DIGITS):
        ln2, magic = mp.log(2), mp.ldexp(3, f.shift - 1)
        high, low = f.split(ln2, spare=f.bias.bit_length() + 1)
        reals = {"zero": 0, "half": 0.5, "one": 1, "two": 2, "magic": magic, "log2_e": 1 / ln2}
        reals |= {"ln2_high": high, "ln2_low": low}
        reals["exp_low"] = -(f.bias + f.precision + 1) * ln2  # exp is a quarter of the least subnormal: 0
        reals["exp_high"] = (f.bias + 1.001) * ln2  # exp is above the largest number: inf
        reals["expm1_low"] = -(f.precision + 2) * ln2  # expm1 is a quarter of a rounding above -1: -1
        reals["tanh_one"] = mp.ceil((f.precision + 2) * ln2 / 2)  # tanh is less than half a rounding below 1
        reals["erf_one"] = erf_one(f)
        reals["gauss_zero"] = gauss_zero(f)
        reals |= {"normal_centre": CENTRE, "normal_width": 2 * CENTRE}
        reals["tiny"] = f.roundoff  # below it, x² / 2 does not count next to x
        reals |= {"least": mp.ldexp(1, 1 - f.bias), "scale": 1 / f.roundoff, "scale_log2": f.precision}
        words: dict[str, object] = {name: f.literal(x) for name, x in reals.items()}
        words |= {"real": f.real, "integer": f.integer, "shift": f.shift, "bias": f.bias}
        words |= {"magic_bits": f.bits(magic), "root_half_bits": f.bits(mp.sqrt(0.5))}
        words |= {"erf_limit": reals["erf_one"], "centre": CENTRE, "low_half": 2 ** ((f.precision + 1) // 2)}
        return words | {"inf": "real(np.inf)", "nan": "real(np.nan)"}


@cache
def function(name: str, dtype: str) -> str:
    """The source text of one function, without the one it calls."""
    f = FORMATS[dtype]
    text = TEXTS[name]
    for place, shared in SHARED.items():
        text = text.replace(place, shared)
    if name in ORDERED:
        return text
    words = dict(constants(f))
    if name in AVAILABLE:
        words |= {"error": f"Max error {ERRORS[name, dtype]} ULP ({SAMPLES[dtype]})."}
    if "{polynomial}" in text:
        result, variable, coefficients = approximate(name, f)
        lines = polynomial(f, result, variable, coefficients)
        words |= {"polynomial": "\n    ".join(lines), "degree": len(coefficients) - 1}
    return text.format_map(words)


def helpers(names: Collection[str], dtype: str) -> str:
    """Write the functions `names` and those they call, each after what it calls.

    The text expects in its module `np`, the type `real` (np.float32 or np.float64, as `dtype` says) and the
    decorator `elementary` (`DECORATOR`). It is the same on every machine.

    Raises
    ------
    ValueError
        If a name is not in `AVAILABLE`, or `dtype` is neither float32 nor float64.
    """
    if unknown := sorted(set(names) - set(TEXTS)):
        raise ValueError(f"no text for {', '.join(unknown)}; there are {', '.join(sorted(AVAILABLE))}")
    if dtype not in FORMATS:
        raise ValueError(f"dtype is {dtype!r}; it must be one of {', '.join(FORMATS)}")
    needed = {*names, *(called for name in names for called in NEEDS.get(name, ()))}
    return "\n".join(function(name, dtype) for name in TEXTS if name in needed)
