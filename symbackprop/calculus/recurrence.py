"""Why a block of examples can be computed with matrix products and still be per-example SGD.

The update of a weight matrix after example r is a linear recurrence, W ← ρW - αδhᵀ. It has a closed form, proven here
by induction, and with it every read of W inside a block becomes a read of the W from before the block.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Add, Eq, Expr, Indexed, Integer, Mul, Piecewise, Sum, Symbol, collect, expand

from symbackprop.notation import identifier
from symbackprop.symbols import Axis, array, name_of, scalar, size
from symbackprop.terms import Derivation, Equation, Step


@dataclass(frozen=True)
class Recurrence:
    """The parts of an update W ← ρW - α u vᵀ and of the read a = rest + W h that it serves."""

    weight: Indexed
    decay: Expr
    rate: Expr
    delta: Expr
    input: Expr
    rest: Expr


@dataclass(frozen=True)
class Deferral:
    """The equations of a block in which the update of one weight matrix is deferred, and why they are right.

    `before` is computed once before the block's examples, `read` replaces the pre-activation of example r, `saved` is
    computed once its gradient is known, and `after` updates the weights once after the block.
    """

    input: Indexed
    before: tuple[Equation, ...]
    read: Equation
    saved: tuple[Equation, ...]
    after: Equation
    shrinkage: Expr
    derivation: Derivation


def recurrence_of(update: Equation, read: Equation) -> Recurrence | str:
    """Return the recurrence of a weight's update, or in words why its updates cannot be deferred.

    Parameters
    ----------
    update
        W[i, j] ← ..., with every gradient written out.
    read
        The pre-activation that reads W.
    """
    W, weights = update.lhs, identifier(update.name)
    if len(W.indices) != 2 or update.is_scattered:
        return f"{weights} is no matrix whose elements are all updated alike"
    flat = collect(expand(update.rhs), W, evaluate=False)
    if set(flat) - {W, 1} or any(e.has(W.base) for e in flat.values()):
        return f"the update of {weights} is not linear in {weights}"
    decay, outer = flat.get(W, 0 * W), flat.get(1, 0 * W)
    if decay.atoms(Indexed):
        return f"the factor of {weights} in its update differs from weight to weight"
    sums = [term for term in Add.make_args(read.rhs) if isinstance(term, Sum) and term.has(W.base)]
    if len(sums) != 1 or not _is_product(sums[0].function, W) or (read.rhs - sums[0]).has(W.base):
        return f"{identifier(read.name)} is not {weights} times the layer below"
    (h,) = (f for f in Mul.make_args(sums[0].function) if f != W)
    rows, columns = _split(outer, W)
    if rows is None or columns != h:
        return f"the gradient of {weights} is not an outer product with the layer below"
    constant, delta = rows.as_independent(Indexed, as_Add=False)
    return Recurrence(W, decay, -constant, delta, h, read.rhs - sums[0])


def _is_product(product: Expr, W: Indexed) -> bool:
    """Whether an expression is W[i, j] times one element of another array."""
    others = [f for f in Mul.make_args(product) if f != W]
    return len(Mul.make_args(product)) == 2 and len(others) == 1 and isinstance(others[0], Indexed) and (
        others[0].base != W.base
    )  # fmt: skip


def _split(outer: Expr, W: Indexed) -> tuple[Expr | None, Expr | None]:
    """Return the factors of an outer product that depend on the row and on the column of W."""
    i, j = W.indices
    rows, columns = outer.as_independent(j, as_Add=False)
    return (None, None) if columns.has(i) or isinstance(outer, Add) else (rows, columns)


def prove(found: Recurrence) -> Derivation:
    """Prove W_r = P_r (W_0 - Σ_{s<r} γ_s δ_s h_sᵀ) by induction on r, and what follows for the products with W_r.

    Returns
    -------
    Derivation
        Base case, induction step and the rewritten read; each step checks itself at random values.

    References
    ----------
    The recurrence is that of SGD with L2, W ← (1 - 2αλ) W - αδhᵀ. Blocks of it for logistic regression: Devarakonda and
    Demmel, arXiv 2011.08281.
    """
    i, j = found.weight.indices
    rows, columns = Axis(i.name, size("n")), Axis(j.name, size("m"))
    r = Axis("r", size("B"))
    s = Symbol("s", integer=True, nonnegative=True)
    W, ρ, α, P, γ = array("W"), array("ρ"), array("α"), array("P"), array("γ")
    δ, h = array("δ"), array("h")

    def closed(at: Expr) -> Expr:
        return P[at] * (W[i, j] - Sum(γ[s] * δ[s, i] * h[s, j], (s, 0, at - 1)))

    def next_(expr: Expr) -> Expr:
        swap = {P[r.index + 1]: ρ[r.index] * P[r.index], γ[r.index]: α[r.index] / (ρ[r.index] * P[r.index])}
        return expr.xreplace(swap)

    n = r.index
    before = ρ[n] * closed(n) - α[n] * δ[n, i] * h[n, j]
    peeled = P[n + 1] * (W[i, j] - Sum(γ[s] * δ[s, i] * h[s, j], (s, 0, n - 1)) - γ[n] * δ[n, i] * h[n, j])
    if expand(next_(peeled) - before) != 0:
        raise ValueError("the closed form does not satisfy the recurrence")
    k = Symbol("j", integer=True, nonnegative=True)
    product = Sum(closed(n) * h[n, k].xreplace({k: j}), columns.limits)
    exchanged = P[n] * (
        Sum(W[i, j] * h[n, j], columns.limits)
        - Sum(γ[s] * δ[s, i] * Sum(h[s, j] * h[n, j], columns.limits), (s, 0, n - 1))
    )
    over = (r, rows, columns)
    given = (
        Equation(P[n], Piecewise((1, Eq(n, 0)), (ρ[n - 1] * P[n - 1], True)), (r,), "decay"),
        Equation(γ[n], α[n] / P[n + 1], (r,), "rate"),
    )
    steps = (
        Step("base case", scalar("W_0"), W[i, j], closed(n * 0), (rows, columns), given, "P_0 = 1, an empty sum"),
        Step("induction step", scalar("W_r+1"), before, closed(n + 1), over, given,
             "P_r+1 = ρ_r P_r, γ_r = α_r / P_r+1"),
        Step("read", scalar("W_r h_r"), product, exchanged, (r, rows), given,
             "the sums exchanged: only h_s·h_r is new"),
    )  # fmt: skip
    return Derivation("Why a block of B examples is still per-example SGD", given, steps, ())


def defer(update: Equation, read: Equation) -> Deferral | str:
    """Return the equations of a block, or in words why the update cannot be deferred.

    The block's arrays: H (its inputs), A = H Wᵀ, G = H Hᵀ, E (the scaled gradients γδ), and the scalar p = P - 1,
    carried beside P so that the decay keeps its digits: 2αλ is a few units in the last place of 1.
    """
    found = recurrence_of(update, read)
    if isinstance(found, str):
        return found
    W, layer = found.weight, name_of(found.weight).partition("^")[2]
    i, j = W.indices
    rows = next(axis for axis in update.over if axis.index == i)
    columns = next(axis for axis in update.over if axis.index == j)
    examples = Axis("r", size("count"))
    earlier = Axis("s", size("count"))
    r, s = examples.index, earlier.index
    H, A, G, E = (array(f"{letter}^{layer}") for letter in "HAGE")
    shrink = expand(1 - found.decay)
    p, P = (scalar(f"p^{layer}"), scalar(f"P^{layer}")) if shrink != 0 else (Integer(0), Integer(1))
    before = (
        Equation(A[r, i], Sum(W * H[r, j], columns.limits), (rows, examples), "block"),
        Equation(G[r, s], Sum(H[r, j] * H[s, j], columns.limits), (examples, earlier), "block"),
    )
    past = Sum(E[s, i] * G[r, s], (s, 0, r - 1))
    current = Equation(read.lhs, found.rest + A[r, i] + (p * A[r, i] - P * past), read.over, read.why)
    scale = (Equation(p, p - shrink * P, (), "block"), Equation(P, 1 + p, (), "block")) if shrink != 0 else ()
    start = (Equation(p, Integer(0), (), "block"), Equation(P, Integer(1), (), "block")) if shrink != 0 else ()
    saved = Equation(E[r, i], found.rate / P * found.delta, (rows,), "block")
    total = Sum(E[r, i] * H[r, j], examples.limits)
    after = Equation(W, W + (p * W - P * total), update.over, update.why)
    return Deferral(found.input, (*start, *before), current, (*scale, saved), after, shrink, prove(found))
