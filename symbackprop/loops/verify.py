"""Checks of a kernel before it is written: every name bound, nothing read before it is written."""

from __future__ import annotations

from dataclasses import replace

from sympy import Indexed, IndexedBase, Symbol

from symbackprop.loops.ir import Accumulate, Assign, Body, Call, Kernel, Loop, Row, expressions, walk
from symbackprop.symbols import name_of


def verify(kernel: Kernel) -> None:
    """Raise ValueError if a kernel reads a name that nothing has bound, or accumulates into one never assigned.

    Arrays that the kernel allocates count as bound once a statement before, in program order, has assigned to them.
    """
    bound = {a.name for a in kernel.arguments} | {
        s.name for a in kernel.arguments for n in a.sizes for s in n.free_symbols
    }
    _verify(kernel.body, bound, kernel)
    for expr in kernel.returns:
        _require(expr, bound, kernel)


def _verify(body: Body, bound: set[str], kernel: Kernel) -> None:
    for statement in body:
        fills = _filled(statement.kernel) if isinstance(statement, Call) else frozenset()
        bound |= {str(statement.value_of(name)) for name in fills}  # type: ignore[union-attr]
        for expr in expressions(statement):
            _require(expr, bound, kernel)
        match statement:
            case Assign(target, _):
                bound.add(name_of(target))
            case Accumulate(target, _) if name_of(target) not in bound:
                raise ValueError(f"kernel {kernel.name}: {target} is accumulated before it is assigned")
            case Row(name, array, _):
                if array not in bound:
                    raise ValueError(f"kernel {kernel.name}: {array} is read before it is bound")
                bound.add(name)
            case Loop(index):
                bound.add(index.name)
                bound |= _carried(statement)
                _verify(statement.body, bound, kernel)
            case _ if hasattr(statement, "body"):
                _verify(statement.body, bound, kernel)


def _filled(called: Kernel) -> frozenset[str]:
    """Return the arguments of a kernel that it assigns before it reads them; verify the kernel."""
    verify(called)

    def reads(name: str) -> bool:
        others = tuple(a for a in called.arguments if a.name != name)
        try:
            verify(replace(called, arguments=others))
        except ValueError:
            return True
        return False

    return frozenset(name for name in called.changed if not reads(name))


def _carried(loop: Loop) -> set[str]:
    """Return the arrays of which a turn reads what earlier turns wrote: written at its index, read at another."""
    statements = [s for s in walk(loop.body) if isinstance(s, Assign) and isinstance(s.target, Indexed)]
    written = {s.target for s in statements if s.target.has(loop.index)}
    read = {e for s in walk(loop.body) for expr in expressions(s) for e in expr.atoms(Indexed)} - written
    return {name_of(t) for t in written} & {name_of(e) for e in read if not e.has(loop.index)}


def _require(expr: object, bound: set[str], kernel: Kernel) -> None:
    read = {s.name for s in expr.free_symbols if isinstance(s, Symbol) and not isinstance(s, Indexed)}  # type: ignore[attr-defined]
    read |= {str(b.label) for b in expr.atoms(IndexedBase)}  # type: ignore[attr-defined]
    if read - bound:
        raise ValueError(f"kernel {kernel.name}: {', '.join(sorted(read - bound))} is read before it is bound")
