"""Statements as lines of Python that Numba compiles well: typed constants, scalar sums, conditional expressions."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import (
    ITE,
    Abs,
    Add,
    And,
    Basic,
    Expr,
    Indexed,
    IndexedBase,
    Max,
    Min,
    Mod,
    Mul,
    Not,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    Symbol,
    floor,
    fraction,
)
from sympy.core.function import Function
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanAtom

from symbackprop.emit.exponents import accurate_exponents, exponentials, name_of_exponent, template
from symbackprop.emit.wrap import parts, wrap
from symbackprop.expr.functions import NODES
from symbackprop.expr.printing import by_size, identifier, in_order, is_negative, quotient
from symbackprop.expr.symbols import AtInfinity, Finite, accurate_exp, decay, name_of
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
    walk,
)

WIDTH = 100
_WRITTEN_OTHERWISE = {"Abs", "Max", "Min", "sign", "decay", "accurate_exp", "stored"}  # as operators, or not at all
_FUNCTIONS = NODES.keys() - _WRITTEN_OTHERWISE | {"sqrt", "cbrt", "ratio"}
GLOBALS = ("np", "real", "zero", "one", "aligned", "kernel", "inlined", "range", "min", "max", "abs", "int", "float")
_SUM, _PRODUCT, _ATOM = 1, 2, 3


def functions(kernels: Iterable[Kernel]) -> list[str]:
    """Return the elementary functions that some kernels call, sorted."""
    found = set()
    for kernel in kernels:
        for statement in walk(kernel.body):
            if isinstance(statement, If) and statement.condition.has(Finite):
                found.add("isfinite")
            if isinstance(statement, Assign | Accumulate):
                value = _without_exponents(statement.value)
                found |= {"exp" if isinstance(f, decay) else type(f).__name__ for f in value.atoms(Function)}
                found |= {"sqrt" for _ in _roots(value)}
                found |= {"cbrt" for p in value.atoms(Pow) if not p.is_number and _is_of_thirds(p.exp)}
                found |= {"ratio" for p in value.atoms(Pow) if p.exp.is_negative and _roots(p)}
    return sorted(found & (_FUNCTIONS | {"isfinite"}))


def exponents(kernels: Iterable[Kernel]) -> dict[str, Expr]:
    """Return the exponents that some kernels compute with what their roundings lost, by the function's name."""
    statements = (st for kernel in kernels for st in walk(kernel.body))
    return accurate_exponents(st.value for st in statements if isinstance(st, Assign | Accumulate))


def _without_exponents(expr: Expr) -> Expr:
    """Return a formula with what accurate exponentials read in the place of these."""
    return expr.xreplace({e: Add(*(_without_exponents(leaf) for leaf in template(e)[1])) for e in exponentials(expr)})


def number(value: Expr) -> str:
    """Return a constant of the kernel's type.

    >>> number(Rational(3, 2)), number(S.Zero), number(S(2))
    ('real(1.5)', 'zero', 'real(2)')
    """
    if value in {0, 1}:
        return "one" if value == 1 else "zero"
    if value.is_negative:
        return "-" + number(-value)
    return f"real({int(value) if value.is_Integer and value < 10**6 else repr(float(value))})"


def integer(expr: Expr) -> str:
    """Return an index or a size as an integer expression."""
    match expr:
        case Symbol():
            return identifier(expr.name)
        case Indexed():
            return _element(expr)
        case Mod():
            text = integer(expr.args[0])
            return f"({text}) % {integer(expr.args[1])}" if expr.args[0].is_Add else f"{text} % {integer(expr.args[1])}"
        case floor():
            above, below = fraction(expr.args[0])
            text = integer(above)
            return f"{text if isinstance(above, Indexed) else f'({text})'} // {integer(below)}"
        case Max():
            return f"max({', '.join(sorted(integer(a) for a in expr.args))})"
        case Min():
            return f"min({', '.join(sorted(integer(a) for a in expr.args))})"
        case Add():
            terms = [integer(t) for t in sorted(expr.args, key=lambda t: (t.is_Number or is_negative(t), str(t)))]
            return " + ".join(terms).replace("+ -", "- ")
        case Mul():
            return " * ".join(
                f"({integer(a)})" if isinstance(a, Add | Mod | floor) else integer(a) for a in expr.args
            ).replace("-1 * ", "-")
    return str(expr)


