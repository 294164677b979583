"""Checks of a kernel before it is written: every name bound, nothing read before it is written or after it changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache

from sympy import Basic, Expr, Indexed, IndexedBase, Symbol

from symbackprop.expr.printing import identifier
from symbackprop.expr.symbols import name_of, names_in
from symbackprop.loops.ir import Accumulate, Assign, Body, Call, If, Kernel, Loop, Row, expressions, walk


def verify(kernel: Kernel, functions: Collection[str] = ()) -> None:
    """Raise ValueError if a kernel reads a name that nothing has bound, or accumulates into one never assigned.

    Arrays that the kernel allocates count as bound once a statement before, in program order, has assigned to them.
    No element may change between two turns of a loop that read it (see `require_any_order`), and every array that is
    filled has room (see `require_room`).
    """
    require_names_apart(kernel, functions)
    require_any_order(kernel)
    for _, problem in _unbound(kernel, {a.name for a in kernel.arguments}):
        raise ValueError(f"kernel {kernel.name}: {problem}")
    require_room(kernel)


Unbound = tuple[Collection[str], str]  # names, and what is wrong with them


def _unbound(kernel: Kernel, bound: set[str]) -> Iterator[Unbound]:
    """Yield what a kernel reads before it is bound, where some names are from the start."""
    bound |= {s.name for a in kernel.arguments for n in a.sizes for s in n.free_symbols}
    yield from _unbound_in(kernel.body, bound)
    for expr in kernel.returns:
        yield from _missing(expr, bound)


def _unbound_in(body: Body, bound: set[str]) -> Iterator[Unbound]:
    for statement in body:
        fills = _filled(statement.kernel) if isinstance(statement, Call) else frozenset()
        bound |= {str(statement.value_of(name)) for name in fills}  # type: ignore[union-attr]
        for expr in expressions(statement):
            yield from _missing(expr, bound)
        match statement:
            case Assign(target, _):
                bound.add(name_of(target))
            case Call(results=results):
                bound |= set(map(name_of, results))
            case Accumulate(target, _) if name_of(target) not in bound:
                yield {name_of(target)}, f"{target} is accumulated before it is assigned"
            case Row(name, array, _):
                if array not in bound:
                    yield {array}, f"{array} is read before it is bound"
                bound.add(name)
            case Loop(index):
                own = {index.name} - bound
                bound |= own | _carried(statement)
                yield from _unbound_in(statement.body, bound)
                bound -= own  # after the loop there is no such index
            case _ if hasattr(statement, "body"):
                yield from _unbound_in(statement.body, bound)


def require_room(kernel: Kernel) -> None:
    """Raise ValueError if a kernel has an array that it neither takes nor allocates, nor names as a row of one."""
    room = {a.name for a in (*kernel.arguments, *kernel.locals)}
    room |= {s.name for s in walk(kernel.body) if isinstance(s, Row)}
    if missing := sorted({name for name, is_array in _things(kernel.body) if is_array} - room):
        raise ValueError(f"kernel {kernel.name}: nothing allocates {', '.join(missing)}")


def require_names_apart(kernel: Kernel, functions: Collection[str] = ()) -> None:
    """Raise ValueError if two things of a kernel are printed alike, or one as a function that it could call.

    Things differ if their names do, or if one is an array and the other a number.
    """
    arguments = [a.name for a in (*kernel.arguments, *kernel.locals)]
    if len(set(arguments)) < len(arguments):
        twice = next(name for n, name in enumerate(arguments) if name in arguments[:n])
        raise ValueError(f"kernel {kernel.name}: {twice} is the name of two arrays")
    arrays = [(a.name, True) for a in (*kernel.arguments, *kernel.locals) if a.sizes]
    things = list(dict.fromkeys([*arrays, *_things(kernel.body)]))
    owners: dict[str, tuple[str, bool]] = {}
    for thing in things:
        printed = identifier(thing[0])
        if printed in functions:
            raise ValueError(f"kernel {kernel.name}: {thing[0]} is printed as the function {printed}")
        if owners.setdefault(printed, thing) != thing:
            raise ValueError(f"kernel {kernel.name}: {thing[0]} and {owners[printed][0]} are both printed as {printed}")


def _things(body: Body) -> Iterator[tuple[str, bool]]:
    """Yield the names that a body has, and whether they are arrays."""
    for statement in walk(body):
        match statement:
            case Assign(target) | Accumulate(target):
                yield from _read(target)
            case Loop(index):
                yield index.name, False
            case Call(results=results):
                for result in results:
                    yield from _read(result)
            case Row(_, array):
                yield array, True  # the row itself is an array or a number, as it is read
        for expr in expressions(statement):
            yield from _read(expr)


def _read(expr: Basic) -> Iterator[tuple[str, bool]]:
    if isinstance(expr, IndexedBase):
        yield str(expr.label), True
    elif isinstance(expr, Symbol):
        yield expr.name, False
    elif isinstance(expr, Indexed):
        yield str(expr.base.label), True
        for place in expr.indices:
            yield from _read(place)
    else:
        for arg in expr.args:
            yield from _read(arg)


def require_any_order(kernel: Kernel) -> None:
    """Raise ValueError if turns of a loop that is not ordered read an element that another of its turns changes.

    So it is where the right side of an assignment or accumulation reads the array of its target and a loop around it
    turns without another element: a sum interchanged outwards over an update that reads its own target.
    """
    for loops, statement in _within(kernel.body, ()):
        target, value = statement.target, statement.value
        if not isinstance(target, Indexed) or name_of(target) not in names_in(value):
            continue
        turning = next((i for i in loops if not any((at - i).is_number for at in target.indices)), None)
        if turning is not None:
            raise ValueError(f"kernel {kernel.name}: {target} is read in the loop over {turning} after it has changed")


def _within(body: Body, loops: tuple[Symbol, ...]) -> Iterator[tuple[tuple[Symbol, ...], Assign | Accumulate]]:
    """Yield what changes a value, with the indices of the loops around it of which turns may come in any order."""
    for statement in body:
        match statement:
            case Assign() | Accumulate():
                yield loops, statement
            case Loop(index, _, inner):
                yield from _within(inner, () if statement.ordered else (*loops, index))
            case If(_, inner):
                yield from _within(inner, loops)


@lru_cache(maxsize=256)
def _filled(called: Kernel) -> frozenset[str]:
    """Return the arguments of a kernel that it assigns before it reads them; verify the kernel."""
    verify(called)
    given = {a.name for a in called.arguments} - called.changed
    read = {name for names, _ in _unbound(called, given) for name in names}
    return called.changed - read


def _carried(loop: Loop) -> set[str]:
    """Return the arrays of which a turn reads what earlier turns wrote: written at its index, read at another."""
    statements = [s for s in walk(loop.body) if isinstance(s, Assign) and isinstance(s.target, Indexed)]
    written = {s.target for s in statements if s.target.has(loop.index)}
    read = {e for s in walk(loop.body) for expr in expressions(s) for e in expr.atoms(Indexed)} - written
    return {name_of(t) for t in written} & {name_of(e) for e in read if not e.has(loop.index)}


def _missing(expr: Expr, bound: set[str]) -> Iterator[Unbound]:
    read = {s.name for s in expr.free_symbols if isinstance(s, Symbol) and not isinstance(s, Indexed)}
    read |= {str(b.label) for b in expr.atoms(IndexedBase)}
    if missing := read - bound:
        yield missing, f"{', '.join(sorted(missing))} is read before it is bound"
