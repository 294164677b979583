"""A whole generated module as text: header, SPEC, kernels, Trainer; it needs only NumPy and Numba."""

from __future__ import annotations

import hashlib
import json
import math
import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from sympy import Expr, Symbol, pycode

from symbackprop.emit.elementary import DECORATOR, helpers
from symbackprop.emit.elementary_texts import AVAILABLE, ORDERED
from symbackprop.emit.exponents import called_by, exponent_function
from symbackprop.emit.expression_text import exponents, functions
from symbackprop.emit.numba_text import WIDTH, kernel_text
from symbackprop.emit.wrap import wrap
from symbackprop.expr.printing import identifier
from symbackprop.loops.ir import Call, Kernel, walk

MARKER = "# --- copied from here ---\n"

@dataclass(frozen=True)
class Header:
    """What stands above the code: a title, what it is made with, formulas by heading, shapes, the command."""

    title: str
    versions: str
    formulas: Mapping[str, Sequence[str]]
    shapes: Sequence[str]
    command: str


@dataclass(frozen=True)
class Section:
    """A part of the page: what the contents say of it, whose names they give, and its texts under a banner."""

    about: str
    names: Sequence[str]
    texts: Sequence[str]
    banner: bool = True


def module_text(header: Header, spec: Mapping[str, Any], kernels: Sequence[Kernel], scalars: Mapping[str, Expr]) -> str:
    """Return the source of a module.

    Parameters
    ----------
    header
        Its docstring.
    spec
        Strings, numbers, lists and dicts; printed as SPEC.
    kernels
        What the module offers; those that they call are added.
    scalars
        Formulas that become functions of Python's numbers: ``initial_scale`` of the fans, ``step_size`` of t.
    """
    kernels = with_called(kernels)
    called = functions(kernels)
    formulas = [_function(n, e, spec) for n, e in scalars.items()]
    own = (AVAILABLE - set(vars(math))) | ORDERED if "only" in spec else AVAILABLE | ORDERED
    sections = [*_kernel_sections(kernels, formulas, spec), *_elementary(kernels, set(called) & own, spec["dtype"])]
    if "only" not in spec:
        sections.append(_machine_code(kernels))
    texts = [_preamble(spec, kernels, sorted(set(called) - own), plain="math." in "".join(formulas))]
    texts += [text for section in sections for text in _under_banner(section)]
    body = "\n\n\n".join(texts)
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    head = _docstring(header, sections)
    return f'"""{head}\n\nThe digest of what follows: {digest}.\n"""\n\n{body}\n'


def _kernel_sections(kernels: Sequence[Kernel], formulas: Sequence[str], spec: Mapping[str, Any]) -> list[Section]:
    """Return the parts of the page with kernels, and the Trainer between them."""
    named = {k.name: k for k in kernels}
    offered = ("sgd", "forward", "loss", "backward")
    shared = [n for n in named if n.startswith(("forward_", "backward_"))]
    faster = [n for n in named if n.startswith("sgd_")]
    rest = [n for n in named if n not in {*offered, *shared, *faster}]
    texts = {name: kernel_text(kernel) for name, kernel in named.items()}
    loop = Section("the loop of the lecture, in its order", ["sgd"], [texts["sgd"]], banner=False)
    compared = Section("outputs, the mean loss, the gradients of one example", [*offered[1:], *shared],
                       [texts[n] for n in (*offered[1:], *shared)], banner=False)  # fmt: skip
    if "only" in spec:
        return [loop, compared, Section("parameters and their training", ["Trainer"], [
            _copied_for(spec, "emit/plain_trainer.py"), *formulas], banner=False)]  # fmt: skip
    products = Section("what they call: products of arrays, functions of all elements", rest, [texts[n] for n in rest])
    return [
        loop, compared,
        Section("parameters, the data looked at, files of models", ["Trainer"],
                [trainer_text(spec, deferred="sgd_deferred" in named), *formulas], banner=False),
        Section("faster orders, same updates", faster, [_ALIGNED, *(texts[n] for n in faster), _table(kernels)]),
        *([products] if rest else []),
    ]  # fmt: skip


def _elementary(kernels: Sequence[Kernel], called: Collection[str], dtype: str) -> list[Section]:
    accurate = exponents(kernels)
    ours = sorted({*called} | called_by(accurate, dtype))
    texts = [f"{DECORATOR}\n\n\n{helpers(ours, dtype).strip()}"] if ours else []
    texts += [exponent_function(name, e, dtype) for name, e in accurate.items()]
    defined = re.findall(r"^def (\w+)", "\n".join(texts), re.MULTILINE)
    return [Section("elementary functions of this precision", defined, texts)] if texts else []


