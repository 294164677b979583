"""From a sum of products of two matrices to a call of a tiled kernel that all such sums of a module share.

An equation over two indices p and q whose right side is one sum over k of A times B, and terms without one, becomes the
call of a kernel named by what of A is multiplied with what of B: ``rows_x_rows`` sets C[p,q] = Σ_k A[p,k] B[q,k],
``add_columns_x_columns`` adds a multiple of Σ_k A[k,p] B[k,q] to C. Each is compiled once, whatever the sums are part
of; where all are of the same matrices it is called after these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from sympy import Add, Dummy, Expr, Indexed, Integer, Mul, Symbol

from symbackprop.expr.equations import Equation
from symbackprop.expr.reductions import Reduction, Sum, outermost
from symbackprop.expr.symbols import Axis, array, scalar, size
from symbackprop.loops.ir import Argument, Call, Kernel
from symbackprop.loops.lower import expand_over, lower
from symbackprop.loops.passes.cse import share
from symbackprop.loops.passes.hoist import hoist
from symbackprop.loops.passes.scalarize import scalarize
from symbackprop.loops.passes.tile import tile

P, Q, K = Axis("p", size("rows")), Axis("q", size("columns")), Axis("k", size("terms"))
SCALE, FACTOR = scalar("scale"), scalar("factor")
ROWS_OF_BOTH = {"p": 4, "q": 6}  # elements of C at a time, their sums in registers
ROWS_OF_ONE = {"p": 6, "k": 4}  # rows of C and of B at a time: B is used 6 times and C 4 times while it is loaded


@dataclass(frozen=True)
class Contraction:
    """The parts of C[p,q] = rest + factor Σ_k A B, and what p, q and k are in the equation."""

    equation: Equation
    total: Sum
    factors: tuple[Indexed, Indexed]
    factor: Expr
    rest: Expr

    @property
    def names(self) -> dict[Symbol, str]:
        """The letters of the equation's indices."""
        index, *_ = self.total.limits[0]
        return dict(zip((*self.equation.lhs.indices, index), "pqk", strict=True))

    @property
    def patterns(self) -> tuple[str, str]:
        """The letters with which A and B are indexed."""
        one, other = ("".join(self.names[i] for i in f.indices) for f in self.factors)
        return one, other


def contraction_of(equation: Equation) -> Contraction | None:
    """Return the parts of an equation that is a contraction of two matrices; None for every other."""
    total = _only_sum(equation)
    if total is None:
        return None
    indices = {*equation.lhs.indices, total.limits[0][0]}
    matrices = [f for f in Mul.make_args(total.function) if f.free_symbols & indices]
    if len(matrices) != 2 or not all(_is_matrix(f, indices, equation.lhs) for f in matrices):
        return None
    flat = expand_over(equation.rhs, total)
    term = next(t for t in Add.make_args(flat) if t.has(total))
    factor = term / total * (total.function / Mul(*matrices))
    if factor.free_symbols & indices:
        return None
    one, other = sorted(matrices, key=lambda f: equation.lhs.indices[0] not in f.indices)
    return Contraction(equation, total, (one, other), factor, flat - term)


def _only_sum(equation: Equation) -> Sum | None:
    """Return the one reduction of an equation over two indices, a sum over a whole axis; None where it has others."""
    sums = outermost(equation.rhs, *Reduction)
    if len(equation.over) != 2 or len(sums) != 1 or not isinstance(sums[0], Sum) or len(sums[0].limits) != 1:
        return None
    _, low, high = sums[0].limits[0]
    return sums[0] if low == 0 and not high.free_symbols & set(equation.lhs.indices) else None


def _is_matrix(factor: Expr, indices: set[Symbol], lhs: Indexed) -> bool:
    """Whether a factor is an element of a matrix other than the left side's."""
    return isinstance(factor, Indexed) and factor.base != lhs.base and len(set(factor.indices) & indices) == 2 == len(
        factor.indices
    )  # fmt: skip


def contract(equation: Equation) -> tuple[Call | Equation, ...]:
    """Return what computes an equation in this order: the call that computes its sum, equations for the rest.

    An equation that is not a contraction of two matrices is returned as it is.
    """
    found = contraction_of(equation)
    if found is None:
        return (equation,)
    return _update(found) if equation.is_update else _assignment(found)


def contract_groups(equation: Equation) -> tuple[Call | Equation, ...]:
    """Return what computes a sum of products in which groups of indices stand for one: C[o,(p,q)] = Σ_(c,u,v) A B.

    The call of the kernel comes first, an equation for what else there is after it. Precondition, checked: all sizes
    are fixed, and of an update what is not the sum is a multiple of the left side. Otherwise there is nothing.
    """
    groups = _groups(equation)
    if groups is None:
        return ()
    total, (one, other), (rows, columns, terms) = groups
    sizes = {axis.index: axis.size for axis in equation.over} | {i: high + 1 for i, _, high in total.limits}
    flat = {group: Axis(letter, Mul(*(sizes[i] for i in group)))
            for letter, group in zip("pqk", (rows, columns, terms), strict=True)}  # fmt: skip
    place = Dummy(real=True)
    term = equation.rhs.xreplace({total: place}).expand()
    factor = term.coeff(place)
    rest = (term - factor * place).expand()
    scale = (rest / equation.lhs).expand() if equation.is_update else Integer(0)
    if scale.atoms(Indexed) or factor.atoms(Indexed) or (not equation.is_update and factor != 1):
        return ()

    def joined(element: Indexed, *parts: tuple[Symbol, ...]) -> Indexed:
        order = sorted(parts, key=lambda group: element.indices.index(group[0]))
        return element.base[tuple(flat[group].index for group in order)]

    matrices = joined(one, rows, terms) * joined(other, terms, columns)
    summed = Sum(total.function / (one * other) * matrices, flat[terms].limits)
    C = joined(equation.lhs, rows, columns)
    whole = Equation(C, scale * C + factor * summed, (flat[rows], flat[columns]))
    found = contraction_of(whole)
    made = contract(whole) if found is not None else ()
    if len(made) != 1 or not isinstance(made[0], Call) or found is None:
        return ()
    extent = {axis.index: int(axis.size) for axis in flat.values()}
    views = tuple(tuple(extent[i] for i in e.indices) for e in (C, *found.factors))
    call = replace(made[0], why=equation.written(code=True), views=views)
    if equation.is_update or rest == 0:
        return (call,)
    return call, Equation(equation.lhs, equation.lhs + rest, equation.over, equation.role)


