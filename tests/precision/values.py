"""The value of equations at random numbers, by a plain interpreter: a second judge beside `symbackprop.expr.random_model`.

It shares no code with the package: mpmath at 40 digits, arrays as dictionaries, every equation computed in turn.
"""

import operator
import random
from itertools import product

from mpmath import mp
from sympy import ITE, Indexed, Number, NumberSymbol, Piecewise, Symbol
from sympy.logic.boolalg import BooleanAtom

from symbackprop.expr.reductions import Maximum, Sum
from symbackprop.expr.symbols import name_of

mp.dps = 40
STEP = mp.mpf("1e-13")
OPERATIONS = {
    "Add": lambda *terms: mp.fsum(terms), "Mul": lambda *factors: mp.fprod(factors), "Pow": operator.pow,
    "Abs": abs, "Max": max, "Min": min, "log1p": mp.log1p, "expm1": mp.expm1,
    "Equality": operator.eq, "Unequality": operator.ne, "StrictLessThan": operator.lt, "LessThan": operator.le,
    "StrictGreaterThan": operator.gt, "GreaterThan": operator.ge,
    "And": lambda *terms: all(terms), "Or": lambda *terms: any(terms), "Not": operator.not_,
}  # fmt: skip


def value(expr, arrays, at):
    """The value of an expression: `arrays` has {(name, indices): number}, `at` what symbols stand for."""
    match expr:
        case Sum() | Maximum():
            terms = list(reduced(expr, arrays, at))
            return mp.fsum(terms) if isinstance(expr, Sum) else max(terms)
        case Indexed():
            return arrays[name_of(expr), tuple(int(value(i, arrays, at)) for i in expr.indices)]
        case Symbol():
            return at[expr] if expr in at else arrays[expr.name, ()]
        case Number() | NumberSymbol():
            return mp.mpf(expr.p) / expr.q if expr.is_Rational else mp.mpf(str(expr.evalf(45)))
        case Piecewise():
            return next(value(e, arrays, at) for e, condition in expr.args if value(condition, arrays, at))
        case ITE(args=(condition, yes, no)):
            return value(yes if value(condition, arrays, at) else no, arrays, at)
        case BooleanAtom():
            return bool(expr)
    name = type(expr).__name__
    operation = OPERATIONS[name] if name in OPERATIONS else getattr(mp, name)
    return operation(*(value(e, arrays, at) for e in expr.args))


def reduced(expr, arrays, at):
    """The values over which a sum or a maximum runs; its last limits are the outermost."""
    *inner, (index, low, high) = expr.limits
    body = expr.func(expr.function, *inner) if inner else expr.function
    for n in range(int(value(low, arrays, at)), int(value(high, arrays, at)) + 1):
        here = {**at, index: n}
        yield value(body, arrays, here)


class Arrays(dict):
    """Numbers for array elements, each drawn from the seed and its place; outside of `shapes` there are none."""

    def __init__(self, seed, shapes=()):
        super().__init__()
        self.seed, self.shapes = seed, dict(shapes)

    def __missing__(self, key):
        shape = self.shapes.get(key[0], (mp.inf,) * len(key[1]))
        assert all(0 <= i < size for i, size in zip(key[1], shape, strict=True)), f"{key[0]} is read at {key[1]}"
        generator = random.Random(f"{self.seed} {key}")
        number = generator.uniform(0.1, 0.9) * (1 if key[0] == "y" else generator.choice((-1, 1)))
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


def derivative(equations, arrays, at, wanted, loss="l"):
    """The total derivative of the loss by central differences, for every element of a wanted array."""
    found = {}
    for indices in ranges(wanted.axes, at):
        key, sides = (wanted.name, indices), []
        for sign in (1, -1):
            moved = Arrays(0, arrays.shapes)
            moved.update(arrays)
            moved[key] = arrays[key] + sign * STEP
            later = [e for n, e in enumerate(equations) if wanted.name not in {x.name for x in equations[n:]}]
            sides.append(compute(later, moved, at)[loss, ()])
        found[indices] = (sides[0] - sides[1]) / (2 * STEP)
    return found
