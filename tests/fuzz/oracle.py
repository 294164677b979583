"""What a formula and its slope are at a number, by mpmath, from its tree: shares no code with the package.

A value is computed with more and more digits until two computations agree. Where they never do, where an exponential of
an exponential would be too long to write down, or where an argument is outside of a function's domain, there is none.
"""

from __future__ import annotations

from mpmath import mp

from tests.fuzz.trees import Node

BITS = (1300, 2600, 10400)  # 1e10 + 1e-300 needs a thousand
HIGHEST = 400  # bits of the exponent of the largest number that an exponential gives


class NoValueError(Exception):
    """There is no real number, no slope, or none that can be told."""


def value_and_slope(tree: Node, x: float, variable: str = "a"):
    """Return the value of a formula and of its derivative at a float, each None where there is none."""
    before = None
    for bits in BITS:
        with mp.workprec(bits):
            try:
                found = _both(tree, {variable: (mp.mpf(x), mp.mpf(1))})
            except (NoValueError, ZeroDivisionError, ValueError, OverflowError):
                return None, None
            if before is not None and all(_agree(u, v) for u, v in zip(before, found, strict=True)):
                return found
            before = found
    return tuple(v if _agree(u, v) else None for u, v in zip(before, found, strict=True))


def _agree(u, v) -> bool:
    return u is v is None or (u is not None and v is not None and abs(u - v) <= abs(v) * mp.mpf(2) ** -100)


def _both(node: Node, at):
    match node:
        case Node(kind, ()):
            return at[kind] if kind in at else (_constant(kind), mp.zero)
        case Node("if", (condition, yes, no)):
            return _both(yes if _holds(condition, at) else no, at)
        case Node("**", (base, power)):
            return _powered(_both(base, at), _both(power, at)[0])
    (u, du), *others = (_both(arg, at) for arg in node.args)
    if node.kind in {"max", "min"}:
        return _extreme(node.kind, [(u, du), *others])
    if others:
        return _between(node.kind, u, du, *others[0])
    return _of_one(node.kind, u, du)


def _constant(kind: str):
    if kind in {"pi", "e"}:
        return +getattr(mp, kind)
    return mp.mpf(kind)


def _holds(node: Node, at) -> bool:
    if node.kind in {"and", "or", "not"}:
        answers = [_holds(arg, at) for arg in node.args]
        return {"and": all, "or": any, "not": lambda v: not v[0]}[node.kind](answers)
    u, v = (_both(arg, at)[0] for arg in node.args)
    if u == v and node.args[0] != node.args[1] and not (_is_given(node.args[0]) and _is_given(node.args[1])):
        raise NoValueError  # a tie of computed values, which a float cannot see
    return {"<": u < v, "<=": u <= v, ">": u > v, ">=": u >= v}[node.kind]


def _is_given(node: Node) -> bool:
    return not node.args


def _extreme(kind: str, values):
    best = (max if kind == "max" else min)(v for v, _ in values)
    slopes = [slope for v, slope in values if v == best]
    return best, (None if any(s is None for s in slopes) or len(set(slopes)) > 1 else slopes[0])


def _between(kind: str, u, du, v, dv):
    no_slope = du is None or dv is None
    match kind:
        case "+" | "-":
            sign = 1 if kind == "+" else -1
            return u + sign * v, None if no_slope else du + sign * dv
        case "*":
            return u * v, None if no_slope else du * v + u * dv
        case "atan2":
            return mp.atan2(u, v), None if no_slope else (du * v - u * dv) / (u * u + v * v)
    return u / v, None if no_slope else (du - u / v * dv) / v


def _powered(base, power):
    u, du = base
    if power == 0:
        return mp.one, mp.zero if u != 0 else None
    if u == 0 and power < 1:
        raise NoValueError
    if u < 0 and power != int(power):
        raise NoValueError
    value = u ** int(power) if power == int(power) else u**power
    return value, None if du is None else power * value / u * du if u else (du if power == 1 else mp.zero)


def _exp(u):
    if mp.mag(u) > HIGHEST:
        raise NoValueError
    return mp.exp(u)


def _sign(u, du):
    return mp.sign(u), mp.zero if u else None


def _real(f, inside):
    def value(u):
        if not inside(u):
            raise NoValueError
        return f(u)

    return value


def _everywhere(_) -> bool:
    return True


