"""scalarize: in an innermost loop, every element is loaded once and stored once.

Precondition, checked: within one turn, two elements of an array that the body writes differ by constants in their
indices: they are the same or never meet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from sympy import Expr, Indexed

from symbackprop.loops.ir import Accumulate, Assign, Body, If, Loop, Statement, map_values
from symbackprop.notation import identifier
from symbackprop.symbols import name_of, scalar


def scalarize(body: Body) -> Body:
    """Return a body whose innermost loops work in scalars."""
    made: list[Statement] = []
    for statement in body:
        match statement:
            case Loop() if not any(isinstance(s, Loop | If) for s in statement.body):
                made.append(replace(statement, body=_in_scalars(_merge(statement.body))))
            case Loop() | If():
                made.append(replace(statement, body=scalarize(statement.body)))
            case _:
                made.append(statement)
    return tuple(made)


def _merge(body: Body) -> Body:
    """Add up what is accumulated into the same element by different statements."""
    totals: dict[Expr, int] = {}
    made: list[Statement] = []
    for statement in body:
        if isinstance(statement, Accumulate) and statement.op == "+" and isinstance(statement.target, Indexed):
            earlier = totals.get(statement.target)
            if earlier is not None and not statement.value.has(statement.target.base):
                made[earlier] = replace(statement, value=made[earlier].value + statement.value)  # type: ignore[union-attr]
                continue
            totals[statement.target] = len(made)
        made.append(statement)
    return tuple(made)


def _in_scalars(body: Body) -> Body:
    assigns = [s for s in body if isinstance(s, Assign | Accumulate)]
    counts = Counter(e for s in assigns for e in sorted(s.value.atoms(Indexed), key=str))
    counts.update(s.target for s in assigns if isinstance(s, Accumulate) and isinstance(s.target, Indexed))
    stored = Counter(s.target for s in assigns if isinstance(s.target, Indexed))
    bases = {e.base for e in stored}
    if any(_may_meet(e, t) for e in counts for t in stored if e != t and e.base == t.base):
        return body
    swap: dict[Expr, Expr] = {}
    for element, times in counts.items():
        if times > 1 and (element.base not in bases or stored[element] == 1):
            swap[element] = scalar(_label(element, {s.name for s in swap.values()}))
    loads = tuple(Assign(target, element) for element, target in swap.items())
    made = [
        replace(s, target=s.target.xreplace(swap)) if isinstance(s, Assign | Accumulate) else s
        for s in map_values(body, lambda value: value.xreplace(swap))
    ]
    return (*loads, *made, *(Assign(element, swap[element]) for element in stored if element in swap))


def _may_meet(one: Indexed, other: Indexed) -> bool:
    """Whether two elements of one array could be the same although they are written differently."""
    differences = [a - b for a, b in zip(one.indices, other.indices, strict=True)]
    return not any(d.is_number and d != 0 for d in differences)


def _label(element: Indexed, taken: set[str]) -> str:
    """Return a name for a loaded element: H1[r + 2, j] becomes H1_r2_j."""
    marks = [str(i).replace(" ", "").replace("+", "") for i in element.indices]
    name = "_".join([identifier(name_of(element)), *marks])
    return name if name not in taken else name + "_"
