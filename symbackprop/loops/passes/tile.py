"""tile: unroll a loop and jam the copies of its body, so that several rows share every load (register tiling).

Precondition, checked: different turns of the loop write different elements (every write is indexed by the loop's index,
and what is written is read only there), or only accumulate into elements that the body does not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sympy import Expr, Indexed, Integer, Mod, Mul, Symbol

from symbackprop.loops.ir import Accumulate, Assign, Body, If, Loop, Row, Statement, expressions, walk
from symbackprop.symbols import name_of, scalar


class CannotTileError(ValueError):
    """Why a loop cannot be unrolled and jammed."""


def tile(body: Body, factors: Mapping[str, int]) -> Body:
    """Return a body whose loops over the indices in `factors` are unrolled that many times and jammed, with remainders;
    elementwise loops and innermost ones stay as they are: the compiler vectorises those.

    Raises
    ------
    CannotTileError
        If turns of such a loop depend on each other.
    """
    made: list[Statement] = []
    for statement in body:
        if not isinstance(statement, Loop):
            made.append(statement)
            continue
        inner = replace(statement, body=tile(statement.body, factors))
        factor = factors.get(statement.index.name, 1)
        if factor == 1 or not _pays(statement):
            made.append(inner)
            continue
        main, rest = unroll_and_jam(inner, factor)
        made += [main, replace(rest, body=statement.body)]  # few turns are left: one plain loop compiles faster
    return tuple(made)


def _pays(loop: Loop) -> bool:
    """Whether a loop further in sums products: their factors are what the copies share."""
    inner = [s for part in loop.body if isinstance(part, Loop) for s in walk(part.body)]
    return any(isinstance(s, Accumulate) and s.op == "+" and isinstance(s.value, Mul) for s in inner)


def unroll_and_jam(loop: Loop, factor: int) -> tuple[Loop, Loop]:
    """Return the loop with `factor` copies of its body jammed, and the loop over the turns that are left."""
    _require_independent(loop)
    private = _scalars(loop.body)
    copies = [_copy(loop.body, loop.index, k, private) for k in range(factor)]
    whole = loop.stop - loop.start
    end = loop.start + whole - _remainder(whole, factor)
    main = replace(loop, stop=end, body=_jam(copies), step=Integer(factor))
    return main, replace(loop, start=end, why="")


def _remainder(count: Expr, factor: int) -> Expr:
    return Mod(count, factor, evaluate=False)


def _require_independent(loop: Loop) -> None:
    writes = {
        (name_of(s.target), s.target, isinstance(s, Accumulate))
        for s in walk(loop.body)
        if isinstance(s, Assign | Accumulate) and isinstance(s.target, Indexed)
    }
    reads = [e for s in walk(loop.body) for value in expressions(s) for e in value.atoms(Indexed)]
    for name, target, accumulates in writes:
        places = [n for n, i in enumerate(target.indices) if i.has(loop.index)]
        own = [e for e in reads if str(e.base.label) == name]
        if not places:
            if not accumulates or own:
                raise CannotTileError(f"{target} is written in every turn of the loop over {loop.index}")
        elif any(e.indices[places[0]] != target.indices[places[0]] for e in own):
            raise CannotTileError(f"{name} is read at another {loop.index} than it is written")


def _scalars(body: Body) -> dict[Symbol, str]:
    """Return the scalars that the body assigns, not only accumulates: every turn has its own."""
    return {s.target: s.target.name for s in walk(body) if isinstance(s, Assign) and isinstance(s.target, Symbol)}


def _copy(body: Body, index: Symbol, k: int, private: Mapping[Symbol, str]) -> Body:
    swap: dict[Expr, Expr] = {symbol: scalar(f"{name}_{k}") for symbol, name in private.items()}
    if k:
        swap[index] = index + k
    return tuple(_substitute(statement, swap) for statement in body)


def _substitute(statement: Statement, swap: Mapping[Expr, Expr]) -> Statement:
    match statement:
        case Assign() | Accumulate():
            return replace(statement, target=statement.target.xreplace(swap), value=statement.value.xreplace(swap))
        case Loop():
            inner = tuple(_substitute(s, swap) for s in statement.body)
            start, stop = statement.start.xreplace(swap), statement.stop.xreplace(swap)
            return replace(statement, start=start, stop=stop, body=inner)
        case If():
            inner = tuple(_substitute(s, swap) for s in statement.body)
            return replace(statement, condition=statement.condition.xreplace(swap), body=inner)
        case Row():
            return replace(statement, at=statement.at.xreplace(swap))
    return statement


def _jam(copies: list[Body]) -> Body:
    """Interleave copies statement by statement; loops over the same range become one."""
    made: list[Statement] = []
    for statements in zip(*copies, strict=True):
        first = statements[0]
        if isinstance(first, Loop):
            if any((s.start, s.stop, s.step) != (first.start, first.stop, first.step) for s in statements):
                raise CannotTileError(f"the range of {first.index} changes from turn to turn")
            made.append(replace(first, body=_jam([s.body for s in statements])))
        else:
            made += [replace(s, why=s.why if n == 0 else "") for n, s in enumerate(statements)]
    return tuple(made)
