"""Formulas as Python text that Numba compiles well: typed constants, conditional expressions, elementary functions."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import (
    ITE,
    Abs,
    Add,
    And,
    Expr,
    Indexed,
    Max,
    Min,
    Mod,
    Mul,
    Not,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    Symbol,
    floor,
    fraction,
)
from sympy.core.function import Function
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanAtom

from symbackprop.emit.exponents import accurate_exponents, exponentials, name_of_exponent, template
from symbackprop.expr.functions import NODES
from symbackprop.expr.printing import by_size, identifier, in_order, is_negative, quotient
from symbackprop.expr.symbols import AtInfinity, Finite, accurate_exp, decay, name_of
from symbackprop.loops.ir import Accumulate, Assign, If, Kernel, walk

_WRITTEN_OTHERWISE = {"Abs", "Max", "Min", "sign", "decay", "accurate_exp", "stored"}  # as operators, or not at all
_FUNCTIONS = NODES.keys() - _WRITTEN_OTHERWISE | {"sqrt", "cbrt", "ratio"}
_SUM, _PRODUCT, _ATOM = 1, 2, 3


def functions(kernels: Iterable[Kernel]) -> list[str]:
    """Return the elementary functions that some kernels call, sorted."""
    found = set()
    for kernel in kernels:
        for statement in walk(kernel.body):
            if isinstance(statement, If) and statement.condition.has(Finite):
                found.add("isfinite")
            if isinstance(statement, Assign | Accumulate):
                value = _without_exponents(statement.value)
                found |= {"exp" if isinstance(f, decay) else type(f).__name__ for f in value.atoms(Function)}
                found |= {"sqrt" for _ in _roots(value)}
                found |= {"cbrt" for p in value.atoms(Pow) if not p.is_number and _is_of_thirds(p.exp)}
                found |= {"ratio" for p in value.atoms(Pow) if p.exp.is_negative and _roots(p)}
    return sorted(found & (_FUNCTIONS | {"isfinite"}))


def exponents(kernels: Iterable[Kernel]) -> dict[str, Expr]:
    """Return the exponents that some kernels compute with what their roundings lost, by the function's name."""
    statements = (st for kernel in kernels for st in walk(kernel.body))
    return accurate_exponents(st.value for st in statements if isinstance(st, Assign | Accumulate))


def _without_exponents(expr: Expr) -> Expr:
    """Return a formula with what accurate exponentials read in the place of these."""
    return expr.xreplace({e: Add(*(_without_exponents(leaf) for leaf in template(e)[1])) for e in exponentials(expr)})


def number(value: Expr) -> str:
    """Return a constant of the kernel's type.

    >>> number(Rational(3, 2)), number(S.Zero), number(S(2))
    ('real(1.5)', 'zero', 'real(2)')
    """
    if value in {0, 1}:
        return "one" if value == 1 else "zero"
    if value.is_negative:
        return "-" + number(-value)
    return f"real({int(value) if value.is_Integer and value < 10**6 else repr(float(value))})"


def integer(expr: Expr) -> str:
    """Return an index or a size as an integer expression."""
    match expr:
        case Symbol():
            return identifier(expr.name)
        case Indexed():
            return element(expr)
        case Mod():
            text = integer(expr.args[0])
            return f"({text}) % {integer(expr.args[1])}" if expr.args[0].is_Add else f"{text} % {integer(expr.args[1])}"
        case floor():
            above, below = fraction(expr.args[0])
            text = integer(above)
            return f"{text if isinstance(above, Indexed) else f'({text})'} // {integer(below)}"
        case Max():
            return f"max({', '.join(sorted(integer(a) for a in expr.args))})"
        case Min():
            return f"min({', '.join(sorted(integer(a) for a in expr.args))})"
        case Add():
            terms = [integer(t) for t in sorted(expr.args, key=lambda t: (t.is_Number or is_negative(t), str(t)))]
            return " + ".join(terms).replace("+ -", "- ")
        case Mul():
            return " * ".join(
                f"({integer(a)})" if isinstance(a, Add | Mod | floor) else integer(a) for a in expr.args
            ).replace("-1 * ", "-")
    return str(expr)


def real(expr: Expr, around: int = 0) -> str:
    """Return a real expression as Python text, in parentheses where `around` binds tighter."""
    text, level = _real(expr)
    return f"({text})" if level < around else text


def _real(expr: Expr) -> tuple[str, int]:
    if expr.is_number:
        return number(expr), _ATOM if not expr.is_negative else _SUM
    if expr.is_integer and not expr.has(Indexed, Piecewise):
        return f"real({integer(expr)})", _ATOM
    match expr:
        case Indexed() | Symbol():
            return element(expr) if isinstance(expr, Indexed) else identifier(expr.name), _ATOM
        case Add() | Piecewise():
            return (_sum(expr), _SUM) if isinstance(expr, Add) else (_choice(expr), 0)
        case Mul() | Pow():
            return _product(expr) if isinstance(expr, Mul) else _power(expr)
        case Abs() | floor():
            return f"{'abs' if isinstance(expr, Abs) else 'np.floor'}({real(expr.args[0])})", _ATOM
        case Max() | Min():
            values = sorted(expr.args, key=lambda a: a.is_number)  # max(x, zero) keeps a NaN, max(zero, x) loses it
            return f"{type(expr).__name__.lower()}({', '.join(real(a) for a in values)})", _ATOM
        case Function():
            return _call(expr), _ATOM
    raise ValueError(f"the formula {expr} has {type(expr).__name__}, which no kernel can compute")


