"""From index equations as text to SymPy: ``mu = sum(h[j], j)/n; a[i] = b[i] + sum(W[i,j]*(h[j] - mu), j)``.

The grammar of `formula`, with arrays that are read at indices, and with sums and maxima over indices. How far an index
runs is not said here: its limits hold the symbol `extent` of it, which is found from the shapes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sympy import Eq, Expr, Indexed, IndexedBase, Integer, Ne, Symbol

from symbackprop.expr.functions import FUNCTIONS
from symbackprop.expr.reductions import Maximum, Sum
from symbackprop.expr.symbols import array, array_of_integers, index, name_of, scalar, symbols_in
from symbackprop.parse.formula import COMPARISONS, Parser, Value, message
from symbackprop.parse.lexer import RefusedError, tree_of
from symbackprop.parse.unforeseen import named_if_it_fails

NAME = r"[A-Za-z][A-Za-z_]*"
REDUCTIONS: dict[str, Any] = {"sum": Sum, "max": Maximum}
LARGEST_NUMBER = 10**6  # in an index
FEWEST, MOST = 1, 20  # equations of a layer


@dataclass(frozen=True)
class IndexEquation:
    """One equation of a layer as written: ``lhs = rhs`` wherever its indices may run."""

    lhs: Expr
    rhs: Expr
    text: str


def extent(name: str) -> Symbol:
    """Return how far an index runs, as long as that is not known."""
    return Symbol(f"size({name})", integer=True, positive=True)


def over(kind: Any, body: Expr, indices: Iterable[Symbol]) -> Expr:
    """Return the sum or the maximum of an expression over indices, the first outermost, each as far as it runs.

    >>> j = index("j")
    >>> over(Sum, array("h")[j], [j])
    Sum(h[j], (j, 0, size(j) - 1))
    """
    return kind(body, *((i, 0, extent(i.name) - 1) for i in reversed([*indices])))


def sum_over(body: Expr, *indices: Symbol) -> Expr:
    """Return the sum of an expression over indices, each as far as the shapes of what is read allow.

    >>> j, W, h = Symbol("j"), IndexedBase("W"), IndexedBase("h")
    >>> sum_over(W[j] * h[j], j)
    Sum(W[j]*h[j], (j, 0, size(j) - 1))
    """
    return over(Sum, body, indices)


def max_over(body: Expr, *indices: Symbol) -> Expr:
    """Return the largest value of an expression over indices; see `sum_over`."""
    return over(Maximum, body, indices)


def parse_equations(text: str, names: Mapping[str, Expr]) -> tuple[IndexEquation, ...]:
    """Return the equations of a layer, which are separated by ``;`` or lines.

    Parameters
    ----------
    text
        ``a[i] = ...`` last; whatever stands on the left before it is an intermediate quantity.
    names
        What other names than arrays, scalars and indices stand for: constants.

    Raises
    ------
    ValueError
        If a text is no equation, or its formula is refused; one line with the column.
    """
    parts = [part.strip() for part in re.split(r"[;\n]", text) if part.strip()]
    if not FEWEST <= len(parts) <= MOST:
        raise ValueError(f"{text!r:.60} has {len(parts)} equations, expected {FEWEST} to {MOST} such as a[i] = b[i]")
    with named_if_it_fails("layer", text):
        return tuple(_equation(part, names) for part in parts)


def _equation(text: str, names: Mapping[str, Expr]) -> IndexEquation:
    cut = re.search(r"(?<![=<>!])=(?!=)", text)
    if cut is None:
        raise ValueError(f"{text!r:.60} is no equation, expected one such as a[i] = b[i] + sum(W[i,j]*h[j], j)")
    left, right = text[: cut.start()].strip(), text[cut.end() :].strip()
    indices, read = _indices_of(left, left=True), _indices_of(right)
    indices |= _bound_in(right)
    if unbound := sorted(read - indices - {*names}):
        raise ValueError(
            f"{text!r:.60} has the index {unbound[0]}, which is neither on the left nor summed over; write "
            f"sum(..., {unbound[0]})"
        )
    if clash := sorted(indices & {*FUNCTIONS, *REDUCTIONS, "pi", "e"}):
        raise ValueError(f"{text!r:.60} has the index {clash[0]}, which means something else; take another letter")
    names = {n: value for n, value in names.items() if n not in indices}
    lhs, rhs = (_parse(side, indices, names) for side in (left, right))
    if not isinstance(lhs, Indexed | Symbol) or lhs.is_integer:
        raise ValueError(f"{text!r:.60} defines {left!r:.30}, expected a name, or a name with indices such as a[i]")
    return IndexEquation(lhs, rhs, text)


def _parse(text: str, indices: set[str], names: Mapping[str, Expr]) -> Expr:
    try:
        tree = tree_of(text)
        return _IndexParser(text, names, indices).value(tree.body).expr
    except RefusedError as refusal:
        raise ValueError(message(text, refusal)) from None


def _indices_of(text: str, *, left: bool = False) -> set[str]:
    """Return the names that stand within brackets."""
    return {
        name for node in _nodes(text, left=left) if isinstance(node, ast.Subscript) for name in _free_names(node.slice)
    }


def _bound_in(text: str) -> set[str]:
    """Return the names that are summed over, or over which a maximum is taken."""
    bound: set[str] = set()
    inside = _indices_of(text)
    for node in _nodes(text):
        if isinstance(node, ast.Call) and _function_of(node) in REDUCTIONS:
            names = {a.id for a in node.args[1:] if isinstance(a, ast.Name)}
            bound |= names if _function_of(node) == "sum" else names & inside
    return bound


def _nodes(text: str, *, left: bool = False) -> list[ast.AST]:
    try:
        return list(ast.walk(tree_of(text)))
    except RefusedError as refusal:
        what = f"the left side {text!r:.40} has" if left else ""
        raise ValueError(f"{what} {message(text, refusal)}".strip()) from None


def _free_names(node: ast.AST) -> set[str]:
    """Return the names in an index, those of arrays that are read there left out."""
    if isinstance(node, ast.Subscript):
        return _free_names(node.slice)
    if isinstance(node, ast.Name):
        return {node.id}
    return {name for child in ast.iter_child_nodes(node) for name in _free_names(child)}


def _function_of(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


class _IndexParser(Parser):
    """Builds SymPy nodes of formulas whose arrays are read at indices."""

    def __init__(self, text: str, names: Mapping[str, Expr], indices: set[str]) -> None:
        super().__init__(text, {**names, **{name: index(name) for name in indices}})
        self.indices = indices

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.names or node.id in {"pi", "e"}:
            return super()._name(node)
        self._require_name(node)
        return Value(scalar(node.id), None, 1)

    def _require_name(self, node: ast.Name) -> None:
        if node.id in FUNCTIONS or node.id in REDUCTIONS or not re.fullmatch(NAME, node.id):
            raise RefusedError(node.col_offset, f"the name {node.id:.30}, expected one of letters, such as W or mu")

    def _element(self, node: ast.Subscript) -> Value:
        if not isinstance(node.value, ast.Name):
            raise RefusedError(node.col_offset, "an index of something that is no name")
        self._require_name(node.value)
        if node.value.id in self.names:
            raise RefusedError(node.col_offset, f"{node.value.id}, which is an index or a number, with an index")
        places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if not 1 <= len(places) <= 6:
            raise RefusedError(node.col_offset, f"{len(places)} indices, expected 1 to 6")
        return Value(array(node.value.id)[tuple(map(self._index, places))], None, 1)

    def _index(self, node: ast.expr) -> Expr:
        """Return an index: whole numbers and indices, added and multiplied, or an element of an array of integers."""
        match node:
            case ast.Constant(value=int() as number) if not isinstance(number, bool) and number <= LARGEST_NUMBER:
                return Integer(number)
            case ast.Name():
                symbol = self.names[node.id]
                if symbol.is_integer:
                    return symbol
            case ast.UnaryOp(op=ast.USub()):
                return -self._index(node.operand)
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult()):
                left, right = self._index(node.left), self._index(node.right)
                if isinstance(node.op, ast.Mult):
                    if not left.is_Integer and not right.is_Integer:
                        raise RefusedError(node.col_offset, "a product of two indices; one of them must be a number")
                    return left * right
                return left + right if isinstance(node.op, ast.Add) else left - right
            case ast.Subscript():
                read = self._element(node).expr
                return array_of_integers(name_of(read))[read.indices]
        raise RefusedError(node.col_offset, "an index that is none; allowed are i, 2*i + j - 1 and the like")

    def _call(self, node: ast.Call) -> Value:
        name = _function_of(node)
        if name == "size":
            return self._size(node)
        bound = [a.id for a in node.args[1:] if isinstance(a, ast.Name) and a.id in self.indices]
        if name not in REDUCTIONS or (name == "max" and len(bound) < len(node.args) - 1):
            return super()._call(node)
        if not bound or len(bound) < len(node.args) - 1 or node.keywords or len(set(bound)) < len(bound):
            raise RefusedError(node.col_offset, f"{name} without indices, expected {name}(W[i,j]*h[j], j)")
        body = self.value(node.args[0])
        if missing := [b for b in bound if index(b) not in body.expr.free_symbols]:
            raise RefusedError(node.col_offset, f"{name} over {missing[0]}, which does not occur in it")
        return Value(over(REDUCTIONS[name], body.expr, map(index, bound)), None, body.degree)

    def _comparisons(self, node: ast.Compare, sides: list[ast.expr], ops: list[ast.cmpop]) -> list[Any]:
        """Return comparisons; those of indices may ask for equality."""
        values = [self.value(side).expr for side in sides]
        if not any(isinstance(op, ast.Eq | ast.NotEq) for op in ops) or not all(v.is_integer for v in values):
            return super()._comparisons(node, sides, ops)
        comparisons = []
        for op, left, right in zip(ops, values, values[1:], strict=False):
            kind = {ast.Eq: Eq, ast.NotEq: Ne, **COMPARISONS}[type(op)]
            comparisons.append(kind(left, right))
        return comparisons

    def _size(self, node: ast.Call) -> Value:
        inside = node.args[0] if len(node.args) == 1 else None
        if not isinstance(inside, ast.Name) or inside.id not in self.indices:
            raise RefusedError(node.col_offset, "size of something else than an index, expected size(j)")
        return Value(extent(inside.id), None, 0)


def normal(lhs: Any, rhs: Any) -> IndexEquation:
    """Return an equation made in Python of SymPy's Indexed and of our sums, with symbols that are ours."""
    indices = {s.name for e in (lhs, rhs) for x in e.atoms(Indexed) for i in x.indices for s in symbols_in(i)
               if not s.name.startswith("size(")}  # fmt: skip
    arrays = {str(x.base.label) for e in (lhs, rhs) for x in e.atoms(Indexed)}
    indices -= arrays
    sides = []
    for side in (lhs, rhs):
        swap: dict[Any, Any] = {}
        for s in symbols_in(side) | {limit[0] for r in side.atoms(Sum, Maximum) for limit in r.limits}:
            if s.name in indices:
                swap[s] = index(s.name)
            elif s.name not in arrays and not s.name.startswith("size("):
                swap[s] = scalar(s.name)
        swap |= {b: array(str(b.label)) for b in side.atoms(IndexedBase)}
        sides.append(side.xreplace(swap))
    return IndexEquation(sides[0], sides[1], f"{lhs} = {rhs}")


def as_equation(equation: Any) -> IndexEquation:
    """Return one equation of a layer that is given in Python as ``Eq(a[i], ...)``."""
    if isinstance(equation, IndexEquation):
        return equation
    if not isinstance(equation, Eq) or not isinstance(equation.lhs, Indexed | Symbol):
        raise ValueError(f"{equation!r:.80} is no equation, expected Eq(a[i], ...) of SymPy, or a text")  # noqa: TRY004
    return normal(equation.lhs, equation.rhs)


def affine(expr: Expr, indices: Iterable[Symbol]) -> tuple[dict[Symbol, int], Expr] | None:
    """Return the coefficients of indices in an expression and the rest; None where it is not affine in them.

    >>> i, j = index("i"), index("j")
    >>> affine(2 * i + j - 1, [i, j])
    ({i: 2, j: 1}, -1)
    """
    factors: dict[Symbol, int] = {}
    rest = expr.expand()
    for i in indices:
        factor = rest.coeff(i)
        if not factor.is_Integer or (rest - factor * i).expand().has(i):
            return None
        rest = (rest - factor * i).expand()
        if factor != 0:
            factors[i] = int(factor)
    return factors, rest
