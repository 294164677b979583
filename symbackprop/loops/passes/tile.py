"""tile: unroll a loop and jam the copies of its body, so that several rows share every load (register tiling).

Precondition, checked: different turns of the loop touch different elements of what is written (all are indexed by the
loop's index in the same place), or only accumulate into what the body does not read; no turn reads a scalar of an
earlier one, nor does what follows the loop; no turn leaves early.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sympy import Expr, Indexed, Integer, Mod, Mul, Symbol

from symbackprop.expr.symbols import name_of, scalar
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
    substitute,
    walk,
)

TEN = 10  # copies, whose numbers are digits


class CannotTileError(ValueError):
    """Why a loop cannot be unrolled and jammed."""


def tile(
    body: Body, factors: Mapping[str, int], after: frozenset[str] = frozenset(), *, backwards: bool = False
) -> Body:
    """Return a body whose loops over the indices in `factors` are unrolled that many times and jammed, with remainders;
    elementwise loops and innermost ones stay as they are: the compiler vectorises those.

    Parameters
    ----------
    body
        The statements.
    factors
        How many turns become one, by the name of the loop's index.
    after
        The names that are read after the body.
    backwards
        From the last turn to the first: after a sweep forward the last rows are the ones still in the cache.

    Raises
    ------
    CannotTileError
        If turns of such a loop depend on each other.
    """
    made: list[Statement] = []
    for n, statement in enumerate(body):
        if not isinstance(statement, Loop):
            made.append(statement)
            continue
        later = exposed(body[n + 1 :]) | after
        around = later | exposed(statement.body)
        inner = replace(statement, body=tile(statement.body, factors, around, backwards=backwards))
        factor = factors.get(statement.index.name, 1)
        if factor == 1 or not _pays(statement):
            made.append(inner)
            continue
        if last := sorted(later & set(_scalars(inner.body).values())):
            raise CannotTileError(f"{last[0]} is read after the loop over {statement.index}")
        main, rest = unroll_and_jam(inner, factor)
        rest = replace(rest, body=_silent(statement.body))  # few turns are left: one plain loop compiles faster
        made += _turns(_backwards(main, rest) if backwards else (main, rest))
    return tuple(made)


def _silent(body: Body) -> Body:
    """Return a body without comments, which stand over the first of several copies."""
    inner = (replace(s, body=_silent(s.body)) if isinstance(s, Loop | If) else s for s in body)
    return tuple(replace(s, why="") for s in inner)


def _backwards(main: Loop, rest: Loop) -> tuple[Loop, ...]:
    """Return a tiled loop, whose turns are independent, and the turns left after it, in the opposite order."""
    if not _turns([main]):
        return (replace(rest, why=main.why),)
    turned = replace(main, start=main.stop - main.step, stop=main.start - 1, step=-main.step, why="")
    return (replace(rest, why=main.why), turned) if _turns([rest]) else (replace(turned, why=main.why),)


def _pays(loop: Loop) -> bool:
    """Whether a loop further in sums products: their factors are what the copies share."""
    inner = [s for part in loop.body if isinstance(part, Loop) for s in walk(part.body)]
    return any(isinstance(s, Accumulate) and s.op == "+" and isinstance(s.value, Mul) for s in inner)


def unroll_and_jam(loop: Loop, factor: int) -> tuple[Loop, Loop]:
    """Return the loop with `factor` copies of its body jammed, and the loop over the turns that are left."""
    _require_independent(loop)
    private = _scalars(loop.body)
    copies = [_copy(loop.body, loop.index, k, private, factor) for k in range(factor)]
    whole = loop.stop - loop.start
    end = loop.start + whole - _remainder(whole, factor)
    main = replace(loop, stop=end, body=_jam(copies), step=Integer(factor))
    return main, replace(loop, start=end, why="")


def _remainder(count: Expr, factor: int) -> Expr:
    return count % factor if count.is_Integer else Mod(count, factor, evaluate=False)


def _turns(loops: Iterable[Loop]) -> list[Loop]:
    """Return the loops that may have turns."""
    return [loop for loop in loops if not (loop.stop - loop.start).is_zero]


def _require_independent(loop: Loop) -> None:
    if any(isinstance(s, Row | Break) for s in walk(loop.body)):
        raise CannotTileError(f"the loop over {loop.index} names rows or leaves early")
    carried = exposed(loop.body)
    reads = [e for s in walk(loop.body) for value in expressions(s) for e in value.atoms(Indexed, Symbol)]
    writes = [s for s in walk(loop.body) if isinstance(s, Assign | Accumulate)]
    for name in dict.fromkeys(name_of(s.target) for s in writes):
        own = [s for s in writes if name_of(s.target) == name]
        touched = [s.target for s in own] + [e for e in reads if name_of(e) == name]
        if isinstance(own[0].target, Indexed):
            safe = _is_apart([e for e in touched if isinstance(e, Indexed)], loop.index)
        else:
            safe = name not in carried
        kinds = {s.op if isinstance(s, Accumulate) else "=" for s in own}
        if not safe and (len(touched) > len(own) or len(kinds) > 1 or "=" in kinds):
            raise CannotTileError(f"turns of the loop over {loop.index} depend on each other through {name}")


def _is_apart(elements: list[Indexed], index: Symbol) -> bool:
    """Whether elements that different turns touch are different: in one place of their indices all have i, or i + 1."""
    places = zip(*(e.indices for e in elements), strict=True)
    return any(len(set(place)) == 1 and (place[0] - index).is_number for place in places)


def _scalars(body: Body) -> dict[Symbol, str]:
    """Return the scalars that the body assigns, not only accumulates: every turn has its own."""
    return {s.target: s.target.name for s in walk(body) if isinstance(s, Assign) and isinstance(s.target, Symbol)}


def _copy(body: Body, index: Symbol, k: int, private: Mapping[Symbol, str], factor: int) -> Body:
    swap: dict[Expr, Expr] = {symbol: scalar(_numbered(name, k, factor)) for symbol, name in private.items()}
    if k:
        swap[index] = index + k
    return tuple(substitute(statement, swap) for statement in body)


def _numbered(name: str, k: int, factor: int) -> str:
    """Return the name of a scalar in copy k of so many: total becomes total_1, and total_1 in a copy total_12."""
    return f"{name}{k}" if factor <= TEN and re.search(r"_\d+$", name) else f"{name}_{k}"


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