def real(expr: Expr, around: int = 0) -> str:
    """Return a real expression as Python text, in parentheses where `around` binds tighter."""
    text, level = _real(expr)
    return f"({text})" if level < around else text


def _real(expr: Expr) -> tuple[str, int]:
    if expr.is_number:
        return number(expr), _ATOM if not expr.is_negative else _SUM
    if expr.is_integer and not expr.has(Indexed, Piecewise):
        return f"real({integer(expr)})", _ATOM
    match expr:
        case Indexed() | Symbol():
            return _element(expr) if isinstance(expr, Indexed) else identifier(expr.name), _ATOM
        case Add() | Piecewise():
            return (_sum(expr), _SUM) if isinstance(expr, Add) else (_choice(expr), 0)
        case Mul() | Pow():
            return _product(expr) if isinstance(expr, Mul) else _power(expr)
        case Abs() | floor():
            return f"{'abs' if isinstance(expr, Abs) else 'np.floor'}({real(expr.args[0])})", _ATOM
        case Max() | Min():
            values = sorted(expr.args, key=lambda a: a.is_number)  # max(x, zero) keeps a NaN, max(zero, x) loses it
            return f"{type(expr).__name__.lower()}({', '.join(real(a) for a in values)})", _ATOM
        case Function():
            return _call(expr), _ATOM
    raise ValueError(f"the formula {expr} has {type(expr).__name__}, which no kernel can compute")


def _call(expr: Function) -> str:
    """Return a function with its arguments, an exponential with what its exponent reads."""
    name, arguments = type(expr).__name__, [*expr.args]
    if isinstance(expr, decay):
        return f"exp(-abs({real(expr.args[0])}))"
    if isinstance(expr, accurate_exp):
        exponent, arguments = template(expr)
        name = name_of_exponent(exponent)
    elif name not in _FUNCTIONS:
        raise ValueError(f"the formula {expr} has {name}, which no kernel can compute")
    return f"{name}({', '.join(map(real, arguments))})"


def _element(expr: Indexed) -> str:
    return f"{identifier(name_of(expr))}[{', '.join(integer(i) for i in expr.indices)}]"


def _sum(expr: Add) -> str:
    terms = sorted(expr.args, key=by_size)
    text = real(terms[0], _SUM)
    for term in terms[1:]:
        text += f" - {real(-term, _PRODUCT)}" if is_negative(term) else f" + {real(term, _SUM)}"
    return text


def _product(expr: Mul) -> tuple[str, int]:
    if is_negative(expr):
        return "-" + real(-expr, _PRODUCT), _SUM
    above, below = quotient(expr)
    if below != 1 and not below.is_number:
        return _quotient(above, below)
    return " * ".join(real(f, _PRODUCT) for f in in_order(expr)), _PRODUCT


def _quotient(above: Expr, below: Expr) -> tuple[str, int]:
    if _roots(below):
        return f"ratio({real(above)}, {real(below)})", _ATOM
    return f"{real(above, _PRODUCT)} / {real(below, _ATOM)}", _PRODUCT


def _roots(expr: Expr) -> set[Pow]:
    """Return the powers in an expression that are computed with a root."""
    return {p for p in expr.atoms(Pow) if not p.is_number and (2 * p.exp).is_odd}


def _power(expr: Pow) -> tuple[str, int]:
    base, power = expr.args
    if power.is_negative:
        return _quotient(S.One, base ** (-power))
    if power == S.Half:
        return f"sqrt({real(base)})", _ATOM
    if power.is_Integer and power <= 4:
        return " * ".join([real(base, _ATOM)] * int(power)), _PRODUCT
    if isinstance(power, Rational) and power.q == 2:
        return _product(Mul(base ** (power - S.Half), Pow(base, S.Half), evaluate=False))
    if _is_of_thirds(power):
        return " * ".join(_thirds(base, power)), _PRODUCT
    exponent = str(power) if power.is_Integer else real(power, _ATOM)
    return f"{real(base, _ATOM)} ** {exponent}", _PRODUCT


