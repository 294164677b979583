"""A layer as a few index equations, from the layer below to its own values; `instantiate.py` gives it its place."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sympy import Indexed

from symbackprop.definitions.exact import exact
from symbackprop.definitions.shape_inference import accesses, letters
from symbackprop.expr.printing import formula
from symbackprop.expr.symbols import name_of, names_in, scalar
from symbackprop.parse.index_equation import NAME, IndexEquation, as_equation, parse_equations


@dataclass(frozen=True)
class Layer:
    """A layer: equations from the layer below, h, to its own values, a, which the last equation defines.

    Attributes
    ----------
    name
        As it is written where networks are described: ``conv(8, 5)``.
    equations
        In the order of computation; what is read and not defined is a parameter.
    sizes
        How far indices run that no shape tells, by letter: units, channels, windows.
    initial
        Where a parameter starts, for those that have one value in the beginning; other weights are drawn.
    uses
        What a name stands for that is elsewhere in the network: ``{"V": "W1", "u": "h1"}``.
    rows
        How many rows a table has that is read at integers.
    identity
        What distinguishes it from layers with parameters of the same shapes: its equations as they were understood.
    """

    name: str
    equations: tuple[IndexEquation, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)
    initial: Mapping[str, float] = field(default_factory=dict)
    uses: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    identity: str = ""

    @property
    def rank(self) -> int:
        """How many indices the layer below is read with; 0 if it is not read."""
        reads = [a for e in self.equations for a in accesses(e.rhs) if a.name == "h"]
        return len(reads[0].element.indices) if reads else 0

    @property
    def reads_integers(self) -> bool:
        """Whether the layer below is an index: the network's inputs are integers then."""
        places = [i for e in self.equations for a in accesses(e.rhs) for i in a.element.indices]
        return any(name_of(read) == "h" for i in places for read in i.atoms(Indexed))


def layer(equations: Any, *, name: str = "", initial: Mapping[str, float] | None = None,
          uses: Mapping[str, str] | None = None, rows: Mapping[str, int] | None = None,
          **values: float) -> Layer:  # fmt: skip
    """Return a layer of one's own.

    Parameters
    ----------
    equations
        A text, ``"mu = sum(h[j], j)/n; a[i] = b[i] + sum(W[i,j]*(h[j] - mu), j)"``, or an ``Eq(a[i], ...)`` of SymPy's
        Indexed and `Sum`, or a list of them. `h` is the layer below, `a` this one's values.
    name
        What it is called; its equations in one line by default.
    initial
        Initial values of parameters that all start alike, such as gains: ``{"g": 1}``.
    uses
        Parameters and outputs of earlier layers under names of this one: ``{"V": "W1", "u": "h1"}``.
    rows
        How many rows a table has that is read at integers, ``E[h[j],d]``: ``{"E": 1000}``.
    **values
        Sizes of indices that no shape tells, ``i=64``, and constants, ``eps=1e-5``.

    Returns
    -------
    Layer
        To stand in ``Network([...])``.

    Raises
    ------
    ValueError
        If an equation is none, or does not define `a` last, or a value is no number.

    Examples
    --------
    >>> layer("a[i] = w[i]*h[i] + v[i]*h[i+1]").rank
    1
    """
    _require_numbers(values)
    tables: dict[str, Any] = {"initial": initial, "uses": uses, "rows": rows}
    for what, table in tables.items():
        _require_table(what, table, (str,) if what == "uses" else (int,) if what == "rows" else (int, float))
    if isinstance(equations, str):
        index_equations = parse_equations(equations, {n: exact(v) for n, v in values.items()})
        used = {i.name for e in index_equations for i in letters(e)}
        unused = [n for n in values if n not in used and not re.search(rf"\b{n}\b", equations)]
    else:
        items = equations if isinstance(equations, list | tuple) else [equations]
        written = [as_equation(e) for e in items]
        used = {i.name for e in written for i in letters(e)}
        constants = {scalar(n): exact(v) for n, v in values.items() if n not in used}
        unused = [s.name for s in constants if not any(s in e.rhs.free_symbols for e in written)]
        index_equations = tuple(IndexEquation(e.lhs, e.rhs.xreplace(constants), e.text) for e in written)
    if unused:
        raise ValueError(f"{unused[0]}={values[unused[0]]} belongs to no index and no constant of the layer")
    sizes = {n: v for n, v in values.items() if n in used}
    for letter, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{letter} is {size!r}, expected how far the index runs, a positive integer")
    text = name or "; ".join(" ".join(e.text.split()) for e in index_equations)
    identity = "; ".join(f"{formula(e.lhs, code=True)} = {formula(e.rhs, code=True)}" for e in index_equations)
    said = dict(initial or {}), dict(uses or {}), dict(rows or {})
    return _check(Layer(text, index_equations, sizes, *said, identity))  # type: ignore[arg-type]


def _require_table(what: str, table: Any, kinds: tuple[type, ...]) -> None:
    values: list[Any] = list(table.values()) if isinstance(table, Mapping) else []
    fits = table is None or isinstance(table, Mapping)
    if not fits or not all(isinstance(v, kinds) and not isinstance(v, bool) for v in values) or (
        what == "rows" and any(v < 1 for v in values)
    ):  # fmt: skip
        example = {"uses": {"V": "W1"}, "rows": {"E": 1000}}.get(what, {"g": 1})
        raise ValueError(f"{what} is {table!r:.60}, expected a table such as {example}")


def _require_numbers(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{name} is {value!r}, expected a number")


def _check(layer: Layer) -> Layer:
    defined: list[str] = []
    for equation in layer.equations:
        name = name_of(equation.lhs)
        _require_whole(equation)
        if name in defined or name == "h":
            raise ValueError(f"{equation.text!r} defines {name} again, expected a name that is new")
        later = {name_of(e.lhs) for e in layer.equations} - set(defined)
        read = names_in(equation.rhs)
        if cycle := sorted(read & later):
            raise ValueError(f"{equation.text!r} reads {cycle[0]} before it is defined: equations go in order")
        for word in {name, *(a.name for a in accesses(equation.rhs))}:
            if not re.fullmatch(NAME, word):
                raise ValueError(f"{equation.text!r} has the name {word!r}, expected letters such as W or mu")
        defined.append(name)
    if defined[-1] != "a":
        raise ValueError(f"{layer.equations[-1].text!r} is the last equation of a layer, expected one for a")
    _require_read(layer, defined)
    if not layer.uses and not any("h" in names_in(e.rhs) for e in layer.equations):
        raise ValueError(f"{layer.equations[-1].text!r} reads nothing of the layer below, h: what is before it would "
                         "learn nothing")  # fmt: skip
    return layer


def _require_whole(equation: IndexEquation) -> None:
    """Raise ValueError if an equation does not define every element of its array, or `a` as one number."""
    name, places = name_of(equation.lhs), getattr(equation.lhs, "indices", ())
    if not all(i.is_Symbol for i in places) or len(set(places)) < len(places):
        raise ValueError(
            f"{equation.text!r} does not define every element of {name}, expected letters as in {name}[i,j]"
        )
    if name == "a" and not places:
        raise ValueError(f"{equation.text!r} defines one number, expected values such as a[i]")


def _require_read(layer: Layer, defined: list[str]) -> None:
    """Raise ValueError if what is said of a name is of none that the layer reads."""
    names = {name for e in layer.equations for name in names_in(e.rhs)}
    for what, word in [(kind, n) for kind in ("initial", "uses", "rows") for n in getattr(layer, kind)]:
        if word not in names or word in defined:
            raise ValueError(f"{what} has {word!r}, which the layer {layer.name!r:.60} does not read")
