"""The texts of the elementary functions, with places for constants, and the errors that were measured."""

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
m = t * {log2_e} + {magic}  # rounded: n is in its low bits
    n = m - {magic}"""

REDUCE = f"""\
{NEAREST}
    r = (t - n * {{ln2_high}}) - n * {{ln2_low}}  # the first is exact
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

    {error} Overflow gives inf. Subnormals and ±0 stay.
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
    {error} log 0 = -inf, below 0 NaN. Subnormals are scaled first.
    """
    small = x < {least}
    i = np.{real}(x * {scale} if small else x).view(np.{integer})
    k = np.{integer}((i - {root_half_bits}) >> {shift})
    e = real(np.int32(k)) - ({scale_log2} if small else {zero})
    f = np.{integer}(i - (k << {shift})).view(np.{real}) - {one}
    {log_sum}
    low = s * (h + z * p) + e * {ln2_low}
    y = e * {ln2_high} - ((h - low) - f)
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
    low = s * (h + z * p) + e * {ln2_low}
    y = e * {ln2_high} - ((h - low) - f)
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
    """exp(-x²/2) = exp(-p/2) (1 - e/2), p = x² rounded, e = x² - p from the upper digits of x.

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
    """What x y is more than p, which is x y rounded: products of halves are exact."""
    x1 = np.{integer}(np.{real}(x).view(np.{integer}) & -{low_half}).view(np.{real})
    y1 = np.{integer}(np.{real}(y).view(np.{integer}) & -{low_half}).view(np.{real})
    x2, y2 = x - x1, y - y1
    return ((x1 * y1 - p) + x1 * y2 + x2 * y1) + x2 * y2
''',
    "exp_error": '''
@elementary
def exp_error(x, y):
    """What exp(x) is more than y: 2ⁿ (1 + r + r²/2 + r³ q(r)) - y, q of degree {degree}."""
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
    back = y * s * np.{integer}(({bias} - k + half) << {shift}).view(np.{real})
    rest = ((({one} - back) + r) + {half} * r2) + c
    s = np.{integer}((half + {bias}) << {shift}).view(np.{real})
    return rest * s * np.{integer}((k - half + {bias}) << {shift}).view(np.{real})
''',
    "exp_of_sum": '''
@elementary
def exp_of_sum(x, low):
    """exp(x + low) = 2ⁿ eʳ with low added to r; as exp, and without low where that is no number."""
    t = min(max(x, {exp_low}), {exp_high})
    {nearest}
    low = (low if abs(low) < {half} else {zero}) if t == x else {zero}
    r = ((t - n * {ln2_high}) - n * {ln2_low}) + low
    {polynomial}
    k = np.{real}(m).view(np.{integer}) - {magic_bits}
    {raised}
''',
    "sqrt": '''
@elementary
def sqrt(x):
    """√x, correctly rounded: the flags of its caller would make it an estimate, and NaN at inf."""
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
    """x / y, where y has a root: the flags of its caller would make it x times an estimate."""
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
    """x + y as it stands: regrouped by the flags of its caller with the terms of x it lost y."""
    return x + y
''',
}
SHARED = {"{nearest}": NEAREST, "{reduce}": REDUCE, "{raised}": RAISED, "{log_sum}": LOG_SUM}
NEEDS = {
    "tanh": ("expm1",), "sigmoid": ("exp",), "softplus": ("exp",), "erf": ("expm1",), "gauss": ("exp",),
    "normal": ("gauss", "exp"), "exp_error": ("product_error",),
}  # fmt: skip
ORDERED = frozenset({"cbrt", "plus", "ratio", "scaled", "sqrt"})  # texts without an approximation of their own
PARTS = frozenset({"sum_error", "product_error", "exp_error", "exp_of_sum"})  # of accurate exponentials
AVAILABLE = frozenset(TEXTS) - ORDERED - PARTS