def _is_of_thirds(power: Expr) -> bool:
    return isinstance(power, Rational) and power.q == 3


def _thirds(base: Expr, power: Rational) -> list[str]:
    """Return the factors of a power: u^(5/3) is ∛u ∛u u."""
    whole, rest = divmod(power.p, 3)
    return [f"cbrt({real(base)})"] * rest + ([real(base**whole, _PRODUCT)] if whole else [])


def _choice(expr: Piecewise) -> str:
    *pairs, last = expr.args
    text = real(last.expr, _SUM)
    for value, condition in reversed([(p.expr, p.cond) for p in pairs]):
        text = f"{real(value, _SUM)} if {truth(condition)} else {text}"
    return text


def truth(expr: Expr) -> str:
    """Return a condition as Python text."""
    match expr:
        case And() | Or():
            word = " and " if isinstance(expr, And) else " or "
            parts = sorted(truth(a) for a in expr.args)
            return word.join(f"({p})" if " and " in p or " or " in p else p for p in parts)
        case AtInfinity():
            value, end = (-expr.args[0], "-") if is_negative(expr.args[0]) else (expr.args[0], "")
            return f"{real(value)} == {end}real(np.inf)"
        case Finite():
            return f"isfinite({real(expr.args[0])})"
        case Not() if isinstance(expr.args[0], Finite):
            return f"not {truth(expr.args[0])}"
        case Not():
            return f"not ({truth(expr.args[0])})"
        case Relational():
            whole = all(side.is_integer for side in expr.args) and any(side.free_symbols for side in expr.args)
            show = integer if whole else real
            return f"{show(expr.lhs)} {expr.rel_op} {show(expr.rhs)}"
        case ITE(args=(condition, yes, no)):
            return f"({truth(yes)} if {truth(condition)} else {truth(no)})"
        case BooleanAtom():
            return str(expr)
    raise ValueError(f"the condition {expr} is a {type(expr).__name__}, which no kernel can compute")


def lines(body: Body) -> list[str]:
    """Return the statements of a body as lines, each formula above the loop that computes it."""
    made: list[str] = []
    for statement in _chained(body):
        if isinstance(statement, tuple):
            made += _chain(statement)
        else:
            made += comment(statement.why)
            made += _lines(statement)
    return made


def _chain(statements: tuple[Assign, ...]) -> list[str]:
    """Return one chain of assignments, its lines continued by backslashes."""
    targets = [f"{_target(s.target)} =" for s in statements]
    rows = wrap(" ".join([*targets, real(statements[0].value)]), WIDTH - 16, later="    ")
    return [*(row + " \\" for row in rows[:-1]), rows[-1]]


def _chained(body: Body) -> list[Statement | tuple[Assign, ...]]:
    """Put neighbouring scalars that start from the same number together: a = b = zero."""
    made: list[Statement | tuple[Assign, ...]] = []
    for statement in body:
        if not isinstance(statement, Assign) or not _starts_a_sum(statement):
            made.append(statement)
            continue
        last = made[-1] if made else None
        if isinstance(last, tuple) and last[0].value == statement.value:
            made[-1] = (*last, statement)
        else:
            made.append((statement,))
    return made


def _starts_a_sum(statement: Assign) -> bool:
    target = statement.target
    return bool(target.is_Symbol and statement.value.is_number and not target.is_integer and not statement.why)


def comment(text: str) -> list[str]:
    """Return a text as comment lines."""
    return [f"# {line}" for line in wrap(text, WIDTH - 16, later="    ")]


