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

# Largest errors in ULP, rounded up, as benchmarks/elementary.py measured them.
ERRORS = {
    ("exp", "float32"): 1.0,
    ("exp", "float64"): 1.0,
    ("expm1", "float32"): 1.7,
    ("expm1", "float64"): 2.1,
    ("log", "float32"): 0.9,
    ("log", "float64"): 0.9,
    ("log1p", "float32"): 1.5,
    ("log1p", "float64"): 1.4,
    ("tanh", "float32"): 2.5,
    ("tanh", "float64"): 2.6,
    ("sigmoid", "float32"): 2.5,
    ("sigmoid", "float64"): 2.5,
    ("softplus", "float32"): 2.0,
    ("softplus", "float64"): 2.0,
    ("erf", "float32"): 2.1,
    ("erf", "float64"): 2.1,
    ("gauss", "float32"): 1.5,
    ("gauss", "float64"): 1.4,
    ("normal", "float32"): 7.0,
    ("normal", "float64"): 6.1,
}
SAMPLES = {"float32": "every float32", "float64": "200,000 float64"}

NEAREST = """\
m = t * {log2_e} + {magic}  # rounds to an integer, n, kept in the low bits of m
    n = m - {magic}"""

REDUCE = f"""\
{NEAREST}
    r = (t - n * {{ln2_high}}) - n * {{ln2_low}}  # the first product is exact
    {{polynomial}}
    k = np.{{real}}(m).view(np.{{integer}}) - {{magic_bits}}"""

RAISED = """\
half = k >> 1  # by two halves, for 2ⁿ itself may overflow or be subnormal
    y = ({one} + (r + r2 * q)) * np.{integer}((half + {bias}) << {shift}).view(np.{real})
    return y * np.{integer}((k - half + {bias}) << {shift}).view(np.{real})"""

LOG_SUM = """\
s = f / ({two} + f)
    z = s * s
    {polynomial}
    h = {half} * f * f"""

