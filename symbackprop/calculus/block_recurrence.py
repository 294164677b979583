"""Why a block of examples can be computed with matrix products and still be per-example SGD.

What an update makes of a weight matrix, and of what is kept beside it, is a linear recurrence: S ← M S + c δhᵀ with
scalar factors. So after r examples each of them is a combination of what was there before the block and of the outer
products δ₀h₀ᵀ, δ₁h₁ᵀ ..., and an update acts on the coefficients as it does on the matrices. With that every read of W
inside a block becomes a read of the matrices from before the block.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sympy import Add, Eq, Expr, Indexed, Integer, Piecewise, Symbol, expand

from symbackprop.calculus.recurrence import OUTER, Recurrence, Refusal, forces, recurrence_of
from symbackprop.expr.equations import Derivation, Equation, Step
from symbackprop.expr.names import apart
from symbackprop.expr.printing import split
from symbackprop.expr.reductions import Sum
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import Axis, array, name_of, scalar, size


@dataclass(frozen=True)
class Deferral:
    """The equations of a block in which the updates of one weight matrix are deferred, and why they are right.

    `before` is computed once before the block's examples, `read` replaces the pre-activation of example r, `saved` is
    computed once its gradient is known, and `after` updates the weights, and what is kept beside them, after the block.
    """

    input: Indexed
    before: tuple[Equation, ...]
    read: Equation
    saved: tuple[Equation, ...]
    after: tuple[Equation, ...]
    derivation: Derivation


def prove(recurrence: Recurrence) -> Derivation:
    """Prove by induction on r that every state is a combination whose coefficients are updated as it is.

    Returns
    -------
    Derivation
        For each state a base case and an induction step, and the rewritten read of W; each step checks itself at random
        values.

    References
    ----------
    Blocks of such updates for logistic regression: Devarakonda and Demmel, arXiv 2011.08281.
    """
    return _Proof(recurrence).derivation()


class _Proof:
    """The proof with the letters it is written in: P of what was there before the block, K of the outer products."""

    def __init__(self, recurrence: Recurrence) -> None:
        self.recurrence, self.states = recurrence, recurrence.states
        i, j = recurrence.weight.indices
        self.rows, self.columns, self.r = Axis(i.name, size("n")), Axis(j.name, size("m")), Axis("r", size("B"))
        self.s = Symbol("s", integer=True, nonnegative=True)
        self.now = self.r.index
        self.maps = self._maps()

    def _maps(self) -> dict[tuple[Indexed, Expr], Expr]:
        """Return the factor of each state, and of the outer product, in each new state: all assignments in one."""
        known: dict[Expr, Expr] = {}
        for target, value in self.recurrence.assignments:
            known[target] = expand(value.xreplace(known))
        return {
            (x, y): array(f"{'c' if y is OUTER else 'M'}{self._letter(x)}{'' if y is OUTER else self._letter(y)}")[
                self.now
            ]
            for x in self.states
            for y in (*self.states, OUTER)
            if known.get(x, x).coeff(y) != 0
        }

    def _letter(self, state: Expr) -> str:
        if len(self.states) == 1:
            return ""
        return self.recurrence.mark(state) or "W"

    def _before(self, x: Indexed, y: Indexed, at: Expr) -> Expr:
        return array(f"P{self._letter(x)}{self._letter(y)}")[at]

    def _outer(self, x: Indexed, at: Expr) -> Expr:
        return array(f"K{self._letter(x)}")[at, self.s]

    def _closed(self, x: Indexed, at: Expr) -> Expr:
        """Return what state x is after `at` updates."""
        i, j, s = self.rows.index, self.columns.index, self.s
        old = Add(*(self._before(x, y, at) * _at(y, i, j) for y in self.states))
        return old + Sum(self._outer(x, at) * array("δ")[s, i] * array("h")[s, j], (s, 0, at - 1))

    def _definitions(self) -> tuple[Equation, ...]:
        """Return the coefficients: those of another state are 0 at first, and all are updated as the states are."""
        n, s, states = self.now, self.s, self.states
        back = {n: n - 1}

        def update(x: Indexed, of: Mapping[Indexed, Expr]) -> Expr:
            return Add(*(self.maps[x, z].xreplace(back) * of[z] for z in states if (x, z) in self.maps))

        equations = []
        for x in states:
            for y in states:
                value = update(x, {z: self._before(z, y, n - 1) for z in states})
                equations.append(
                    Equation(self._before(x, y, n), Piecewise((int(x == y), Eq(n, 0)), (value, True)), (self.r,))
                )
            first = self.maps.get((x, OUTER), Integer(0)).xreplace(back)
            value = update(x, {z: self._outer(z, n - 1) for z in states})
            later = Piecewise((0, s >= n), (first, Eq(s, n - 1)), (value, True))
            equations.append(Equation(self._outer(x, n), later, (self.r, Axis("s", self.r.size))))
        return tuple(equations)

    def derivation(self) -> Derivation:
        """Return the steps, each with the coefficients' definitions."""
        definitions, n = self._definitions(), self.now
        i, j = self.rows.index, self.columns.index
        h, δ = array("h"), array("δ")
        over, steps = (self.r, self.rows, self.columns), []
        for x in self.states:
            name = f"{self.recurrence.mark(x)}W"
            zero = Add(*(self._before(x, y, Integer(0)) * _at(y, i, j) for y in self.states))
            steps.append(Step(Role.BASE_CASE, scalar(f"{name}_0"), _at(x, i, j), zero, over[1:], definitions,
                              "an empty sum"))  # fmt: skip
            value = Add(*(self.maps[x, y] * self._closed(y, n) for y in self.states if (x, y) in self.maps))
            value += self.maps.get((x, OUTER), Integer(0)) * δ[n, i] * h[n, j]
            closed, remark = self._closed(x, n + 1), "an update acts on the coefficients as on what they are of"
            steps.append(Step(Role.INDUCTION_STEP, scalar(f"{name}_r+1"), value, closed, over, definitions, remark))
        W = self.recurrence.weight
        product = Sum(self._closed(W, n) * h[n, j], self.columns.limits)
        old = Add(*(self._before(W, y, n) * Sum(_at(y, i, j) * h[n, j], self.columns.limits) for y in self.states))
        gram = Sum(h[self.s, j] * h[n, j], self.columns.limits)
        read = old + Sum(self._outer(W, n) * δ[self.s, i] * gram, (self.s, 0, n - 1))
        steps.append(Step(Role.READ, scalar("W_r h_r"), product, read, over[:2], definitions,
                          "the sums exchanged: only h_s·h_r is new"))  # fmt: skip
        return Derivation("Why a block of B examples is still per-example SGD", definitions, tuple(steps), ())