VALUES = {
    "exp": _exp, "expm1": lambda u: mp.expm1(u) if mp.mag(u) <= HIGHEST else _exp(u),
    "log": _real(mp.log, lambda u: u > 0), "log1p": _real(lambda u: mp.log(1 + u), lambda u: u > -1),
    "sqrt": _real(mp.sqrt, lambda u: u >= 0), "sin": mp.sin, "cos": mp.cos, "tan": mp.tan,
    "sinh": lambda u: (_exp(u) - _exp(-u)) / 2, "cosh": lambda u: (_exp(u) + _exp(-u)) / 2,
    "tanh": lambda u: mp.tanh(max(-2**20, min(u, 2**20))),
    "asin": _real(mp.asin, lambda u: abs(u) <= 1), "acos": _real(mp.acos, lambda u: abs(u) <= 1),
    "atan": mp.atan, "arctan": mp.atan, "asinh": mp.asinh, "acosh": _real(mp.acosh, lambda u: u >= 1),
    "atanh": _real(mp.atanh, lambda u: abs(u) < 1),
    "erf": lambda u: mp.erf(max(-2**10, min(u, 2**10))),
    "erfc": lambda u: mp.erfc(u) if u < 2**40 else mp.zero, "abs": abs,
    "sigmoid": lambda u: 1 / (1 + _exp(-u)), "softplus": lambda u: mp.log1p(_exp(u)),
    "cbrt": lambda u: mp.sign(u) * mp.cbrt(abs(u)), "exp2": lambda u: _exp(u * mp.log(2)),
    "log2": _real(lambda u: mp.log(u) / mp.log(2), lambda u: u > 0), "logsigmoid": lambda u: -mp.log1p(_exp(-u)),
    "log10": _real(lambda u: mp.log(u) / mp.log(10), lambda u: u > 0), "sinc": lambda u: mp.sin(u) / u if u else mp.one,
    "softsign": lambda u: u / (1 + abs(u)),
    "relu": lambda u: max(u, mp.zero), "sign": mp.sign, "heaviside": lambda u: mp.mpf(u > 0),
}  # fmt: skip
SLOPES = {
    "exp": _exp, "expm1": _exp, "log": lambda u: 1 / u, "log1p": lambda u: 1 / (1 + u), "sqrt": lambda u: 1 / (2 * mp.sqrt(u)),
    "sin": mp.cos, "cos": lambda u: -mp.sin(u), "tan": lambda u: 1 + mp.tan(u) ** 2, "sinh": VALUES["cosh"],
    "cosh": VALUES["sinh"], "tanh": lambda u: 4 * _exp(-2 * abs(u)) / (1 + _exp(-2 * abs(u))) ** 2, "asin": lambda u: 1 / mp.sqrt(1 - u * u),
    "acos": lambda u: -1 / mp.sqrt(1 - u * u), "atan": lambda u: 1 / (1 + u * u), "arctan": lambda u: 1 / (1 + u * u),
    "asinh": lambda u: 1 / mp.sqrt(1 + u * u), "acosh": lambda u: 1 / mp.sqrt(u * u - 1), "atanh": lambda u: 1 / (1 - u * u),
    "erf": lambda u: 2 / mp.sqrt(mp.pi) * _exp(-u * u), "erfc": lambda u: -2 / mp.sqrt(mp.pi) * _exp(-u * u),
    "abs": mp.sign, "sigmoid": lambda u: _exp(-abs(u)) / (1 + _exp(-abs(u))) ** 2, "softplus": VALUES["sigmoid"],
    "cbrt": lambda u: 1 / (3 * mp.cbrt(abs(u)) ** 2), "exp2": lambda u: _exp(u * mp.log(2)) * mp.log(2),
    "log2": lambda u: 1 / (u * mp.log(2)), "log10": lambda u: 1 / (u * mp.log(10)), "logsigmoid": lambda u: 1 / (1 + _exp(u)),
    "sinc": lambda u: (u * mp.cos(u) - mp.sin(u)) / u**2 if u else mp.zero, "softsign": lambda u: 1 / (1 + abs(u)) ** 2,
    "relu": lambda u: mp.mpf(u > 0), "sign": lambda _: mp.zero, "heaviside": lambda _: mp.zero,
}  # fmt: skip
KINKS = {"abs", "cbrt", "relu", "sign", "heaviside"}  # at 0, where one of several slopes is taken


def _of_one(kind: str, u, du):
    if kind == "neg":
        return -u, None if du is None else -du
    value = VALUES[kind](u)
    if kind in KINKS and u == 0:
        return value, mp.zero if du == 0 else None
    if du is None or du == 0:
        return value, du
    try:
        return value, SLOPES[kind](u) * du
    except (ZeroDivisionError, NoValueError):
        return value, None
