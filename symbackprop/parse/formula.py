"""From a formula as text to SymPy, through Python's ``ast`` and a list of what is allowed.

Nothing that is typed is evaluated: the text is cut into a syntax tree, every node of which is either on the list and
becomes a SymPy node built here, or is refused with its place. What could grow without bound (powers, constants, depth,
length) is bounded before SymPy sees it.
"""

from __future__ import annotations

import ast
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sympy
from sympy import And, E, Expr, IndexedBase, Not, Or, Piecewise, Rational, exp, log, pi

from symbackprop.expr.conditions import compared
from symbackprop.expr.functions import FUNCTIONS
from symbackprop.expr.suggest import nearest
from symbackprop.parse.lexer import RefusedError, tree_of
from symbackprop.parse.unforeseen import named_if_it_fails

LARGEST = 1e30  # of a constant, and 1 / LARGEST the smallest; float32 ends at 3.4e38
EXPONENT = 64  # also the largest degree of a polynomial in the variables
DIGITS = 100  # of an exact constant, above and below the fraction line
MOST = 8  # arguments of max and min, all of which are compared with one another
PIECES = 8  # of relu and the like within each other: the time that SymPy takes grows with a power of it
SIZE = 300  # nodes of what is made: relu, sign and chained comparisons write their argument twice