def _at(state: Indexed, i: Expr, j: Expr) -> Indexed:
    """Return a state of a generic layer, before the block."""
    return array(split(name_of(state))[0])[i, j]


def defer(updates: Sequence[Equation], read: Equation, used: Collection[str] = ()) -> Deferral | Refusal:
    """Return the equations of a block, or why the updates cannot be deferred.

    The block's arrays: H (its inputs), A = H Wᵀ, G = H Hᵀ, D (its gradients δ), K (their coefficients), E = K D, and
    scalars p, the coefficients of what was there before the block less 1 for its own, so that a decay keeps its digits:
    2αλ is a few units in the last place of 1. `used` are names that others have.
    """
    recurrence = recurrence_of(updates, read)
    return recurrence if isinstance(recurrence, Refusal) else _Block(recurrence, updates[0], read, used).deferral()


class _Block:
    """The names of a block's arrays, and the equations between them."""

    def __init__(self, recurrence: Recurrence, update: Equation, read: Equation, used: Collection[str]) -> None:
        self.recurrence, self.states = recurrence, recurrence.states
        self.over, self.read, self.used = update.over, read, used
        self.layer = name_of(recurrence.weight).partition("^")[2]
        self.rows, self.columns = (next(a for a in update.over if a.index == i) for i in recurrence.weight.indices)
        self.examples, self.earlier = Axis("r", size("count")), Axis("s", size("count"))
        self.r, self.s = self.examples.index, self.earlier.index
        self.H, self.G, self.D = (array(self._apart(letter)) for letter in "HGD")
        self.reached = self._reach()

    def _reach(self) -> set[tuple[Indexed, Indexed]]:
        """Return the pairs (x, y) where x depends on y from before the block otherwise than by being it."""
        states, assignments = self.states, self.recurrence.assignments
        direct = {(x, y) for x, value in assignments for y in states if value.coeff(y) != int(x == y)}
        for middle in states:
            direct |= {(x, y) for x in states for y in states if (x, middle) in direct and (middle, y) in direct}
        return direct

    def named(self, letter: str, state: Indexed) -> str:
        """Return the name of the array that a state has of some kind."""
        return self._apart(letter + self.recurrence.mark(state))

    def _apart(self, letter: str) -> str:
        return apart(f"{letter}^{self.layer}", self.used)

    def p(self, x: Indexed, y: Indexed) -> Expr:
        """Return the coefficient of y from before the block in x, less 1 for its own."""
        if (x, y) not in self.reached:
            return Integer(0)
        marks = "" if len(self.states) == 1 else f"{self.recurrence.mark(x) or 'W'}{self.recurrence.mark(y) or 'W'}"
        return scalar(self._apart(f"p{marks}"))

    def K(self, state: Indexed) -> Indexed:
        """Return the coefficient of the outer product s in a state."""
        return array(self.named("K", state))[self.s]

    def A(self, state: Indexed) -> Indexed:
        """Return the product of example r with a state from before the block."""
        return array(self.named("A", state))[self.r, self.rows.index]

    def deferral(self) -> Deferral:
        """Return everything that a kernel needs."""
        return Deferral(
            self.recurrence.input, (*self._start(), *self._products()), self._read(), self._saved(), self._after(),
            prove(self.recurrence),
        )  # fmt: skip

    def _pairs(self) -> list[tuple[Indexed, Indexed]]:
        return [(x, y) for y in self.states for x, _ in self.recurrence.assignments if (x, y) in self.reached]

    def _start(self) -> list[Equation]:
        return [Equation(self.p(x, y), Integer(0), (), Role.BLOCK) for x, y in self._pairs()]

    def _products(self) -> list[Equation]:
        j, W = self.columns.index, self.recurrence.weight
        read = [y for y in self.states if y == W or (W, y) in self.reached]
        products = ((self.A(y), Sum(y * self.H[self.r, j], self.columns.limits)) for y in read)
        equations = [Equation(target, product, (self.rows, self.examples), Role.BLOCK) for target, product in products]
        gram = Sum(self.H[self.r, j] * self.H[self.s, j], self.columns.limits)
        return [*equations, Equation(self.G[self.r, self.s], gram, (self.examples, self.earlier), Role.BLOCK)]

    def _read(self) -> Equation:
        W, i = self.recurrence.weight, self.rows.index
        old = self.A(W) + Add(*(self.p(W, y) * self.A(y) for y in self.states))
        past = Sum(self.K(W) * self.G[self.r, self.s] * self.D[self.s, i], (self.s, 0, self.r - 1))
        return Equation(self.read.lhs, self.recurrence.rest + old + past, self.read.over, self.read.role)

    def _saved(self) -> tuple[Equation, ...]:
        """Return δ of example r, and the coefficients after its update."""
        first = forces(self.recurrence)
        delta = Equation(self.D[self.r, self.rows.index], self.recurrence.delta, (self.rows,), Role.BLOCK)
        begun = (Equation(self.K(x).xreplace({self.s: self.r}), first[x], (), Role.BLOCK) for x in self.states)
        return (delta, *self._decay(), *begun, *self._coefficients())

    def _decay(self) -> list[Equation]:
        """Return the updates of the coefficients of outer products so far."""
        earlier = Axis(self.s.name, self.r)
        of = {state: self.K(state) for state in self.states} | {OUTER: Integer(0)}
        updates = ((self.K(x), value.xreplace(of)) for x, value in self.recurrence.assignments)
        return [Equation(lhs, rhs, (earlier,), Role.BLOCK) for lhs, rhs in updates if lhs != rhs]

    def _coefficients(self) -> list[Equation]:
        """Return the updates of p, written as what is added, in which a decay keeps its digits."""
        equations = []
        values = dict(self.recurrence.assignments)
        for x, y in self._pairs():
            whole = {z: self.p(z, y) + int(z == y) for z in self.states}
            added = Add(*((values[x].coeff(z) - int(x == z)) * whole[z] for z in self.states))
            equations.append(Equation(self.p(x, y), self.p(x, y) + added, (), Role.BLOCK))
        return equations

    def _after(self) -> tuple[Equation, ...]:
        """Return the states after the block; one that another still needs as it was is copied first."""
        equations: list[Equation] = []
        waiting, stored = list(self.states), {}
        while waiting:
            free = [x for x in waiting if not any((z, x) in self.reached for z in waiting if z != x)]
            x = (free or waiting)[0]
            waiting.remove(x)
            if not free:
                stored[x] = array(f"old_{name_of(x)}")[x.indices]
                equations.append(Equation(stored[x], x, self.over, Role.BLOCK))
            equations += self._state_after(x, stored)
        return tuple(equations)

    def _state_after(self, x: Indexed, stored: Mapping[Expr, Expr]) -> list[Equation]:
        i, j = self.rows.index, self.columns.index
        E = array(self.named("E", x))[self.r, i]
        scaled = Equation(
            E, self.K(x).xreplace({self.s: self.r}) * self.D[self.r, i], (self.examples, self.rows), Role.BLOCK
        )
        total = Sum(E * self.H[self.r, j], self.examples.limits)
        equations = [scaled, Equation(x, x + (self.p(x, x) * x + total), self.over, Role.UPDATE)]
        others = Add(*(self.p(x, y) * stored.get(y, y) for y in self.states if y != x))
        return equations if others == 0 else [*equations, Equation(x, x + others, self.over, Role.UPDATE)]
