"""Loops of one turn are no loops: their statements stand alone, the index where it begins."""

from __future__ import annotations

from dataclasses import replace

from sympy import ceiling

from symbackprop.loops.ir import Body, Break, Call, If, Kernel, Loop, Statement, substitute


def straighten(kernel: Kernel) -> Kernel:
    """Return a kernel, and those that it calls, without loops of one turn. No index may be read after its loop."""
    return replace(kernel, body=_straight(kernel.body))


def _straight(body: Body) -> Body:
    return tuple(s for statement in body for s in _statements(statement))


def _statements(statement: Statement) -> Body:
    match statement:
        case Loop(body=inner) if _turns_once(statement) and not _breaks(inner):
            first, *rest = _straight(tuple(substitute(s, {statement.index: statement.start}) for s in inner))
            said = dict.fromkeys(filter(None, (statement.why, first.why)))
            return replace(first, why="; ".join(said)), *rest
        case Loop() | If():
            return (replace(statement, body=_straight(statement.body)),)
        case Call():
            return (replace(statement, kernel=straighten(statement.kernel)),)
    return (statement,)


def _turns_once(loop: Loop) -> bool:
    return bool(ceiling((loop.stop - loop.start) / loop.step) == 1)


def _breaks(body: Body) -> bool:
    """Whether a body leaves the loop that it is in."""
    return any(isinstance(s, Break) or (isinstance(s, If) and _breaks(s.body)) for s in body)
