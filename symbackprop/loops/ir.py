"""The statements that kernels are made of: frozen, equal by value, their expressions SymPy's.

Statement = Assign | Accumulate | Loop | If | Break | Row | Call
Kernel    = name, arguments, locals, body, returns
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from sympy import Basic, Expr, Indexed, Integer, Symbol

from symbackprop.expr.symbols import name_of, names_in


@dataclass(frozen=True)
class Assign:
    """``target = value``."""

    target: Expr
    value: Expr
    why: str = ""


@dataclass(frozen=True)
class Accumulate:
    """``target = target op value``, op one of ``+`` and ``max``."""

    target: Expr
    value: Expr
    op: str = "+"
    why: str = ""


@dataclass(frozen=True)
class Loop:
    """The body once for each value of `index` from `start` to `stop` - 1, by `step`.

    Turns may come in any order, and be tiled or interchanged, unless the loop is `ordered`: over examples, where each
    meets the weights that the one before it has left.
    """

    index: Symbol
    stop: Expr
    body: tuple[Statement, ...]
    why: str = ""
    start: Expr = Integer(0)  # noqa: RUF009 (an immutable number)
    step: Expr = Integer(1)  # noqa: RUF009
    ordered: bool = False


@dataclass(frozen=True)
class If:
    """The body where the condition holds."""

    condition: Expr
    body: tuple[Statement, ...]
    why: str = ""


@dataclass(frozen=True)
class Break:
    """Leave the innermost loop."""

    why: str = ""


@dataclass(frozen=True)
class Row:
    """A name for one row of an array, or for one element of a vector: ``name = array[at]``."""

    name: str
    array: str
    at: Expr
    why: str = ""


@dataclass(frozen=True)
class Call:
    """The statements of a kernel, with arrays, sizes and scalars in place of its arguments.

    `views` are the shapes in which the kernel takes the arrays, where they have others; `results` is what becomes of
    the scalars that it returns.
    """

    kernel: Kernel
    values: tuple[Basic, ...]
    why: str = ""
    views: tuple[tuple[int, ...], ...] = ()
    results: tuple[Expr, ...] = ()

    def value_of(self, argument: str) -> Basic:
        """Return what stands in place of an argument."""
        return self.values[[a.name for a in self.kernel.arguments].index(argument)]


Statement = Assign | Accumulate | Loop | If | Break | Row | Call
Body = tuple[Statement, ...]


@dataclass(frozen=True)
class Argument:
    """An argument of a kernel: an array with the sizes of its axes, or a scalar without."""

    name: str
    sizes: tuple[Expr, ...] = ()
    about: str = ""


@dataclass(frozen=True)
class Kernel:
    """A function over arrays: what it takes, the arrays it allocates, its statements, and what it returns.

    With `aligned`, its own arrays begin at whole cache lines, which vector loads of tiled loops repay. One that is
    `inline` leaves no call where it is called. A name or a `title`, the name of a kernel that is called with the same
    arrays everywhere, may have arguments in braces, for which these arrays stand (see `names`).
    """

    name: str
    arguments: tuple[Argument, ...]
    locals: tuple[Argument, ...]
    body: Body
    returns: tuple[Expr, ...] = ()
    doc: str = ""
    aligned: bool = False
    inline: bool = False
    title: str = ""

    @property
    def changed(self) -> frozenset[str]:
        """The names of the arguments that it writes."""
        return written(self.body) & {a.name for a in self.arguments}


def walk(body: Body) -> Iterator[Statement]:
    """Yield every statement, outer before inner."""
    for statement in body:
        yield statement
        if isinstance(statement, Loop | If):
            yield from walk(statement.body)


def expressions(statement: Statement) -> tuple[Expr, ...]:
    """Return the expressions that a statement evaluates itself, its target's indices included."""
    match statement:
        case Assign(target, value):
            return (*_indices(target), value)
        case Accumulate(target, value):
            return (*_indices(target), value)
        case Loop(_, stop, _, _, start):
            return (start, stop)
        case If(condition):
            return (condition,)
        case Row(_, _, at):
            return (at,)
        case Call(_, values):
            return values
    return ()


def _indices(target: Expr) -> tuple[Expr, ...]:
    return tuple(target.indices) if isinstance(target, Indexed) else ()


def written(body: Body) -> frozenset[str]:
    """Return the names of the arrays and scalars that a body writes."""
    names = set()
    for statement in walk(body):
        if isinstance(statement, Assign | Accumulate):
            names.add(name_of(statement.target))
        elif isinstance(statement, Loop):
            names.add(statement.index.name)
        elif isinstance(statement, Row):
            names.add(statement.name)
        elif isinstance(statement, Call):
            names |= {str(statement.value_of(name)) for name in statement.kernel.changed}
            names |= {name_of(result) for result in statement.results}
    return frozenset(names)


def exposed(body: Body) -> frozenset[str]:
    """Return the names whose value from before a body it may read: those that no statement before assigns.

    An accumulation reads its target; what an inner loop or an `If` assigns may not have been assigned.
    """
    found: set[str] = set()
    assigned: set[str] = set()
    for statement in body:
        read = {name for e in expressions(statement) for name in names_in(e)}
        match statement:
            case Accumulate(target):
                read.add(name_of(target))
            case Loop(index, _, inner):
                read |= exposed(inner) - {index.name}
            case If(_, inner):
                read |= exposed(inner)
            case Row(_, array):
                read.add(array)
        found |= read - assigned
        if isinstance(statement, Assign) and isinstance(statement.target, Symbol):
            assigned.add(statement.target.name)
        elif isinstance(statement, Call):
            assigned |= {result.name for result in statement.results if isinstance(result, Symbol)}
    return frozenset(found)


def substitute(statement: Statement, swap: Mapping[Expr, Expr]) -> Statement:
    """Return a statement with other symbols, in all that it reads and writes."""
    match statement:
        case Assign() | Accumulate():
            return replace(statement, target=statement.target.xreplace(swap), value=statement.value.xreplace(swap))
        case Loop():
            inner = tuple(substitute(s, swap) for s in statement.body)
            start, stop = statement.start.xreplace(swap), statement.stop.xreplace(swap)
            return replace(statement, start=start, stop=stop, body=inner)
        case If():
            inner = tuple(substitute(s, swap) for s in statement.body)
            return replace(statement, condition=statement.condition.xreplace(swap), body=inner)
        case Row():
            return replace(statement, at=statement.at.xreplace(swap))
        case Call():
            return replace(statement, values=tuple(value.xreplace(swap) for value in statement.values))
    return statement


def map_values(body: Body, change: Callable[[Expr], Expr]) -> Body:
    """Return a body with `change` applied to every value."""
    made: list[Statement] = []
    for statement in body:
        match statement:
            case Assign(_, value) | Accumulate(_, value):
                made.append(replace(statement, value=change(value)))
            case Loop() | If():
                made.append(replace(statement, body=map_values(statement.body, change)))
            case _:
                made.append(statement)
    return tuple(made)
