"""The value of equations at random numbers, by a plain interpreter: a second judge beside `symbackprop.numeric`.

It shares no code with the package: mpmath at 40 digits, arrays as dictionaries, every equation computed in turn.
"""

import operator
import random
from itertools import product

from mpmath import mp
from sympy import Add, Indexed, Mul, Not, Number, NumberSymbol, Piecewise, Pow, Sum, Symbol
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, BooleanFalse, BooleanTrue, Or

from symbackprop.symbols import Maximum, name_of

mp.dps = 40
COMPARE = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
FUNCTIONS = {"Abs": abs, "Max": max, "Min": min, "log1p": mp.log1p, "expm1": mp.expm1}


def value(expr, arrays, at):
    """The value of an expression: `arrays` has {(name, indices): number}, `at` what symbols stand for."""

    def inner(e, **_):
        return value(e, arrays, at)

    match expr:
        case Sum() | Maximum():
            (index, low, high), *rest = reversed(expr.limits)
            body = expr.func(expr.function, *reversed(rest)) if rest else expr.function
            terms = [value(body, arrays, {**at, index: n}) for n in range(int(inner(low)), int(inner(high)) + 1)]
            return mp.fsum(terms) if isinstance(expr, Sum) else max(terms)
        case Indexed():
            return arrays[name_of(expr), tuple(int(inner(i)) for i in expr.indices)]
        case Symbol():
            return at[expr] if expr in at else arrays[expr.name, ()]
        case Number() | NumberSymbol():
            return mp.mpf(expr.p) / expr.q if expr.is_Rational else mp.mpf(str(expr.evalf(45)))
        case Piecewise():
            return next(inner(e) for e, condition in expr.args if inner(condition))
        case Add():
            return mp.fsum(map(inner, expr.args))
        case Mul():
            return mp.fprod(map(inner, expr.args))
        case Pow():
            return inner(expr.base) ** inner(expr.exp)
        case Relational():
            return COMPARE[expr.rel_op](inner(expr.lhs), inner(expr.rhs))
        case And():
            return all(map(inner, expr.args))
        case Or():
            return any(map(inner, expr.args))
        case Not():
            return not inner(expr.args[0])
        case BooleanTrue() | BooleanFalse():
            return bool(expr)
    name = type(expr).__name__
    return FUNCTIONS.get(name, getattr(mp, name, None))(*map(inner, expr.args))


class Arrays(dict):
    """Numbers for array elements, drawn when they are first read; what lies outside of `shapes` does not exist."""

    def __init__(self, seed, shapes=()):
        super().__init__()
        self.random, self.shapes = random.Random(seed), dict(shapes)

    def __missing__(self, key):
        shape = self.shapes.get(key[0], (mp.inf,) * len(key[1]))
        assert all(0 <= i < size for i, size in zip(key[1], shape, strict=True)), f"{key[0]} is read at {key[1]}"
        number = self.random.uniform(0.1, 0.9) * (1 if key[0] == "y" else self.random.choice((-1, 1)))
        return self.setdefault(key, mp.mpf(number))


def ranges(axes, at):
    return product(*(range(int(value(axis.size, {}, at))) for axis in axes))


def compute(equations, arrays, at):
    """Compute every equation in turn, for all values of its axes."""
    for equation in equations:
        for indices in ranges(equation.over, at):
            here = {**at, **{axis.index: n for axis, n in zip(equation.over, indices, strict=True)}}
            places = tuple(int(value(i, arrays, here)) for i in getattr(equation.lhs, "indices", ()))
            arrays[name_of(equation.lhs), places] = value(equation.rhs, arrays, here)
    return arrays


def derivative(equations, arrays, at, wanted, loss="l", step=mp.mpf("1e-13")):
    """The total derivative of the loss by central differences, for every element of a wanted array."""
    found = {}
    for indices in ranges(wanted.axes, at):
        key, sides = (wanted.name, indices), []
        for sign in (1, -1):
            moved = Arrays(0, arrays.shapes)
            moved.update(arrays)
            moved[key] = arrays[key] + sign * step
            later = [e for n, e in enumerate(equations) if wanted.name not in {x.name for x in equations[n:]}]
            sides.append(compute(later, moved, at)[loss, ()])
        found[indices] = (sides[0] - sides[1]) / (2 * step)
    return found