_IN_PIECES = tuple(name for name, function in FUNCTIONS.items() if function.pieces)
_FLAT = {"floor", "ceil", "round", "int"}
COMPARISONS = {ast.Lt: sympy.Lt, ast.LtE: sympy.Le, ast.Gt: sympy.Gt, ast.GtE: sympy.Ge}
_BESIDE = (
    "what is undefined at a point loses its digits beside it too: write a range, "
    "as sin(a)/a if abs(a) > 0.1 else 1 - a**2/6"
)
_HINTS: dict[type[ast.AST], str] = {
    ast.BitXor: "a power is written **", ast.Mod: "there is no remainder", ast.FloorDiv: "a quotient is written /",
    ast.Eq: _BESIDE, ast.NotEq: _BESIDE, ast.Attribute: "names have no attributes",
    ast.Lambda: "write the formula itself", ast.NamedExpr: "nothing can be assigned",
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    """What a node became: an expression, its number where it is constant, and its degree in the variables."""

    expr: Any
    number: float | None = None
    degree: float = 0


def parse(text: str, names: Mapping[str, Expr | IndexedBase]) -> Expr:
    """Return a formula that was typed as a SymPy expression.

    Parameters
    ----------
    text
        Numbers, the names given, + - * / ** ( ), the functions of FUNCTIONS, and ``x if c else y`` with comparisons,
        ``and``, ``or`` and ``not``. Decimals are exact: 0.1 is 1/10.
    names
        What each name stands for: variables and constants; an array may only be read with an index that is a name.

    Raises
    ------
    ValueError
        If anything else occurs; one line with the column, what was found there and what is allowed.

    Examples
    --------
    >>> parse("a if a > 0 else 0.1*(exp(a) - 1)", {"a": sympy.Symbol("a", real=True)})
    Piecewise((a, a > 0), (exp(a)/10 - 1/10, True))
    """
    text = text.strip(" ")
    try:
        with named_if_it_fails("formula", text):
            return Parser(text, names).value(tree_of(text).body).expr
    except RefusedError as refusal:
        raise ValueError(message(text, refusal)) from None


def message(text: str, refusal: RefusedError) -> str:
    """Return what is wrong with a formula, where, in one line."""
    start = max(0, refusal.column - 20)
    shown = ("..." if start else "") + text[start : start + 40] + ("..." if start + 40 < len(text) else "")
    return f"the formula {shown!r} has at column {refusal.column + 1} {refusal}"


class Parser:
    """Builds SymPy nodes from the nodes of a syntax tree."""

    def __init__(self, text: str, names: Mapping[str, Expr | IndexedBase]) -> None:
        self.text, self.names = text, names
        self.nested = 0  # functions of pieces around the node that is read

    def value(self, node: ast.expr) -> Value:
        """Return a node as a number or an expression."""
        match node:
            case ast.Constant(value=int() | float() as number):
                value = self._number(node, number)
            case ast.Name():
                value = self._name(node)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                value = self._unary(node)
            case ast.BinOp():
                value = self._binary(node)
            case ast.Call():
                value = self._call(node)
            case ast.IfExp(test, body, orelse):
                value = self._choice(node, test, body, orelse)
            case ast.Subscript():
                value = self._element(node)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                raise RefusedError(node.col_offset, "a condition, expected a number; write x if condition else y")
            case _:
                raise self._not_allowed(node)
        return self._check(node, value)

    def truth(self, node: ast.expr) -> Any:
        """Return a node as a condition."""
        match node:
            case ast.Compare(left, ops, rights):
                return And(*self._comparisons(node, [left, *rights], ops))
            case ast.BoolOp(op, values):
                return (And if isinstance(op, ast.And) else Or)(*map(self.truth, values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.truth(operand))
        raise RefusedError(node.col_offset, "no condition; one is written with < <= > >= and or not")

    def _comparisons(self, node: ast.Compare, sides: list[ast.expr], ops: list[ast.cmpop]) -> list[Any]:
        values = [self.value(side).expr for side in sides]
        comparisons = []
        for op, left, right in zip(ops, values, values[1:], strict=False):
            if type(op) not in COMPARISONS:
                raise RefusedError(node.col_offset, f"a comparison that is not allowed; {_hint(op)}")
            try:
                comparisons.append(compared(COMPARISONS[type(op)], left, right))
            except ValueError as error:
                raise RefusedError(node.col_offset, str(error)) from None
        return comparisons

    def _number(self, node: ast.Constant, value: float) -> Value:
        if isinstance(value, bool):
            raise RefusedError(node.col_offset, f"{value}, expected a number")
        number = float(value) if abs(value) <= LARGEST else math.inf
        _require_size(node, number)
        exact = Rational(ast.get_source_segment(self.text, node) or repr(value))
        return self._check(node, Value(exact, number))

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.names:
            meaning = self.names[node.id]
            if isinstance(meaning, IndexedBase):
                raise RefusedError(node.col_offset, f"the array {node.id} without an index")
            return Value(meaning, float(meaning) if meaning.is_number else None, 0 if meaning.is_number else 1)
        if node.id in {"pi", "e"}:
            constant = pi if node.id == "pi" else E
            return Value(constant, float(constant))
        known = [*self.names, "pi", "e"]
        what = f"the function {node.id} without arguments" if node.id in FUNCTIONS else f"the unknown name {node.id}"
        raise RefusedError(node.col_offset, f"{what}{_near(node.id, known)}; known are {', '.join(known)}")

    def _unary(self, node: ast.UnaryOp) -> Value:
        inner = self.value(node.operand)
        if isinstance(node.op, ast.UAdd):
            return inner
        return Value(-inner.expr, None if inner.number is None else -inner.number, inner.degree)

    def _binary(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        numbers = None if left.number is None or right.number is None else (left.number, right.number)
        match node.op:
            case ast.Add() | ast.Sub():
                sign = 1 if isinstance(node.op, ast.Add) else -1
                number = None if numbers is None else numbers[0] + sign * numbers[1]
                return Value(left.expr + sign * right.expr, number, max(left.degree, right.degree))
            case ast.Mult():
                number = None if numbers is None else numbers[0] * numbers[1]
                return Value(left.expr * right.expr, number, left.degree + right.degree)
            case ast.Div():
                if right.number == 0 or right.expr == 0:
                    raise RefusedError(node.right.col_offset, "a division by 0")
                number = None if numbers is None else numbers[0] / numbers[1]
                return Value(left.expr / right.expr, number, left.degree + right.degree)
            case ast.Pow():
                return self._power(node, left, right)
        raise RefusedError(node.col_offset, f"an operation that is not allowed; {_hint(node.op)}")

    def _power(self, node: ast.BinOp, base: Value, power: Value) -> Value:
        column = node.right.col_offset
        if power.number is None:
            if base.number is None or base.number <= 0:
                raise RefusedError(column, "an exponent that is no number; write exp(...) for it")
            return Value(exp(power.expr * log(base.expr)), None, power.degree)
        if abs(power.number) > EXPONENT:
            raise RefusedError(column, f"the exponent {power.number:g}, expected one from -{EXPONENT} to {EXPONENT}")
        if base.number is None:
            return Value(base.expr**power.expr, None, base.degree * max(1, abs(power.number)))
        try:
            number = float(base.number**power.number)
        except (OverflowError, ZeroDivisionError):
            number = math.inf
        except TypeError:  # it is complex
            number = math.nan
        _require_size(node, number)
        if base.expr.is_Rational and _digits(base.expr) * abs(power.number) > DIGITS and abs(base.expr) != 1:
            raise RefusedError(node.col_offset, f"a constant of more than {DIGITS} digits; write it as a decimal")
        return Value(base.expr**power.expr, number)

    def _call(self, node: ast.Call) -> Value:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            raise RefusedError(node.col_offset, _unknown_function(name))
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            raise RefusedError(node.col_offset, f"{name} with something else than values")
        count = FUNCTIONS[name].inputs
        if (count is None and len(node.args) < 2) or (count is not None and len(node.args) != count):
            wanted = "two or more" if count is None else str(count)
            raise RefusedError(node.col_offset, f"{name} with {len(node.args)} arguments, expected {wanted}")
        if len(node.args) > MOST:
            raise RefusedError(node.col_offset, f"{name} with {len(node.args)} arguments, expected at most {MOST}")
        values = self._arguments(node, name)
        numbers = [v.number for v in values]
        constant = None if None in numbers else self._shadow(node, name, numbers)
        try:
            return Value(FUNCTIONS[name].symbolic(*(v.expr for v in values)), constant, max(v.degree for v in values))
        except ValueError as error:  # too many cases
            raise RefusedError(node.col_offset, str(error)) from None

    def _arguments(self, node: ast.Call, name: str) -> list[Value]:
        """Return the values of a call's arguments, in which not too many functions of pieces are nested."""
        self.nested += name in _IN_PIECES
        if self.nested > PIECES:
            raise RefusedError(node.col_offset, f"more than {PIECES} of {', '.join(_IN_PIECES)} within each other")
        values = [self.value(a) for a in node.args]
        self.nested -= name in _IN_PIECES
        return values

    def _shadow(self, node: ast.Call, name: str, numbers: list[Any]) -> float:
        try:
            number = float(FUNCTIONS[name].number(*numbers))
        except OverflowError:
            number = math.inf
        except ValueError:  # outside of the function's domain
            number = math.nan
        _require_size(node, number)
        return number

    def _choice(self, node: ast.IfExp, test: ast.expr, body: ast.expr, orelse: ast.expr) -> Value:
        condition, one, other = self.truth(test), self.value(body), self.value(orelse)
        if condition in {True, False}:
            raise RefusedError(node.test.col_offset, "a condition that always has the same answer")
        return Value(Piecewise((one.expr, condition), (other.expr, True)), None, max(one.degree, other.degree))

    def _element(self, node: ast.Subscript) -> Value:
        base = self.names.get(node.value.id) if isinstance(node.value, ast.Name) else None
        index = self.names.get(node.slice.id) if isinstance(node.slice, ast.Name) else None
        if not isinstance(base, IndexedBase) or index is None or not getattr(index, "is_integer", False):
            raise RefusedError(node.col_offset, "an index that is not allowed")
        return Value(base[index], None, 1)

    @staticmethod
    def _check(node: ast.expr, value: Value) -> Value:
        if value.degree > EXPONENT:
            raise RefusedError(node.col_offset, f"a polynomial of degree {value.degree:g}, expected at most {EXPONENT}")
        if value.expr.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I):
            raise RefusedError(node.col_offset, "a value that is infinite or not real")
        if any(_digits(x) > DIGITS for x in value.expr.atoms(Rational)):
            raise RefusedError(node.col_offset, f"a constant of more than {DIGITS} digits")
        if next(islice(sympy.preorder_traversal(value.expr), SIZE, None), None) is not None:
            raise RefusedError(node.col_offset, f"more than {SIZE} operations, relu, sign and the like written out")
        if value.number is not None and value.expr != 0:
            _require_size(node, value.number or sys.float_info.min)  # what underflows is not 0
        return value

    @staticmethod
    def _not_allowed(node: ast.expr) -> RefusedError:
        kind = re.sub(r"(?<!^)(?=[A-Z])", " ", type(node).__name__).lower()
        return RefusedError(node.col_offset, f"a {kind}, which is not allowed; {_hint(node)}")


def _digits(number: Expr) -> int:
    return len(str(max(abs(number.p), number.q)))


def _hint(node: Any) -> str:
    return _HINTS.get(type(node), "allowed are + - * / **, functions and x if c else y")


def _near(name: str, known: list[str]) -> str:
    near = nearest(name, known, 1)
    return f", did you mean {near[0]}?" if near else ""


def _unknown_function(name: str) -> str:
    if name in _FLAT:
        return f"{name}, which is flat almost everywhere: no gradient would ever come through it"
    shown = f"the unknown function {name}" if name else "a call of something that is no name"
    return f"{shown}{_near(name, list(FUNCTIONS))}; known are {', '.join(FUNCTIONS)}"


def _require_size(node: ast.expr, number: float) -> None:
    """Refuse a constant that a kernel could not hold; NaN stands for one that is not real."""
    if number == 0 or 1 / LARGEST <= abs(number) <= LARGEST:
        return
    kind = "not real" if math.isnan(number) else "too large" if abs(number) > LARGEST else "too small"
    raise RefusedError(node.col_offset, f"a constant that is {kind}, expected one from 1e-30 to 1e30")