def _machine_code(kernels: Sequence[Kernel]) -> Section:
    """Return what keeps machine code on disk; it comes last, for it has to know all kernels."""
    names = ", ".join(k.name for k in kernels if not k.inline)
    kept = "\n".join(wrap(f"KEPT = keep_machine_code({names})", WIDTH, later="    "))
    return Section("machine code on disk", ["keep_machine_code"], [_copied("emit/machine_code.py"), kept])


def _under_banner(section: Section) -> list[str]:
    first, *others = section.texts
    return [f"# --- {section.about} ---\n\n{first}" if section.banner else first, *others]


def with_called(kernels: Sequence[Kernel]) -> list[Kernel]:
    """Return kernels with those that they call, each once and before the first that calls it."""
    made: list[Kernel] = []
    for kernel in kernels:
        called = dict.fromkeys(s.kernel for s in walk(kernel.body) if isinstance(s, Call))
        made += [k for k in (*with_called([*called]), kernel) if k not in made]
    names = [k.name for k in made]
    assert len(set(names)) == len(names), f"two kernels of one name: {names}"
    return made


def trainer_text(spec: Mapping[str, Any], *, deferred: bool = True) -> str:
    """Return the source of the Trainer, with what this module's SPEC needs."""
    return _copied_for(spec, "emit/trainer.py", "emit/trainer_functions.py", deferred=deferred)


def _copied_for(spec: Mapping[str, Any], *paths: str, deferred: bool = False) -> str:
    """Return what files of ours have to be copied into a module of this SPEC."""
    holds = _conditions(spec, deferred=deferred)
    text = "\n\n\n".join(map(_copied, paths)).replace("  # fmt: skip", "")
    for condition, words in _WORDS.items():
        for word in () if holds[condition] else words:
            text = text.replace(word, "")
    chosen = _joined("\n".join(_chosen(text.splitlines(), holds)))
    return re.sub(r"\n{3,}(?= )", "\n\n", re.sub(r"\n{4,}", "\n\n\n", chosen)).strip("\n")


def _joined(text: str) -> str:
    """Return a text with signatures over several lines in one, where it has room."""

    def in_one(found: re.Match[str]) -> str:
        line = f"{found[1]}({' '.join(found[2].split()).rstrip(',')}):"
        return line if len(line) <= WIDTH else found[0]

    return re.sub(r"^( *def \w+)\(\n([^)]*)\n *\):$", in_one, text, flags=re.MULTILINE)


def _conditions(spec: Mapping[str, Any], *, deferred: bool) -> dict[str, bool]:
    """Return which parts of the Trainer a module has, by what they are called there."""
    keys = ("weighted", "masks", "state", "sizes", "vocabulary", "above_0", "below_1")
    label, sigmoid = spec["target"] == "label", spec["output"] == "sigmoid"
    return {
        **{key: key in spec for key in keys},
        "means": any(name.startswith("mean_") for name in spec.get("state", ())),
        "numbers": not label or "vocabulary" not in spec,
        "label": label, "vector": not label, "sigmoid": sigmoid and not label, "values": not sigmoid and not label,
        "uniform": spec["initial"]["distribution"] == "uniform", "deferred": deferred,
    }  # fmt: skip


def _chosen(lines: Iterable[str], holds: Mapping[str, bool]) -> Iterator[str]:
    """Yield the lines whose conditions hold, those around them and the one they stand under."""
    within = [True]
    for line in lines:
        if found := re.fullmatch(r"\s*# --- where (not )?(\w+) ---", line):
            within.append(holds[found[2]] != bool(found[1]))
        elif line.strip() == "# --- end ---":
            within.pop()
        elif all(within):
            yield line


def _copied(path: str) -> str:
    """Return what a file of ours has to be copied into every module."""
    source = files("symbackprop").joinpath(path).read_text(encoding="utf-8")
    return source.split(MARKER)[1].strip("\n")


def _docstring(header: Header, sections: Sequence[Section]) -> str:
    made = [textwrap.shorten(header.title, WIDTH - 3, placeholder=" ...")]
    origin = f"Generated by {header.versions} from the command below: change the definitions, not this file."
    made += ["", *wrap(origin, WIDTH), "", "Contents:", "", *map(_entry, sections)]
    for heading, formulas in ((h, f) for h, f in header.formulas.items() if f):
        made += ["", f"{heading}:", ""]
        for formula in formulas:
            made += wrap(formula, WIDTH, "    ", "        ")
    made += ["", "Shapes:", ""]
    made += [row for shape in header.shapes for row in wrap(shape, WIDTH, "    ", "        ")]
    made += ["", "Regenerate with:", ""]
    made += wrap(header.command, WIDTH - 8, "    ", "        ")
    return "\n".join(made)


