"""From sums of products over arrays with fixed sizes, and from functions of whole arrays, to calls of kernels.

Each is typed once, whatever schedule calls it; and a function of all elements of an array, or their sum, is computed
along one row, where in rows of 8 or 24 the compiler would not vectorise it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sympy import Basic, Expr, Function, Indexed, IndexedBase, Integer, Mul, Piecewise, Symbol

from symbackprop.expr.equations import Equation
from symbackprop.expr.reductions import Reduction, Sum, outermost
from symbackprop.expr.symbols import Axis, array, scalar, size, symbols_in
from symbackprop.loops.ir import Argument, Body, Call, Kernel
from symbackprop.loops.lower import lower
from symbackprop.loops.matmul import contract_groups
from symbackprop.loops.passes.cse import share
from symbackprop.loops.passes.hoist import hoist
from symbackprop.loops.passes.scalarize import scalarize
from symbackprop.loops.passes.tile import CannotTileError, tile
from symbackprop.loops.register_tiles import register_tile

LETTERS = "ABCDEFGHKLMOQRSTUVWZ"
COUNT = size("count")
FEW = 64  # elements of an array that is not worth a call


def as_calls(equation: Equation) -> tuple[Call | Equation, ...]:
    """Return the call of a kernel that computes an equation in a fast order, and what is left to be computed after it;
    the equation itself where loops in place will do, as for a number.
    """
    if not isinstance(equation.lhs, Indexed):
        return (equation,)
    call = _of_products(equation) or _of_each(equation) or _of_rows(equation)
    return contract_groups(equation) or ((call,) if call else (equation,))


def is_product(equation: Equation) -> bool:
    """Whether an equation is a sum of products that a kernel computes."""
    return isinstance(equation.lhs, Indexed) and bool(_of_products(equation) or contract_groups(equation))


def _of_products(equation: Equation) -> Call | None:
    factors = register_tile(equation)
    if not factors:
        return None
    renamed, values = _with_arguments(equation)
    loops = tuple(replace(s, why="") for s in lower(renamed))
    body = hoist(share(loops), frozenset(a.name for a in _arguments(values)))
    try:
        body = scalarize(tile(body, factors))
    except CannotTileError:
        return None
    verb = "scatter" if renamed.is_scattered else "update" if renamed.is_update else "sum"
    kernel = _kernel(f"{verb}_{{A}}", renamed, values, body)
    return Call(kernel, values, equation.written(code=True))


def _of_each(equation: Equation) -> Call | None:
    """Return the call of a kernel for a function of all elements of an array, which it takes as one row."""
    indices = tuple(axis.index for axis in equation.over)
    called = {type(f).__name__ for f in equation.rhs.atoms(Function) if not isinstance(f, Piecewise)} - {"Abs"}
    whole = Mul(*(axis.size for axis in equation.over))
    elements = [equation.lhs, *equation.rhs.atoms(Indexed)]
    fixed = all(axis.size.is_Integer for axis in equation.over[1:])  # the first may count examples
    if len(indices) < 2 or not fixed or (whole.is_Integer and whole < FEW) or not called or equation.is_update:
        return None
    if (
        any(e.indices != indices for e in elements)
        or equation.rhs.has(*Reduction)
        or _outside(equation.rhs) & {*indices}
    ):
        return None
    renamed, values = _with_arguments(equation)
    i = Axis("i", COUNT)
    swap = {e: e.base[i.index] for e in (renamed.lhs, *renamed.rhs.atoms(Indexed))}
    row = Equation(renamed.lhs.xreplace(swap), renamed.rhs.xreplace(swap), (i,))
    body = hoist(share(tuple(replace(s, why="") for s in lower(row))), frozenset(map(str, values)))
    simple = isinstance(row.rhs, Function) and len(row.rhs.atoms(Indexed)) == 1
    name = f"each_{'_'.join(sorted(called))}" if simple else "each_{A}"
    kernel = _kernel(name, row, values, body, Argument(COUNT.name, (), "size"))
    rows = tuple((-1,) for v in values if isinstance(v, IndexedBase))
    return Call(kernel, (*values, whole), equation.written(code=True), rows)


def _of_rows(equation: Equation) -> Call | None:
    """Return the call of a kernel for v[o] ← v[o] + factor Σ_j Σ_i A[o,j,i], the elements of A[o] taken as one row."""
    sums = outermost(equation.rhs, *Reduction)
    if len(sums) != 1 or not isinstance(sums[0], Sum) or not isinstance(sums[0].function, Indexed):
        return None
    (total,), v, indices = sums, equation.lhs, tuple(axis.index for axis in equation.over)
    if not indices or not isinstance(v, Indexed):
        return None
    bound = tuple(limit[0] for limit in reversed(total.limits))
    factor = ((equation.rhs - v).expand() / total).cancel()
    fits = len(bound) > 1 and v.indices == indices and total.function.indices == indices + bound
    if not fits or factor.has(Indexed, Sum) or _outside(factor) & {*indices} or not _are_fixed(equation):
        return None
    sizes = equation.ranges
    rows, terms = (int(Mul(*(sizes[i] for i in group))) for group in (indices, bound))
    p, k = Axis("p", size("rows")), Axis("k", size("terms"))
    C, A, f = array("C")[p.index], array("A")[p.index, k.index], scalar("factor")
    whole = Equation(C, C + f * Sum(A, k.limits), (p,))
    arguments = (Argument("C"), Argument("A"), *(Argument(a.size.name, (), "size") for a in (p, k)), Argument("factor"))
    body = tuple(replace(s, why="") for s in lower(whole))
    kernel = Kernel("add_rows", arguments, (), body, (), f"Update {whole.written(code=True)}.")
    values = (v.base, total.function.base, Integer(rows), Integer(terms), factor)
    return Call(kernel, values, equation.written(code=True), ((rows,) if len(indices) > 1 else (), (rows, terms)))


def _are_fixed(equation: Equation) -> bool:
    return all(n.is_Integer for n in equation.ranges.values())


def _outside(expr: Expr) -> set[Basic]:
    """Return the symbols of an expression that are not within the indices of its elements."""
    flat = expr.xreplace({e: Symbol("_") for e in expr.atoms(Indexed)})
    return set(flat.free_symbols)


def _with_arguments(equation: Equation) -> tuple[Equation, tuple[Basic, ...]]:
    """Return an equation of arrays A, B, ... and what stands for them, and the scalars that it reads."""
    bases = [equation.lhs.base, *sorted({e.base for e in equation.rhs.atoms(Indexed)} - {equation.lhs.base}, key=str)]
    swap = dict(zip(bases, map(array, LETTERS), strict=False))
    labels = {b.label for b in bases}
    scalars = sorted(symbols_in(equation.rhs) - labels - {a.index for a in equation.over}, key=str)
    made = Equation(equation.lhs.xreplace(swap), equation.rhs.xreplace(swap), equation.over, equation.role)
    return made, (*bases, *scalars)


def _arguments(values: Sequence[Basic]) -> tuple[Argument, ...]:
    arrays = [v for v in values if isinstance(v, IndexedBase)]
    scalars = [v for v in values if not isinstance(v, IndexedBase)]
    return (*(Argument(letter) for letter, _ in zip(LETTERS, arrays, strict=False)),
            *(Argument(s.name) for s in scalars))  # fmt: skip


def _kernel(name: str, equation: Equation, values: Sequence[Basic], body: Body, *more: Argument) -> Kernel:
    doc = f"{'Update' if equation.is_update else 'Set'} {equation.written(code=True)}."
    return Kernel(name, (*_arguments(values), *more), (), body, (), doc)