def _lines(statement: Statement) -> list[str]:
    match statement:
        case Assign(target, value) if target.is_integer:
            return [f"{_target(target)} = {integer(value)}"]
        case Assign(target, value):
            return _wrapped(f"{_target(target)} = ", real(value))
        case Accumulate(target, value, "max"):
            return [f"{_target(target)} = max({_target(target)}, {real(value)})"]
        case Accumulate(target, value) if target.is_integer:
            return [f"{_target(target)} += {integer(value)}"]
        case Accumulate(target, value):
            minus = all(is_negative(t) for t in Add.make_args(value))
            return _wrapped(f"{_target(target)} {'-=' if minus else '+='} ", real(-value if minus else value))
        case Loop(index, stop, body, _, start, step):
            bounds = integer(stop) if start == 0 and step == 1 else f"{integer(start)}, {integer(stop)}"
            bounds += f", {integer(step)}" if step != 1 else ""
            return [f"for {index.name} in range({bounds}):", *_indented(lines(body))]
        case If(condition, body):
            return [*_in_brackets("if ", truth(condition), ":"), *_indented(lines(body))]
        case Call(kernel, results=results):
            to = ", ".join(map(_target, results))
            return _in_brackets(f"{to} = {kernel.name}" if to else kernel.name, _passed(statement), "", always=True)
    return [_line(statement)]


def _in_brackets(start: str, inner: str, end: str, *, always: bool = False) -> list[str]:
    """Return a statement in one line, or what is in its brackets in several, where one would be too long."""
    if len(start) + len(inner) <= WIDTH - 24:
        return [f"{start}({inner}){end}" if always else f"{start}{inner}{end}"]
    return [f"{start}(", *_indented(wrap(inner, WIDTH - 32)), f"){end}"]


def _line(statement: Statement) -> str:
    match statement:
        case Break():
            return "break"
        case Row(name, array, at):
            return f"{identifier(name)} = {identifier(array)}[{integer(at)}]"
    raise TypeError(f"not a statement: {statement!r}")


def _passed(call: Call) -> str:
    """Return what a call passes: arrays by their names, sizes, real values."""
    shapes = (*call.views, *((),) * len(call.values))
    passed = zip(call.kernel.arguments, call.values, shapes, strict=False)
    return ", ".join(_value(argument, value, shape) for argument, value, shape in passed)


def _value(argument: Argument, value: Basic, shape: tuple[int, ...]) -> str:
    if isinstance(value, IndexedBase):
        return identifier(str(value)) + (f".reshape({', '.join(map(str, shape))})" if shape else "")
    return integer(value) if argument.about in {"size", "integers"} else real(value)


def _wrapped(start: str, value: str) -> list[str]:
    """Return a statement, in parentheses over several lines where one would be too long."""
    if len(start) + len(value) <= WIDTH - 16:
        return [start + value]
    rows = _rows(parts(value, r" (?=[+-] |if |else )"))
    if max(map(len, rows)) > WIDTH - 16:
        rows = _rows(parts(value, r" (?=[+*/-] |if |else )|(?<=,) "))
    if max(map(len, rows)) > WIDTH - 16:
        rows = wrap(value, WIDTH - 32)
    return [start + "(", *_indented(rows), ")"]


def _rows(parts: list[str]) -> list[str]:
    """Return the parts of an expression in lines that are not too long."""
    made, row = [], parts[0]
    for part in parts[1:]:
        if len(row) + len(part) < WIDTH - 20:
            row += " " + part
        else:
            made.append(row)
            row = part
    return [*made, row]


def _target(target: Expr) -> str:
    return _element(target) if isinstance(target, Indexed) else identifier(target.name)


def _indented(text: list[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in text]


def kernel_text(kernel: Kernel) -> str:
    """Return the source of one kernel: signature, docstring, sizes, work arrays, loops, result."""
    names = ", ".join(identifier(a.name) for a in kernel.arguments)
    signature = f"def {kernel.name}({names}):"
    if len(signature) > WIDTH:
        signature = "\n".join([f"def {kernel.name}(", *wrap(names, WIDTH - 4, "    ", "    "), "):"])
    body = [*wrap(f'"""{kernel.doc}"""', WIDTH - 4), *_sizes(kernel)]
    body += [*map(_allocate, kernel.locals, [kernel] * len(kernel.locals))]
    body += lines(kernel.body)
    if kernel.returns:
        body.append("return " + ", ".join(identifier(r.name) if r.is_integer else real(r) for r in kernel.returns))
    return "\n".join(["@inlined" if kernel.inline else "@kernel", signature, *_indented(body)])


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