def _groups(equation: Equation) -> tuple[Sum, tuple[Indexed, Indexed], tuple[tuple[Symbol, ...], ...]] | None:
    """Return the sum, its two factors, and the groups of indices for rows, columns and terms."""
    sums = outermost(equation.rhs, *Reduction)
    if len(sums) != 1 or not isinstance(sums[0], Sum) or len(equation.over) + len(sums[0].limits) < 4:
        return None
    (total,) = sums
    elements = [f for f in Mul.make_args(total.function) if isinstance(f, Indexed)]
    bound = {limit[0] for limit in total.limits}
    if len(elements) != 2 or total.function.free_symbols & bound - set().union(*(e.free_symbols for e in elements)):
        return None
    for one, other in (elements, elements[::-1]):
        rows = tuple(i for i in equation.lhs.indices if i in one.indices)
        columns = tuple(i for i in equation.lhs.indices if i in other.indices)
        terms = tuple(i for i in one.indices if i in bound)
        fits = (equation.lhs.indices == rows + columns and one.indices in {rows + terms, terms + rows}
                and other.indices in {columns + terms, terms + columns} and {*terms} == bound)  # fmt: skip
        fixed = all(a.size.is_Integer for a in equation.over) and all(h.is_Integer for _, _, h in total.limits)
        if fits and fixed and rows and columns:
            return total, (one, other), (rows, columns, terms)
    return None


def _assignment(found: Contraction) -> tuple[Call | Equation, ...]:
    equation, C = found.equation, found.equation.lhs
    call = Call(_kernel(found.patterns), _values(found), Equation(C, found.total).written(code=True))
    if found.rest == 0 and found.factor == 1:
        return (call,)
    return call, Equation(C, found.rest + found.factor * C, equation.over, equation.role)


def _update(found: Contraction) -> tuple[Call | Equation, ...]:
    """Return C ← C + scale C + factor Σ A B; other terms have a sweep of their own before."""
    equation, C = found.equation, found.equation.lhs
    scale = ((found.rest - C) / C).expand()
    if scale.free_symbols & {C.base.label, *C.indices}:
        added = Equation(C, C + found.factor * found.total)
        kernel = _kernel(found.patterns, update=True)
        call = Call(kernel, (*_values(found), found.factor), added.written(code=True))
        return Equation(C, found.rest, equation.over, equation.role), call
    scalars = (found.factor,) if scale == 0 else (scale, found.factor)
    kernel = _kernel(found.patterns, update=True, scaled=scale != 0)
    return (Call(kernel, (*_values(found), *scalars), equation.written(code=True)),)


def _values(found: Contraction) -> tuple[Expr, ...]:
    """Return the arrays and the sizes that a call passes."""
    sizes = {axis.index: axis.size for axis in found.equation.over}
    rows, columns = (sizes[i] for i in found.equation.lhs.indices)
    terms = found.total.limits[0][2] + 1
    return (found.equation.lhs.base, *(f.base for f in found.factors), rows, columns, terms)


@cache
def _kernel(patterns: tuple[str, str], *, update: bool = False, scaled: bool = False) -> Kernel:
    """Return the tiled kernel of a contraction; the innermost loop runs over the last index of a matrix."""
    C, A, B = (array(letter) for letter in "CAB")
    axes = {"p": P, "q": Q, "k": K}
    a, b = (M[tuple(axes[letter].index for letter in of)] for M, of in zip((A, B), patterns, strict=True))
    c = C[P.index, Q.index]
    total = Sum(a * b, K.limits)
    rhs = c + (SCALE * c if scaled else 0) + FACTOR * total if update else total
    dots = patterns[0][-1] == patterns[1][-1] == "k"
    equation = Equation(c, rhs, (Q, P) if dots else (P, Q))
    sizes = [Argument(axis.size.name, (), "size") for axis in (P, Q, K)]
    scalars = [Argument(s.name) for s in (SCALE, FACTOR) if rhs.has(s)]
    arguments = (*map(Argument, "CAB"), *sizes, *scalars)
    body = tuple(replace(s, why="") for s in lower(equation))  # the docstring says it
    body = hoist(share(body), frozenset(a.name for a in arguments))
    body = scalarize(tile(body, ROWS_OF_BOTH if dots else ROWS_OF_ONE))
    verb = "scale_and_add_" if scaled else "add_" if update else ""
    doc = f"{'Update' if update else 'Set'} {equation.written(code=True)}, tile by tile."
    factors = "_x_".join("rows" if of[-1] == "k" else "columns" for of in patterns)
    return Kernel(f"{verb}{factors}", arguments, (), body, (), doc, title=f"{verb}{{A}}_x_{{B}}")
