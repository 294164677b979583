"""The chain rule over equations: adjoints of what is wanted, from the adjoints of what uses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sympy import Add, Expr, Indexed, Integer

from symbackprop.calculus.differentiate import contractions, partial
from symbackprop.calculus.simplify import expand_logs, fold
from symbackprop.expr.equations import Derivation, Equation, Step
from symbackprop.expr.indices import canonical, fresh, named
from symbackprop.expr.reductions import Sum
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import Axis, Partial, array, scalar

LOSS = "l"


@dataclass(frozen=True)
class Target:
    """An array (or, without axes, a scalar) whose derivative ∂l/∂name is wanted, and what the result is called."""

    name: str
    axes: tuple[Axis, ...]
    role: Role

    @property
    def element(self) -> Expr:
        """The element at which the derivative is taken."""
        return array(self.name)[tuple(axis.index for axis in self.axes)] if self.axes else scalar(self.name)


def adjoint(target: Expr) -> Expr:
    """Return ∂l/∂target as an array element; 1 for the loss itself."""
    if isinstance(target, Indexed):
        return array(f"∂l/∂{target.base.label}")[target.indices]
    return Integer(1) if target.name == LOSS else scalar(f"∂l/∂{target.name}")


def backpropagate(
    equations: Iterable[Equation],
    wanted: Iterable[Target],
    title: str = "",
    stored: tuple[Equation, ...] = (),
    *,
    scattered: bool = False,
) -> Derivation:
    """Derive ∂l/∂p for every array p that is wanted.

    Parameters
    ----------
    equations
        What is given. The adjoint of every equation's left side that uses a wanted array must be known: it is the loss,
        wanted earlier, or left as a symbol ∂l/∂q.
    wanted
        In the order in which the adjoints become known, from the loss towards the inputs.
    title
        The heading of the derivation.
    stored
        Further definitions through whose stored values the results may be written, beside the equations themselves.
    scattered
        Give the results in the form in which they are computed: what would be a sum with conditions on indices is added
        up where it is read, by updates that follow the equation of the rest.

    Returns
    -------
    Derivation
        For each wanted array the local partial derivatives, the chain rule's sum, and the result under its name.
    """
    equations, steps, results = tuple(equations), [], []
    for want in wanted:
        new_steps, adjoints = _adjoint_of(want, equations, stored, scattered=scattered)
        steps += new_steps
        results += adjoints
    return Derivation(title, equations, tuple(steps), tuple(results))


def _adjoint_of(
    want: Target, equations: tuple[Equation, ...], stored: tuple[Equation, ...], *, scattered: bool
) -> tuple[list[Step], list[Equation]]:
    definitions = (*equations, *stored)
    label = scalar(want.name)  # an array's elements have it among their symbols too
    users = [_apart(e, want) for e in equations if label in e.rhs.free_symbols]
    target = adjoint(want.element)
    steps, unevaluated, evaluated, terms = [], [], [], []
    for user in users:
        local = Partial(user.lhs, want.element)
        value = named(partial(user, want.name, want.axes), (*want.axes, *user.over))
        steps.append(Step(Role.PARTIAL_DERIVATIVE, local, local, value, (*user.over, *want.axes), definitions))
        unevaluated.append(_over(user, adjoint(user.lhs) * local))
        evaluated.append(_over(user, adjoint(user.lhs) * value))
        terms += contractions(user, adjoint(user.lhs), want.name, want.axes)
    chained, total = named(canonical(Add(*evaluated)), want.axes), Add(*(term.value for term in terms))
    if any(user.over for user in users):
        steps.append(Step(Role.CHAIN_RULE, target, Add(*unevaluated), chained, want.axes, definitions))
    updates = [replace(t.scattered, role=want.role) for t in terms if t.scattered is not None] if scattered else []
    folded = total
    for definition in definitions if not updates else ():
        folded = fold(folded, definition)
    plain, result = named(total, want.axes), named(folded, want.axes)
    if result == plain:
        steps.append(Step(want.role, target, chained, plain, want.axes, definitions, added=tuple(updates)))
    else:
        if chained != plain:
            steps.append(Step(Role.CARRY_OUT, target, chained, plain, want.axes, definitions))
        steps.append(Step(want.role, target, plain, result, want.axes, definitions, "through the stored value"))
    if updates:
        result = named(Add(*(term.value for term in terms if term.scattered is None)), want.axes)
    return steps, [Equation(target, result, want.axes, want.role), *updates]


def _apart(user: Equation, want: Target) -> Equation:
    """Rename the user's own indices where they are also wanted, ∂a[r]/∂W[i, j], and its bound ones out of the way."""
    wanted = {axis.name for axis in want.axes}
    swap: dict[Expr, Expr] = {}
    over: list[Axis] = []
    for axis in user.over:
        name = axis.name
        if name in wanted:
            name = next(n for n in "rsuvpq" if n not in wanted | {a.name for a in (*over, *user.over)})
        over.append(Axis(name, axis.size))
        swap[axis.index] = over[-1].index
    rhs = named(canonical(user.rhs).xreplace(swap), want.axes)
    return Equation(user.lhs.xreplace(swap), rhs, tuple(over), user.role)


def _over(user: Equation, body: Expr) -> Expr:
    for axis in reversed(user.over):
        body = Sum(body, axis.limits)
    return body


def substitute(into: Equation, definitions: Mapping[str, Equation]) -> Equation:
    """Return an equation with every read of a defined array replaced by its definition."""
    rhs = fresh(into.rhs)
    for name, definition in definitions.items():
        for access in [e for e in rhs.atoms(Indexed) if str(e.base.label) == name]:
            at = dict(zip(definition.lhs.indices, access.indices, strict=True))
            rhs = rhs.xreplace({access: fresh(definition.rhs).xreplace(at)})
    return Equation(into.lhs, named(canonical(rhs), into.over), into.over, into.role)


def compose(loss: Equation, output: Equation) -> tuple[list[Step], Equation]:
    """Return the steps that write the loss by the last pre-activation, its logarithms expanded, and the result."""
    composed = substitute(loss, {output.name: output})
    expanded = Equation(loss.lhs, named(canonical(expand_logs(composed.rhs))), (), loss.role)
    steps = [Step(Role.SUBSTITUTE, loss.lhs, loss.rhs, composed.rhs, (), (output,))]
    if expanded.rhs != composed.rhs:
        steps.append(Step(Role.EXPAND, loss.lhs, composed.rhs, expanded.rhs, (), (output,)))
    return steps, expanded