def _call(expr: Function) -> str:
    """Return a function with its arguments, an exponential with what its exponent reads."""
    name, arguments = type(expr).__name__, [*expr.args]
    if isinstance(expr, decay):
        return f"exp(-abs({real(expr.args[0])}))"
    if isinstance(expr, accurate_exp):
        exponent, arguments = template(expr)
        name = name_of_exponent(exponent)
    elif name not in _FUNCTIONS:
        raise ValueError(f"the formula {expr} has {name}, which no kernel can compute")
    return f"{name}({', '.join(map(real, arguments))})"


def element(expr: Indexed) -> str:
    """Return an element of an array, its indices set tight.

    >>> from symbackprop.expr.symbols import array, index
    >>> element(array("W^1")[index("i") + 1, index("j")])
    'W1[i+1,j]'
    """
    return f"{identifier(name_of(expr))}[{','.join(map(tight, expr.indices))}]"


def tight(index: Expr) -> str:
    """Return an index without spaces."""
    return integer(index).replace(" ", "")


def _sum(expr: Add) -> str:
    terms = sorted(expr.args, key=by_size)
    text = real(terms[0], _SUM)
    for term in terms[1:]:
        text += f" - {real(-term, _PRODUCT)}" if is_negative(term) else f" + {real(term, _SUM)}"
    return text


def _product(expr: Mul) -> tuple[str, int]:
    if is_negative(expr):
        return "-" + real(-expr, _PRODUCT), _SUM
    above, below = quotient(expr)
    if below != 1 and not below.is_number:
        return _quotient(above, below)
    return " * ".join(real(f, _PRODUCT) for f in in_order(expr)), _PRODUCT


def _quotient(above: Expr, below: Expr) -> tuple[str, int]:
    if _roots(below):
        return f"ratio({real(above)}, {real(below)})", _ATOM
    return f"{real(above, _PRODUCT)} / {real(below, _ATOM)}", _PRODUCT


def _roots(expr: Expr) -> set[Pow]:
    """Return the powers in an expression that are computed with a root."""
    return {p for p in expr.atoms(Pow) if not p.is_number and (2 * p.exp).is_odd}


def _power(expr: Pow) -> tuple[str, int]:
    base, power = expr.args
    if power.is_negative:
        return _quotient(S.One, base ** (-power))
    if power == S.Half:
        return f"sqrt({real(base)})", _ATOM
    if power.is_Integer and power <= 4:
        return " * ".join([real(base, _ATOM)] * int(power)), _PRODUCT
    if isinstance(power, Rational) and power.q == 2:
        return _product(Mul(base ** (power - S.Half), Pow(base, S.Half), evaluate=False))
    if _is_of_thirds(power):
        return " * ".join(_thirds(base, power)), _PRODUCT
    exponent = str(power) if power.is_Integer else real(power, _ATOM)
    return f"{real(base, _ATOM)} ** {exponent}", _PRODUCT


def _is_of_thirds(power: Expr) -> bool:
    return isinstance(power, Rational) and power.q == 3


def _thirds(base: Expr, power: Rational) -> list[str]:
    """Return the factors of a power: u^(5/3) is ∛u ∛u u."""
    whole, rest = divmod(power.p, 3)
    return [f"cbrt({real(base)})"] * rest + ([real(base**whole, _PRODUCT)] if whole else [])


def _choice(expr: Piecewise) -> str:
    *pairs, last = expr.args
    text = real(last.expr, _SUM)
    for value, condition in reversed([(p.expr, p.cond) for p in pairs]):
        text = f"{real(value, _SUM)} if {truth(condition)} else {text}"
    return text


def truth(expr: Expr) -> str:
    """Return a condition as Python text."""
    match expr:
        case And() | Or():
            word = " and " if isinstance(expr, And) else " or "
            parts = sorted(truth(a) for a in expr.args)
            return word.join(f"({p})" if " and " in p or " or " in p else p for p in parts)
        case AtInfinity():
            value, end = (-expr.args[0], "-") if is_negative(expr.args[0]) else (expr.args[0], "")
            return f"{real(value)} == {end}real(np.inf)"
        case Finite():
            return f"isfinite({real(expr.args[0])})"
        case Not() if isinstance(expr.args[0], Finite):
            return f"not {truth(expr.args[0])}"
        case Not():
            return f"not ({truth(expr.args[0])})"
        case Relational():
            whole = all(side.is_integer for side in expr.args) and any(side.free_symbols for side in expr.args)
            show = integer if whole else real
            return f"{show(expr.lhs)} {expr.rel_op} {show(expr.rhs)}"
        case ITE(args=(condition, yes, no)):
            return f"({truth(yes)} if {truth(condition)} else {truth(no)})"
        case BooleanAtom():
            return str(expr)
    raise ValueError(f"the condition {expr} is a {type(expr).__name__}, which no kernel can compute")
