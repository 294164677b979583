"""Names for what kernels call: after the arrays that it is of, or, where it serves several, after what it does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sympy import Expr, IndexedBase

from symbackprop.expr.printing import identifier
from symbackprop.expr.symbols import array, names_in, scalar
from symbackprop.loops.ir import Body, Call, If, Kernel, Loop, Statement, expressions, substitute, walk, written


def named(kernels: Iterable[Kernel]) -> tuple[Kernel, ...]:
    """Return kernels in which what they call is named after its use, each by a name that nothing else has.

    A kernel that is called with the same arrays wherever it is called has their names inside too.
    """
    kernels = tuple(kernels)
    uses: dict[Kernel, list[Call]] = {}
    for call in _calls(kernels):
        uses.setdefault(call.kernel, []).append(call)
    taken = {identifier(name) for kernel in kernels for name in (*_names(kernel), kernel.name)}
    swap = {kernel: _named(kernel, calls, taken) for kernel, calls in uses.items()}
    return tuple(replace(kernel, body=_with(kernel.body, swap)) for kernel in kernels)


def _calls(kernels: Iterable[Kernel]) -> Iterator[Call]:
    for kernel in kernels:
        for statement in walk(kernel.body):
            if isinstance(statement, Call):
                yield from _calls([statement.kernel])
                yield statement


def _with(body: Body, swap: Mapping[Kernel, Kernel]) -> Body:
    made: list[Statement] = []
    for statement in body:
        match statement:
            case Call(kernel):
                whole = swap[kernel]
                made.append(replace(statement, kernel=replace(whole, body=_with(whole.body, swap))))
            case Loop() | If():
                made.append(replace(statement, body=_with(statement.body, swap)))
            case _:
                made.append(statement)
    return tuple(made)


def _named(kernel: Kernel, calls: Sequence[Call], taken: set[str]) -> Kernel:
    arrays = {a.name: list(dict.fromkeys(str(call.value_of(a.name)) for call in calls)) for a in kernel.arguments
              if isinstance(calls[0].value_of(a.name), IndexedBase)}  # fmt: skip
    alone = all(len(names) == 1 for names in arrays.values())
    pattern = kernel.title if kernel.title and alone else kernel.name
    said = {letter: "_".join(map(identifier, names)) for letter, names in arrays.items()}
    name = _apart(re.sub(r"{(\w+)}", lambda mark: said[mark[1]], pattern), taken)
    own = {letter: names[0] for letter, names in arrays.items()} if alone and "{" in kernel.title + kernel.name else {}
    return replace(_with_names(kernel, own), name=name)


def _apart(name: str, taken: set[str]) -> str:
    """Return a name that nothing has, and take it."""
    n, made = 1, name
    while made in taken:
        n += 1
        made = f"{name}_{n}"
    taken.add(made)
    return made


def _with_names(kernel: Kernel, own: Mapping[str, str]) -> Kernel:
    """Return a kernel with other names for its arrays, and for the scalars that are called after them; as it is where
    two things would be printed alike.
    """
    names = _names(kernel)
    swap = {name: own[name] if name in own else _renamed(name, own) for name in names}
    if len(set(map(identifier, swap.values()))) < len(names):
        return kernel
    changed = [(name, to) for name, to in swap.items() if name != to]
    symbols: dict[Expr, Expr] = {make(name): make(to) for name, to in changed for make in (array, scalar)}
    arguments = tuple(replace(a, name=swap[a.name]) for a in kernel.arguments)
    doc = re.sub(r"\b(\w+)(?=\[)", lambda mark: identifier(own.get(mark[1], mark[1])), kernel.doc)
    return replace(kernel, arguments=arguments, body=tuple(substitute(s, symbols) for s in kernel.body), doc=doc)


def _renamed(name: str, own: Mapping[str, str]) -> str:
    """Return the name of a scalar that is called after an array: A_pk after W is W_pk."""
    letter, mark, rest = name.partition("_")
    return f"{identifier(own[letter])}_{rest}" if mark and letter in own else name


def _names(kernel: Kernel) -> set[str]:
    inside = {name for s in walk(kernel.body) for e in expressions(s) for name in names_in(e)}
    return inside | written(kernel.body) | {a.name for a in (*kernel.arguments, *kernel.locals)}
