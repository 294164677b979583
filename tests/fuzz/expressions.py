"""A small language of formulas: tuples that can be printed as symbackprop's texts and computed a number at a time.

    ("number", "1/3")                    ("read", name, places)          a place: ((factor, letter), ...), constant
    ("+", u, v)  ("-", u, v)  ("*", u, v)  ("/", u, v)  ("**", u, n)     ("call", function, u)
    ("if", (left, sign, right), u, v)    left and right formulas, or places where it is about indices
    ("sum", letters, u)                  ("max", letters, u)             ("max of", u, v)  ("min of", u, v)
"""

import operator
from fractions import Fraction
from itertools import product

from tests.fuzz.tape import Number, as_number

ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def text(e):
    """Print a formula as a user would type it."""
    match e:
        case ("number", value):
            return f"({value})" if "/" in value or "-" in value else value
        case ("place", place):
            return place_text(place)
        case ("read", name, places):
            return name + (f"[{','.join(map(place_text, places))}]" if places else "")
        case ("+" | "-" | "*" | "/", u, v):
            return f"({text(u)} {e[0]} {text(v)})"
        case ("**", u, n):
            return f"({text(u)})**{n}"
        case ("call", function, u):
            return f"{function}({text(u)})"
        case ("if", (left, sign, right), u, v):
            return f"({text(u)} if {text(left)} {sign} {text(right)} else {text(v)})"
        case ("sum" | "max", letters, u):
            return f"{e[0]}({text(u)}, {', '.join(letters)})"
        case ("max of" | "min of", u, v):
            return f"{e[0][:3]}({text(u)}, {text(v)})"
    raise TypeError(e)


def place_text(place):
    terms, constant = place
    parts = [letter if factor == 1 else f"{factor}*{letter}" for factor, letter in terms]
    return "+".join([*parts, *([str(constant)] if constant or not parts else [])])


def at(place, indices):
    terms, constant = place
    return sum(factor * indices[letter] for factor, letter in terms) + constant


def compute(e, arrays, indices, sizes, number=Fraction):
    """Compute a formula: arrays are {name: {indices: Number}}, `sizes` how far letters run."""

    def inner(u, more=()):
        return compute(u, arrays, {**indices, **dict(more)}, sizes, number)

    match e:
        case ("number", value):
            return Number(number(Fraction(value)))
        case ("place", place):
            return Number(at(place, indices))
        case ("read", name, places):
            if name not in arrays:  # a parameter that cancels: V - V
                return Number(number(1))
            return arrays[name][tuple(at(place, indices) for place in places)]
        case ("+" | "-" | "*" | "/", u, v):
            return ARITHMETIC[e[0]](inner(u), inner(v))
        case ("**", u, n):
            return inner(u) ** n
        case ("call", function, u):
            return inner(u).apply(function)
        case ("if", (left, sign, right), u, v):
            return inner(u if SIGNS[sign](inner(left).value, inner(right).value) else v)
        case ("sum" | "max", letters, u):
            turns = product(*(range(sizes[letter]) for letter in letters))
            values = [inner(u, zip(letters, turn, strict=True)) for turn in turns]
            return total(values) if e[0] == "sum" else max(values, key=lambda v: v.value)
        case ("max of", u, v):
            u, v = inner(u), inner(v)
            return u if u.value >= v.value else v
        case ("min of", u, v):
            u, v = inner(u), inner(v)
            return u if u.value <= v.value else v
    raise TypeError(e)


def total(values):
    whole = as_number(0)
    for value in values:
        whole += value
    return whole