def _entry(section: Section) -> str:
    """Return what the contents say of a part of the page, in one line."""
    room = WIDTH - len(section.about) - 7
    return f"    {textwrap.shorten(', '.join(section.names), room, placeholder=' ...')}: {section.about}"


def _preamble(spec: Mapping[str, Any], kernels: Sequence[Kernel], called: Sequence[str], *, plain: bool) -> str:
    whole = "only" not in spec
    imports = ["import hashlib", "import json"] * whole + ["import math"] * plain + ["import os"] * whole
    imports += ["from contextlib import suppress"] * whole
    if called:
        imports.append(f"from math import {', '.join(called)}")
    imports += [*["from pathlib import Path"] * whole, "", "import numpy as np", "from numba import njit"]
    constants = _CONSTANTS.format(dtype=spec["dtype"]) + _INLINED * any(kernel.inline for kernel in kernels)
    return "\n\n".join(["\n".join(imports), _spec_text(spec), constants])


def _spec_text(spec: Mapping[str, Any]) -> str:
    """Return SPEC as JSON that is Python too, long texts in several pieces."""
    rows = [row for key, value in spec.items() for row in _literal(f"{json.dumps(key)}: ", value)]
    return "\n".join(["SPEC = {", *(f"    {row}" for row in rows), "}"])


def _literal(start: str, value: Any) -> list[str]:
    """Return an entry of a literal in one line where it fits, else an item or a part of a text a line."""
    whole = f"{start}{json.dumps(value, ensure_ascii=False)},"
    if len(whole) <= WIDTH - 16 or not isinstance(value, str | list | dict) or not value:
        return [whole]
    if isinstance(value, dict):
        inner = [row for key, item in value.items() for row in _literal(f"{json.dumps(key)}: ", item)]
        return [start + "{", *(f"    {row}" for row in inner), "},"]
    if isinstance(value, list):
        return [start + "[", *(f"    {row}" for item in value for row in _literal("", item)), "],"]
    pieces = re.findall(rf".{{1,{WIDTH - 36}}}(?:\s|$)|\S+\s?", value)
    return [f"{start}(", *(f"    {json.dumps(piece, ensure_ascii=False)}" for piece in pieces), "),"]


_WORDS = {  # of the Trainer that stand in the midst of lines
    "weighted": (", sample_weight=None", ", sample_weight"),
    "masks": ("dropout=None, ", ", *masks"),
}

_CONSTANTS = """real = np.{dtype}  # the type of every constant: an untyped one would make float32 sums float64
zero, one = real(0), real(1)

# Sums may be reordered and products contracted; NaN and infinity keep their meaning.
FAST = {{"reassoc", "contract", "nsz", "arcp", "afn"}}
kernel = njit(nogil=True, error_model="numpy", fastmath=FAST)  # compiles at the first call"""

_INLINED = """
inlined = njit(nogil=True, error_model="numpy", fastmath=FAST, forceinline=True)  # no call is left"""

_ALIGNED = '''def at_cache_line(size, like):
    """Return an array of `size` elements that begins at a whole cache line of 64 bytes."""
    raw = np.empty(size + 16, like.dtype)
    skip = (-raw.ctypes.data % 64) // raw.itemsize
    return raw[skip : skip + size]


aligned = njit(at_cache_line)'''


def _function(name: str, expr: Expr, spec: Mapping[str, Any]) -> str:
    settings = ["learning_rate", *spec["hyperparameters"], "t"]
    arguments, doc = {
        "initial_scale": (
            ["fan_in", "fan_out", *(f"{k}=None" for k in spec["initial"]["defaults"])],
            "Return the bound of the uniform, or the deviation of the normal, initial weights.",
        ),
        "step_size": (settings, "Return the step size of update t."),
    }[name]
    named = expr.xreplace({s: Symbol(identifier(s.name)) for s in expr.free_symbols if isinstance(s, Symbol)})
    return f'def {name}({", ".join(arguments)}):\n    """{doc}"""\n    return {pycode(named)}'


def _table(kernels: Sequence[Kernel]) -> str:
    """Return the table of schedules: what each kernel of updates is called to a user."""
    names = {"sgd": "plain", "sgd_overlapped": "overlapped", "sgd_deferred": "deferred"}
    pairs = ", ".join(f'"{names[k.name]}": {k.name}' for k in kernels if k.name in names)
    return f"SCHEDULES = {{{pairs}}}"
