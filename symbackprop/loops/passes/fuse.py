"""fuse: two loops over the same range become one sweep.

Precondition, checked: every array that one loop writes and the other touches is indexed by the loop's index in the same
place by both, so that a turn meets only what its own turn wrote; no scalar that one loop changes comes into a turn of
the other from before; neither has rows under names of their own, or leaves early.

A comment stays over the loop that computes what it says: within the joined loop where that has several loops in it.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import Indexed, Symbol

from symbackprop.expr.symbols import name_of, names_in
from symbackprop.loops.ir import (
    Accumulate,
    Assign,
    Body,
    Break,
    If,
    Loop,
    Row,
    Statement,
    exposed,
    expressions,
    walk,
    written,
)


def fuse(body: Body) -> Body:
    """Return a body in which neighbouring loops are one wherever that is allowed; scalars between them go before."""
    made: list[Statement] = []
    for statement in body:
        at = _partner(made, statement)
        made.append(statement)
        if at is not None:
            _join(made, at)
    inner = (replace(s, body=fuse(s.body)) if isinstance(s, Loop | If) else s for s in made)
    return _with_comments_first([_said_above(s) if isinstance(s, Loop) else s for s in inner])


def _join(made: list[Statement], at: int) -> None:
    """Put the last loop into the one at `at`, scalars between the two before it, each with its comment inside."""
    bodies = (_under(_taken_comment(made, n), made[n].body) for n in (at, len(made) - 1))  # type: ignore[union-attr]
    body = tuple(s for part in bodies for s in part)
    why = "; ".join(s.why for s in (made[at], made.pop()) if s.why)
    made.append(replace(made.pop(at), body=body, why=why))  # type: ignore[arg-type]


def _taken_comment(made: list[Statement], n: int) -> str:
    """Return the comment of a loop, taken from it, or from what gives its sums their first values."""
    if any(s.why for s in made[n].body):  # type: ignore[union-attr]
        return ""  # it has been joined before
    while not made[n].why and n and _prepares(made[n - 1], made[n]):
        n -= 1
    why = made[n].why
    made[n] = replace(made[n], why="")
    return why


def _prepares(statement: Statement, loop: Statement) -> bool:
    """Whether a statement does nothing but give first values to what the loop after it changes."""
    inner = [s for s in walk((statement,)) if not isinstance(s, Loop)]
    return all(isinstance(s, Assign) and name_of(s.target) in written((loop,)) for s in inner)


def _under(why: str, body: Body) -> Body:
    return (replace(body[0], why=why), *body[1:]) if why else body


def _said_above(loop: Loop) -> Loop:
    """Return a loop with the comments of its body over it, unless several loops are in it."""
    whys = [s.why for s in loop.body if s.why]
    if loop.why or not whys or sum(isinstance(s, Loop) for s in loop.body) > 1:
        return loop
    return replace(loop, why="; ".join(whys), body=tuple(replace(s, why="") for s in loop.body))


def _with_comments_first(made: list[Statement]) -> Body:
    """Return statements with the comment of a loop over what gives its sums their first values."""
    for n in range(len(made) - 1, 0, -1):
        before, loop = made[n - 1], made[n]
        if isinstance(loop, Loop) and loop.why and not before.why and _prepares(before, loop):
            made[n - 1], made[n] = replace(before, why=loop.why), replace(loop, why="")
    return tuple(made)


def _partner(made: list[Statement], loop: Statement) -> int | None:
    """Return where the loop stands that `loop` can join: the last one, with only scalars between the two."""
    if not isinstance(loop, Loop):
        return None
    for n in range(len(made) - 1, -1, -1):
        candidate = made[n]
        if isinstance(candidate, Loop):
            between = tuple(made[n + 1 :])
            return n if _can_fuse(candidate, loop) and _independent(candidate, between) else None
        if not (isinstance(candidate, Assign) and isinstance(candidate.target, Symbol)):
            return None
    return None


def _independent(loop: Loop, between: Body) -> bool:
    reads = {name for s in between for e in expressions(s) for name in names_in(e)}
    inside = {name for s in walk((loop,)) for e in expressions(s) for name in names_in(e)} | written((loop,))
    return not reads & written((loop,)) and not written(between) & inside


def _can_fuse(first: Loop, second: Loop) -> bool:
    if (first.index, first.start, first.stop, first.step) != (second.index, second.start, second.stop, second.step):
        return False
    if any(isinstance(s, Row | Break) for s in walk((first, second))):
        return False
    for name in written(first.body) | written(second.body):
        mine, theirs = _accesses(first.body, name), _accesses(second.body, name)
        if mine and theirs and not _same_turn(mine | theirs, first.index):
            return False
    return not (_scalars(first.body) & exposed((second,)) or _scalars(second.body) & exposed((first,)))


def _accesses(body: Body, name: str) -> set[Indexed]:
    found = {e for s in walk(body) for expr in expressions(s) for e in expr.atoms(Indexed) if str(e.base.label) == name}
    targets = {s.target for s in walk(body) if isinstance(s, Assign | Accumulate)}
    return found | {t for t in targets if isinstance(t, Indexed) and name_of(t) == name}


def _same_turn(accesses: set[Indexed], index: Symbol) -> bool:
    places = [{n for n, i in enumerate(e.indices) if i == index} for e in accesses]
    return bool(set.intersection(*places))


def _scalars(body: Body) -> set[str]:
    """Return the scalars that a body changes."""
    targets = {s.target for s in walk(body) if isinstance(s, Assign | Accumulate)}
    return {t.name for t in targets if isinstance(t, Symbol)}
