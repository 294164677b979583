"""Numbers that remember how they were computed: the chain rule a number at a time, which knows no arrays and no SymPy.

Values are fractions or floats; derivatives of functions are typed in here, from the textbook. Kinks are those that the
documents state: relu'(0) = 0, |x|' = 0 at 0, a tie goes to the first.
"""

import math
from fractions import Fraction


class Number:
    """A value, and the numbers it was computed from, each with the derivative by it."""

    __slots__ = ("parents", "slope", "value")

    def __init__(self, value, parents=()):
        self.value, self.parents, self.slope = value, parents, 0

    def __add__(self, other):
        other = as_number(other)
        return Number(self.value + other.value, ((self, 1), (other, 1)))

    def __mul__(self, other):
        other = as_number(other)
        return Number(self.value * other.value, ((self, other.value), (other, self.value)))

    def __truediv__(self, other):
        other = as_number(other)
        whole = self.value / other.value
        return Number(whole, ((self, 1 / other.value), (other, -whole / other.value)))

    def __sub__(self, other):
        return self + as_number(other) * -1

    def __pow__(self, n):
        return Number(self.value**n, ((self, n * self.value ** (n - 1)),))

    def apply(self, name):
        value, slope = FUNCTIONS[name]
        return Number(value(self.value), ((self, slope(self.value)),))


def as_number(value):
    if isinstance(value, Number):
        return value
    return Number(Fraction(value) if isinstance(value, int) else value)


def slopes(of, by):
    """Return the derivatives of one number by others: 0 where it does not depend on them."""
    order, seen, stack = [], set(), [(of, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(parent, False) for parent, _ in node.parents]
    for node in order:
        node.slope = 0
    of.slope = 1
    for node in reversed(order):
        for parent, slope in node.parents:
            parent.slope += node.slope * slope
    return [node.slope if id(node) in seen else 0 for node in by]


def _sigmoid(a):
    return 1 / (1 + math.exp(-a))


FUNCTIONS = {
    "abs": (abs, lambda a: int(a > 0) - int(a < 0)),
    "relu": (lambda a: a if a > 0 else 0 * a, lambda a: int(a > 0)),
    "exp": (math.exp, math.exp),
    "tanh": (math.tanh, lambda a: 1 - math.tanh(a) ** 2),
    "sigmoid": (_sigmoid, lambda a: _sigmoid(a) * (1 - _sigmoid(a))),
    "softplus": (lambda a: math.log1p(math.exp(a)), _sigmoid),
    "sin": (math.sin, math.cos),
    "atan": (math.atan, lambda a: 1 / (1 + a * a)),
    "log": (math.log, lambda a: 1 / a),
    "sqrt": (math.sqrt, lambda a: 1 / (2 * math.sqrt(a))),
}