TEXTS = {
    "exp": '''
@elementary
def exp(x):
    """eˣ = 2ⁿ eʳ with |r| ≤ ½ log 2; eʳ = 1 + r + r² q(r), q of degree {degree}.

    {error} Overflow gives inf.
    Underflow is gradual: a subnormal result is rounded once more.
    """
    t = min(max(x, {exp_low}), {exp_high})
    {reduce}
    {raised}
''',
    "expm1": '''
@elementary
def expm1(x):
    """eˣ - 1 = 2ⁿ (eʳ - 1) + (2ⁿ - 1) with |r| ≤ ½ log 2; eʳ = 1 + r + r² q(r), q of degree {degree}.

    {error} Overflow gives inf.
    Subnormals and ±0 are returned as they are.
    """
    t = min(max(x, {expm1_low}), {exp_high})
    {reduce}
    s = np.{integer}((k + {bias} - 1) << {shift}).view(np.{real})  # 2ⁿ⁻¹, for 2ⁿ may overflow
    y = {two} * (s * (r + r2 * q) + (s - {half}))
    return y if abs(x) > {tiny} else x
''',
    "log": '''
@elementary
def log(x):
    """Natural logarithm: log x = k log 2 + log(1 + f) with √½ ≤ 1 + f < √2.

    log(1 + f) = 2 atanh(s) = f - f²/2 + s (f²/2 + s² p(s²)) with s = f / (2 + f), p of degree {degree}.
    {error} log 0 = -inf, below 0 NaN.
    Subnormals are scaled first and lose nothing.
    """
    small = x < {least}
    i = np.{real}(x * {scale} if small else x).view(np.{integer})
    k = np.{integer}((i - {root_half_bits}) >> {shift})
    e = real(np.int32(k)) - ({scale_log2} if small else {zero})
    f = np.{integer}(i - (k << {shift})).view(np.{real}) - {one}
    {log_sum}
    y = e * {ln2_high} - ((h - (s * (h + z * p) + e * {ln2_low})) - f)
    y = y if x > {zero} else (-{inf} if x == {zero} else {nan})
    return y if x < {inf} else x
''',
    "log1p": '''
@elementary
def log1p(x):
    """Natural logarithm of 1 + x, as log u, where f gets back what the rounding of u = 1 + x lost.

    log(1 + f) = 2 atanh(s) = f - f²/2 + s (f²/2 + s² p(s²)) with s = f / (2 + f), p of degree {degree}.
    {error} log1p(-1) = -inf, below -1 NaN.
    Subnormals and ±0 are returned as they are.
    """
    u = {one} + x
    i = np.{real}(u).view(np.{integer})
    k = np.{integer}((i - {root_half_bits}) >> {shift})
    e = real(np.int32(k))
    lost = (x - (u - {one})) * np.{integer}(({bias} - min(k, 64)) << {shift}).view(np.{real})
    f = (np.{integer}(i - (k << {shift})).view(np.{real}) - {one}) + lost
    {log_sum}
    y = e * {ln2_high} - ((h - (s * (h + z * p) + e * {ln2_low})) - f)
    y = y if x > -{one} else (-{inf} if x == -{one} else {nan})
    y = y if x < {inf} else x
    return y if abs(x) > {tiny} else x
''',
    "tanh": '''
@elementary
def tanh(x):
    """Hyperbolic tangent: tanh x = ±e / (e + 2), from e = expm1(2 |x|).

    {error} Subnormals and ±0 are returned as they are.
    """
    e = expm1({two} * min(abs(x), {tanh_one}))
    return np.copysign(e / (e + {two}), x)
''',
    "sigmoid": '''
@elementary
def sigmoid(x):
    """1 / (1 + e⁻ˣ), from e = exp(-|x|): e / (1 + e) for x ≤ 0.

    {error} Underflow is gradual, as that of exp.
    """
    e = exp(-abs(x))
    return ({one} if x > {zero} else e) / ({one} + e)
''',
    "softplus": '''
@elementary
def softplus(x):
    """log(1 + eˣ) = max(x, 0) + log(1 + f), f = exp(-|x|).

    log(1 + f) = 2 atanh(s) = f - f²/2 + s (f²/2 + s² p(s²)) with s = f / (2 + f), p of degree {degree}.
    {error} Underflow is gradual, as that of exp.
    """
    f = exp(-abs(x))
    {log_sum}
    return max(x, {zero}) + (f - (h - s * (h + z * p)))
''',
    "erf": '''
@elementary
def erf(x):
    """Error function: erf x = ±(1 - exp(-t - t g(t))) with t = |x|, g of degree {degree}.

    {error} Above {erf_limit} it is 1. Subnormal results are rounded once more.
    """
    t = min(abs(x), {erf_one})
    {polynomial}
    return np.copysign(-expm1(-(t + t * g)), x)
''',
    "gauss": '''
@elementary
def gauss(x):
    """exp(-x²/2) = exp(-p/2) (1 - e/2), p = x² rounded, e = x² - p from the upper half of the digits of x.

    {error} Underflow is gradual, as that of exp.
    """
    t = min(max(x, -{gauss_zero}), {gauss_zero})
    high = np.{integer}(np.{real}(t).view(np.{integer}) & -{low_half}).view(np.{real})
    p = t * t
    e = (high * high - p) + (t - high) * (t + high)
    y = exp(-{half} * p)
    return y - y * ({half} * e)
''',
    "normal": '''
@elementary
def normal(x):
    """erfc(-x/√2)/2, the share of a standard normal below x; for x ≤ 0 gauss(x) c(w) / (t + {centre}).

    t = |x|, w = (t - {centre}) / (t + {centre}), c of degree {degree}. {error}
    Underflow is gradual, as that of exp.
    """
    t = min(abs(x), {gauss_zero})
    d = {one} / (t + {normal_centre})
    w = {one} - {normal_width} * d
    {polynomial}
    y = gauss(t) * (c * d)
    return {one} - y if x > {zero} else y
''',
    "sum_error": '''
@elementary
def sum_error(x, y, s):
    """What is to be added to s, which is x + y rounded, to have the sum itself."""
    t = s - x
    return (x - (s - t)) + (y - t)
''',
    "product_error": '''
@elementary
def product_error(x, y, p):
    """What is to be added to p, which is x y rounded: x and y in halves, whose products are exact."""
    x1 = np.{integer}(np.{real}(x).view(np.{integer}) & -{low_half}).view(np.{real})
    y1 = np.{integer}(np.{real}(y).view(np.{integer}) & -{low_half}).view(np.{real})
    x2, y2 = x - x1, y - y1
    return ((x1 * y1 - p) + x1 * y2 + x2 * y1) + x2 * y2
''',
    "exp_error": '''
@elementary
def exp_error(x, y):
    """What is to be added to y, which is exp(x) as computed: 2ⁿ (1 + r + r²/2 + r³ q(r)) - y, q of degree {degree}."""
    t = min(max(x, {exp_low}), {exp_high})
    {nearest}
    high, low = t - n * {ln2_high}, -n * {ln2_low}
    r = high + low
    lost = (high - r) + low
    {polynomial}
    c = r * r2 * q + lost * ({one} + r) + {half} * product_error(r, r, r2)
    k = np.{real}(m).view(np.{integer}) - {magic_bits}
    half = k >> 1  # by two halves, for 2ⁿ itself may overflow or be subnormal
    s = np.{integer}(({bias} - half) << {shift}).view(np.{real})
    rest = ((({one} - y * s * np.{integer}(({bias} - k + half) << {shift}).view(np.{real})) + r) + {half} * r2) + c
    s = np.{integer}((half + {bias}) << {shift}).view(np.{real})
    return rest * s * np.{integer}((k - half + {bias}) << {shift}).view(np.{real})
''',
    "exp_of_sum": '''
@elementary
def exp_of_sum(x, low):
    """exp(x + low) = 2ⁿ eʳ, low added to r, where x is reduced; as exp, and without low where that is no number."""
    t = min(max(x, {exp_low}), {exp_high})
    {nearest}
    r = ((t - n * {ln2_high}) - n * {ln2_low}) + ((low if abs(low) < {half} else {zero}) if t == x else {zero})
    {polynomial}
    k = np.{real}(m).view(np.{integer}) - {magic_bits}
    {raised}
''',
    "sqrt": '''
@elementary
def sqrt(x):
    """√x, correctly rounded: with the flags of its caller it would be an estimate, and NaN at inf."""
    return np.sqrt(x)
''',
    "cbrt": '''
@elementary
def cbrt(x):
    """∛x, as Numba computes NumPy's; it is called with x ≥ 0."""
    return np.cbrt(x)
''',
    "ratio": '''
@elementary
def ratio(x, y):
    """x / y, for a y with a root in it: with the flags of its caller it would be x times an estimate of 1/√."""
    return x / y
''',
    "scaled": '''
@elementary
def scaled(m, h):
    """m h², in this order: h² alone may be subnormal, and lose its digits, where m h² is not."""
    return (m * h) * h
''',
    "plus": '''
@elementary
def plus(x, y):
    """x + y as it stands: with the flags of its caller it could be regrouped with the terms of x, and lose y."""
    return x + y
''',
}
NEEDS = {
    "tanh": ("expm1",), "sigmoid": ("exp",), "softplus": ("exp",), "erf": ("expm1",), "gauss": ("exp",),
    "normal": ("gauss", "exp"), "exp_error": ("product_error",),
}  # fmt: skip
ORDERED = frozenset({"cbrt", "plus", "ratio", "scaled", "sqrt"})  # texts without an approximation of their own
PARTS = frozenset({"sum_error", "product_error", "exp_error", "exp_of_sum"})  # of accurate exponentials
AVAILABLE = frozenset(TEXTS) - ORDERED - PARTS


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
    for place, shared in {"{nearest}": NEAREST, "{reduce}": REDUCE, "{raised}": RAISED, "{log_sum}": LOG_SUM}.items():
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
