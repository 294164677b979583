"""Statements as lines of Python: loops with their formulas above them, calls, a kernel as a function."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Add, Basic, Expr, Indexed, IndexedBase, Mul

from symbackprop.emit.expression_text import element, integer, real, tight, truth
from symbackprop.emit.wrap import KEPT, parts, wrap
from symbackprop.expr.printing import identifier, is_negative
from symbackprop.expr.symbols import names_in
from symbackprop.loops.ir import (
    Accumulate,
    Argument,
    Assign,
    Body,
    Break,
    Call,
    If,
    Kernel,
    Loop,
    Row,
    Statement,
    expressions,
    walk,
    written,
)

WIDTH = 100
GLOBALS = ("np", "real", "zero", "one", "aligned", "kernel", "inlined", "range", "min", "max", "abs", "int", "float")
_FEW = 3  # neighbours that are worth a line together
_INDENT = "    "


def lines(body: Body, width: int = WIDTH - len(_INDENT)) -> list[str]:
    """Return the statements of a body as lines, each formula above the loop that computes it."""
    return [line for group in _groups(body) for line in (*comment(group[0].why, width), *_together(group, width))]


def _groups(body: Body) -> list[Body]:
    """Return the statements, those neighbours together that are written as one: a = b = zero, and x, y = A[i], B[i]."""
    groups: list[Body] = []
    for statement in body:
        if groups and (_is_chained(groups[-1], statement) or _is_beside(groups[-1], statement)):
            groups[-1] = (*groups[-1], statement)
        else:
            groups.append((statement,))
    return [part for group in groups for part in ((group,) if _is_one(group) else ((s,) for s in group))]


def _is_one(group: Body) -> bool:
    return len(group) >= _FEW or _starts_a_sum(group[0]) or not isinstance(group[0], Assign)


def _is_chained(group: Body, statement: Statement) -> bool:
    return _starts_a_sum(group[0]) and _starts_a_sum(statement) and group[0].value == statement.value  # type: ignore[union-attr]


def _starts_a_sum(statement: Statement) -> bool:
    """Whether a statement gives a real a number."""
    return isinstance(statement, Assign) and not (
        statement.why or statement.target.is_integer or not statement.value.is_number
    )


def _is_beside(group: Body, statement: Statement) -> bool:
    """Whether a statement copies as those of a group do, and reads nothing that they assign."""
    kinds = {_kind_of_copy(s) for s in (*group, statement)}
    read = {name for e in expressions(statement) for name in names_in(e)} | {getattr(statement, "array", "")}
    return len(kinds) == 1 and kinds != {""} and not written(group) & read


def _kind_of_copy(statement: Statement) -> str:
    """Return which way a statement copies: names of rows, elements to scalars, scalars to elements; or none."""
    match statement:
        case Row():
            return "row"
        case Assign(target, value, "") if not target.is_integer:
            elements = [f for f in Mul.make_args(value) if isinstance(f, Indexed)]
            if isinstance(target, Indexed):
                return "store" if value.is_Symbol else ""
            return "load" if len(elements) == 1 and value.atoms(Indexed) == {*elements} else ""
    return ""


def _together(group: Body, width: int) -> list[str]:
    """Return a group of statements as lines: a chain of assignments, or copies side by side."""
    if len(group) == 1:
        return _lines(group[0], width)
    if not _starts_a_sum(group[0]):
        return side_by_side([_lines(s, 2 * WIDTH)[0] for s in group], width)
    targets = [f"{_target(s.target)}{KEPT}=" for s in group]  # type: ignore[union-attr]
    rows = wrap(" ".join([*targets, real(group[0].value)]), width - 2, later=_INDENT)  # type: ignore[union-attr]
    return [*(row + " \\" for row in rows[:-1]), rows[-1]]


def side_by_side(assignments: Iterable[str], width: int) -> list[str]:
    """Return assignments, as many in one line as it has room for.

    >>> side_by_side(["n = X.shape[0]", "m = X.shape[1]"], 40)
    ['n, m = X.shape[0], X.shape[1]']
    """
    rows: list[str] = []
    for assignment in assignments:
        target, value = assignment.split(" = ")
        names, _, values = rows[-1].partition(" = ") if rows else ("", "", "")
        row = f"{names}, {target} = {values}, {value}"
        if names and len(row) <= width:
            rows[-1] = row
        else:
            rows.append(assignment)
    return rows


def comment(text: str, width: int = WIDTH - len(_INDENT)) -> list[str]:
    """Return formulas as comment lines, each in its own where one line has no room for all."""
    formulas = [text] if len(text) <= width - 2 else _formulas(text)
    return [f"# {line}" for formula in formulas for line in wrap(formula, width - 2, later=_INDENT)]


def _formulas(text: str) -> list[str]:
    """Return the formulas of a comment, of which each may have cases in braces."""
    made: list[str] = []
    depth = 0
    for part in text.split("; "):
        made = [*made[:-1], f"{made[-1]}; {part}"] if depth else [*made, part]
        depth += part.count("{") - part.count("}")
    return made


def _lines(statement: Statement, width: int) -> list[str]:
    match statement:
        case Assign() | Accumulate():
            return _changed(statement, width)
        case Loop(index, stop, body, _, start, step):
            bounds = integer(stop) if start == 0 and step == 1 else f"{integer(start)}, {integer(stop)}"
            bounds += f", {integer(step)}" if step != 1 else ""
            return [f"for {index.name} in range({bounds}):", *_indented(lines(body, width - len(_INDENT)))]
        case If(condition, body):
            head = _in_brackets("if ", truth(condition), ":", width)
            return [*head, *_indented(lines(body, width - len(_INDENT)))]
        case Call(kernel, results=results):
            to = f"{', '.join(map(_target, results))} = " if results else ""
            return _in_brackets(f"{to}{kernel.name}", _passed(statement), "", width, always=True)
        case Row(name, array, at):
            return [f"{identifier(name)} = {identifier(array)}[{tight(at)}]"]
        case Break():
            return ["break"]
    raise TypeError(f"not a statement: {statement!r}")


def _changed(statement: Assign | Accumulate, width: int) -> list[str]:
    target, value = _target(statement.target), statement.value
    if isinstance(statement, Accumulate) and statement.op == "max":
        return [f"{target} = max({target}, {real(value)})"]
    if statement.target.is_integer:
        return [f"{target} {'=' if isinstance(statement, Assign) else '+='} {integer(value)}"]
    if isinstance(statement, Assign):
        return _wrapped(f"{target} = ", real(value), width)
    minus = all(is_negative(t) for t in Add.make_args(value))
    return _wrapped(f"{target} {'-=' if minus else '+='} ", real(-value if minus else value), width)


def _in_brackets(start: str, inner: str, end: str, width: int, *, always: bool = False) -> list[str]:
    """Return a statement in one line, or what is in its brackets in several, where one would be too long."""
    whole = f"{start}({inner}){end}" if always else f"{start}{inner}{end}"
    if len(whole) <= width:
        return [whole]
    width -= len(end) + 1
    rows = _rows(f"{start}(", parts(inner, r"(?<=,) "), width, 2 * _INDENT)
    if max(map(len, rows)) > width:
        rows = wrap(inner, width, f"{start}(", 2 * _INDENT)
    return [*rows[:-1], f"{rows[-1]}){end}"]


def _passed(call: Call) -> str:
    """Return what a call passes: arrays by their names, sizes, real values."""
    shapes = (*call.views, *((),) * len(call.values))
    passed = zip(call.kernel.arguments, call.values, shapes, strict=False)
    return ", ".join(_value(argument, value, shape) for argument, value, shape in passed)


def _value(argument: Argument, value: Basic, shape: tuple[int, ...]) -> str:
    if isinstance(value, IndexedBase):
        return identifier(str(value)) + (f".reshape({', '.join(map(str, shape))})" if shape else "")
    return integer(value) if argument.about in {"size", "integers"} else real(value)


def _wrapped(start: str, value: str, width: int) -> list[str]:
    """Return a statement, in parentheses over several lines where one would be too long."""
    if len(start) + len(value) <= width:
        return [start + value]
    for between in (r" (?=[+-] |if |else )", r" (?=[+*/-] |if |else )|(?<=,) "):
        rows = _rows(f"{start}(", parts(value, between), width - 1)
        if max(map(len, rows)) < width:
            break
    else:
        rows = wrap(value, width - 1, f"{start}(", _INDENT)
    return [*rows[:-1], rows[-1] + ")"]


def _rows(start: str, parts: list[str], width: int, later: str = _INDENT) -> list[str]:
    """Return the parts of an expression in lines that are not too long."""
    first, *others = parts
    rows = [start + first]
    for part in others:
        if len(rows[-1]) + len(part) < width:
            rows[-1] += " " + part
        else:
            rows.append(later + part)
    return rows


def _target(target: Expr) -> str:
    return element(target) if isinstance(target, Indexed) else identifier(target.name)


def _indented(text: list[str]) -> list[str]:
    return [_INDENT + line if line else "" for line in text]


def kernel_text(kernel: Kernel) -> str:
    """Return the source of one kernel: signature, docstring, sizes, work arrays, loops, result."""
    names = ", ".join(identifier(a.name) for a in kernel.arguments)
    signature = _in_brackets(f"def {kernel.name}", names, ":", WIDTH, always=True)
    width = WIDTH - len(_INDENT)
    body = [*wrap(f'"""{kernel.doc}"""', width), *side_by_side(_sizes(kernel), width)]
    body += [*side_by_side((_allocate(array, kernel) for array in kernel.locals), width), *lines(kernel.body)]
    if kernel.returns:
        body.append("return " + ", ".join(identifier(r.name) if r.is_integer else real(r) for r in kernel.returns))
    return "\n".join(["@inlined" if kernel.inline else "@kernel", *signature, *_indented(body)])


def _sizes(kernel: Kernel) -> list[str]:
    """Read each size that is used from the first array that has it."""
    used = {s for st in walk(kernel.body) if isinstance(st, Loop) for s in (st.start + st.stop).free_symbols}
    used |= {s for a in kernel.locals for size in a.sizes for s in size.free_symbols}
    values = [st.value for st in walk(kernel.body) if isinstance(st, Assign | Accumulate)]
    values += [v for st in walk(kernel.body) if isinstance(st, Call) for v in st.values]
    used |= {s for v in (*values, *kernel.returns) for s in v.free_symbols if s.is_integer}
    made = []
    for argument in kernel.arguments:
        for n, size in enumerate(argument.sizes):
            if size in used and size.is_Symbol:
                used.discard(size)
                made.append(f"{identifier(size.name)} = {identifier(argument.name)}.shape[{n}]")
    return made


def _allocate(array: Argument, kernel: Kernel) -> str:
    name = identifier(array.name)
    like = next(identifier(a.name) for a in kernel.arguments if a.about == "parameter")
    sizes = [integer(s) for s in array.sizes]
    shape = f"({', '.join(sizes)})" if len(sizes) > 1 else sizes[0]
    if array.about == "integers":
        return f"{name} = np.empty({shape}, np.int64)"
    if kernel.aligned:
        reshaped = f".reshape{shape}" if len(sizes) > 1 else ""
        return f"{name} = aligned({' * '.join(sizes)}, {like}){reshaped}"
    for argument in kernel.arguments:
        if argument.sizes == array.sizes and argument.about == "parameter":
            return f"{name} = np.empty_like({identifier(argument.name)})"
    return f"{name} = np.empty({shape}, {like}.dtype)"
