"""Windows that overlap, copied out row by row, so that sums over short rows become products of matrices.

Where a sum reads h[c, p + u, q + v] along short rows, P[c,u,v,p,q] = h[c, p + u, q + v] is computed first: with (c,u,v)
and (p,q) taken as one index each, what is left is a product of two matrices. The same equation read backwards adds up
∂l/∂P before it is spread over ∂l/∂h.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sympy import Expr, Indexed, Integer, Mul, Symbol

from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import split
from symbackprop.expr.reductions import Reduction, Sum, outermost
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import Axis, array
from symbackprop.loops.lower import innermost
from symbackprop.loops.register_tiles import register_tile

SHORT = 16  # turns of a row's loop that do not repay its start


@dataclass(frozen=True)
class _Patch:
    """The copy of an array's windows, and the coefficients and sizes by which its axes are known again."""

    equation: Equation
    source: Indexed
    sizes: Mapping[Symbol, int]

    def read(self, element: Indexed, sizes: Mapping[Symbol, int]) -> Indexed | None:
        """Return the element of the copy that another element of its source is; None where it is no such."""
        found: dict[Symbol, Symbol] = {}
        for own, other in zip(self.source.indices, element.indices, strict=True):
            left = sorted(other.free_symbols, key=str)
            for s in own.free_symbols:
                same = next((x for x in left if sizes.get(x) == self.sizes[s] and other.coeff(x) == own.coeff(s)), None)
                if same is None:
                    return None
                left.remove(same)
                found[s] = same
            if left or (own.xreplace(found) - other).expand() != 0:
                return None
        lhs = self.equation.lhs
        return lhs.base[tuple(found[i] for i in lhs.indices)]


def with_patches(forward: Iterable[Equation], others: Iterable[Iterable[Equation]]) -> tuple[tuple[Equation, ...], ...]:
    """Return equations in which sums over short rows of windows read copies of the windows.

    Parameters
    ----------
    forward
        Equations in the order of computation; the copies are put among them.
    others
        Further groups of equations, which are computed after them.
    """
    patches: list[_Patch] = []
    first: list[Equation] = []
    for equation in forward:
        patch = _patch_of(equation)
        if patch is not None:
            patches.append(patch)
            first.append(patch.equation)
        first.append(_reading(equation, patches))
    rest = (tuple(made for e in group for made in _spread(_reading(e, patches))) for group in others)
    return (tuple(first), *rest)


def _ranges(equation: Equation) -> dict[Symbol, int]:
    return {i: int(n) for i, n in equation.ranges.items() if n.is_Integer}


def _is_short(equation: Equation) -> bool:
    if not register_tile(equation):
        return False
    elements = [equation.lhs, *equation.rhs.atoms(Indexed)]
    return _ranges(equation)[innermost(equation.ranges, elements)] < SHORT


def _patch_of(equation: Equation) -> _Patch | None:
    """Return the copy of windows that a sum over short rows calls for: its other factor moves along none of them."""
    if equation.is_update or not _is_short(equation):
        return None
    (node,) = outermost(equation.rhs, *Reduction)
    reads = [e for e in node.function.atoms(Indexed) if any(len(i.free_symbols) > 1 for i in e.indices)]
    weights = [e for e in node.function.atoms(Indexed) if e not in reads]
    if len(reads) != 1 or len(weights) != 1 or not isinstance(node, Sum):
        return None
    bound = {limit[0] for limit in node.limits}
    inside = [i for i in weights[0].indices if i in bound]
    outside = [i for i in equation.lhs.indices if reads[0].has(i)]
    if {*inside, *outside} != {s for i in reads[0].indices for s in i.free_symbols}:
        return None
    sizes = _ranges(equation)
    axes = tuple(Axis(i.name, Integer(sizes[i])) for i in (*inside, *outside))
    name = f"patches^{split(equation.name)[1]}"
    copy = Equation(array(name)[tuple(a.index for a in axes)], reads[0], axes, Role.WINDOWS)
    return _Patch(copy, reads[0], sizes)


def _reading(equation: Equation, patches: list[_Patch]) -> Equation:
    if equation.is_scattered or not patches:
        return equation
    sizes = _ranges(equation)
    swap: dict[Expr, Expr] = {}
    for node in outermost(equation.rhs, *Reduction):
        for element in node.function.atoms(Indexed):
            for patch in patches:
                if element.base == patch.source.base and (found := patch.read(element, sizes)) is not None:
                    swap[element] = found
    return replace(equation, rhs=equation.rhs.xreplace(swap))


def _spread(equation: Equation) -> tuple[Equation, ...]:
    """Return an update of windows along short rows in two steps: what is summed first, and what is added where."""
    if not equation.is_scattered or not _is_short(equation):
        return (equation,)
    value = (equation.rhs - equation.lhs).expand()
    target = [s for i in equation.lhs.indices for s in i.free_symbols]
    if not isinstance(value, Mul):
        return (equation,)
    summed = [axis for axis in equation.over if axis.index not in target]
    elements = sorted(value.atoms(Indexed), key=lambda e: (-len(e.indices), str(e)))
    order = list(dict.fromkeys(i for e in elements for i in e.indices if i in target))
    if not summed or len(elements) != 2 or {*order} != {*target}:
        return (equation,)
    sizes = _ranges(equation)
    axes = tuple(Axis(i.name, Integer(sizes[i])) for i in order)
    name = f"∂l/∂patches^{split(elements[-1].base.label.name)[1]}"
    patch = array(name)[tuple(order)]
    whole = Equation(patch, Sum(value, *(a.limits for a in reversed(summed))), axes, Role.WINDOWS)
    return whole, Equation(equation.lhs, equation.lhs + patch, axes, equation.role)
